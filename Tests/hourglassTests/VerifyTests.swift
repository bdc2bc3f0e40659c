import HourglassAnalysis
import HourglassTraining
import Testing

/// `verify`: weights of many divisions, compared.
@Suite struct VerifyTests {
  /// The hash is that of `train` with the same recipe, so that it is training what is verified. Of 20 images in batches
  /// of 18 the second step sees two.
  @Test func everyDivisionEndsWithTheWeightsOfTraining() throws {
    try Program.inTemporaryFolder { program in
      let trained = try program.run(
        "train --model tiny.json --data images.npy --batch-size 18 --steps 3 --json --run run")
      let hash = try #require(trained.weightsHash)
      let verify = "verify --model tiny.json --data images.npy --batch-size 18 --steps 3"
      let result = try program.run("\(verify) --json")
      #expect(result.status == Status.done.rawValue && result.errors.isEmpty, "\(result.errors)")
      #expect(result.objects.count == result.output.split(separator: "\n").count)
      let divisions = Verification.Division.all.count
      #expect(result.objects.count >= divisions && result.objects.count % divisions == 0)
      #expect(result.objects.allSatisfy { $0["weightsHash"] as? String == hash && $0["equal"] as? Bool == true })
      #expect(result.objects.contains { $0["resumed"] != nil })

      let table = try program.run(verify)
      #expect(table.status == Status.done.rawValue && !table.output.contains("DIFFERENT"))
      #expect(table.output.split(separator: "\n").count { $0.contains(hash) } == result.objects.count)
    }
  }

  @Test func everyDivisionEndsWithTheWeightsOfTrainingInSeveralMinibatches() throws {
    try Program.inTemporaryFolder { program in
      let recipe = "--model tiny.json --data images.npy --batch-size 6 --accumulate 3 --steps 3 --json"
      let hash = try #require(program.run("train \(recipe) --run run").weightsHash)
      let result = try program.run("verify \(recipe)")
      #expect(result.status == Status.done.rawValue, "\(result.errors)")
      #expect(result.objects.count >= Verification.Division.all.count)
      #expect(result.objects.allSatisfy { $0["weightsHash"] as? String == hash })
    }
  }

  @Test func theFirstDivisionWithOtherWeightsIsNamed() throws {
    let one = Verification.Division(ParallelPlan(workers: 1, threads: 1))
    let many = Verification.Division(
      ParallelPlan(workers: 2, threads: 1), resumed: ParallelPlan(workers: 3, threads: 2))
    func verification(_ hashes: [String]) -> Verification {
      let places = [("avx512", one), ("avx512", many), ("avx2", one), ("avx2", many)]
      let rows = zip(places, hashes).map {
        Verification.Row(instructionSet: $0.0, division: $0.1, weightsHash: $1)
      }
      return Verification(model: "tiny", rows: rows)
    }
    #expect(verification(["a0", "a0", "a0", "a0"]).difference == nil)
    let cases = [
      (["a0", "b1", "a0", "c2"], "2 x 1, resumed 3 x 2 on avx512"), (["a0", "a0", "b1", "a0"], "1 x 1 on avx2"),
    ]
    for (hashes, place) in cases {
      let result = verification(hashes)
      #expect(result.rows.map(result.isEqual) == hashes.map { $0 == "a0" })
      let sentence = try #require(result.difference)
      #expect(sentence.contains("a0 of 1 x 1 on avx512") && sentence.hasSuffix("found b1 in \(place)"), "\(sentence)")
    }
  }
}
