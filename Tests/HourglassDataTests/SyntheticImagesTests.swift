import Foundation
import HourglassData
import HourglassModels
import Testing

@Suite struct SyntheticImagesTests {
  @Test func imagesAreAFunctionOfSeedSplitAndIndex() throws {
    for shape in [ImageShape(28, 28, 1), ImageShape(8, 12, 3)] {
      let images = try SyntheticImages(shape: shape, seed: 3, split: .train)
      let (pixels, labels) = try images.make(count: 20)
      #expect(pixels.count == 20 * shape.count && labels.count == 20)
      #expect(try images.make(count: 5).pixels == Array(pixels[..<(5 * shape.count)]))
      #expect(try SyntheticImages(shape: shape, seed: 4, split: .train).make(count: 20).pixels != pixels)
      #expect(try SyntheticImages(shape: shape, seed: 3, split: .test).make(count: 20).pixels != pixels)
      let data = try Dataset.synthetic(shape: shape, count: 20, seed: 3, split: .train)
      let value = try data.image(4)[7]
      #expect(
        data.count == 20 && data.labels == labels.map(Int.init)
          && value == Float(pixels[4 * shape.count + 7]) / 255)
      #expect(labels == (0..<20).map { images.factors($0).object.kind.rawValue })
    }
  }

  @Test func imagesAreDistinctAndClassesEvenlySpread() throws {
    let shape = ImageShape(16, 16, 1)
    let images = try SyntheticImages(shape: shape, seed: 1, split: .train)
    let pixels = try images.make(count: 300).pixels
    let distinct = Set((0..<300).map { Array(pixels[($0 * shape.count)..<(($0 + 1) * shape.count)]) })
    #expect(distinct.count == 300)
    var counts = [Int](repeating: 0, count: 10)
    var companions = 0
    for index in 0..<5000 {
      let factors = images.factors(index)
      counts[Int(factors.object.kind.rawValue)] += 1
      if factors.companion != nil { companions += 1 }
    }
    // Five standard deviations of a binomial count: 21.2 for one class in ten, 34.6 for one in four.
    #expect(counts.allSatisfy { abs($0 - 500) < 107 } && abs(companions - 1250) < 154)
  }

  /// A killed process leaves nothing under the name, a failed one nothing at all.
  @Test(.timeLimit(.minutes(1))) func aSetIsWrittenWholeOrNotAtAll() async throws {
    let folder = try TemporaryFolder()
    let path = folder.path + "/new/set"
    let shape = ImageShape(8, 8, 1)
    await #expect(processExitsWith: .signal(SIGKILL)) { [path = path as String] in
      let folder = URL(fileURLWithPath: path).deletingLastPathComponent().path
      Thread.detachNewThread {
        while !FileManager.default.fileExists(atPath: "\(folder)/.set.tmp/train/ring") { usleep(1000) }
        kill(getpid(), SIGKILL)
      }
      _ = try SyntheticImages.write(shape: ImageShape(8, 8, 1), count: 20_000, seed: 1, to: path)
    }
    expectRefusal(path, "found nothing there") { try Dataset.open(path: path, split: .train) }
    #expect(try SyntheticImages.write(shape: shape, count: 16, seed: 1, to: path).map(\.count) == [16, 2])
    let data = try Dataset.open(path: path, split: .train)
    #expect(data.count == 16 && data.isSplit)
    // What is there stays, and the unfinished set beside it is removed.
    expectRefusal(path, "cannot be replaced") { try SyntheticImages.write(shape: shape, count: 16, seed: 2, to: path) }
    #expect(try Dataset.open(path: path, split: .train).count == 16)
    let left = try FileManager.default.contentsOfDirectory(atPath: folder.path + "/new")
    #expect(left == ["set"])
  }

  /// The object is drawn last, so a disc shows its own colour at its centre, and a far corner shows the ground.
  @Test func picturesShowTheirFactors() throws {
    let shape = ImageShape(32, 32, 3)
    let images = try SyntheticImages(shape: shape, seed: 2, split: .test)
    let pixels = try images.make(count: 80).pixels
    var discs = 0
    for index in 0..<80 {
      let factors = images.factors(index)
      guard factors.object.kind == .disc else { continue }
      discs += 1
      let (x, y) = (Int(clamping: 16 + 16 * factors.object.x), Int(clamping: 16 + 16 * factors.object.y))
      let place = index * shape.count + (y * 32 + x) * 3
      let color = factors.object.color
      for (channel, value) in [color.red, color.green, color.blue].enumerated() {
        #expect(abs(Float(pixels[place + channel]) - 255 * value) <= 0.51)
      }
      guard factors.companion == nil else { continue }
      let shade = -(factors.slopeX + factors.slopeY) * 31 / 32
      #expect(abs(Float(pixels[index * shape.count]) - 255 * max(0, factors.ground.red + shade)) <= 0.51)
    }
    #expect(discs > 0)
  }

  @Test func impossibleShapesAreRefused() {
    for shape in [ImageShape(7, 28, 1), ImageShape(28, 7, 1), ImageShape(28, 28, 2), ImageShape(vector: 784)] {
      expectRefusal("built-in images", "\(shape.height) x \(shape.width) x \(shape.channels)") {
        try Dataset.synthetic(shape: shape, count: 1, seed: 0, split: .train)
      }
    }
  }

  @Test func unitVectorsAreSineAndCosine() {
    for i in 0..<1000 {
      let turns = Float(i) / 1000
      let (cosine, sine) = Trigonometry.unitVector(turns: turns)
      #expect(abs(Double(cosine) - cos(2 * .pi * Double(turns))) < 1e-6)
      #expect(abs(Double(sine) - sin(2 * .pi * Double(turns))) < 1e-6)
    }
  }

  /// A distance changes no faster than its point moves, is negative somewhere, and positive beyond the stated reach.
  @Test(arguments: SyntheticClass.allCases)
  func distancesAreDistances(kind: SyntheticClass) {
    for thickness in [0, 0.5, 1] as [Float] {
      var least = Float.infinity
      for place in 0..<900 {
        let (x, y) = (Float(place / 30) / 10 - 1.45, Float(place % 30) / 10 - 1.45)
        let distance = SignedDistance.value(kind, x, y, thickness: thickness)
        least = min(least, distance)
        if (x * x + y * y).squareRoot() > SignedDistance.reach { #expect(distance > 0) }
        let (nearX, nearY) = (x + 0.03, y - 0.04)
        let moved = SignedDistance.value(kind, nearX, nearY, thickness: thickness)
        #expect(abs(moved - distance) <= 0.05 + 1e-5, "\(kind) at \(x), \(y)")
      }
      #expect(least < -0.09)
    }
  }

  /// The folding of the plane that the triangle and the star use keeps their symmetry.
  @Test func trianglesAndStarsAreSymmetric() {
    for (kind, corners) in [(SyntheticClass.triangle, 3), (.star, 5), (.cross, 4), (.square, 4)] {
      let turn = 2 * Double.pi / Double(corners)
      for i in 0..<200 {
        let (x, y) = (Double(i % 20) / 10 - 0.95, Double(i / 20) / 5 - 0.9)
        let (turnedX, turnedY) = (x * cos(turn) - y * sin(turn), x * sin(turn) + y * cos(turn))
        let a = SignedDistance.value(kind, Float(x), Float(y), thickness: 0.3)
        let b = SignedDistance.value(kind, Float(turnedX), Float(turnedY), thickness: 0.3)
        #expect(abs(a - b) < 1e-5, "\(kind) at \(x), \(y)")
      }
    }
  }
}

