import Foundation
import HourglassTraining
import Testing

/// A run that is killed at random moments, and goes on with another division each time, ends as one that never was.
///
/// HOURGLASS_STRESS=ROUNDS repeats it with other seeds (`make stress`); HOURGLASS_STRESS_SEED=SEED repeats one.
@Suite struct StressTests {
  private static let environment = ProcessInfo.processInfo.environment
  static let seeds: [UInt64] = {
    if let seed = environment["HOURGLASS_STRESS_SEED"].flatMap(UInt64.init) { return [seed] }
    let rounds = environment["HOURGLASS_STRESS"].flatMap(Int.init) ?? 1
    return (0..<max(1, rounds)).map { _ in UInt64.random(in: 0..<1 << 32) }
  }()

  private static let last = "run/checkpoints/last.safetensors"

  @Test(arguments: seeds) func twentyKillsChangeNothing(_ seed: UInt64) throws {
    print("stress: HOURGLASS_STRESS_SEED=\(seed)")
    var state = seed
    // Knuth's MMIX generator; its upper bits.
    func random(_ range: ClosedRange<Int>) -> Int {
      state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
      return range.lowerBound + Int(state >> 33) % range.count
    }
    try Program.inTemporaryFolder { program in
      // Steps of two minibatches, the last of an epoch smaller; a validation after every third step.
      let recipe = """
        train --model tiny.json --data images.npy --validation images.npy --batch-size 4 --accumulate 2 --clip-norm 5 \
        --json --quiet
        """
      let resume = "train --run run --resume --json --quiet --checkpoint-every 2"
      func words(_ line: String) -> [String] { line.split(separator: " ").map(String.init) }
      var (kills, reached) = (0, 0)
      while kills < 20 {
        let division = "--workers \(random(1...5)) --threads \(random(1...3))"
        let begins = program.contents("run/recipe.json") == nil
        let before = program.contents(Self.last)
        let running = try program.start(
          words("\(begins ? "\(recipe) --run run --steps 100000000 --checkpoint-every 2" : resume) \(division)"))
        // Every second time anywhere from the start of the process on, else after the next checkpoint: on a busy
        // machine the run would get nowhere otherwise.
        if kills % 2 == 1 { running.wait { program.contents(Self.last) != before } }
        usleep(UInt32(random(1_000...(kills % 2 == 1 ? 30_000 : 250_000))))
        running.send(SIGKILL)
        #expect(try running.finish().status == SIGKILL)
        kills += 1
        guard program.contents(Self.last) != nil else { continue }
        let step = try Checkpoint(reading: program.path(Self.last)).progress.step
        #expect(step >= reached, "seed \(seed): kill \(kills) lost steps")
        reached = step
      }
      let running = try program.start(words("\(resume) --workers 3"))
      let before = program.contents(Self.last)
      running.wait { program.contents(Self.last) != before }
      running.send(SIGINT)
      let stopped = try running.finish()
      let steps = try #require(stopped.steps, "seed \(seed): \(stopped.errors)")
      #expect(steps > reached && reached > 0, "seed \(seed)")
      let whole = try program.run("\(recipe) --run whole --steps \(steps) --workers 1")
      #expect(whole.weightsHash != nil && stopped.weightsHash == whole.weightsHash, "seed \(seed): \(whole.errors)")
    }
  }
}
