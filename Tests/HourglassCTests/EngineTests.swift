import CHourglass
import Foundation
import HourglassAnalysis
import HourglassC
import HourglassData
import HourglassModels
import HourglassTraining
import Testing
import TestSupport

/// The C interface against the Swift library that it stands for.
@Suite struct EngineTests {
  private static let settings = #"{"model": "64-12-3", "epochs": 2, "batchSize": 8, "workers": 1}"#
  private static let count = 24
  private static let bytes: [UInt8] = (0..<count * 64).map { UInt8(truncatingIfNeeded: $0 &* 37 ^ ($0 >> 3)) }

  /// What the library makes of the same recipe and images.
  private static func trained(_ elements: Elements) throws -> Inference {
    let recipe = Recipe(model: try Autoencoder.named("64-12-3", as: "model"), batchSize: 8, epochs: 2)
    let data = try Dataset(elements, shape: recipe.model.input, source: "bytes")
    let trainer = try Trainer(recipe, parallel: ParallelPlan(workers: 2, threads: 1), data: data)
    _ = try trainer.run()
    return try trainer.inference()
  }

  @Test func aModelHasTheBitsOfTheLibrary() throws {
    let wanted = try Self.trained(.bytes(Self.bytes))
    let model = try CModel(Self.settings)
    let images = Self.bytes.map { Float($0) / 255 }
    try model.lending(Self.bytes, HOURGLASS_UINT8, [24, 64]) { lent in
      #expect(hourglass_count_images(lent) == 24)
      #expect(try model.train(lent) == 0)
      #expect(try model.weightsHash == WeightsHash.of(wanted.parameters, plan: wanted.plan))
      #expect(try (model.describe()["epochs"] as? [Any])?.count == 2)
      #expect(try model.floats(24 * 3) { hourglass_encode(model.handle, lent, $0, $1, $2) } == wanted.encode(images))
      let again = try model.floats(24 * 64) { hourglass_reconstruct(model.handle, lent, $0, $1, $2) }
      #expect(again == wanted.reconstruct(images))
      let codes = wanted.encode(images)
      let decoded = try model.floats(24 * 64) { hourglass_decode(model.handle, codes, 24, nil, $0, $1, $2) }
      #expect(decoded == again)
      var scores = [Double](repeating: 0, count: 24)
      try CModel.check { hourglass_score(model.handle, lent, "error", &scores, 24, $0) }
      let data = try Dataset(.bytes(Self.bytes), shape: wanted.plan.model.input, source: "bytes")
      #expect(try scores == wanted.scores(of: data, by: .error, seed: 1).scores)
      let maps = try model.floats(24 * 64) { hourglass_map_errors(model.handle, lent, "error", 0, $0, $1, $2) }
      for (n, score) in scores.enumerated() {
        let mean = maps[n * 64..<(n + 1) * 64].reduce(0.0) { $0 + Double($1) } / 64
        #expect(abs(mean - score) < 1e-6)
      }
    }
  }

  /// Numbers that every type holds exactly, in every order of memory.
  @Test func typesAndStridesChangeNoBit() throws {
    let floats: [Float] = (0..<24 * 64).map { Float($0 * 7 % 64) / 64 }
    let wanted = try Self.trained(.floats(floats))
    let hash = WeightsHash.of(wanted.parameters, plan: wanted.plan)
    func train<T>(
      _ elements: [T], _ type: hourglass_type, _ extents: [Int64] = [24, 64], strides: [Int64]? = nil
    ) throws -> String {
      let model = try CModel(Self.settings)
      try model.lending(elements, type, extents, strides: strides) { _ = try model.train($0) }
      return try model.weightsHash
    }
    #expect(try train(floats, HOURGLASS_FLOAT32) == hash)
    #expect(try train(floats.map(Double.init), HOURGLASS_FLOAT64) == hash)
    #expect(try train(floats, HOURGLASS_FLOAT32, [24, 64], strides: [256, 4]) == hash)
    // Fortran's order, and a frame around.
    var (columns, wide): ([Float], [Float]) = ([], [])
    for d in 0..<64 { for n in 0..<24 { columns.append(floats[n * 64 + d]) } }
    #expect(try train(columns, HOURGLASS_FLOAT32, [24, 64], strides: [4, 96]) == hash)
    for value in floats { wide += [value, .nan] }
    #expect(try train(wide, HOURGLASS_FLOAT32, [24, 64], strides: [512, 8]) == hash)
  }

