import Foundation
import HourglassModels
import Testing

@testable import HourglassData

/// The numbers of images through ranges, inversion, fitting, standardisation, and pairs.
@Suite struct ValueTests {
  private static func image(_ elements: Elements, _ height: Int = 1) -> Image {
    Image(shape: ImageShape(height, elements.count / height, 1), elements: elements)
  }

  private static func prepared(_ image: Image, _ change: (inout Preparation) -> Void) throws -> Image {
    var preparation = Preparation()
    change(&preparation)
    return try preparation.prepared(image, path: "a")
  }

  @Test(arguments: [
    ("0:255", Elements.bytes([0, 128, 255]), Elements.bytes([0, 128, 255])),
    ("0:51", .bytes([0, 51, 255]), .floats([0, 1, 5])), ("100:200", .bytes([100, 150, 0]), .floats([0, 0.5, -1])),
    ("0:65535", .words([0, 65_535]), .words([0, 65_535])), ("0:4095", .words([0, 4095, 819]), .floats([0, 1, 0.2])),
    ("0:1", .floats([0, 2]), .floats([0, 2])), ("-1:1", .floats([-1, 0, 1]), .floats([0, 0.5, 1])),
    ("-1000:3000", .floats([-1000, 0, 3000]), .floats([0, 0.25, 1])),
  ])
  func aRangeSaysWhatBecomesZeroAndOne(_ range: String, _ elements: Elements, _ wanted: Elements) throws {
    let range = try #require(ValueRange(rawValue: range))
    #expect(try Self.prepared(Self.image(elements)) { $0.range = range }.elements == wanted)
    #expect(ValueRange(rawValue: range.rawValue) == range)
  }

