import Foundation
import HourglassData
import HourglassModels
import Testing
import TestSupport

@testable import HourglassAnalysis
@testable import HourglassTraining

/// Scores that follow from the image alone, thresholds, maps, and how well maps find what masks mark.
@Suite struct AnomalyTests {
  /// What the Python of the comments draws: the upper bits of a linear congruential generator,
  /// x = (1103515245 x + 12345) mod 2^31, out x >> 16.
  static func draws(_ count: Int, seed: Int) -> [Int] {
    var x = seed
    return (0..<count).map { _ in
      x = (x * 1_103_515_245 + 12_345) % (1 << 31)
      return x >> 16
    }
  }

  /// Three images of 9 x 11 whose scores have so many values; the second is normal.
  private static func images(_ values: Int) -> [(map: [Float], mask: [Bool])] {
    (1...3).map { seed in
      let draws = draws(2 * 99, seed: seed)
      let mask = draws[..<99].map { seed != 2 && $0 % 5 == 0 }
      return (zip(draws[99...], mask).map { Float($0 % values + ($1 ? values / 4 : 0)) }, mask)
    }
  }

  private static func metrics(_ images: [(map: [Float], mask: [Bool])], most: Int = 1 << 20) -> PixelMetrics {
    var metrics = PixelMetrics(most: most)
    for image in images { metrics.add(image.map, mask: image.mask, height: 9, width: 11) }
    return metrics
  }

  /// roc_auc_score and average_precision_score of scikit-learn 1.9.1, scipy.ndimage.label with 8 neighbours, and the
  /// region overlap by MVTec's compute_pro and trapezoid (generic_util.py) for the same maps and masks.
  @Test(arguments: [
    (7, 0.5810983397190295, 0.2598649851502072, 0.22494445774797783),
    (1000, 0.7517560664112388, 0.4450084400998623, 0.4896072796934866),
  ]) func pixelAreasAreThoseOfScikitLearn(_ values: Int, _ roc: Double, _ precision: Double, _ overlap: Double) throws {
    let metrics = Self.metrics(Self.images(values))
    #expect(metrics.regions == 20 && metrics.count == 297 && metrics.isExact)
    let areas = try #require(metrics.areas())
    #expect(abs(areas.rocAUC - roc) < 1e-12)
    #expect(abs(areas.averagePrecision - precision) < 1e-12)
    #expect(abs(areas.regionOverlap - overlap) < 1e-12)
  }

  /// Their definitions, threshold by threshold, with regions found by spreading the least number.
  @Test(arguments: [3, 40, 100_000]) func pixelAreasAreTheirDefinitions(_ values: Int) throws {
    let images = Self.images(values)
    let areas = try #require(Self.metrics(images).areas())
    let numbers = images.map { Self.plainRegions($0.mask) }
    let pixels = zip(images, numbers).enumerated().flatMap { image, pair in
      zip(pair.0.map, pair.1).map { (score: $0, region: $1.map { 1000 * image + $0 }) }
    }
    let sizes = Dictionary(grouping: pixels.compactMap(\.region)) { $0 }.mapValues { Double($0.count) }
    let normal = Double(pixels.count { $0.region == nil })
    let anomalous = Double(pixels.count) - normal
    var points = [(rate: 0.0, recall: 0.0, overlap: 0.0)]
    var (roc, precision, overlap) = (0.0, 0.0, 0.0)
    for threshold in Set(pixels.map(\.score)).sorted(by: >) {
      let taken = pixels.filter { $0.score >= threshold }
      let hits = taken.compactMap(\.region)
      let last = points[points.count - 1]
      let point = (
        rate: Double(taken.count - hits.count) / normal, recall: Double(hits.count) / anomalous,
        overlap: hits.reduce(0) { $0 + 1 / (sizes[$1] ?? 0) } / Double(sizes.count)
      )
      points.append(point)
      roc += (point.rate - last.rate) * (point.recall + last.recall) / 2
      precision += (point.recall - last.recall) * Double(hits.count) / Double(taken.count)
      guard last.rate < 0.3, point.rate > last.rate else { continue }
      let end = min(point.rate, 0.3)
      let there = last.overlap + (point.overlap - last.overlap) * (end - last.rate) / (point.rate - last.rate)
      overlap += (end - last.rate) * (last.overlap + there) / 2
    }
    #expect(abs(areas.rocAUC - roc) < 1e-12)
    #expect(abs(areas.averagePrecision - precision) < 1e-12)
    #expect(abs(areas.regionOverlap - overlap / 0.3) < 1e-12)
  }

