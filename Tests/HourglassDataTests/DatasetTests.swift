import Foundation
import HourglassData
import HourglassModels
import Testing

@Suite struct DatasetTests {
  @Test func bytesAndFloatsBecomePixels() throws {
    let shape = ImageShape(1, 2, 1)
    let bytes = try Dataset(.bytes([0, 51, 255, 1]), shape: shape, labels: [7, 8], source: "a")
    #expect(try bytes.count == 2 && bytes.image(0) == [0, 0.2] && bytes.image(1) == [1, Float(1) / 255])
    let floats = try Dataset(.floats([0, 0.3, 1, 0.7]), shape: shape, source: "a")
    #expect(try floats.image(1) == [1, 0.7] && floats.labels == nil)
  }

  @Test func numbersThatNoLikelihoodTakesAreRefusedByImage() throws {
    let shape = ImageShape(1, 2, 1)
    for (value, found) in [(Float.nan, "nan"), (.infinity, "inf")] {
      expectRefusal("a", "image 1:", "wanted finite numbers, found \(found)") {
        try Dataset(.floats([0, 1, 0.5, value]), shape: shape, source: "a")
      }
    }
    #expect(try Dataset(.floats([0, 1, 0.5, -7]), shape: shape, source: "a").range == -7...1)
    #expect(try Dataset(.bytes([1, 2, 3, 4]), shape: shape, source: "a").range == 0...1)
    expectRefusal("a", "found 3 elements") { try Dataset(.bytes([1, 2, 3]), shape: shape, source: "a") }
    expectRefusal("a", "found 0 elements") { try Dataset(.bytes([]), shape: shape, source: "a") }
    expectRefusal("a", "2 labels for 2 images", "found 1") {
      try Dataset(.bytes([1, 2, 3, 4]), shape: shape, labels: [1], source: "a")
    }
  }

  @Test func foldersAreFoundUnderTheirUsualNames() throws {
    let images = idx([2, 2, 2], [0, 1, 2, 3, 4, 5, 6, 7])
    let labels = idx([2], [3, 9])
    let cases: [(Split, String, [UInt8], String?)] = [
      (.train, "train-images-idx3-ubyte", images, nil),
      (.train, "train-images-idx3-ubyte.gz", gzip(images), "train-labels-idx1-ubyte.gz"),
      (.train, "train-images.idx3-ubyte", images, "train-labels.idx1-ubyte"),
      (.test, "t10k-images-idx3-ubyte", images, "t10k-labels-idx1-ubyte"),
      (.test, "test-images.idx3-ubyte.gz", gzip(images), nil),
    ]
    for (split, name, content, labelsName) in cases {
      let folder = try TemporaryFolder()
      _ = try folder.file(name, content)
      if let labelsName { _ = try folder.file(labelsName, labels) }
      let data = try Dataset.open(path: folder.path, split: split)
      #expect(
        data.count == 2 && data.shape == ImageShape(2, 2, 1) && data.labels == (labelsName == nil ? nil : [3, 9]))
      #expect(try data.image(1)[3] == Float(7) / 255)
      let other: Split = split == .train ? .test : .train
      expectRefusal(folder.path, "wanted the \(other.rawValue) images", other == .train ? "train-" : "t10k-", "none") {
        try Dataset.open(path: folder.path, split: other)
      }
    }
  }

  @Test func singleFilesAreOpenedByTheirContent() throws {
    let folder = try TemporaryFolder()
    let color = try folder.file("a.bin", idx([1, 1, 2, 3], [1, 2, 3, 4, 5, 6]))
    #expect(try Dataset.open(path: color, split: .train).shape == ImageShape(1, 2, 3))
    let array = try folder.file("a.idx", NPYFileTests.byteArray)
    let data = try Dataset.open(path: array, split: .test)
    #expect(try data.shape == ImageShape(2, 3, 1) && data.image(1)[5] == Float(11) / 255)
    let negative = try folder.file("b.npy", NPYFileTests.floatArray)
    #expect(try Dataset.open(path: negative, split: .train).range.lowerBound == -2)
    let labels = try folder.file("labels", idx([2], [3, 9]))
    expectRefusal(labels, "wanted images", "found labels") { try Dataset.open(path: labels, split: .train) }
    expectRefusal(folder.path + "/none", "found nothing there") {
      try Dataset.open(path: folder.path + "/none", split: .train)
    }
  }

  @Test func labelsOfAnotherSetAreRefusedWithBothNumbers() throws {
    let folder = try TemporaryFolder()
    let images = try folder.file("train-images-idx3-ubyte", idx([2, 1, 1], [0, 1]))
    let labels = try folder.file("train-labels-idx1-ubyte", idx([3], [0, 1, 2]))
    expectRefusal(labels, "wanted 2 labels", images, "found 3") { try Dataset.open(path: folder.path, split: .train) }
  }

  @Test(.enabled(if: realData != nil, withoutRealData))
  func ninetyNineLabelsDoNotGoWithAHundredPictures() throws {
    let folder = try TemporaryFolder()
    for (source, name) in [
      ("good_100-images-idx3-ubyte", "train-images-idx3-ubyte"),
      ("odd_labels_99-idx1-ubyte", "train-labels-idx1-ubyte"),
    ] {
      try FileManager.default.copyItem(
        atPath: "\(realData!)/awkward-files/idx/\(source)", toPath: "\(folder.path)/\(name)")
    }
    expectRefusal(folder.path + "/train-labels-idx1-ubyte", "wanted 100 labels", "train-images-idx3-ubyte", "found 99")
    {
      try Dataset.open(path: folder.path, split: .train)
    }
  }

  /// Published counts by class, from the READMEs beside the sets.
  @Test(.enabled(if: realData != nil, withoutRealData))
  func realFoldersOpenWithTheirLabels() throws {
    let digits = [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949]
    for (name, split, wanted) in [
      ("mnist", Split.train, digits), ("fashion-mnist", .test, [Int](repeating: 1000, count: 10)),
    ] {
      let data = try Dataset.open(path: "\(realData!)/\(name)", split: split)
      var counts = [Int](repeating: 0, count: 10)
      for label in data.labels ?? [] { counts[label] += 1 }
      #expect(counts == wanted && data.count == wanted.reduce(0, +) && data.shape == ImageShape(28, 28, 1))
      #expect(data.source.contains(name))
    }
  }
}

