import Foundation
import HourglassData
import HourglassModels
import TestSupport
import Testing

@testable import HourglassTraining

/// The state of a run in a file: what was written is what is read, and nothing else is.
@Suite struct CheckpointTests {
  @Test(arguments: Optimizer.Kind.allCases.map { Optimizer($0, learningRate: 0.01) })
  func aCheckpointRestoresEveryBit(_ optimizer: Optimizer) throws {
    try withTemporaryFolder { folder in
      let path = folder + "/c.safetensors"
      let training = try Self.trained(TinyModels.variational, optimizer: optimizer)
      let written = Checkpoint(training, progress: Self.progress)
      try written.write(to: path)
      let read = try Checkpoint(reading: path)
      #expect(read.progress == Self.progress && read.weightsHash == written.weightsHash)
      #expect(read.weightsHash == WeightsHash.of(training.parameters, plan: training.plan))

      let other = try Self.trained(TinyModels.variational, optimizer: optimizer, steps: 0)
      #expect(other.parameters.bits != training.parameters.bits)
      try read.restore(other, path: path)
      #expect(other.parameters.bits == training.parameters.bits)
      #expect(other.moments.map(\.name) == training.moments.map(\.name))
      for (a, b) in zip(other.moments, training.moments) { #expect(a.values.bits == b.values.bits) }
      #expect(training.moments.allSatisfy { $0.values.elements.contains { $0 != 0 } })
    }
  }

  @Test func theFileCarriesPyTorchsNamesAndShapes() throws {
    try withTemporaryFolder { folder in
      let path = folder + "/c.safetensors"
      let training = try Self.trained(TinyModels.variational)
      try Checkpoint(training, progress: Self.progress).write(to: path)
      let file = try SafeTensors.read(path)
      let names = training.plan.parameters.map(\.name)
      #expect(file.tensors.map(\.name) == names + names.map { "optimizer.m.\($0)" } + names.map { "optimizer.v.\($0)" })
      #expect(file["encoder.0.weight"]?.shape == [4, 1, 4, 4] && file["decoder.3.weight"]?.shape == [4, 1, 4, 4])
      #expect(file["latent.logVariance.weight"]?.shape == [3, 10])
      #expect(file.metadata["format"] == "hourglass-checkpoint-1")
      #expect(file.metadata["weightsHash"] == WeightsHash.of(training.parameters, plan: training.plan))
    }
  }

  /// The hash that names weights: SHA-256 over the tensors' bytes as stored, moments excluded.
  @Test func theHashIsOverTheTensorsAsStored() throws {
    let training = try Self.trained(TinyModels.autoencoder)
    let bytes = training.plan.parameters.flatMap { $0.tensor(in: training.parameters.pointer) }
    let hash = bytes.withUnsafeBytes { SHA256.hexDigits(of: $0) }
    #expect(WeightsHash.of(training.parameters, plan: training.plan) == String(hash.prefix(16)))
  }

  @Test func aFileCutShortAnywhereIsRefused() throws {
    try Self.withRun { run, bytes in
      let header = 8 + Int(bytes[0]) + Int(bytes[1]) << 8 + Int(bytes[2]) << 16
      let places = [0, 1, 7, 8, 9, header / 2, header - 1, header, header + 1, (header + bytes.count) / 2]
      for count in places + [bytes.count - 4, bytes.count - 1] {
        try Data(bytes.prefix(count)).write(to: URL(filePath: run.checkpoint(.last)))
        #expect(throws: DataError.self, "cut to \(count) of \(bytes.count)") { try run.read(.last) }
      }
      try Data(bytes + [0]).write(to: URL(filePath: run.checkpoint(.last)))
      #expect(throws: DataError.self, "one byte more") { try run.read(.last) }
    }
  }

  @Test func aFileWithAnAlteredByteIsRefused() throws {
    try Self.withRun { run, bytes in
      let header = 8 + Int(bytes[0]) + Int(bytes[1]) << 8 + Int(bytes[2]) << 16
      // Every seventh byte of the header, which meets lengths, names, shapes, offsets and metadata; some of the data.
      let places =
        Array(stride(from: 0, to: header, by: 7)) + Array(stride(from: header, to: bytes.count, by: 509))
        + [header - 1, header, bytes.count - 1]
      for place in places {
        var altered = bytes
        altered[place] ^= 1
        do {
          _ = try Checkpoint(reading: Self.write(altered, run))
          let around = bytes[max(0, place - 20)..<min(bytes.count, place + 20)]
          Issue.record("byte \(place) altered and read: \(String(decoding: around, as: UTF8.self))")
        } catch {}
      }
    }
  }

  @Test func aRefusalNamesTheCheckpointBefore() throws {
    try Self.withRun { run, bytes in
      try Data(bytes.dropLast()).write(to: URL(filePath: run.checkpoint(.last)))
      do {
        _ = try run.read(.last)
        Issue.record("read a file that was cut short")
      } catch let error as DataError {
        #expect(error.path == run.checkpoint(.last))
        #expect(
          error.reason.hasSuffix(
            "; the one before it is whole: copy \(run.checkpoint(.previous)) over it to go on from there"))
      }
      try FileManager.default.copyItem(atPath: run.checkpoint(.last), toPath: run.path + "/cut")
      for kept in [RunFolder.Kept.previous, .best] {
        try FileManager.default.removeItem(atPath: run.checkpoint(kept))
      }
      do {
        _ = try run.read(.last)
        Issue.record("read a file that was cut short")
      } catch let error as DataError { #expect(error.reason.hasSuffix("; no other checkpoint of this run is whole")) }
    }
  }

  @Test func aCheckpointOfAnotherModelIsRefused() throws {
    try withTemporaryFolder { folder in
      let path = folder + "/c.safetensors"
      try Checkpoint(Self.trained(TinyModels.autoencoder), progress: Self.progress).write(to: path)
      let other = try Self.trained(TinyModels.variational, steps: 0)
      let before = other.parameters.bits
      do {
        try Checkpoint(reading: path).restore(other, path: path)
        Issue.record("restored into another model")
      } catch let error as DataError {
        #expect(
          error.description
            == "\(path): encoder.0.weight: the model wants the shape [4, 1, 4, 4], found [5, 3, 4, 4]")
      }
      #expect(other.parameters.bits == before)
      // An optimiser with more moments wants more tensors.
      try Checkpoint(
        Self.trained(TinyModels.autoencoder, optimizer: Optimizer(.sgd)), progress: Self.progress
      ).write(to: path)
      let adam = try Self.trained(TinyModels.autoencoder, steps: 0)
      let start = adam.parameters.bits
      do {
        try Checkpoint(reading: path).restore(adam, path: path)
        Issue.record("restored into another optimiser")
      } catch let error as DataError {
        #expect(
          error.description
            == "\(path): the model wants a tensor optimizer.v.encoder.0.weight, the file has none")
      }
      #expect(adam.parameters.bits == start, "nothing is restored in part")
    }
  }

  @Test func aFileOfAnotherProgramIsRefused() throws {
    try withTemporaryFolder { folder in
      let path = folder + "/c.safetensors"
      try SafeTensors(tensors: [.init(name: "a", shape: [1], values: [1])]).write(to: path)
      do {
        _ = try Checkpoint(reading: path)
        Issue.record("read a file of another program")
      } catch let error as DataError {
        #expect(
          error.description
            == "\(path): wanted a checkpoint of format hourglass-checkpoint-1, found none in the metadata")
      }
    }
  }

  @Test func lastPreviousAndBestAreKept() throws {
    try withTemporaryFolder { folder in
      let run = try RunFolder.create(folder + "/run", recipe: Recipe(model: TinyModels.autoencoder))
      let training = try Self.trained(TinyModels.autoencoder, steps: 0)
      func steps() -> [Int?] {
        [.last, .previous, .best].map { (try? Checkpoint(reading: run.checkpoint($0)))?.progress.step }
      }
      for (step, isBest, wanted) in [
        (1, true, [1, nil, 1]), (2, true, [2, 1, 2]), (3, false, [3, 2, 2]), (4, false, [4, 3, 2]),
        (5, true, [5, 4, 5]),
      ] as [(Int, Bool, [Int?])] {
        try run.write(Checkpoint(training, progress: .init(step: step)), isBest: isBest)
        #expect(steps() == wanted)
      }
      let files = try FileManager.default.contentsOfDirectory(atPath: run.file("checkpoints"))
      #expect(Set(files) == ["last.safetensors", "previous.safetensors", "best.safetensors"], "nothing else is left")
    }
  }

  /// A process that may write no more bytes stands for a full disk.
  @Test func aFullDiskLosesNothing() async {
    await #expect(processExitsWith: .success) {
      try withTemporaryFolder { folder in
        let run = try RunFolder.create(folder + "/run", recipe: Recipe(model: TinyModels.autoencoder))
        let training = try CheckpointTests.trained(TinyModels.autoencoder, steps: 1)
        for step in 1...2 { try run.write(Checkpoint(training, progress: .init(step: step)), isBest: true) }
        signal(SIGXFSZ, SIG_IGN)
        for limit in [0, 1000, 10_000] {
          var full = rlimit(rlim_cur: rlim_t(limit), rlim_max: .max)
          precondition(setrlimit(__rlimit_resource_t(RLIMIT_FSIZE.rawValue), &full) == 0)
          do {
            try run.write(Checkpoint(training, progress: .init(step: 3)), isBest: true)
            preconditionFailure("written beyond the limit")
          } catch let error as DataError {
            precondition(error.reason.contains("cannot be written"), error.reason)
            precondition(error.reason.hasSuffix(": File too large"), error.reason)
          }
          let kept = try [.last, .previous, .best].map { try run.read($0).progress.step }
          precondition(kept == [2, 1, 2], "\(kept)")
          let files = try FileManager.default.contentsOfDirectory(atPath: run.file("checkpoints"))
          precondition(files.count == 3, "\(files)")
        }
      }
    }
  }

  static let progress = Checkpoint.Progress(
    step: 5, epochSamples: 17, epochReconstruction: 1 / 3, epochDivergence: 0.1, best: 2.0 / 7, samples: 99,
    seconds: 1.25)

  static func trained(
    _ model: Autoencoder, optimizer: Optimizer = Optimizer(), steps: Int = 2
  ) throws -> TrainingStep {
    let batchSizes = [Int](repeating: 6, count: max(1, steps))
    let data = try TestImages.waves(batchSizes: batchSizes, shape: model.input)
    let training = try startedStep(model, batchSize: 6, optimizer: optimizer, data: data)
    if steps > 0 { try training.run(batchSizes: batchSizes) }
    return training
  }

  /// A run with three whole checkpoints, and the bytes of the last.
  private static func withRun(_ body: (RunFolder, [UInt8]) throws -> Void) throws {
    try withTemporaryFolder { folder in
      let run = try RunFolder.create(folder + "/run", recipe: Recipe(model: TinyModels.autoencoder))
      let training = try trained(TinyModels.autoencoder)
      for step in 1...2 {
        try run.write(Checkpoint(training, progress: .init(step: step)), isBest: step == 1)
      }
      try body(run, [UInt8](Data(contentsOf: URL(filePath: run.checkpoint(.last)))))
    }
  }

  private static func write(_ bytes: [UInt8], _ run: RunFolder) throws -> String {
    let path = run.path + "/altered.safetensors"
    try Data(bytes).write(to: URL(filePath: path))
    return path
  }
}