@Suite struct StructuralSimilarityTests {
  /// Values by the definition, window by window, from Reference/reference.py. Both sides compute in double; variances
  /// here are differences of squares below 1, whose rounding error of 1e-15 weighs at most 1 / C2 = 1111.
  @Test(arguments: [
    (ImageShape(28, 28, 1), 0.9221804348812576), (ImageShape(32, 24, 3), 0.9195424751011602),
    (ImageShape(11, 11, 1), 0.9100121370007316), (ImageShape(10, 13, 1), 0.9120010326064085),
    (ImageShape(7, 7, 3), 0.9268347962484639), (ImageShape(1, 1, 1), 1.0), (ImageShape(12, 40, 1), 0.9156221970815224),
  ])
  func valuesAreThoseOfTheDefinition(shape: ImageShape, wanted: Double) {
    var (x, y): ([Float], [Float]) = ([], [])
    for h in 0..<shape.height {
      for w in 0..<shape.width {
        for c in 0..<shape.channels {
          let value = Float((37 * h + 11 * w + 17 * c + 3 * h * w) % 256) / 255
          x.append(value)
          y.append(value * 0.75 + Float((101 * h + 53 * w + 29 * c + h * h * w) % 64) / 255)
        }
      }
    }
    var similarity = StructuralSimilarity(shape: shape)
    #expect(abs(similarity.value(x, y) - wanted) < 1e-11)
    #expect(abs(similarity.value(y, x) - wanted) < 1e-11)
    #expect(abs(similarity.value(x, x) - 1) < 1e-11)
  }

  /// The loss of the same name is the elements of an image times 1 - this, and its gradient the slope of that: of a
  /// function whose second and third derivatives are some 1 / C2 times the first, so that steps of 2^-12 leave 10^-3.
  @Test func theLossAndItsGradientAreThoseOfTheMetric() {
    let shape = ImageShape(17, 13, 2), count = shape.count
    let noise = RandomStream(seed: 2, .sampling).uniform(2 * count)
    let targets = Array(noise[..<count])
    var y = (0..<count).map { 0.6 * targets[$0] + 0.4 * noise[count + $0] }
    var loss: Float = 0
    var gradient = [Float](repeating: .nan, count: count)
    var scratch = [Float](repeating: .nan, count: Likelihood.ssim.scratchCount(samples: 1, image: shape, threads: 1))
    Likelihood.ssim.evaluate(
      samples: 1, count: count, image: shape, output: y, target: targets, labels: [], loss: &loss, error: &gradient,
      scratch: &scratch, threads: 1)
    var similarity = StructuralSimilarity(shape: shape)
    let wanted = Double(count) * (1 - similarity.value(y, targets))
    #expect(abs(Double(loss) - wanted) < 0x1p-23 * wanted)
    for i in y.indices {
      let (before, h) = (y[i], Float(0x1p-12))
      y[i] = before + h
      let (above, right) = (similarity.value(y, targets), Double(y[i]))
      y[i] = before - h
      let slope = -Double(count) * (above - similarity.value(y, targets)) / (right - Double(y[i]))
      y[i] = before
      #expect(abs(Double(gradient[i]) - slope) < 1e-3 * max(abs(slope), 1), "element \(i): \(gradient[i]), \(slope)")
    }
  }
}
