import Foundation
import HourglassKernels
import TestSupport
import Testing

extension KernelTests {
  /// Inputs of dropout and noise for some samples of `count` values, made by an activation.
  struct NoiseCase: CustomStringConvertible {
    let samples: Int, count: Int, activation: hg_activation, rate: Float
    let x: [Float], dy: [Float]
    var address = stream(1 << 40 | 5, 7 | 2 << 8, step: 3, sample: 90)

    init(_ samples: Int, _ count: Int, _ activation: hg_activation = HG_ACTIVATION_LINEAR, rate: Float = 0.3) {
      (self.samples, self.count, self.activation, self.rate) = (samples, count, activation, rate)
      x = KernelTests.activation(activation, randomValues(samples * count, -3, 3, seed: 4))
      dy = randomValues(samples * count, -2, 2, seed: 5)
    }

    var description: String { "\(samples) samples of \(count), \(activation), rate \(rate)" }
    var words: Int { samples * hg_dropout_mask_count(count) }

    func dropout(_ parallel: UnsafePointer<hg_parallel>? = nil) -> (y: [Float], mask: [UInt32]) {
      var mask = [UInt32](repeating: 0xA5A5_A5A5, count: words)
      let y = withUnsafePointer(to: address) { address in
        output(x.count) { hg_dropout_forward(address, rate, samples, count, activation, x, $0, &mask, parallel) }
      }
      return (y, mask)
    }

    func reference() -> (y: [Float], mask: [UInt32]) {
      var mask = [UInt32](repeating: 0xA5A5_A5A5, count: words)
      let y = withUnsafePointer(to: address) { address in
        output(x.count) { hg_reference_dropout_forward(address, rate, samples, count, activation, x, $0, &mask) }
      }
      return (y, mask)
    }

    func backward(_ mask: [UInt32], _ parallel: UnsafePointer<hg_parallel>? = nil) -> [Float] {
      output(x.count) { hg_dropout_backward(rate, samples, count, dy, mask, activation, x, $0, parallel) }
    }

    func noise(_ deviation: Float, _ parallel: UnsafePointer<hg_parallel>? = nil) -> [Float] {
      withUnsafePointer(to: address) { address in
        output(x.count) { hg_gaussian_noise(address, deviation, samples, count, x, $0, parallel) }
      }
    }

    /// Whether bit j of a sample's mask is set.
    func isKept(_ mask: [UInt32], _ n: Int, _ j: Int) -> Bool {
      mask[n * hg_dropout_mask_count(count) + j / 32] >> (j % 32) & 1 == 1
    }
  }

  static let runCounts = [1, 4, 15, 16, 17, 31, 32, 33, 63, 64, 65, 200]

  /// The factor, the product and the stored reference round once each; a sigmoid's derivative three times more.
  @Test("Dropout and its way back are within bounds of the definition, the mask to the bit", arguments: runCounts)
  static func dropoutBound(_ count: Int) {
    for rate in [0, 0.1, 0.5, 0.999] as [Float] {
      for activation in activations {
        let row = NoiseCase(3, count, activation, rate: rate)
        let wanted = row.reference()
        let back = output(row.x.count) {
          hg_reference_dropout_backward(rate, 3, count, row.dy, wanted.mask, activation, row.x, $0)
        }
        withEachInstructionSet { isa in
          let got = row.dropout()
          #expect(got.mask == wanted.mask, "\(isa), \(row)")
          expectClose("\(isa), \(row)", got.y, wanted.y) { 3 * roundoff * Double(abs(wanted.y[$0])) }
          expectClose("\(isa), \(row), back", row.backward(got.mask), back) { 6 * roundoff * Double(abs(back[$0])) }
        }
      }
    }
  }

  /// A normal value is within nine roundoffs of its definition; the sum and the reference round once each.
  @Test("Gaussian noise is within bounds of the definition", arguments: runCounts)
  static func noiseBound(_ count: Int) {
    let row = NoiseCase(3, count)
    for deviation in [0, 0.25, 3] as [Float] {
      let wanted = withUnsafePointer(to: row.address) { address in
        output(row.x.count) { hg_reference_gaussian_noise(address, deviation, 3, count, row.x, $0) }
      }
      withEachInstructionSet { isa in
        expectClose("\(isa), \(row)", row.noise(deviation), wanted) {
          roundoff
            * (9 * Double(abs(wanted[$0] - row.x[$0])) + 2 * Double(abs(wanted[$0])) + 9 * Double(abs(row.x[$0])))
        }
      }
    }
  }