@Suite struct BatchOrderTests {
  @Test func everyEpochVisitsEachImageOnce() {
    for (count, size) in [(1, 1), (10, 3), (12, 4), (5, 8), (100, 7)] {
      let order = BatchOrder(count: count, batchSize: size, seed: 5)
      for epoch in 0..<3 {
        let permutation = order.permutation(epoch: epoch)
        #expect(permutation.sorted() == (0..<Int32(count)).map { $0 })
        var seen: [Int32] = []
        for place in 0..<order.stepsPerEpoch {
          let batch = order.batch(step: epoch * order.stepsPerEpoch + place)
          #expect(batch.epoch == epoch && !batch.range.isEmpty && batch.range.count <= size)
          #expect(batch.range.count == size || place == order.stepsPerEpoch - 1)
          seen += permutation[batch.range]
        }
        #expect(seen == permutation)
      }
    }
  }

  @Test func epochsAndSeedsDifferAndRepeat() {
    let order = BatchOrder(count: 50, batchSize: 5, seed: 1)
    #expect(order.permutation(epoch: 3) == BatchOrder(count: 50, batchSize: 7, seed: 1).permutation(epoch: 3))
    #expect(order.permutation(epoch: 3) != order.permutation(epoch: 4))
    #expect(order.permutation(epoch: 3) != BatchOrder(count: 50, batchSize: 5, seed: 2).permutation(epoch: 3))
  }

  /// Pearson's statistic over the 24 orders of 4 images; above 60 with a probability of 4e-5.
  @Test func allOrdersAreEquallyLikely() {
    let order = BatchOrder(count: 4, batchSize: 4, seed: 9)
    var counts: [[Int32]: Int] = [:]
    for epoch in 0..<2400 { counts[order.permutation(epoch: epoch), default: 0] += 1 }
    let statistic = counts.values.reduce(0.0) { $0 + Double(($1 - 100) * ($1 - 100)) / 100 }
    #expect(counts.count == 24 && statistic < 60)
  }

  @Test func classesAreCountedWhereTheLabelsJustifyThem() throws {
    let shape = ImageShape(1, 1, 1)
    func count(_ labels: [Int]) throws -> Int? {
      try Dataset(
        .bytes([UInt8](repeating: 0, count: labels.count)), shape: shape, labels: labels, source: "a"
      ).classCount()
    }
    #expect(try count([0, 1, 1]) == 2 && count([7]) == 8 && count([0, 999]) == 1000)
    #expect(try count(Array(0..<300).map { 10 * $0 }) == 2991)
    #expect(try Dataset(.bytes([0]), shape: shape, source: "a").classCount() == nil)
    expectRefusal("a", "without large gaps", "found 2 of them up to 1000000") { try count([0, 1_000_000]) }
    for label in [-1, Int.min, Int(Int32.max), Int.max] {
      expectRefusal("a", "labels from 0 on", "found \(label)") { try count([0, label]) }
    }
  }

  @Test func imagesThatAreNotThereAreRefused() throws {
    let data = try Dataset(.bytes([1, 2, 3]), shape: ImageShape(1, 1, 1), source: "a")
    for range in [3..<4, -1..<1, 0..<Int.max] {
      expectRefusal("a", "wanted some of 3 images") { try data.images(range) }
    }
    var pixel: Float = 0
    expectRefusal("a", "wanted one of 3 images, from 0 on, found 3") { try data.fill(3, into: &pixel) }
    expectRefusal("b", "wanted numbers of 3 images of 2, found 1") {
      try Dataset([1], shape: ImageShape(1, 1, 2), of: data, source: "b")
    }
  }
}