  @Test func missingElementsAreThoseOfTheLibrary() throws {
    var floats = Self.bytes.map { Float($0) / 255 }
    for i in stride(from: 3, to: floats.count, by: 11) { floats[i] = .nan }
    var preparation = Preparation()
    preparation.missing = 0.25
    let recipe = Recipe(
      model: try Autoencoder.named("64-12-3", as: "model"), data: DataSource(preparation: preparation), batchSize: 8,
      epochs: 2)
    let data = try Dataset(.floats(floats), shape: recipe.model.input, source: "floats", preparation: preparation)
    let trainer = try Trainer(recipe, parallel: ParallelPlan(workers: 1, threads: 1), data: data)
    _ = try trainer.run()

    let settings = #""epochs": 2, "batchSize": 8, "data": {"preparation": {"missing": 0.25}}}"#
    let model = try CModel(#"{"model": "64-12-3", "# + settings)
    let other = try CModel(Self.settings)
    try model.lending(floats, HOURGLASS_FLOAT32, [24, 64]) { lent in
      #expect(try model.train(lent) == 0)
      #expect(try model.weightsHash == trainer.weightsHash)
      var scores = [Double](repeating: 0, count: 24)
      try CModel.check { hourglass_score(model.handle, lent, "error", &scores, 24, $0) }
      #expect(try scores == trainer.inference().scores(of: data, by: .error, seed: 1).scores)
      let uses: [() throws -> Void] = [
        { _ = try other.train(lent) },
        { _ = try other.floats(72) { hourglass_encode(other.handle, lent, $0, $1, $2) } },
      ]
      for use in uses {
        let refusal = #expect(throws: CModel.Refusal.self) { try use() }
        #expect(refusal?.description.contains("data.preparation.missing") == true)
      }
    }
    #expect(throws: CModel.Refusal.self) { try other.lending(floats, HOURGLASS_FLOAT32, [24, 64]) { _ in } }
  }

  @Test func axesAreThoseOfImages() throws {
    let model = try CModel(#"{"model": "conv-ae@4x6x3", "epochs": 1}"#)
    let values: [Float] = (0..<2 * 72).map { Float($0) / 144 }
    var planar: [Float] = []
    for n in 0..<2 {
      for c in 0..<3 { for pixel in 0..<24 { planar.append(values[n * 72 + pixel * 3 + c]) } }
    }
    func codes(_ elements: [Float], _ extents: [Int64], strides: [Int64]? = nil) throws -> [Float] {
      try model.lending(elements, HOURGLASS_FLOAT32, extents, strides: strides) { lent in
        try model.floats(2 * 32) { hourglass_encode(model.handle, lent, $0, $1, $2) }
      }
    }
    let wanted = try codes(values, [2, 4, 6, 3])
    #expect(try codes(planar, [2, 3, 4, 6]) == wanted)
    #expect(try codes(values, [2, 72]) == wanted)
    #expect(try codes(planar, [2, 4, 6, 3], strides: [288, 24, 4, 96]) == wanted)
    #expect(try codes(values, [2, 4, 6, 3], strides: [288, 72, 12, 4]) == wanted)
    // Backwards from the last image.
    #expect(try codes(Array(values[72...] + values[..<72]), [2, 4, 6, 3]) == Array(wanted[32...] + wanted[..<32]))
  }

  @Test func runsGoBothWays() throws {
    try withTemporaryFolder { folder in
      let model = try CModel(Self.settings)
      try model.lending(Self.bytes, HOURGLASS_UINT8, [24, 64]) { lent in
        try model.train(lent, validation: lent, folder: "\(folder)/written")
        try CModel.check { hourglass_save(model.handle, "\(folder)/saved", $0) }
        for name in ["written", "saved"] {
          let again = try CModel(opening: "\(folder)/\(name)")
          #expect(try again.weightsHash == model.weightsHash)
          #expect(try (again.describe()["epochs"] as? [Any])?.count == 2)
          let (run, recipe) = try RunFolder.open("\(folder)/\(name)")
          #expect(try run.read(.last).progress.step == 6 && recipe.validation != nil)
        }
        #expect(throws: CModel.Refusal.self) {
          try CModel.check { hourglass_save(model.handle, "\(folder)/saved", $0) }
        }
        // Weights from elsewhere begin a new run.
        let other = try CModel(Self.settings)
        for parameter in try other.describe()["parameters"] as? [[String: Any]] ?? [] {
          let name = try #require(parameter["name"] as? String)
          let count = (parameter["shape"] as? [Int] ?? []).reduce(1, *)
          let values = try model.floats(count) { hourglass_read_parameter(model.handle, name, $0, $1, $2) }
          try name.withCString { name in
            try values.withUnsafeBufferPointer { values in
              var (names, tensors, counts) = (Optional(name), values.baseAddress, Int64(count))
              try CModel.check { hourglass_write_parameters(other.handle, 1, &names, &tensors, &counts, $0) }
            }
          }
        }
        #expect(try other.weightsHash == model.weightsHash)
        try CModel.check { hourglass_save(other.handle, "\(folder)/other", $0) }
        #expect(try RunFolder("\(folder)/other").read(.last).progress.step == 0)
        // Weights that stay give another end than those of the seed.
        try other.train(lent, keepsWeights: true)
        #expect(try other.weightsHash != model.weightsHash)
        try other.train(lent)
        #expect(try other.weightsHash == model.weightsHash)
      }
    }
  }

  /// The observer ends the training in the third epoch; the best of two stays.
  @Test func anObserverEndsTheTraining() throws {
    let model = try CModel(#"{"model": "64-12-3", "epochs": 9, "batchSize": 8}"#)
    var epochs = 0
    try model.lending(Self.bytes, HOURGLASS_UINT8, [24, 64]) { lent in
      let end = try withUnsafeMutablePointer(to: &epochs) { epochs in
        try model.train(
          lent,
          { context, progress in
            guard let context, let progress = progress?.pointee, progress.metrics != nil else { return 0 }
            let seen = context.assumingMemoryBound(to: Int.self)
            seen.pointee += 1
            return seen.pointee == 2 ? 1 : 0
          }, epochs)
      }
      #expect(end == 2 && epochs == 2)
      #expect(try model.describe()["steps"] as? Int == 6)
      let (short, hash) = (try CModel(Self.settings), try model.weightsHash)
      try short.train(lent)
      #expect(try short.weightsHash == hash)
    }
  }

  /// The observer asks the model that it observes, and is refused.
  @Test func anObserverLeavesItsModelAlone() throws {
    let model = try CModel(Self.settings)
    try model.lending(Self.bytes, HOURGLASS_UINT8, [24, 64]) { lent in
      let end = try model.train(
        lent,
        { model, _ in
          var text: UnsafeMutablePointer<CChar>?
          return hourglass_describe(model.map { OpaquePointer($0) }, &text, nil) == 1 ? 1 : 0
        }, UnsafeMutableRawPointer(model.handle))
      #expect(end == 2)
    }
  }

  @Test func samplesAreThoseOfTheLibrary() throws {
    let model = try CModel(#"{"model": "64-12-3,variational", "epochs": 1}"#)
    let drawn = try model.floats(300 * 64) { hourglass_sample(model.handle, 300, 7, $0, $1, $2) }
    let again = try model.floats(5 * 64) { hourglass_sample(model.handle, 5, 7, $0, $1, $2) }
    #expect(Array(drawn.prefix(5 * 64)) == again && Set(drawn).count > 1000)
    let plain = try CModel(Self.settings)
    #expect(throws: CModel.Refusal.self) { try plain.floats(64) { hourglass_sample(plain.handle, 1, 7, $0, $1, $2) } }
  }
}
