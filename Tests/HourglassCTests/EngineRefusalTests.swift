import CHourglass
import Foundation
import HourglassC
import Testing
import TestSupport

/// What nobody can take is refused by code and sentence, and nothing beyond an array is touched; the address sanitizer
/// watches (Scripts/sanitize).
@Suite struct EngineRefusalTests {
  private static func refusal(_ body: () throws -> Void) -> (code: hourglass_code, sentence: String)? {
    do { try body() } catch let error as CModel.Refusal { return (error.code, error.description) } catch {
      return nil
    }
    return nil
  }

  @Test(arguments: [
    ("", HOURGLASS_INVALID, "settings"), ("[]", HOURGLASS_INVALID, "settings"),
    ("{}", HOURGLASS_INVALID, "model: wanted a model's name"),
    (#"{"model": "conv-xyz"}"#, HOURGLASS_INVALID, "found conv-xyz"),
    (#"{"model": "none.json"}"#, HOURGLASS_NOT_FOUND, "found nothing there"),
    (#"{"model": "64-8", "epoch": 3}"#, HOURGLASS_INVALID, "the nearest is epochs"),
    (#"{"model": "64-8", "batchSize": 0}"#, HOURGLASS_INVALID, "batchSize: wanted 1 to"),
    (#"{"model": "64-8", "optimizer": {"learningRate": -1}}"#, HOURGLASS_INVALID, "learningRate"),
    (#"{"model": "64-8", "workers": 0}"#, HOURGLASS_INVALID, "workers: wanted 1 to 1024, found 0"),
    (#"{"model": "64-8", "run": "runs/a"}"#, HOURGLASS_INVALID, "run: wanted none here"),
    (#"{"model": "64-8", "patience": 3}"#, HOURGLASS_INVALID, "patience: wanted the most epochs"),
    (#"{"model": "conv-ae@4000x4000x1"}"#, HOURGLASS_MEMORY, "MiB"),
  ])
  func settingsAreRefused(_ settings: String, _ code: hourglass_code, _ part: String) {
    let found = Self.refusal { _ = try CModel(settings) }
    #expect(found?.code == code && found?.sentence.contains(part) == true, "\(settings): \(String(describing: found))")
  }

  /// The refusal of images at a path.
  private static func opening(
    _ path: String, _ split: String?, by model: CModel
  ) -> (code: hourglass_code, sentence: String)? {
    var images: OpaquePointer?
    defer { hourglass_free_images(images) }
    return refusal { try CModel.check { hourglass_open_images(model.handle, path, split, &images, $0) } }
  }

  @Test func foldersAreRefused() throws {
    try withTemporaryFolder { folder in
      #expect(Self.refusal { _ = try CModel(opening: "\(folder)/none") }?.code == HOURGLASS_NOT_FOUND)
      #expect(Self.refusal { _ = try CModel(opening: folder) }?.code == HOURGLASS_NOT_FOUND)
      let model = try CModel(#"{"model": "64-8"}"#)
      #expect(Self.opening("\(folder)/none", nil, by: model)?.code == HOURGLASS_NOT_FOUND)
      #expect(
        Self.opening(folder, "middle", by: model)?.sentence
          == "split: wanted one of train, validation, test, found middle")
      try "no folder".write(toFile: "\(folder)/file", atomically: true, encoding: .utf8)
      for path in ["\(folder)/file", "/proc/none", folder] {
        let found = Self.refusal { try CModel.check { hourglass_save(model.handle, path, $0) } }
        #expect(found != nil, "\(path)")
      }
    }
  }

  /// Every call with NULL for each address that it needs.
  @Test func nullIsRefused() throws {
    let model = try CModel(#"{"model": "64-8"}"#)
    var (value, score, none): (Float, Double, OpaquePointer?) = (0, 0, nil)
    var text: UnsafeMutablePointer<CChar>?
    let calls: [(CModel.Sentence) -> Int32] = [
      { hourglass_make_model(nil, &none, $0) }, { hourglass_make_model("{}", nil, $0) },
      { hourglass_open_model(nil, nil, &none, $0) }, { hourglass_open_model("x", nil, nil, $0) },
      { hourglass_save(nil, "x", $0) }, { hourglass_save(model.handle, nil, $0) },
      { hourglass_describe(nil, &text, $0) }, { hourglass_describe(model.handle, nil, $0) },
      { hourglass_read_parameter(model.handle, nil, &value, 1, $0) },
      { hourglass_read_parameter(model.handle, "latent.bias", nil, 8, $0) },
      { hourglass_write_parameters(model.handle, 1, nil, nil, nil, $0) },
      { hourglass_lend_images(model.handle, nil, nil, &none, $0) },
      { hourglass_open_images(model.handle, nil, nil, &none, $0) }, { hourglass_train(nil, nil, nil, nil, nil, $0) },
      { hourglass_encode(model.handle, nil, &value, 1, $0) },
      { hourglass_decode(model.handle, nil, 1, nil, &value, 1, $0) },
      { hourglass_reconstruct(nil, nil, &value, 1, $0) },
      { hourglass_score(model.handle, nil, "error", &score, 1, $0) },
      { hourglass_map_errors(model.handle, nil, "error", 0, &value, 1, $0) },
      { hourglass_sample(nil, 1, 1, &value, 1, $0) }, { hourglass_export(model.handle, nil, "x", $0) },
      { hourglass_export(model.handle, "onnx", nil, $0) },
    ]
    for (number, call) in calls.enumerated() {
      let found = Self.refusal { try CModel.check(call) }
      let isRefused = found?.code == HOURGLASS_INVALID && found?.sentence.contains("NULL") == true
      #expect(isRefused, "call \(number): \(found as Any)")
      // Nobody has to want the sentence.
      #expect(hourglass_make_model(nil, &none, nil) == 1)
    }
    hourglass_free_model(nil)
    hourglass_free_images(nil)
    hourglass_free_text(nil)
    #expect(hourglass_count_images(nil) == 0)
  }

  @Test func roomOfAnotherSizeIsRefused() throws {
    let model = try CModel(#"{"model": "64-8"}"#)
    var values = [Float](repeating: -1, count: 128)
    try model.lending([UInt8](repeating: 1, count: 128), HOURGLASS_UINT8, [2, 64]) { lent in
      for count in [0, -1, 15, 17, Int64.max, .min] {
        let calls: [(CModel.Sentence) -> Int32] = [
          { hourglass_encode(model.handle, lent, &values, count, $0) },
          { hourglass_reconstruct(model.handle, lent, &values, count, $0) },
          { hourglass_map_errors(model.handle, lent, "error", 0, &values, count, $0) },
          { hourglass_decode(model.handle, values, 2, nil, &values, count, $0) },
          { hourglass_read_parameter(model.handle, "latent.bias", &values, count, $0) },
        ]
        for (number, call) in calls.enumerated() {
          #expect(Self.refusal { try CModel.check(call) }?.code == HOURGLASS_INVALID, "call \(number) of \(count)")
        }
      }
      for sigma in [-1, .nan, .infinity, 0.01, 1e9] {
        let found = Self.refusal {
          try CModel.check { hourglass_map_errors(model.handle, lent, "error", sigma, &values, 2, $0) }
        }
        #expect(found?.sentence.contains("sigma: wanted") == true)
      }
      for samples in [0, -1, Int64.max, .min] {
        #expect(
          Self.refusal {
            try CModel.check { hourglass_decode(model.handle, values, samples, nil, &values, 128, $0) }
          } != nil)
      }
    }
    #expect(values == [Float](repeating: -1, count: 128))
  }

  /// Arrays of drawn types, ranks, extents and strides: those whose elements lie within memory and fit the model are
  /// taken, all others refused.
  @Test func drawnArraysAreReadWithinOrRefused() throws {
    let model = try CModel(#"{"model": "conv-ae@4x4x1", "epochs": 1}"#)
    let memory = [UInt8](repeating: 7, count: 4096)
    var random = SystemRandomNumberGenerator()
    let numbers: [Int64] = [0, 1, 2, 3, 4, 5, 16, 17, 64, -1, -4, 1 << 31, 1 << 32, 1 << 62, .max, .min]
    var taken = 0
    for round in 0..<4000 {
      let rank = Int32(truncatingIfNeeded: [-1, 0, 1, 2, 3, 4, 5, Int(Int32.max)].randomElement(using: &random)!)
      let type = Int32([1, 2, 3, 4, 0, 5, -1].randomElement(using: &random)!)
      let axes = Int(min(max(rank, 0), 5))
      var extents = (0..<max(axes, 1)).map { _ in numbers.randomElement(using: &random)! }
      if round % 2 == 0, (2...4).contains(axes) { extents = [[2, 16], [2, 4, 4], [2, 4, 4, 1]][axes - 2] }
      let strides: [Int64]? = round % 3 == 0 ? nil : extents.map { _ in numbers.randomElement(using: &random)! }
      // The contract: what extents and strides span lies within memory. Other strides are there to be refused.
      let widths: [Int64] = [1, 2, 4, 8]
      let width = (1...4).contains(type) ? widths[Int(type) - 1] : 8
      var (low, high) = (0.0, Double(width))
      if let strides {
        for (extent, stride) in zip(extents, strides) {
          let way = Double(stride) * Double(max(extent, 1) - 1)
          (low, high) = (low + min(way, 0), high + max(way, 0))
        }
      }
      let first = 2048
      let isWithin = low >= -Double(first) && high <= Double(memory.count - first)
      let isHuge = low < -1e17 || high > 1e17
      // Where nothing lies between elements, few bytes may hold more samples than a test has time for.
      let elements = extents.reduce(1.0) { $0 * Double($1) }
      guard isWithin && abs(elements) < 1e6 || isHuge else { continue }
      memory.withUnsafeBytes { bytes in
        var array = hourglass_array(
          size: MemoryLayout<hourglass_array>.size, data: bytes.baseAddress! + first, type: type, rank: rank,
          extents: nil, strides: nil)
        var images: OpaquePointer?
        extents.withUnsafeBufferPointer { extents in
          array.extents = extents.baseAddress
          func lend(_ pointer: UnsafePointer<Int64>?) {
            array.strides = pointer
            guard hourglass_lend_images(model.handle, &array, nil, &images, nil) == 0 else { return }
            var codes = [Float](repeating: 0, count: 32 * Int(hourglass_count_images(images)))
            _ = hourglass_encode(model.handle, images, &codes, Int64(codes.count), nil)
            taken += 1
          }
          if let strides { strides.withUnsafeBufferPointer { lend($0.baseAddress) } } else { lend(nil) }
        }
        hourglass_free_images(images)
      }
    }
    #expect(taken > 20, "\(taken) arrays were taken")
  }

  @Test func numbersThatAreNotFiniteAreRefused() throws {
    let model = try CModel(#"{"model": "64-8"}"#)
    for bad in [Double.nan, .infinity, 1e300] {
      var values = [Double](repeating: 0.5, count: 128)
      values[77] = bad
      let found = Self.refusal { try model.lending(values, HOURGLASS_FLOAT64, [2, 64]) { _ in } }
      #expect(found?.sentence.contains("image 1: wanted finite numbers") == true, "\(found as Any)")
    }
  }

  @Test func imagesOfAnotherShapeAreRefused() throws {
    let model = try CModel(#"{"model": "conv-ae@8x8x1", "epochs": 1}"#)
    let zeros = [UInt8](repeating: 0, count: 1 << 16)
    for extents: [Int64] in [[2, 7, 8], [2, 150, 150], [2, 65], [2, 8, 8, 3]] {
      let found = Self.refusal {
        try model.lending(zeros, HOURGLASS_UINT8, extents) { lent in
          var values = [Float](repeating: 0, count: 64)
          #expect(Self.refusal { try CModel.check { hourglass_encode(model.handle, lent, &values, 64, $0) } } != nil)
          _ = try model.train(lent)
        }
      }
      #expect(found?.sentence.contains("wanted images of 8 x 8 x 1") == true, "\(extents): \(found as Any)")
    }
  }

  @Test func labelsBeyondTheClassesAreRefused() throws {
    let model = try CModel(#"{"model": "64-8-3,categorical", "epochs": 1}"#)
    for labels: [Int64] in [[0, 3], [-1, 0], [Int64.max, 0]] {
      let found = Self.refusal {
        try model.lending([UInt8](repeating: 1, count: 128), HOURGLASS_UINT8, [2, 64], labels: labels) {
          _ = try model.train($0)
        }
      }
      #expect(found?.sentence.contains("wanted a label of 0 to 2") == true, "\(labels): \(found as Any)")
    }
    let found = Self.refusal {
      try model.lending([UInt8](repeating: 1, count: 128), HOURGLASS_UINT8, [2, 64]) { _ = try model.train($0) }
    }
    #expect(found?.sentence.contains("wanted a label for each image") == true)
  }

  @Test func divergenceHasItsCode() throws {
    let model = try CModel(
      #"{"model": "64-8,linear", "epochs": 50, "optimizer": {"kind": "sgd", "learningRate": 1e30}}"#)
    let hash = try model.weightsHash
    try model.lending((0..<128).map { Float($0) }, HOURGLASS_FLOAT32, [2, 64]) { lent in
      #expect(Self.refusal { _ = try model.train(lent) }?.code == HOURGLASS_DIVERGED)
    }
    // The model is as it was.
    #expect(try model.weightsHash == hash)
  }
}
