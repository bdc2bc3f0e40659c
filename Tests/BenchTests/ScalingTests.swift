import Foundation
import HourglassModels
import TestSupport
import Testing

@testable import HourglassTraining
@testable import bench

private let tiny = Autoencoder("tiny", input: ImageShape(8, 8, 1), likelihood: .bernoulli) {
  Conv2D(4, kernel: 4, stride: 2, activation: .relu)
} latent: {
  GaussianLatent(3)
} decoder: {
  Dense(64, activation: .relu)
  Reshape(4, 4, 4)
  ConvTranspose2D(1, kernel: 4, stride: 2)
}

private let machine = MachineBlock(
  processor: "P", cores: 4, grantedCores: 2, caches: [1 << 15], memoryBytes: 1 << 30, instructionSet: "avx2",
  openMP: "none", compilers: "Swift", revision: "unknown", peakGflops: 100, bandwidth: [10, 20])

private func design(
  _ mode: ScalingStudy.Mode = .strong, batchSize: Int = 16, shards: Int? = 4, most: Int = 4, repetitions: Int = 2,
  seed: UInt64 = 1
) throws -> ScalingDesign {
  try ScalingDesign(
    tiny, mode: mode, batchSize: batchSize, shards: shards, most: most, granted: 2, repetitions: repetitions,
    seconds: 2e-3, seed: seed)
}

private func study(_ design: ScalingDesign, peers: [ScalingPeer] = []) throws -> ScalingStudy {
  try ScalingMeasurement(design, peers: peers) { _ in 1 << 20 }.study(on: machine)
}

@Suite struct ScalingDesignTests {
  @Test(
    "cores are powers of two, the granted ones and the most",
    arguments: [
      (1, 1, [1]), (2, 2, [1, 2]), (6, 6, [1, 2, 4, 6]), (4, 16, [1, 2, 4]), (3, 16, [1, 2, 3]),
      (12, 6, [1, 2, 4, 6, 8, 12]), (1, 8, [1]), (128, 96, [1, 2, 4, 8, 16, 32, 64, 96, 128]),
    ])
  func cores(most: Int, granted: Int, wanted: [Int]) {
    #expect(ScalingDesign.cores(upTo: most, granted: granted) == wanted)
  }

  @Test("divisions are all workers x threads within the cores, ordered by cores and then by threads")
  func divisions() {
    func pairs(_ cores: [Int]) -> [[Int]] { ScalingDesign.divisions(of: cores).map { [$0.workers, $0.threads] } }
    #expect(pairs([1]) == [[1, 1]])
    #expect(pairs([1, 2, 4]) == [[1, 1], [2, 1], [1, 2], [4, 1], [2, 2], [1, 4]])
    #expect(pairs([1, 2, 3]) == [[1, 1], [2, 1], [1, 2], [3, 1], [1, 3]])
  }

