import HourglassData
import HourglassModels
import Testing

@Suite struct CorruptionTests {
  private static let shape = ImageShape(6, 7, 3)
  /// All elements differ and lie in (0, 1).
  private static let image = (0..<shape.count).map { Float($0 + 1) / Float(shape.count + 1) }

  private static func augmented(_ augmentation: Augmentation, sample: Int) -> [Float] {
    [Float](unsafeUninitializedCapacity: shape.count) { out, count in
      augmentation.apply(
        image, shape: shape, RandomStream(seed: 1, .augmentation, step: 2, sample: sample), into: out.baseAddress!)
      count = shape.count
    }
  }

  private static func corrupted(_ corruption: Corruption, sample: Int = 0) -> [Float] {
    let draws = FloatBuffer(count: shape.count)
    return [Float](unsafeUninitializedCapacity: shape.count) { out, count in
      corruption.apply(
        image, shape: shape, RandomStream(seed: 1, .corruption, step: 2, sample: sample), draws: draws.pointer,
        into: out.baseAddress!)
      count = shape.count
    }
  }

  /// The image moved and mirrored by the definition.
  private static func moved(_ isFlipped: Bool, down: Int, right: Int) -> [Float] {
    var out: [Float] = []
    for h in 0..<shape.height {
      for w in 0..<shape.width {
        let row = min(max(h - down, 0), shape.height - 1)
        let column = min(max(w - right, 0), shape.width - 1)
        for c in 0..<shape.channels {
          out.append(image[(row * shape.width + (isFlipped ? shape.width - 1 - column : column)) * shape.channels + c])
        }
      }
    }
    return out
  }

  @Test func flipsAndShiftsAreDrawnEquallyOften() {
    for (augmentation, flips, shifts) in [
      (Augmentation(flips: true), [false, true], 0), (Augmentation(shift: 2), [false], 2),
      (Augmentation(flips: true, shift: 1), [false, true], 1),
    ] {
      var counts: [Int] = []
      var left = (0..<1500).map { Self.augmented(augmentation, sample: $0) }
      for isFlipped in flips {
        for down in -shifts...shifts {
          for right in -shifts...shifts {
            let wanted = Self.moved(isFlipped, down: down, right: right)
            counts.append(left.count { $0 == wanted })
            left.removeAll { $0 == wanted }
          }
        }
      }
      // Nothing else comes out; each as often within 5 standard deviations.
      let mean = 1500 / Double(counts.count)
      #expect(left.isEmpty && counts.allSatisfy { abs(Double($0) - mean) < 5 * mean.squareRoot() }, "\(counts)")
    }
  }

  @Test func gaussianNoiseHasItsDeviationAndNoMean() {
    var (sum, squares, n) = (0.0, 0.0, 0.0)
    for sample in 0..<200 {
      for (noisy, clean) in zip(Self.corrupted(.gaussian(0.3), sample: sample), Self.image) {
        let difference = Double(noisy - clean)
        (sum, squares, n) = (sum + difference, squares + difference * difference, n + 1)
      }
    }
    // 5 standard deviations of the mean, and of the mean square.
    #expect(abs(sum / n) < 5 * 0.3 / n.squareRoot() && abs(squares / n - 0.09) < 5 * 0.09 * (2 / n).squareRoot())
  }

  /// Multiplicative noise takes the draws of Gaussian noise, in proportion to the element. A black element stays black.
  @Test func multiplicativeNoiseIsGaussianNoiseTimesTheElement() {
    let (added, multiplied) = (Self.corrupted(.gaussian(0.3)), Self.corrupted(.multiplicative(0.3)))
    #expect(added != multiplied)
    for (i, clean) in Self.image.enumerated() {
      let noise = added[i] - clean
      #expect(abs(multiplied[i] - clean * (1 + noise)) < 4e-7 * (1 + abs(noise)), "element \(i)")
    }
  }

  @Test func maskedPixelsAreBlackInAllChannelsAndTheOthersUntouched() {
    for (corruption, values) in [(Corruption.mask(0.25), [Float(0)]), (.saltPepper(0.25), [0, 1])] {
      var counts = [Float: Int]()
      for sample in 0..<200 {
        let noisy = Self.corrupted(corruption, sample: sample)
        for pixel in 0..<Self.shape.height * Self.shape.width {
          let channels = Array(noisy[3 * pixel..<3 * pixel + 3])
          if channels == Array(Self.image[3 * pixel..<3 * pixel + 3]) { continue }
          #expect(values.contains(channels[0]) && Set(channels).count == 1)
          counts[channels[0], default: 0] += 1
        }
      }
      let (n, part) = (200.0 * 42, 0.25 / Double(values.count))
      for value in values {
        #expect(abs(Double(counts[value] ?? 0) - n * part) < 5 * (n * part * (1 - part)).squareRoot())
      }
    }
  }

  /// A vector has no pixels: a code must not vanish as a whole.
  @Test func elementsOfAVectorAreMaskedOneByOne() {
    let (draws, vector) = (FloatBuffer(count: Self.shape.count), ImageShape(vector: Self.shape.count))
    var count = 0
    for sample in 0..<200 {
      let stream = RandomStream(seed: 1, .corruption, step: 2, sample: sample)
      let noisy = [Float](unsafeUninitializedCapacity: vector.count) { out, count in
        Corruption.mask(0.25).apply(
          Self.image, shape: vector, stream, draws: draws.pointer, into: out.baseAddress!)
        count = vector.count
      }
      #expect(zip(noisy, Self.image).allSatisfy { $0 == 0 || $0 == $1 } && noisy.contains { $0 > 0 })
      count += noisy.count { $0 == 0 }
    }
    let n = 200 * Double(vector.count)
    #expect(abs(Double(count) - 0.25 * n) < 5 * (0.25 * 0.75 * n).squareRoot())
  }

  @Test func numbersAreOfTheSampleAlone() {
    for corruption in [Corruption.gaussian(0.1), .multiplicative(0.1), .mask(0.5), .saltPepper(0.5)] {
      #expect(Self.corrupted(corruption) == Self.corrupted(corruption))
      #expect(Self.corrupted(corruption) != Self.corrupted(corruption, sample: 1))
    }
  }

  @Test func textsAreReadAndWritten() {
    for text in ["flip", "shift:2", "flip,shift:3"] { #expect(Augmentation(rawValue: text)?.rawValue == text) }
    for text in ["gaussian:0.3", "multiplicative:0.5", "mask:0.25", "salt-pepper:0.1"] {
      #expect(Corruption(rawValue: text)?.rawValue == text)
    }
    for text in ["", "flip:1", "shift", "shift:0", "shift:-1", "shift:x", "flip,", "turn"] {
      #expect(Augmentation(rawValue: text) == nil, "\(text)")
    }
    for text in [
      "", "mask", "mask:1", "mask:0", "mask:nan", "gaussian:inf", "gaussian:0", "multiplicative:-1", "salt:0.1",
      "mask:0.1:2",
    ] {
      #expect(Corruption(rawValue: text) == nil, "\(text)")
    }
  }
}
