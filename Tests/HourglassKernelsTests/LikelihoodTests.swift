import Foundation
import HourglassKernels
import Testing

/// e^x of the system's library.
func exponential(_ x: Double) -> Double { exp(x) }

extension KernelTests {
  /// A kernel and its definition.
  typealias Likelihood =
    @Sendable (
      Int, Int, UnsafePointer<Float>?, UnsafePointer<Float>?, UnsafeMutablePointer<Float>?,
      UnsafeMutablePointer<Float>?, UnsafePointer<hg_parallel>?
    ) -> UnsafePointer<CChar>?
  typealias LikelihoodDefinition =
    @Sendable (
      Int, Int, UnsafePointer<Float>?, UnsafePointer<Float>?, UnsafeMutablePointer<Float>?, UnsafeMutablePointer<Float>?
    ) -> Void

  static let likelihoods: [Likelihood] = [
    hg_bernoulli_logits, hg_squared_error, hg_absolute_error, hg_huber_error, hg_log_cosh_error, hg_poisson,
    hg_multinomial,
    { hg_gaussian($0, $1, 0.3, $2, $3, $4, $5, $6) },
  ]

  static func run(
    _ likelihood: Likelihood, samples: Int, _ y: [Float], _ targets: [Float],
    _ parallel: UnsafePointer<hg_parallel>? = nil
  ) -> (loss: [Float], gradient: [Float]) {
    var loss = [Float](repeating: .nan, count: samples)
    let gradient = output(y.count) { _ = likelihood(samples, y.count / samples, y, targets, &loss, $0, parallel) }
    return (loss, gradient)
  }

  static func run(_ definition: LikelihoodDefinition, samples: Int, _ y: [Float], _ targets: [Float])
    -> (loss: [Float], gradient: [Float])
  {
    var loss = [Float](repeating: .nan, count: samples)
    let gradient = output(y.count) { definition(samples, y.count / samples, y, targets, &loss, $0) }
    return (loss, gradient)
  }

  static let counts = [1, 5, 15, 16, 17, 32, 100, 784]

  /// Each term carries at most ten roundoffs of |l| + 1 (8 in ln(1 + exp(-|l|)), 2 in the rest); the sum adds
  /// count / 16 + 5 of itself, as no term is negative. In the gradient the sigmoid carries 8, difference and stored
  /// reference one each.
  @Test("The Bernoulli loss and its gradient are within bounds of the definition", arguments: counts)
  static func bernoulli(_ count: Int) {
    let samples = 5
    let logits = randomValues(samples * count, -12, 12), targets = randomValues(samples * count, 0, 1, seed: 2)
    let wanted = run(hg_reference_bernoulli_logits, samples: samples, logits, targets)
    withEachInstructionSet { isa in
      let got = run(hg_bernoulli_logits, samples: samples, logits, targets)
      expectClose("\(isa) loss", got.loss, wanted.loss) { n in
        let size = logits[n * count..<(n + 1) * count].reduce(0.0) { $0 + Double(abs($1)) + 1 }
        return roundoff * (10 * size + (Double(count) / 16 + 6) * Double(wanted.loss[n]))
      }
      expectClose("\(isa) gradient", got.gradient, wanted.gradient) { _ in 10 * roundoff }
    }
  }

  /// For a target of 0 and l < 0 the loss is ln(1 + exp(l)) itself: exp within 4 roundoffs, ln within 4, reference 1.
  @Test("ln(1 + exp(-x)) keeps its relative precision down to the smallest values")
  static func softplusTail() {
    let x = (0...20_000).map { -Float($0) * (87.0 / 20_000) }
    let zeros = [Float](repeating: 0, count: x.count)
    let wanted = run(hg_reference_bernoulli_logits, samples: x.count, x, zeros).loss
    withEachInstructionSet { isa in
      let got = run(hg_bernoulli_logits, samples: x.count, x, zeros).loss
      expectClose("\(isa)", got, wanted) { 9 * roundoff * Double(wanted[$0]) }
    }
  }

  @Test("The gradients agree with central differences of the losses in double")
  static func likelihoodGradients() {
    let y = randomValues(100, -6, 6), targets = randomValues(100, 0, 1, seed: 5), h = 1e-5
    let bernoulli = { (l: Double, t: Double) in max(l, 0) - l * t + log1p(exp(-abs(l))) }
    let squared = { (y: Double, t: Double) in (y - t) * (y - t) }
    let cases: [(String, Likelihood, (Double, Double) -> Double)] = [
      ("bernoulli", hg_bernoulli_logits, bernoulli), ("squared", hg_squared_error, squared),
    ]
    for (name, likelihood, loss) in cases {
      let got = run(likelihood, samples: 1, y, targets).gradient
      let wanted = y.indices.map { j in
        Float((loss(Double(y[j]) + h, Double(targets[j])) - loss(Double(y[j]) - h, Double(targets[j]))) / (2 * h))
      }
      // The quotient's own error is below 1e-9 here.
      expectClose(name, got, wanted) { 10 * roundoff * max(1, Double(abs(wanted[$0]))) + 1e-9 }
    }
  }