  @Test(arguments: ["", "1", "1:1", "2:1", "0:inf", "nan:1", "0:1:2", "a:b", "-1e308:1.7e308"])
  func rangesThatAreNoneAreRefused(_ text: String) { #expect(ValueRange(rawValue: text) == nil) }

  @Test func invertedTwiceIsTheImage() throws {
    for (elements, wanted) in [
      (Elements.bytes([0, 1, 255]), Elements.bytes([255, 254, 0])), (.words([0, 1]), .words([65_535, 65_534])),
      (.floats([0, 0.25, 1]), .floats([1, 0.75, 0])),
    ] {
      let once = try Self.prepared(Self.image(elements)) { $0.inverts = true }
      #expect(once.elements == wanted)
      #expect(try Self.prepared(once) { $0.inverts = true }.elements == elements)
    }
  }

  /// The proportions stay, and the rest is black: by a second, plain way of padding what `resized` makes.
  @Test(arguments: [(4, 8, 6, 6), (8, 4, 6, 6), (5, 5, 6, 9), (3, 200, 8, 8), (1, 1, 4, 3), (6, 6, 6, 6)])
  func fittedImagesKeepTheirProportions(_ height: Int, _ width: Int, _ toHeight: Int, _ toWidth: Int) throws {
    let channels = 3
    let shape = ImageShape(height, width, channels)
    let bytes = (0..<shape.count).map { UInt8(truncatingIfNeeded: 7 + 31 * $0) | 1 }
    for elements in [
      Elements.bytes(bytes), .words(bytes.map { UInt16($0) * 257 }), .floats(bytes.map { Float($0) / 255 }),
    ] {
      let image = Image(shape: shape, elements: elements)
      let fitted = try Self.prepared(image) { $0.fit = Extent2D(toHeight, toWidth) }
      #expect(fitted.shape == ImageShape(toHeight, toWidth, channels))
      let scale = min(Double(toHeight) / Double(height), Double(toWidth) / Double(width))
      let (h, w) = (
        max(1, Int(clamping: (Double(height) * scale).rounded())),
        max(1, Int(clamping: (Double(width) * scale).rounded()))
      )
      #expect(h == toHeight || w == toWidth)
      let small = image.resized(to: Extent2D(h, w)).converted(to: .float32)
      guard case .floats(let inner) = small.elements, case .floats(let all) = fitted.converted(to: .float32).elements
      else { return }
      let (top, left) = ((toHeight - h) / 2, (toWidth - w) / 2)
      for y in 0..<toHeight {
        for x in 0..<toWidth {
          for c in 0..<channels {
            let isInside = (top..<top + h).contains(y) && (left..<left + w).contains(x)
            let wanted = isInside ? inner[((y - top) * w + x - left) * channels + c] : 0
            #expect(all[(y * toWidth + x) * channels + c] == wanted)
          }
        }
      }
    }
  }

  /// The margin has the colour of a background.
  @Test func fittedImagesLieOnTheBackground() throws {
    let image = Image(shape: ImageShape(1, 1, 3), elements: .bytes([1, 2, 3]))
    let fitted = try Self.prepared(image) { ($0.fit, $0.background) = (Extent2D(1, 2), RGBColor("#ff8000")) }
    #expect(fitted.elements == .bytes([1, 2, 3, 255, 128, 0]))
    let grey = try Self.prepared(Self.image(.words([7]))) {
      ($0.fit, $0.background, $0.inverts) = (Extent2D(1, 2), RGBColor("white"), true)
    }
    #expect(grey.elements == .words([65_528, 0]))
  }

  /// Pictures that are decoded to size are fitted as those that are not.
  @Test func picturesAreFittedWhileTheyAreRead() throws {
    let folder = try TemporaryFolder()
    let path = folder.path + "/a.png"
    let pixels = (0..<60 * 20).map { UInt8(truncatingIfNeeded: $0 * 7) }
    try PNGImage(width: 60, height: 20, channels: 1, pixels: pixels).write(to: path)
    for range in [nil, ValueRange(rawValue: "0:255")] {
      var preparation = Preparation()
      (preparation.fit, preparation.range) = (Extent2D(8, 8), range)
      let found = try Dataset.open(path: path, split: .train, preparation: preparation)
      let whole = Image(shape: ImageShape(20, 60, 1), elements: .bytes(pixels)).fitted(into: Extent2D(8, 8), over: nil)
      guard case .bytes(let bytes) = whole.elements else { return }
      #expect(try found.image(0) == bytes.map { Float($0) / 255 })
    }
  }

  /// Range, then size, then inversion.
  @Test func stepsFollowEachOther() throws {
    let image = Self.image(.words([0, 4095, 4095, 0]), 2)
    let found = try Self.prepared(image) {
      ($0.range, $0.fit, $0.inverts) = (ValueRange(rawValue: "0:8190"), Extent2D(2, 3), true)
    }
    #expect(found.elements == .floats([1, 0.5, 1, 0.5, 1, 1]))
  }

  /// A resized image stays within what it had, also beyond [0, 1].
  @Test func resizingKeepsNumbersBeyondZeroToOne() {
    let image = Self.image(.floats([-50, -50, 300, 300]), 2)
    #expect(image.resized(to: Extent2D(1, 1)).elements == .floats([125]))
    #expect(image.resized(to: Extent2D(2, 1)).elements == .floats([-50, 300]))
  }

  /// A range is advised with which the very numbers lie in [0, 1].
  @Test(
    arguments: [
      ([0, 255], "--range 0:255"), ([3, 200.5], "--range 0:255"), ([-1, 1], "--range -1:1"),
      ([-0.2, 0.9], "--range -1:1"),
      ([0, 1.0000001], "--range 0"), ([0, 4095], "--range 0:4095"), ([0, 60000], "--range 0:65535"),
      ([-1024, 3071], "--range -1024:3071"), ([5e7, 6e7], "--range 50000000:60000000"), ([-1e-8, 1], "--range -1"),
    ] as [([Float], String)])
  func theAdvisedRangeIsTriedOnTheNumbers(_ ends: [Float], _ advice: String) throws {
    let folder = try TemporaryFolder()
    let path = folder.path + "/a.npy"
    try NPYFile.write([ends[0], (ends[0] + ends[1]) / 2, ends[1], ends[0]], shape: [1, 2, 2], to: path)
    for inverts in [nil, true] {
      var preparation = Preparation()
      preparation.inverts = inverts
      let data = try Dataset.open(path: path, split: .train, preparation: preparation)
      // Inverted, what lies below 0 by less than a float of 1 tells is 1.
      if inverts == true, data.range.upperBound == 1 { continue }
      let found = try #require(data.rangeAdvice)
      #expect(found.hasPrefix(advice) && !found.contains("1/255"), "\(found)")
      preparation.range = ValueRange(rawValue: String(found.split(separator: " ")[1]))
      let mapped = try Dataset.open(path: path, split: .train, preparation: preparation)
      #expect(mapped.range.lowerBound >= 0 && mapped.range.upperBound <= 1 && mapped.rangeAdvice == nil)
    }
  }

  /// Images in memory, streamed and on disk have one range.
  @Test func whereNumbersLieIsKnownHoweverImagesAreKept() throws {
    let folder = try TemporaryFolder()
    let path = folder.path + "/a.npy"
    try NPYFile.write((0..<96).map { Float($0) - 10 }, shape: [6, 4, 4], to: path)
    var streamed = Preparation()
    streamed.inverts = true
    for (preparation, wanted) in [(Preparation(), Float(-10)...85), (streamed, -84...11)] {
      for memory in [100, 300, 1 << 20] {
        let data = try Dataset.open(path: path, split: .train, preparation: preparation, memory: memory)
        #expect(data.range == wanted)
      }
    }
  }

  // MARK: Standardisation

  /// Against sums of squared deviations in two passes.
  @Test(arguments: [Float(0), 1e6]) func aStandardizationIsThatOfEachChannel(_ offset: Float) throws {
    let shape = ImageShape(3, 2, 2)
    let values = (0..<5 * shape.count).map { offset + Float(($0 * 37) % 23) * ($0 % 2 == 0 ? 1 : 0.25) }
    let found = try Standardization(of: Dataset(.floats(values), shape: shape, source: "a"))
    for c in 0..<2 {
      let channel = stride(from: c, to: values.count, by: 2).map { Double(values[$0]) }
      let mean = channel.reduce(0, +) / Double(channel.count)
      let variance = channel.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / Double(channel.count)
      #expect(abs(found.mean[c] - mean) <= 1e-12 * max(1, abs(mean)))
      #expect(abs(found.deviation[c] - variance.squareRoot()) <= 1e-9 * variance.squareRoot())
    }
    let constant = try Standardization(of: Dataset(.floats([5, 5, 5, 5]), shape: ImageShape(1, 2, 1), source: "a"))
    #expect(constant.mean == [5] && constant.deviation == [1])
  }

  @Test func whatIsStandardizedComesBack() throws {
    let standardization = try #require(Standardization(mean: [10, -2], deviation: [4, 0.5]))
    var values: [Float] = [10, -2, 14, -1, 2, 0]
    standardization.apply(&values, count: 6)
    #expect(values == [0, 0, 1, 2, -2, 4])
    standardization.undo(&values, count: 6)
    #expect(values == [10, -2, 14, -1, 2, 0])
    for (mean, deviation) in [([1.0], [0.0]), ([], []), ([1], [1, 2]), ([.nan], [1]), ([1], [-1]), ([1e300], [1])] {
      #expect(Standardization(mean: mean, deviation: deviation) == nil)
    }
  }

  // MARK: Pairs

  private static func folder(_ names: [String], _ value: UInt8, in folder: TemporaryFolder, _ name: String) throws
    -> Dataset
  {
    for (place, file) in names.enumerated() {
      let path = "\(folder.path)/\(name)/\(file)"
      try FileManager.default.createDirectory(
        atPath: (path as NSString).deletingLastPathComponent, withIntermediateDirectories: true)
      let pixels = [UInt8](repeating: value + UInt8(place), count: 4)
      try PNGImage(width: 2, height: 2, channels: 1, pixels: pixels).write(to: path)
    }
    return try Dataset.open(path: "\(folder.path)/\(name)", split: .train)
  }

  @Test func pairsAreMatchedByName() throws {
    let folder = try TemporaryFolder()
    let clean = try Self.folder(["a/1.png", "a/2.png", "b/1.png"], 10, in: folder, "clean")
    // Paths in plain order: a/1, a/2, b/1, and here b/1 comes last too, with other endings.
    let noisy = try Self.folder(["a/2.PNG", "b/1.png", "a/1.png"], 20, in: folder, "noisy")
    let pairs = try clean.paired(with: noisy, isWhole: true)
    func first(_ values: [Float]) -> Int { Int(clamping: (values[0] * 255).rounded()) }
    #expect(try (0..<3).map { first(try pairs.image($0)) } == [10, 11, 12])
    #expect(try (0..<3).map { first(try pairs.inputs($0..<$0 + 1)) } == [22, 20, 21])
    #expect(try first(pairs.spread(2).inputs(1..<2)) == 20 && pairs.hasInputs && !clean.hasInputs)
    #expect(try pairs.storedFiles().count == 6)
  }

  @Test func imagesWithoutAPartnerAreNamed() throws {
    let folder = try TemporaryFolder()
    let clean = try Self.folder(["1.png", "2.png", "3.png", "4.png", "5.png"], 1, in: folder, "clean")
    let noisy = try Self.folder(["1.png"], 1, in: folder, "noisy")
    expectRefusal(noisy.source, "found none of 2.png, 3.png, 4.png and 1 more") {
      try clean.paired(with: noisy, isWhole: true)
    }
    expectRefusal(noisy.source, "found none of 2.png, 3.png, 4.png and 1 more") {
      try noisy.paired(with: clean, isWhole: true)
    }
    #expect(try noisy.paired(with: clean, isWhole: false).count == 1)
  }

  /// Images of arrays are called by their places.
  @Test func arraysAreMatchedByPlace() throws {
    let folder = try TemporaryFolder()
    let sets = try ["clean", "noisy"].enumerated().map { place, name in
      let path = "\(folder.path)/\(name).npy"
      try NPYFile.write((0..<12).map { Float(place) / 2 + Float($0) / 100 }, shape: [3, 2, 2], to: path)
      return try Dataset.open(path: path, split: .train)
    }
    let pairs = try sets[0].paired(with: sets[1], isWhole: true)
    #expect(try pairs.inputs(1..<2)[0] == 0.54 && pairs.image(1)[0] == 0.04)
    let other = try Dataset(.bytes([1]), shape: ImageShape(1, 1, 1), source: "other")
    expectRefusal("other", "wanted images of 2 x 2 x 1") { try sets[0].paired(with: other, isWhole: true) }
  }
}
