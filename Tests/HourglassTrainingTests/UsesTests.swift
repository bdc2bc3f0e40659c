import Foundation
import HourglassData
import HourglassModels
import Testing
import TestSupport

@testable import HourglassAnalysis
@testable import HourglassTraining

/// What codes and scores are used for, against scikit-learn's numbers and plain definitions.
@Suite struct UsesTests {
  /// roc_auc_score and average_precision_score of scikit-learn 1.9.1 for the same scores and labels.
  @Test(arguments: areas) func areasAreThoseOfScikitLearn(
    _ scores: [Double], _ labels: [Int], _ roc: Double, _ precision: Double
  ) {
    let found = AnomalyScores(scores)
    let isAnomaly = labels.map { $0 == 1 }
    #expect(abs((found.rocAUC(isAnomaly) ?? -1) - roc) < 1e-12)
    #expect(abs((found.averagePrecision(isAnomaly) ?? -1) - precision) < 1e-12)
  }

  private static let areas: [([Double], [Int], Double, Double)] = [
    ([0.1, 0.4, 0.35, 0.8], [0, 0, 1, 1], 0.75, 0.8333333333333333),
    ([1, 2, 2, 3, 3, 3, 0.5, 4, 2, 1], [0, 1, 0, 1, 0, 1, 0, 0, 0, 1], 0.5625, 0.46825396825396826),
    ([5, 5, 5, 5], [0, 1, 1, 0], 0.5, 0.5),
    ([3, 2, 1], [1, 0, 0], 1, 1),
  ]

  @Test func areasOfOneKindAloneAreUnknown() {
    let scores = AnomalyScores([1, 2])
    #expect(scores.rocAUC([true, true]) == nil && scores.rocAUC([false, false]) == nil)
    #expect(scores.averagePrecision([false, false]) == nil && scores.averagePrecision([true, true]) == 1)
  }