  @Test(
    "Where 1 / (1 - rate) is a power of two, dropout and its way back are exact; without a rate they change nothing")
  static func exactDropout() {
    withEachInstructionSet { isa in
      for (rate, factor) in [(0, 1), (0.5, 2), (0.75, 4), (0.875, 8)] as [(Float, Float)] {
        let row = NoiseCase(4, 100, rate: rate)
        let (y, mask) = row.dropout()
        let dx = row.backward(mask)
        for i in row.x.indices {
          let kept = row.isKept(mask, i / 100, i % 100)
          #expect(y[i] == (kept ? factor * row.x[i] : 0) && dx[i] == (kept ? factor * row.dy[i] : 0), "\(isa), \(row)")
        }
        #expect(mask.contains { $0 != 0 } && (rate > 0) == y.contains(0), "\(isa), \(row)")
      }
      #expect(firstDifference(NoiseCase(2, 50).noise(0), NoiseCase(2, 50).x) == nil, "\(isa)")
    }
  }

  @Test("What is dropped is zero both ways, whatever it was; below a ReLU that was closed, the way back is")
  static func droppedValues() {
    let x: [Float] = (0..<96).map { [.nan, .infinity, -.infinity, 1, -1, 0][$0 % 6] }
    let row = NoiseCase(1, 96, rate: 0.5), (_, kept) = row.dropout()
    withEachInstructionSet { isa in
      for activation in [HG_ACTIVATION_LINEAR, HG_ACTIVATION_RELU] {
        var mask = [UInt32](repeating: 0, count: 3)
        let y = withUnsafePointer(to: row.address) { address in
          output(96) { hg_dropout_forward(address, 0.5, 1, 96, activation, x, $0, &mask, nil) }
        }
        let dx = output(96) { hg_dropout_backward(0.5, 1, 96, x, mask, activation, nil, $0, nil) }
        for j in 0..<96 {
          let isKept = row.isKept(kept, 0, j), isOpen = activation == HG_ACTIVATION_LINEAR || x[j] > 0
          #expect(firstDifference([y[j]], [isKept ? 2 * x[j] : 0]) == nil, "\(isa)")
          #expect(row.isKept(mask, 0, j) == (isKept && isOpen), "\(isa)")
          #expect(firstDifference([dx[j]], [isKept && isOpen ? 2 * x[j] : 0]) == nil, "\(isa)")
        }
      }
    }
  }

  @Test("The division among threads and calls changes no bit and leaves nothing out")
  static func divisionOfNoise() {
    for count in [5, 32, 70, 96] {
      let row = NoiseCase(5, count, HG_ACTIVATION_SIGMOID)
      let (y, mask) = row.dropout(), dx = row.backward(mask), noise = row.noise(0.5)
      for division in Division.all {
        var parallel = division.parallel
        let got = row.dropout(&parallel)
        #expect(got.mask == mask && firstDifference(got.y, y) == nil, "\(division), \(row)")
        #expect(firstDifference(row.backward(mask, &parallel), dx) == nil, "\(division), \(row)")
        #expect(firstDifference(row.noise(0.5, &parallel), noise) == nil, "\(division), \(row)")
      }
      // Samples one by one, at their own place in the minibatch.
      for n in 0..<5 {
        var (one, alone) = ([Float](repeating: 0, count: count), [UInt32](repeating: 0, count: mask.count / 5))
        var address = row.address
        address.sample += UInt32(n)
        let x = Array(row.x[n * count..<(n + 1) * count])
        hg_dropout_forward(&address, row.rate, 1, count, row.activation, x, &one, &alone, nil)
        #expect(one == Array(y[n * count..<(n + 1) * count]), "\(row), sample \(n)")
        #expect(alone == Array(mask[n * alone.count..<(n + 1) * alone.count]), "\(row), sample \(n)")
        hg_gaussian_noise(&address, 0.5, 1, count, x, &one, nil)
        #expect(one == Array(noise[n * count..<(n + 1) * count]), "\(row), sample \(n)")
      }
    }
  }

