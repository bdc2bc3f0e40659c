import Foundation
import HourglassKernels
import Testing

extension KernelTests {
  /// Differences round once, their products and sums as those of the squared error, with one division more for the
  /// Gaussian, whose constant carries 4.
  @Test("Absolute, Huber and Gaussian errors are within bounds of the definition", arguments: counts)
  static func errorsOfDifferences(_ count: Int) {
    let samples = 5
    let y = randomValues(samples * count, -3, 3), targets = randomValues(samples * count, 0, 1, seed: 2)
    let pairs: [(String, Likelihood, LikelihoodDefinition)] = [
      ("absolute", hg_absolute_error, hg_reference_absolute_error), ("huber", hg_huber_error, hg_reference_huber_error),
      (
        "gaussian", { hg_gaussian($0, $1, 0.3, $2, $3, $4, $5, $6) },
        { hg_reference_gaussian($0, $1, 0.3, $2!, $3!, $4!, $5!) }
      ),
    ]
    for (name, likelihood, reference) in pairs {
      let wanted = run(reference, samples: samples, y, targets)
      let constant = name == "gaussian" ? Double(count) * 6 : 0
      withEachInstructionSet { isa in
        let got = run(likelihood, samples: samples, y, targets)
        expectClose("\(isa) \(name)", got.loss, wanted.loss) {
          (Double(count) / 16 + 12) * roundoff * (abs(Double(wanted.loss[$0])) + constant)
        }
        expectClose("\(isa) \(name) gradient", got.gradient, wanted.gradient) {
          3 * roundoff * max(1, Double(abs(wanted.gradient[$0])))
        }
      }
    }
  }

  @Test("The gradients of absolute, Huber and Gaussian errors are the slopes of their losses")
  static func slopesOfDifferences() {
    let y = randomValues(100, -3, 3), targets = randomValues(100, 0, 1, seed: 5), h = 1e-5
    let cases: [(String, Likelihood, (Double) -> Double)] = [
      ("absolute", hg_absolute_error, { abs($0) }),
      ("huber", hg_huber_error, { abs($0) < 1 ? $0 * $0 / 2 : abs($0) - 0.5 }),
      ("gaussian", { hg_gaussian($0, $1, 0.3, $2, $3, $4, $5, $6) }, { $0 * $0 / 2 / Double(Float(0.3)) }),
    ]
    for (name, likelihood, loss) in cases {
      let got = run(likelihood, samples: 1, y, targets).gradient
      for j in y.indices {
        let d = Double(y[j]) - Double(targets[j])
        let wanted = (loss(d + h) - loss(d - h)) / (2 * h)
        #expect(abs(Double(got[j]) - wanted) < 1e-5 * max(1, abs(wanted)), "\(name) \(d)")
      }
    }
  }

  @Test("Equal values have no slope, clamps let NaN through, and neither touches another sample")
  static func extremesOfDifferences() {
    withEachInstructionSet { isa in
      let y: [Float] = [0.5, .nan, -.infinity, 7, -7], targets: [Float] = [0.5, 0, 0, 0, 0]
      let absolute = run(hg_absolute_error, samples: 5, y, targets), huber = run(hg_huber_error, samples: 5, y, targets)
      #expect(firstDifference(absolute.gradient, [0, .nan, -1, 1, -1]) == nil, "\(isa)")
      #expect(firstDifference(absolute.loss, [0, .nan, .infinity, 7, 7]) == nil, "\(isa)")
      #expect(firstDifference(huber.gradient, [0, .nan, -1, 1, -1]) == nil, "\(isa)")
      #expect(firstDifference(huber.loss, [0, .nan, .infinity, 6.5, 6.5]) == nil, "\(isa)")
    }
  }