  /// numpy.percentile of the same numbers, and the part that lies above.
  @Test func theThresholdLeavesItsPartAbove() {
    let scores = AnomalyScores([9, 1, 4, 2, 7])
    #expect(abs(scores.threshold(contamination: 0.5) - 4) < 1e-12)
    #expect(abs(scores.threshold(contamination: 0.1) - 8.2) < 1e-12)
    let many = AnomalyScores(RandomStream(seed: 1, .sampling).normal(1000).map(Double.init))
    let threshold = many.threshold(contamination: 0.05)
    #expect(many.scores.count { $0 > threshold } == 50)
    for part in [0, -0.1, 0.51, .nan, .infinity] { #expect(!AnomalyScores.isContamination(part)) }
    for part in [0.01, 0.5] { #expect(AnomalyScores.isContamination(part)) }
  }

  /// Symbols come back, in about as many bits as their entropy; more of them than the counts' memory holds.
  @Test(arguments: [2, 5, 256]) func symbolsSurviveTheArithmeticCoder(_ symbols: Int) {
    // Symbol s with a probability near 2^-(s+1): two bits each. With so many levels the rare ones come once at least.
    let draws = RandomStream(seed: 6, .sampling).uniform(20_000)
    let wanted = (0..<symbols) + draws.map { min(symbols - 1, Int(clamping: -log2($0))) }
    var counts = AdaptiveCounts(symbols: symbols)
    var encoder = ArithmeticEncoder()
    for symbol in wanted { encoder.encode(symbol, &counts) }
    let bytes = encoder.finish()
    var decoder = ArithmeticDecoder(bytes)
    counts = AdaptiveCounts(symbols: symbols)
    #expect(wanted.allSatisfy { decoder.decode(&counts) == $0 })
    let frequencies = Dictionary(grouping: wanted) { $0 }.values.map { Double($0.count) / Double(wanted.count) }
    let entropy = -frequencies.reduce(0) { $0 + $1 * log2($1) } * Double(wanted.count)
    #expect(Double(8 * bytes.count) > 0.99 * entropy && Double(8 * bytes.count) < 1.05 * entropy + 3000)
  }

  @Test func compressedCodesAreTheNearestLevels() throws {
    let (units, count) = (3, 500)
    var codes = RandomStream(seed: 3, .sampling).normal(count * units)
    for n in 0..<count { codes[n * units + 2] = 7 }  // a unit that does not vary
    let quantizer = CompressedCodes.Quantizer(codes, units: units, levels: 9)
    let compressed = CompressedCodes(codes, quantizer)
    let file = try compressed.data(model: "m", weightsHash: "abc")
    let found = try CompressedCodes(file, units: units, weightsHash: "abc", path: "f").codes(0..<count)
    #expect(found == compressed.codes(0..<count) && found.count == codes.count)
    for (i, value) in codes.enumerated() {
      #expect(abs(found[i] - value) <= quantizer.step[i % units] / 2 * 1.0001, "code \(i)")
    }
    let outside = CompressedCodes([100, -100, 7], quantizer).codes(0..<1)
    #expect(outside[1] == quantizer.low[1] && abs(outside[0] - (quantizer.low[0] + 8 * quantizer.step[0])) < 1e-5)

    for (data, hash, sentence) in [
      (file.dropLast(), "abc", "altered"), (file, "abd", "abd"), (file.prefix(20), "abc", "altered"),
      (Data("HGCODES".utf8), "abc", "hourglass compress"), (file + [0], "abc", "altered"),
    ] {
      let error = #expect(throws: DataError.self) {
        _ = try CompressedCodes(Data(data), units: units, weightsHash: hash, path: "f")
      }
      #expect(error?.reason.contains(sentence) == true, "\(error?.reason ?? "")")
    }
  }

  /// A file of two units with few codes, such as compress writes.
  private static func smallFile() throws -> Data {
    let codes = RandomStream(seed: 3, .sampling).normal(40)
    return try CompressedCodes(codes, CompressedCodes.Quantizer(codes, units: 2, levels: 4))
      .data(model: "m", weightsHash: "abc")
  }

  /// Header, levels and digest: no bit of them may be another one.
  @Test func noBitOfCompressedCodesMayBeAnother() throws {
    let file = try Self.smallFile()
    #expect(throws: Never.self) { try CompressedCodes(file, units: 2, weightsHash: "abc", path: "f") }
    for bit in 0..<8 * file.count {
      var damaged = file
      damaged[bit / 8] ^= 1 << UInt8(bit % 8)
      #expect(throws: DataError.self, "bit \(bit)") {
        _ = try CompressedCodes(damaged, units: 2, weightsHash: "abc", path: "f")
      }
    }
  }