  @Test("The way back and the noise may write over their input, and touch nothing beyond it")
  static func guardedNoise() {
    withEachInstructionSet { isa in
      for count in 1...70 {
        let row = NoiseCase(1, count, HG_ACTIVATION_SIGMOID)
        let x = Floats(row.x), y = Floats(count: count), dx = Floats(row.dy)
        let mask = Guarded<UInt32>(count: row.words)
        withUnsafePointer(to: row.address) {
          hg_dropout_forward($0, row.rate, 1, count, row.activation, x.pointer, y.pointer, mask.pointer, nil)
          hg_dropout_backward(
            row.rate, 1, count, dx.pointer, mask.pointer, row.activation, x.pointer, dx.pointer, nil)
          hg_gaussian_noise($0, 0.5, 1, count, x.pointer, x.pointer, nil)
        }
        let wanted = row.dropout()
        #expect(y.isIntact && dx.isIntact && x.isIntact && mask.isIntact, "\(isa), \(count) values")
        #expect(y.array == wanted.y && mask.array == wanted.mask, "\(isa), \(count) values")
        #expect(dx.array == row.backward(wanted.mask) && x.array == row.noise(0.5), "\(isa), \(count) values")
      }
    }
  }

  /// Five standard errors of independent draws; chi-square of the 256 patterns of eight neighbours has mean 255 and
  /// variance 510. The streams are fixed: a wrong distribution fails, chance does not.
  @Test("Of a million values the share kept is 1 - rate, neighbours and layers are independent, and the mean stays")
  static func dropoutDistribution() {
    let (samples, count) = (40, 25_600), n = Double(samples * count)
    for rate in [0.1, 0.5, 0.8] as [Float] {
      let mask = NoiseCase(samples, count, rate: rate).dropout().mask
      let kept = Double(mask.reduce(0) { $0 + $1.nonzeroBitCount })
      let share = 1 - Double(rate)
      #expect(abs(kept - n * share) < 5 * (n * share * (1 - share)).squareRoot(), "rate \(rate): \(kept)")
      var patterns = [Double](repeating: 0, count: 256)
      for word in mask { for byte in 0..<4 { patterns[Int(word >> (8 * byte) & 255)] += 1 } }
      var square = 0.0
      for (pattern, found) in patterns.enumerated() {
        let ones = pattern.nonzeroBitCount
        let wanted = n / 8 * pow(share, Double(ones)) * pow(1 - share, Double(8 - ones))
        square += (found - wanted) * (found - wanted) / wanted
      }
      #expect(abs(square - 255) < 5 * 510.0.squareRoot(), "rate \(rate): chi-square \(square)")
    }
    // Another layer, another step and other samples draw other noise.
    let row = NoiseCase(samples, count, rate: 0.5)
    for change in [{ $0.stream += 1 << 8 }, { $0.step += 1 }, { $0.sample += 40 }] as [(inout hg_random_stream) -> Void]
    {
      var other = row
      change(&other.address)
      let equal = zip(row.dropout().mask, other.dropout().mask).reduce(0) { $0 + (~($1.0 ^ $1.1)).nonzeroBitCount }
      #expect(abs(Double(equal) - n / 2) < 5 * (n / 4).squareRoot())
    }
    // The mean of x / (1 - rate) over what is kept: x has mean 0 and variance 3, so variance 3 / (1 - rate).
    let mean = NoiseCase(samples, count, rate: 0.5).dropout().y.reduce(0.0) { $0 + Double($1) } / n
    #expect(abs(mean) < 5 * (3 / 0.5 / n).squareRoot())
  }

  @Test("Noise has mean zero and the variance that was asked for, and is not correlated with what it is added to")
  static func noiseDistribution() {
    let row = NoiseCase(40, 25_600), n = Double(row.x.count), deviation = 0.5
    var (sum, square, product) = (0.0, 0.0, 0.0)
    for (y, x) in zip(row.noise(Float(deviation)), row.x) {
      let e = Double(y) - Double(x)
      sum += e
      square += e * e
      product += e * Double(x)
    }
    #expect(abs(sum / n) < 5 * deviation / n.squareRoot())
    #expect(abs(square / n - deviation * deviation) < 5 * deviation * deviation * (2 / n).squareRoot())
    #expect(abs(product / n) < 5 * deviation * (3 / n).squareRoot())
  }

  @Test("Dropout and noise have equal bits on every instruction set with FMA")
  static func noiseBits() {
    for activation in activations {
      let row = NoiseCase(7, 333, activation)
      expectEqualBitsOnEachISA("\(row)") {
        let (y, mask) = row.dropout()
        return y + row.backward(mask) + row.noise(0.7) + mask.map { Float(bitPattern: $0 & 0x3fff_ffff) }
      }
    }
  }
}