  private static func plainRegions(_ mask: [Bool]) -> [Int?] {
    var numbers: [Int?] = mask.indices.map { mask[$0] ? $0 : nil }
    while true {
      let next = numbers.indices.map { place in
        numbers[place].map { own in
          numbers.indices.filter { abs($0 / 11 - place / 11) <= 1 && abs($0 % 11 - place % 11) <= 1 }
            .compactMap { numbers[$0] }.reduce(own, min)
        }
      }
      if next == numbers { return numbers }
      numbers = next
    }
  }

  /// Small whole numbers differ within the first 16 bits of a float, so that nothing is lost; of others a little.
  @Test func manyPixelsAreCounted() throws {
    let few = Self.images(7)
    let (exact, counted) = (Self.metrics(few), Self.metrics(few, most: 150))
    #expect(exact.isExact && !counted.isExact && counted.regions == 20)
    let (one, other) = (try #require(exact.areas()), try #require(counted.areas()))
    #expect(abs(one.rocAUC - other.rocAUC) < 1e-12 && abs(one.regionOverlap - other.regionOverlap) < 1e-12)
    #expect(abs(one.averagePrecision - other.averagePrecision) < 1e-12)
    let many = Self.images(1000)
    let (all, rough) = (try #require(Self.metrics(many).areas()), try #require(Self.metrics(many, most: 0).areas()))
    #expect(abs(all.rocAUC - rough.rocAUC) < 0.01 && all.rocAUC != rough.rocAUC)
  }

  @Test func pixelsOfOneKindAloneHaveNoAreas() {
    for isAnomalous in [true, false] {
      var metrics = PixelMetrics()
      metrics.add([1, 2, 3, 4], mask: [Bool](repeating: isAnomalous, count: 4), height: 2, width: 2)
      #expect(metrics.areas() == nil)
    }
    #expect(PixelMetrics().areas() == nil)
  }

  /// Negative scores and both zeros keep their order.
  @Test func anyFiniteScoresAreOrdered() throws {
    var metrics = PixelMetrics()
    metrics.add([-2, -1, 0, -0.0, 1, 2], mask: [false, false, true, false, true, true], height: 1, width: 6)
    #expect(try #require(metrics.areas()).rocAUC == 8.5 / 9)
  }

  // MARK: Thresholds

  @Test func theFalsePositiveRateIsNotExceeded() {
    let draws = RandomStream(seed: 3, .sampling).normal(101).map(Double.init)
    for rate in [0, 0.009, 0.01, 0.05, 0.3, 0.99] {
      let scores = AnomalyScores(draws)
      let threshold = scores.threshold(falsePositiveRate: rate)
      let above = scores.scores.count { $0 > threshold }
      #expect(Double(above) <= rate * 101 && Double(above + 1) > rate * 101)
    }
    #expect(AnomalyScores([1, 2, 3, 4, 5, 6, 7, 8, 9, 10]).threshold(falsePositiveRate: 0.3) == 7)
  }

  /// All thresholds between scores, and below all, tried one by one.
  @Test(arguments: 1...20) func theBestThresholdHasTheGreatestF1(_ seed: Int) throws {
    let draws = Self.draws(40, seed: seed)
    let scores = AnomalyScores(draws[..<20].map { Double($0 % 9) })
    let isAnomaly = draws[20...].map { $0 % 3 == 0 }
    let threshold = try #require(scores.bestThreshold(isAnomaly))
    let best = try #require(scores.detection(above: threshold, isAnomaly).f1)
    #expect(!scores.scores.contains(threshold))
    for other in -1..<9 {
      #expect(scores.detection(above: Double(other) + 0.5, isAnomaly).f1 ?? 0 <= best)
    }
  }

  @Test func theBestThresholdOfNeighbouringScoresPartsThem() throws {
    let scores = AnomalyScores([1, 1.nextUp])
    #expect(try #require(scores.bestThreshold([false, true])) == 1)
    #expect(scores.bestThreshold([false, false]) == nil)
    #expect(try #require(scores.bestThreshold([true, true])) < 1)
  }

  /// precision_score, recall_score and f1_score of scikit-learn 1.9.1 for [0,1,1,0,1,0] and [1,1,0,0,1,0].
  @Test func detectionIsThatOfScikitLearn() {
    let found = AnomalyScores([5, 6, 1, 2, 7, 3]).detection(above: 4, [false, true, true, false, true, false])
    #expect(found.truePositives == 2 && found.falsePositives == 1 && found.falseNegatives == 1)
    #expect(found.trueNegatives == 2 && found.precision == 2.0 / 3 && found.recall == 2.0 / 3 && found.f1 == 2.0 / 3)
    let none = AnomalyScores([1, 2]).detection(above: 3, [false, false])
    #expect(none.precision == nil && none.recall == nil && none.f1 == nil)
  }

  /// Trapezoids below the one, steps below the other.
  @Test(arguments: 1...5) func areasLieBelowTheCurves(_ seed: Int) throws {
    let draws = Self.draws(60, seed: seed)
    let scores = AnomalyScores(draws[..<30].map { Double($0 % 11) })
    let isAnomaly = draws[30...].map { $0 % 3 == 0 }
    let (roc, precision) = try #require(scores.curves(isAnomaly))
    let trapezoids = zip(roc, roc.dropFirst()).map { ($1.x - $0.x) * ($0.y + $1.y) / 2 }
    #expect(abs(trapezoids.reduce(0, +) - (scores.rocAUC(isAnomaly) ?? -1)) < 1e-12)
    let steps = zip([(x: 0.0, y: 0.0)] + precision, precision).map { ($1.x - $0.x) * $1.y }
    #expect(abs(steps.reduce(0, +) - (scores.averagePrecision(isAnomaly) ?? -1)) < 1e-12)
    #expect(roc.last.map { $0 == (1, 1) } == true && scores.curves([Bool](repeating: true, count: 30)) == nil)
  }

  /// Squares of 3 x 3, at the ends what is left.
  @Test func largePicturesAreShownSmaller() {
    let shape = ImageShape(7, 5, 2)
    let image = (0..<70).map { Float($0 * $0 % 23) }
    let map = (0..<35).map { Float($0 * 7 % 13) }
    let picture = ExpectedPicture(index: 4, shape: shape, image: image[...], expected: image.reversed()[...])
    let (small, peaks) = picture.reduced(map, to: 3)
    #expect(small.shape == ImageShape(3, 2, 2) && small.index == 4 && small.image.count == 12 && peaks.count == 6)
    let (rows, columns) = ([0..<3, 3..<6, 6..<7], [0..<3, 3..<5])
    for (y, row) in rows.enumerated() {
      for (x, column) in columns.enumerated() {
        let pixels = row.flatMap { y in column.map { y * 5 + $0 } }
        #expect(peaks[2 * y + x] == pixels.map { map[$0] }.max())
        for c in 0..<2 {
          let mean = pixels.reduce(0) { $0 + image[2 * $1 + c] } / Float(pixels.count)
          #expect(abs(small.image[2 * (2 * y + x) + c] - mean) < 1e-5)
        }
      }
    }
    let same = picture.reduced(map, to: 7)
    #expect(same.picture.shape == shape && same.map == map)
  }

  /// The part of the numbers above the scale is as wanted, within the width of a bin.
  @Test func theScaleIsAPercentile() {
    var scale = AnomalyMaps.Scale()
    for part in 0..<10 { scale.add((0..<1000).map { Float(part * 1000 + $0) / 10 }) }
    #expect(scale.greatest == 999.9)
    let high = scale.high(exceededBy: 0.1)
    #expect(high >= 899.9 && high <= 899.9 * (1 + 1.0 / 128))
    #expect(scale.high(exceededBy: 0) == 999.9 && AnomalyMaps.Scale().high(exceededBy: 0.5) == 0)
  }
}