  /// Difference and square round twice and once, the sum as above; all terms are positive.
  @Test("The squared error and its gradient are within bounds of the definition", arguments: counts)
  static func squaredError(_ count: Int) {
    let samples = 5
    let y = randomValues(samples * count, -2, 2), targets = randomValues(samples * count, 0, 1, seed: 2)
    let wanted = run(hg_reference_squared_error, samples: samples, y, targets)
    withEachInstructionSet { isa in
      let got = run(hg_squared_error, samples: samples, y, targets)
      expectClose("\(isa) loss", got.loss, wanted.loss) {
        (Double(count) / 16 + 9) * roundoff * Double(wanted.loss[$0])
      }
      expectClose("\(isa) gradient", got.gradient, wanted.gradient) { 2 * roundoff * Double(abs(wanted.gradient[$0])) }
    }
  }

  @Test(
    "A sum over a sample is 16 partial sums, element i in partial sum i mod 16, and a balanced tree", arguments: counts)
  static func partialSums(_ count: Int) {
    let y = randomValues(count, -2, 2), targets = randomValues(count, 0, 1, seed: 2)
    var sums = [Float](repeating: 0, count: 16)
    for i in 0..<count {
      let difference = y[i] - targets[i]
      sums[i % 16] = sums[i % 16].addingProduct(difference, difference)
    }
    for width in [8, 4, 2, 1] { for lane in 0..<width { sums[lane] += sums[lane + width] } }
    withEachInstructionSet(onlyFMA: true) { isa in
      #expect(run(hg_squared_error, samples: 1, y, targets).loss == [sums[0]], "\(isa)")
    }
  }

  @Test("Samples do not touch one another, outputs may be left out, and the gradient may overwrite its input")
  static func likelihoodOutputs() {
    for likelihood in likelihoods {
      let samples = 3, count = 21
      var y = randomValues(samples * count, -6, 6)
      let targets = randomValues(samples * count, 0, 1, seed: 2)
      let all = run(likelihood, samples: samples, y, targets)
      for n in 0..<samples {
        let range = n * count..<(n + 1) * count
        let one = run(likelihood, samples: 1, Array(y[range]), Array(targets[range]))
        #expect(one.loss == [all.loss[n]] && one.gradient == Array(all.gradient[range]))
      }
      #expect(output(samples) { _ = likelihood(samples, count, y, targets, $0, nil, nil) } == all.loss)
      #expect(output(y.count) { _ = likelihood(samples, count, y, targets, nil, $0, nil) } == all.gradient)
      y.withUnsafeMutableBufferPointer {
        _ = likelihood(samples, count, $0.baseAddress, targets, nil, $0.baseAddress, nil)
      }
      #expect(y == all.gradient)
    }
  }

  @Test("NaN and infinities reach the loss of their own sample only; large logits stay finite")
  static func likelihoodNonfinite() {
    withEachInstructionSet { isa in
      let logits: [Float] = [1, .nan, .infinity, -.infinity, 1e30, -1e30]
      let targets: [Float] = [1, 0.5, 0.5, 0.5, 1, 0]
      let got = run(hg_bernoulli_logits, samples: logits.count, logits, targets)
      #expect(got.loss[0].isFinite && got.gradient[0].isFinite, "\(isa)")
      #expect(got.loss[1].isNaN && got.gradient[1].isNaN, "\(isa)")
      #expect(!got.loss[2].isFinite && !got.loss[3].isFinite, "\(isa)")
      #expect(Array(got.gradient[2...]) == [0.5, -0.5, 0, 0], "\(isa)")
      #expect(Array(got.loss[4...]) == [0, 0], "\(isa)")
      let squared = run(hg_squared_error, samples: 3, [1, .nan, .infinity], [0, 0, 0])
      #expect(firstDifference(squared.loss, [1, .nan, .infinity]) == nil, "\(isa)")
      #expect(firstDifference(squared.gradient, [2, .nan, .infinity]) == nil, "\(isa)")
    }
  }

  @Test("Likelihoods have equal bits on every instruction set with FMA")
  static func likelihoodBits() {
    for likelihood in likelihoods {
      for count in counts {
        let y = randomValues(4 * count, -20, 20), targets = randomValues(4 * count, 0, 1, seed: 2)
        expectEqualBitsOnEachISA("count \(count)") {
          let got = run(likelihood, samples: 4, y, targets)
          return got.loss + got.gradient
        }
      }
    }
  }
}