  @Test("a strong study keeps the recipe, a weak one the samples of each core and of each shard")
  func recipes() throws {
    for point in try design(.strong).points { #expect(point.plan.batchSize == 16 && point.plan.shards == 4) }
    let points = try design(.weak, most: 8).points
    for point in points {
      #expect(point.plan.batchSize == 16 * point.cores && point.plan.shards == 4 * point.cores)
      #expect(point.plan.samplesPerShard == points[0].plan.samplesPerShard)
    }
    let defaults = try design(batchSize: 40, shards: nil).points[0].plan
    #expect(defaults.shards == ExecutionPlan.defaultShards(batchSize: 40))
  }

  @Test("each repetition takes everything once, in an order of its own that only the seed decides")
  func order() throws {
    let (one, same, other) = (try design(seed: 1), try design(seed: 1), try design(seed: 2))
    func orders(_ design: ScalingDesign) -> [[Int]] { (0..<10).map { design.order(of: 6, repetition: $0) } }
    for order in orders(one) { #expect(order.sorted() == Array(0..<6)) }
    #expect(orders(one) == orders(same) && orders(one) != orders(other))
    #expect(Set(orders(one)).count > 5)
    // Nothing has a place of its own.
    for place in 0..<6 { #expect(Set((0..<60).map { one.order(of: 6, repetition: $0)[place] }).count == 6) }
  }

  @Test("what cannot be measured is refused with what was wanted and found")
  func refused() throws {
    #expect(throws: ModelError.self) { try design(batchSize: 3, shards: 4) }
    #expect(throws: ModelError.self) { try design(.weak, batchSize: 1 << 19, shards: nil, most: 4) }
  }
}

@Suite struct ScalingMeasurementTests {
  @Test("parts are those of the mean worker, their sum is the mean step")
  func parts() {
    var sums = PartSums()
    func times(_ ms: [UInt64]) -> WorkerTimes {
      var times = WorkerTimes()
      (times.shards, times.products) = (ms[0] * 1_000_000, ms[1] * 1_000_000)
      (times.sums, times.updates) = (ms[2] * 1_000_000, ms[3] * 1_000_000)
      return times
    }
    sums.add(step: 0.020, workers: [times([6, 2, 1, 3]), times([2, 0, 1, 1])])
    sums.add(step: 0.030, workers: [times([8, 2, 3, 4]), times([16, 4, 3, 0])])
    let parts = sums.mean
    // In ms: of both steps 4 and 12, 1 and 3, 1 and 3, 2 and 2, and of 20 and 30 are left 12 and 10.
    let wanted = [8e-3, 2e-3, 2e-3, 2e-3, 11e-3]
    let found = [parts.forwardBackward, parts.products, parts.reduction, parts.update, parts.waiting]
    for (wanted, found) in zip(wanted, found) { #expect(abs(wanted - found) < 1e-12) }
    #expect(abs(found.reduce(0, +) - 25e-3) < 1e-12)
    // The slowest took 6 and 16 ms, the mean worker 4 and 12.
    #expect(abs(parts.imbalance - (22.0 / 16 - 1)) < 1e-12)
  }

  @Test("a study has every point, positive times, and the same weights wherever the recipe is the same")
  func real() throws {
    for mode in ScalingStudy.Mode.allCases {
      let design = try design(mode)
      var titles: [String] = []
      let study = try ScalingMeasurement(design) { 1000 * $0.cores }.study(on: machine) { done, all, next in
        #expect((0..<all).contains(done) && all == 2 * 6)
        titles.append(next)
      }
      #expect(titles.count == 6 + 2 * 6 && titles.filter { $0.contains("repetition 2, 4 x 1") }.count == 1)
      #expect(study.points.map(\.cores) == [1, 2, 2, 4, 4, 4] && study.difference == nil)
      #expect(Set(study.points.map(\.weightsHash)).count == (mode == .strong ? 1 : 3))
      for (point, planned) in zip(study.points, design.points) {
        #expect(point.seconds.count == 2 && point.seconds.allSatisfy { $0 > 0 && $0 < 10 })
        let parts = point.parts
        #expect(parts.forwardBackward > 0 && parts.products > 0 && parts.reduction > 0 && parts.update > 0)
        #expect(parts.waiting > 0 && parts.imbalance >= 0)
        #expect(point.memory.residentBytes == 1000 * point.cores)
        let memory = PlannedMemory(training: planned.plan, parallel: planned.parallel)
        #expect(point.memory.plannedBytes == memory.total)
      }
    }
  }

  @Test("the weights are those of so many steps, whatever divides them and however long is measured")
  func hash() throws {
    let design = try design(most: 2)
    let plan = design.points[0].plan
    let run = try StepRun(
      plan, ParallelPlan(workers: 3, threads: 1), try StepRun.images(for: tiny, batchSize: plan.batchSize))
    for _ in 0..<ScalingMeasurement.warmUp { try run.step() }
    let wanted = WeightsHash.of(run.training.parameters, plan: plan)
    #expect(try study(design).points.map(\.weightsHash) == [wanted, wanted, wanted])
  }

  @Test("weights that differ are told, between points with one recipe and between repetitions")
  func difference() throws {
    var study = try study(design(.weak))
    let hash = study.points[2].weightsHash
    study.points[2].weightsHash = "0123456789abcdef"
    #expect(study.points.map(study.isEqual) == [true, true, false, true, true, true])
    let sentence = try #require(study.difference)
    for part in [hash, "of 2 x 1 ", "0123456789abcdef in 1 x 2"] { #expect(sentence.contains(part), "\(sentence)") }
    study.points[2].weightsHash = hash
    study.points[0].weightsHash += "/0123456789abcdef"
    #expect(study.difference?.contains("in 1 x 1") == true)
  }

  @Test("a study is the same after it was written as JSON and read again")
  func roundTrip() throws {
    let study = try study(design(most: 1))
    let text = try json(study)
    #expect(try json(JSONDecoder().decode(ScalingStudy.self, from: Data(text.utf8))) == text)
    let object = try #require(try JSONSerialization.jsonObject(with: Data(text.utf8)) as? [String: Any])
    #expect(
      Set(object.keys) == ["model", "mode", "batchSize", "repetitions", "seed", "machine", "points", "peers"])
    // A core has no more than its time, but for the moments between the clocks.
    let point = try #require(study.points.first)
    #expect(point.processorSeconds.count == 2 && point.processorSeconds.allSatisfy { $0 > 0 })
  }

  @Test("peers take part in each repetition, and their faster layout counts")
  func peers() throws {
    // Answers with the question's threads or processes, that is cores, in milliseconds.
    let script = #"""
      echo '{"framework":"torch-1.2.3+cpu","allocator":"tcmalloc"}'
      while read -r question; do
        cores=$(printf %s "$question" | sed 's/.*"\(threads\|processes\)":\([0-9]*\).*/\2/')
        echo "{\"nchw\":[9,9,9],\"channels_last\":[8,0.00$cores,0.00$cores]}"
      done
      """#
    let peers = try [ScalingPeer.Way.threads, .processes].map {
      ScalingPeer(try PeerProcess(["sh", "-c", script]), $0)
    }
    let study = try study(design(.weak, batchSize: 2, shards: 1), peers: peers)
    #expect(study.peers.map(\.name) == ["PyTorch 1.2.3, threads", "PyTorch 1.2.3, DDP with gloo"])
    for peer in study.peers {
      #expect(peer.allocator == "tcmalloc" && peer.points.map(\.cores) == [1, 2, 4])
      #expect(peer.points.map(\.batchSize) == [2, 4, 8])
      for point in peer.points {
        #expect(point.layout == "channels_last")
        #expect(point.seconds == [1e-3 * Double(point.cores), 1e-3 * Double(point.cores)])
      }
    }
    // A process without a sample cannot take part.
    #expect(peers.map { $0.cores((try? design(batchSize: 3, shards: 1))!) } == [[1, 2, 4], [1, 2]])
  }
}

@Suite struct ScalingCommandTests {
  @Test(
    "wrong usage is refused before anything is measured",
    arguments: [
      ("--model no-such-model", ["--model", "conv-vae-28", "no-such-model"]), ("", ["--model"]),
      ("--model conv-vae-28 --mode sideways", ["--mode", "strong", "weak", "sideways"]),
      ("--model conv-vae-28 --max-workers 0", ["--max-workers", "1 to", "found 0"]),
      ("--model conv-vae-28 --max-workers 9999", ["--max-workers", "1 to", "found 9999"]),
      ("--model conv-vae-28 --batch-size 0", ["--batch-size", "1 to", "found 0"]),
      ("--model conv-vae-28 --batch-size 4 --shards 5", ["--shards", "1 to 4", "found 5"]),
      ("--model conv-vae-28 --repetitions 1", ["--repetitions", "2 to", "found 1"]),
      ("--model conv-vae-28 --seconds 0", ["--seconds", "more than 0", "found 0"]),
      ("--model conv-vae-28 --seconds nan", ["--seconds", "more than 0", "found nan"]),
      ("--model conv-vae-28 --peer horse", ["--peer", "torch", "horse"]),
    ])
  func wrongUsage(_ arguments: String, _ mentions: [String]) {
    let error = #expect(throws: (any Error).self) {
      try ScalingBenchmark.parse(arguments.split(separator: " ").map(String.init))
    }
    let sentence = error.map { ScalingBenchmark.message(for: $0) } ?? ""
    for mention in mentions { #expect(sentence.contains(mention), "\(sentence)") }
  }

  @Test("a folder that cannot be made or written is refused by its path")
  func folder() throws {
    try withTemporaryFolder { path in
      #expect(try ScalingBenchmark.folder("\(path)/a/b") == "\(path)/a/b")
      let file = "\(path)/file"
      try "".write(toFile: file, atomically: true, encoding: .utf8)
      for folder in [file, "\(file)/study"] {
        let error = #expect(throws: (any Error).self) { try ScalingBenchmark.folder(folder) }
        #expect(error.map { ScalingBenchmark.message(for: $0) }?.contains(folder) == true)
      }
    }
  }

  @Test("a process that trains with one division says how much memory it took")
  func resident() throws {
    let model = try #require(ModelCatalog.model("conv-vae-28"))
    let design = try ScalingDesign(
      model, mode: .strong, batchSize: 8, most: 1, repetitions: 2, seconds: 1, seed: 1)
    let tests = URL(fileURLWithPath: "/proc/self/exe").resolvingSymlinksInPath()
    let program = tests.deletingLastPathComponent().appending(path: "bench").path
    let bytes = try ResidentMemory.measure(design.points[0], program: program)
    // The program, its libraries and 1024 images come on top.
    let planned = PlannedMemory(training: design.points[0].plan, parallel: design.points[0].parallel).total
    #expect(bytes > planned && (isSanitized || bytes < planned + 200 << 20))
    #expect(throws: BenchError.self) { try ResidentMemory.measure(design.points[0], program: "false") }
  }

  @Test("the peak of a process is read in bytes")
  func peak() {
    #expect(ResidentMemory.ownPeak("VmPeak:\t  900 kB\nVmHWM:\t     123 kB\nVmRSS:\t  100 kB\n") == 123 * 1024)
    #expect(ResidentMemory.ownPeak("VmPeak:\t  900 kB\n") == nil)
  }
}
