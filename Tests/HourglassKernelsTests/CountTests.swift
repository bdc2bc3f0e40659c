import Foundation
import HourglassKernels
import Testing

extension KernelTests {
  typealias Heads =
    @Sendable (
      Int, Int, Int, UnsafePointer<Float>?, UnsafePointer<Float>?, UnsafeMutablePointer<Float>?,
      UnsafeMutablePointer<Float>?, UnsafePointer<hg_parallel>?
    ) -> UnsafePointer<CChar>?
  private typealias HeadsDefinition =
    @Sendable (
      Int, Int, Int, UnsafePointer<Float>?, UnsafePointer<Float>?, UnsafeMutablePointer<Float>?,
      UnsafeMutablePointer<Float>?
    ) -> Void

  static func run(
    _ likelihood: Heads, _ samples: Int, _ channels: Int, _ heads: [Float], _ targets: [Float],
    _ parallel: UnsafePointer<hg_parallel>? = nil
  ) -> (loss: [Float], gradient: [Float]) {
    var loss = [Float](repeating: .nan, count: samples)
    let gradient = output(heads.count) {
      _ = likelihood(samples, targets.count / samples / channels, channels, heads, targets, &loss, $0, parallel)
    }
    return (loss, gradient)
  }

  private static func run(
    _ definition: HeadsDefinition, _ samples: Int, _ channels: Int, _ heads: [Float], _ targets: [Float]
  ) -> (loss: [Float], gradient: [Float]) {
    var loss = [Float](repeating: .nan, count: samples)
    let gradient = output(heads.count) {
      definition(samples, targets.count / samples / channels, channels, heads, targets, &loss, $0)
    }
    return (loss, gradient)
  }

  private static func counts(_ count: Int, upTo most: Float) -> [Float] {
    zip(randomValues(count, 0, most, seed: 2), randomValues(count, 0, 1, seed: 3)).map { $1 < 0.4 ? 0 : $0.rounded() }
  }

  /// Log rates near the logarithms of the counts, as trained ones are.
  private static func logs(of counts: [Float]) -> [Float] {
    zip(counts, randomValues(counts.count, -0.5, 0.5, seed: 4)).map { Float(log(Double($0) + 0.5)) + $1 }
  }

  /// A term's parts are at most the count times the distance of logarithms, each with some ten roundoffs.
  @Test("Log-cosh, Poisson and multinomial are within bounds of the definition", arguments: [1, 15, 17, 784])
  static func countsWithoutSpread(_ count: Int) {
    for most: Float in [3, 300, 30_000] {
      let targets = counts(4 * count, upTo: most), y = logs(of: targets)
      let pairs: [(String, Likelihood, LikelihoodDefinition, Double)] = [
        ("log-cosh", hg_log_cosh_error, hg_reference_log_cosh_error, 1),
        ("poisson", hg_poisson, hg_reference_poisson, Double(most)),
        ("multinomial", hg_multinomial, hg_reference_multinomial, Double(most)),
      ]
      for (name, likelihood, reference, size) in pairs {
        let wanted = run(reference, samples: 4, y, targets)
        withEachInstructionSet { isa in
          let got = run(likelihood, samples: 4, y, targets)
          expectClose("\(isa) \(name)", got.loss, wanted.loss) {
            roundoff * (Double(count) * (30 + 4 * size) + (Double(count) / 16 + 30) * Double(abs(wanted.loss[$0])))
          }
          expectClose("\(isa) \(name) gradient", got.gradient, wanted.gradient) {
            roundoff * (10 + 60 * size) + 20 * roundoff * Double(abs(wanted.gradient[$0]))
          }
        }
      }
    }
  }