  private static func heads(
    _ samples: Int, _ pixels: Int, _ channels: Int, _ heads: [Float], _ targets: [Float], reference: Bool = false
  ) -> (loss: [Float], gradient: [Float]) {
    var loss = [Float](repeating: .nan, count: samples)
    let gradient = output(heads.count) {
      if reference {
        hg_reference_gaussian_heads(samples, pixels, channels, heads, targets, &loss, $0)
      } else {
        _ = hg_gaussian_heads(samples, pixels, channels, heads, targets, &loss, $0, nil)
      }
    }
    return (loss, gradient)
  }

  /// d^2 exp(-lv) <= 9 e^4 carries 4 roundoffs of the exponential, 4 of its argument and 3 of d; the sum as above.
  @Test("The Gaussian with its own variances is within bounds of the definition", arguments: [1, 2, 3, 16, 17])
  static func gaussianHeads(_ channels: Int) {
    for pixels in [1, 5, 16, 25] {
      let samples = 3, count = pixels * channels
      let values = randomValues(2 * samples * count, -2, 4), targets = randomValues(samples * count, 0, 1, seed: 2)
      let wanted = heads(samples, pixels, channels, values, targets, reference: true)
      withEachInstructionSet { isa in
        let got = heads(samples, pixels, channels, values, targets)
        expectClose("\(isa) loss", got.loss, wanted.loss) { _ in
          roundoff * Double(count) * 130 * (Double(count) / 16 + 20)
        }
        expectClose("\(isa) gradient", got.gradient, wanted.gradient) {
          roundoff * 20 * (1 + Double(abs(wanted.gradient[$0])))
        }
      }
      expectEqualBitsOnEachISA("\(pixels) pixels of \(channels)") {
        let got = heads(samples, pixels, channels, values, targets)
        return got.loss + got.gradient
      }
      // In place, and sample by sample.
      var own = values, loss = [Float](repeating: 0, count: samples)
      own.withUnsafeMutableBufferPointer {
        _ = hg_gaussian_heads(samples, pixels, channels, $0.baseAddress, targets, &loss, $0.baseAddress, nil)
      }
      let all = heads(samples, pixels, channels, values, targets)
      #expect(own == all.gradient && loss == all.loss)
      let last = heads(1, pixels, channels, Array(values[(4 * count)...]), Array(targets[(2 * count)...]))
      #expect(last.loss[0] == all.loss[2] && last.gradient == Array(all.gradient[(4 * count)...]))
    }
  }

  @Test("Log-variances are clamped, with no gradient beyond, and NaN stays in its sample")
  static func gaussianHeadsExtremes() {
    withEachInstructionSet { isa in
      let got = heads(4, 1, 1, [1, -40, 1, 30, .nan, 0, 0.5, 0], [0, 0, 0, 0.5])
      #expect(got.gradient[1] == 0 && got.gradient[3] == 0, "\(isa)")
      // (d^2 e^-lv + lv + ln 2 pi) / 2 at the ends of the range.
      for (n, lv) in [-30.0, 20].enumerated() {
        let wanted = (exp(-lv) + lv + log(2 * Double.pi)) / 2
        #expect(abs(Double(got.loss[n]) - wanted) < 1e-6 * wanted, "\(isa)")
        #expect(abs(Double(got.gradient[2 * n]) - exp(-lv)) < 1e-6 * exp(-lv), "\(isa)")
      }
      #expect(got.loss[2].isNaN, "\(isa)")
      #expect(got.gradient[6] == 0 && got.gradient[7] == 0.5, "\(isa)")
      #expect(abs(got.loss[3] - Float(log(2 * Double.pi) / 2)) < 1e-6, "\(isa)")
    }
    for variance: Float in [0, -1, .nan, .infinity] {
      #expect(hg_gaussian(0, 0, variance, nil, nil, nil, nil, nil) != nil)
    }
    #expect(
      hg_gaussian_heads(1, -1, 1, nil, nil, nil, nil, nil) != nil
        && hg_gaussian_heads(1, 1, 1, nil, nil, nil, nil, nil) != nil)
  }
}