/// Arrays in the caller's memory.
@Suite struct LentArrayTests {
  /// Images of a lent array against those that are kept.
  private static func images<T>(
    _ elements: [T], _ kind: LentArray.Element, _ extents: [Int], strides: [Int]? = nil, for input: ImageShape
  ) throws -> [Float] {
    try elements.withUnsafeBytes { memory in
      let array = try LentArray(
        memory.baseAddress!, kind, extents: extents, strides: strides, for: input, source: "lent")
      return try Dataset(array, source: "lent").images(0..<array.count)
    }
  }

  /// Images with the channels in front.
  private static func planar<T>(_ elements: [T], channels: Int, pixels: Int) -> [T] {
    var result: [T] = []
    for first in stride(from: 0, to: elements.count, by: channels * pixels) {
      for c in 0..<channels { for pixel in 0..<pixels { result.append(elements[first + pixel * channels + c]) } }
    }
    return result
  }

  @Test func elementsAreThoseOfAKeptArray() throws {
    let shape = ImageShape(3, 5, 2)
    let bytes = (0..<4 * shape.count).map { UInt8(truncatingIfNeeded: $0 * 7) }
    let words = bytes.map { UInt16($0) * 251 }
    let floats = words.map { Float($0) / 3 - 100 }
    for (kept, lent) in [
      (Elements.bytes(bytes), try Self.images(bytes, .uint8, [4, 3, 5, 2], for: shape)),
      (.words(words), try Self.images(words, .uint16, [4, 3, 5, 2], for: shape)),
      (.floats(floats), try Self.images(floats, .float32, [4, 3, 5, 2], for: shape)),
      (.floats(floats), try Self.images(floats.map(Double.init), .float64, [4, 3, 5, 2], for: shape)),
    ] {
      #expect(try lent == Dataset(kept, shape: shape, source: "kept").images(0..<4))
    }
    let data = try floats.withUnsafeBytes {
      try Dataset(
        LentArray($0.baseAddress!, .float32, extents: [4, 30], for: shape, source: "lent"), source: "lent")
    }
    #expect(data.range == floats.min()!...floats.max()! && data.shape == shape && data.elements == .float32)
  }

  /// Elements at odd addresses, in a frame, by channels and backwards.
  @Test func distancesAreAnyDistances() throws {
    let shape = ImageShape(2, 3, 2)
    let words = (0..<3 * shape.count).map { UInt16($0 * 1000) }
    let wanted = words.map { Float($0) / 65_535 }
    var odd = [UInt8](repeating: 255, count: 3 * shape.count * 5 + 1)
    for (place, word) in words.enumerated() {
      (odd[1 + 5 * place], odd[2 + 5 * place]) = (UInt8(word & 255), UInt8(word >> 8))
    }
    let found = try odd.withUnsafeBytes {
      let array = try LentArray(
        $0.baseAddress! + 1, .uint16, extents: [3, 2, 3, 2], strides: [60, 30, 10, 5], for: shape, source: "odd")
      return try Dataset(array, source: "odd").images(0..<3)
    }
    #expect(found == wanted)
    let backwards = try words.withUnsafeBytes {
      let array = try LentArray(
        $0.baseAddress! + 48, .uint16, extents: [3, 2, 3, 2], strides: [-24, 12, 4, 2], for: shape, source: "back")
      return try Dataset(array, source: "back").images(0..<3)
    }
    #expect(backwards == Array(wanted[24...] + wanted[12..<24] + wanted[..<12]))
    let planar = Self.planar(words, channels: 2, pixels: 6)
    #expect(try Self.images(planar, .uint16, [3, 2, 2, 3], for: shape) == wanted)
    // Sequences of 4 steps.
    let steps = ImageShape(1, 4, 3)
    let line: [Float] = (0..<24).map { Float($0) }
    let across = Self.planar(line, channels: 3, pixels: 4)
    #expect(try Self.images(line, .float32, [2, 4, 3], for: steps) == line)
    #expect(try Self.images(across, .float32, [2, 3, 4], for: steps) == line)
  }

  @Test func whatIsNoArrayOfImagesIsRefused() throws {
    let floats = [Float](repeating: 0, count: 64)
    let input = ImageShape(2, 2, 1)
    for (extents, strides) in [
      ([4], nil), ([1, 1, 1, 1, 1], nil), ([0, 2, 2], nil), ([-1, 4], nil), ([Int.max, 4], nil), ([2, 4], [4]),
      ([2, 4], [Int.max, 4]), ([3, 4], [.min, 4]), ([2, 4], [1 << 60, 4]), ([1 << 31, 1 << 31, 4], nil),
    ] as [([Int], [Int]?)] {
      #expect(throws: DataError.self, "\(extents) \(strides as Any)") {
        try Self.images(floats, .float32, extents, strides: strides, for: input)
      }
    }
    for bad in [Float.nan, .infinity] {
      #expect(throws: DataError.self) {
        try Self.images(floats.dropLast() + [bad], .float32, [16, 4], for: input)
      }
    }
    try floats.withUnsafeBytes { memory in
      let array = try LentArray(memory.baseAddress!, .float32, extents: [16, 4], for: input, source: "lent")
      #expect(throws: DataError.self) { try Dataset(array, labels: [1, 2], source: "lent") }
    }
  }
}