  @Test("Negative binomial and discretized logistic are within bounds of the definition", arguments: [1, 3, 16, 17])
  static func countsWithSpread(_ channels: Int) {
    for pixels in [1, 5, 16] {
      let count = 3 * pixels * channels
      /// Puts the two numbers of each element where the heads have them.
      func heads(_ first: [Float], _ second: [Float]) -> [Float] {
        stride(from: 0, to: count, by: channels).flatMap { first[$0..<$0 + channels] + second[$0..<$0 + channels] }
      }
      let tallies = counts(count, upTo: 300), levels = randomValues(count, 0, 255, seed: 5).map { $0.rounded() / 255 }
      let means = zip(levels, randomValues(count, -0.3, 0.3, seed: 6)).map { $0 + $1 }
      let cases: [(Heads, HeadsDefinition, [Float], [Float])] = [
        (
          hg_negative_binomial, hg_reference_negative_binomial,
          heads(logs(of: tallies), randomValues(count, -3, 9, seed: 7)), tallies
        ),
        (
          hg_discretized_logistic, hg_reference_discretized_logistic,
          heads(means, randomValues(count, -6, 2, seed: 8)), levels
        ),
      ]
      for (index, (likelihood, reference, heads, targets)) in cases.enumerated() {
        let wanted = run(reference, 3, channels, heads, targets)
        expectEqualBitsOnEachISA("\(index)") {
          let got = run(likelihood, 3, channels, heads, targets)
          expectClose("\(index) loss", got.loss, wanted.loss) {
            roundoff * (Double(pixels * channels) * 600 + 50 * Double(abs(wanted.loss[$0])))
          }
          expectClose("\(index) gradient", got.gradient, wanted.gradient) {
            roundoff * (2000 + 100 * Double(abs(wanted.gradient[$0])))
          }
          return got.loss + got.gradient
        }
        // Samples do not touch one another, and the gradient may overwrite the heads.
        var own = heads, loss = [Float](repeating: 0, count: 3)
        own.withUnsafeMutableBufferPointer {
          _ = likelihood(3, pixels, channels, $0.baseAddress, targets, &loss, $0.baseAddress, nil)
        }
        let all = run(likelihood, 3, channels, heads, targets)
        #expect(own == all.gradient && loss == all.loss)
        let rest = run(likelihood, 1, channels, Array(heads.suffix(2 * count / 3)), Array(targets.suffix(count / 3)))
        #expect(rest.loss == [all.loss[2]] && rest.gradient == Array(all.gradient.suffix(2 * count / 3)))
      }
    }
  }

  @Test("Probabilities add up to 1, over counts and over levels")
  static func probabilitiesAddUp() {
    let poisson = (0..<60).reduce(0.0) {
      $0 + exp(-Double(run(hg_poisson, samples: 1, [Float(log(7.5))], [Float($1)]).loss[0]))
    }
    #expect(abs(poisson - 1) < 1e-5)
    let binomial = (0..<400).reduce(0.0) {
      $0 + exp(-Double(run(hg_negative_binomial, 1, 1, [Float(log(7.5)), Float(log(2.5))], [Float($1)]).loss[0]))
    }
    #expect(abs(binomial - 1) < 1e-5)
    let logistic = (0...255).reduce(0.0) {
      $0 + exp(-Double(run(hg_discretized_logistic, 1, 1, [0.9, -3], [Float($1) / 255]).loss[0]))
    }
    #expect(abs(logistic - 1) < 1e-5)
    var multinomial = 0.0
    for n in 0...6 {
      for m in 0...6 - n {
        let targets = [Float(n), Float(m), Float(6 - n - m)]
        multinomial += exp(-Double(run(hg_multinomial, samples: 1, [0.3, -1, 2], targets).loss[0]))
      }
    }
    #expect(abs(multinomial - 1) < 1e-5)
  }

  @Test("A target that is NaN adds nothing and has no gradient: the rest is as without it")
  static func missingTargets() {
    let y = randomValues(40, -2, 2), whole = randomValues(40, 0, 1, seed: 2).map { ($0 * 255).rounded() / 255 }
    let isMissing = randomValues(40, 0, 1, seed: 3).map { $0 < 0.3 }
    let targets = zip(whole, isMissing).map { $1 ? Float.nan : $0 }
    let seen = (0..<40).filter { !isMissing[$0] }
    for likelihood in likelihoods {
      let got = run(likelihood, samples: 1, y, targets)
      let wanted = run(likelihood, samples: 1, seen.map { y[$0] }, seen.map { whole[$0] })
      #expect(abs(got.loss[0] - wanted.loss[0]) <= 1e-5 * abs(wanted.loss[0]))
      for j in 0..<40 where isMissing[j] { #expect(got.gradient[j] == 0) }
      expectClose("gradient", seen.map { got.gradient[$0] }, wanted.gradient) { _ in 1e-6 }
    }
    for likelihood in [hg_gaussian_heads, hg_negative_binomial, hg_discretized_logistic] as [Heads] {
      let got = run(likelihood, 1, 20, y, Array(targets[..<20]))
      let few = seen.filter { $0 < 20 }
      let wanted = run(
        likelihood, 1, few.count, few.map { y[$0] } + few.map { y[$0 + 20] }, few.map { whole[$0] })
      #expect(abs(got.loss[0] - wanted.loss[0]) <= 1e-5 * abs(wanted.loss[0]))
      for j in 0..<20 where isMissing[j] { #expect(got.gradient[j] == 0 && got.gradient[j + 20] == 0) }
      expectClose("gradient", (few + few.map { $0 + 20 }).map { got.gradient[$0] }, wanted.gradient) { _ in 1e-6 }
    }
    withEachInstructionSet { isa in
      let none = run(hg_multinomial, samples: 2, [1, 2, 3, 4], [.nan, .nan, 0, 0])
      #expect(none.loss == [0, 0] && none.gradient == [0, 0, 0, 0], "\(isa)")
    }
  }
}