  /// Somebody who means harm writes a digest that fits: an error, or other codes, but no trap, and no more codes than
  /// the bytes can hold. Files of earlier versions, whose header had no digest, are read.
  @Test func compressedCodesWithAnotherHeaderNeverTrap() throws {
    let file = try Self.smallFile()
    let start = 12 + Int(file[8]) + Int(file[9]) << 8
    let (header, content) = (String(decoding: file[12..<start], as: UTF8.self), file[start..<file.count - 64])
    func made(_ magic: String, _ header: String, _ content: Data) -> Data {
      let bytes =
        Data(magic.utf8) + [UInt8(header.utf8.count & 255), UInt8(header.utf8.count >> 8), 0, 0]
        + Data(header.utf8) + content
      return magic == "HGCODES1" ? bytes : bytes + Data(bytes.withUnsafeBytes { SHA256.hexDigits(of: $0) }.utf8)
    }
    func read(_ file: Data) throws -> CompressedCodes {
      try CompressedCodes(file, units: 2, weightsHash: "abc", path: "f")
    }
    let hash = content.withUnsafeBytes { SHA256.hexDigits(of: $0) }
    let earlier = header.replacing("{\"count\"", with: "{\"contentHash\":\"\(hash)\",\"count\"")
    #expect(try read(made("HGCODES1", earlier, content)).codes(0..<20) == read(file).codes(0..<20))
    for (old, new) in [
      ("\"count\":20", "\"count\":40000000"), ("\"count\":20", "\"count\":-1"), ("\"count\":20", "\"count\":0"),
      ("\"count\":20", "\"count\":9223372036854775807"), ("\"levels\":4", "\"levels\":257"),
      ("\"low\":[", "\"low\":[1,"), ("\"count\":20", "\"count\":20.5"),
    ] {
      let altered = header.replacing(old, with: new)
      #expect(altered != header)
      #expect(throws: DataError.self, "\(new)") { try read(made("HGCODES2", altered, content)) }
    }
    for place in content.indices {
      var altered = content
      altered[place] = ~altered[place]
      if let found = try? read(made("HGCODES2", header, altered)) { #expect(found.count == 20) }
    }
  }

  /// scipy.stats.norm.ppf; the first unit grows to the right, the second upwards.
  @Test func thePlaneLiesAtQuantiles() {
    for (p, x) in [(0.5, 0), (0.975, 1.959963984540054), (0.1, -1.2815515655446004), (1e-6, -4.753424308822899)] {
      #expect(abs(LatentPlane.quantile(p) - x) < 1e-9 * max(1, abs(x)))
    }
    let third = Float(0.967421566101701)
    let plane = LatentPlane.quantiles(3)
    let wanted: [Float] = [
      -third, third, 0, third, third, third, -third, 0, 0, 0, third, 0, -third, -third, 0, -third, third, -third,
    ]
    #expect(zip(plane, wanted).allSatisfy { abs($0 - $1) < 1e-6 } && plane.count == 18)
    #expect(LatentPlane.steps(2, over: [1, 10, 3, 20, 2, 15]) == [1, 20, 3, 20, 1, 10, 3, 10])
  }

  @Test func theArcKeepsItsLengthAndTheLineItsSteps() {
    let (a, b): ([Float], [Float]) = ([3, 0, 0], [0, 3, 0])
    #expect(LatentPath.codes(from: a, to: b, stops: 3, isSpherical: false) == [3, 0, 0, 1.5, 1.5, 0, 0, 3, 0])
    let arc = LatentPath.codes(from: a, to: b, stops: 4, isSpherical: true)
    for stop in 0..<4 {
      let angle = Double(stop) * .pi / 6
      for (found, wanted) in zip(arc[3 * stop..<3 * stop + 3], [3 * cos(angle), 3 * sin(angle), 0]) {
        #expect(abs(Double(found) - wanted) < 1e-6)
      }
    }
    // No arc between codes on one line, nor from the origin.
    #expect(LatentPath.codes(from: a, to: [6, 0, 0], stops: 3, isSpherical: true) == [3, 0, 0, 4.5, 0, 0, 6, 0, 0])
    #expect(LatentPath.codes(from: [0, 0, 0], to: b, stops: 2, isSpherical: true) == [0, 0, 0, 0, 3, 0])
  }

  /// What damage leaves, from its definition; an identity for a network repairs nothing.
  @Test func repairIsMeasuredAgainstCleanImages() throws {
    let shape = ImageShape(vector: 12)
    let data = try TestImages.waves(batchSizes: [300], shape: shape)
    let components = try PrincipalComponents(data, components: 12)
    let model = PrincipalComponents.autoencoder("identity", input: shape, components: 12)
    let inference = try Inference(model: model, parallel: ParallelPlan(workers: 1, threads: 1))
    components.store(in: inference.parameters, plan: inference.plan)
    var repair = try Denoising(data, .gaussian(0.2), with: inference, seed: 5)
    #expect(try repair.repair(0..<270).clean == (try data.images(0..<270)))
    #expect(try repair.repair(270..<300).damaged.count == 30 * 12)
    // The mean of 3600 squares of deviation 0.2 within 5 standard deviations.
    #expect(abs(pow(10, -repair.psnrBefore / 10) - 0.04) < 5 * 0.04 * (2.0 / 3600).squareRoot())
    #expect(abs(repair.psnrAfter - repair.psnrBefore) < 1e-2)
    var masking = try Denoising(data, .mask(0.5), with: inference, seed: 5)
    let masked = try masking.repair(0..<300)
    let squares = zip(masked.damaged, masked.clean).reduce(0.0) { $0 + pow(Double($1.0 - $1.1), 2) }
    #expect(abs(masking.psnrBefore + 10 * log10(squares / 3600)) < 1e-9)
  }
}
