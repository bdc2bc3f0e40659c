import Foundation
import HourglassKernels
import Testing

extension KernelTests {
  /// Inputs of the Gaussian latent for some samples and units; log-variances span the clamps when `wide`.
  struct LatentCase {
    let samples: Int, units: Int, heads: [Float], noise: [Float], dz: [Float]

    init(_ samples: Int, _ units: Int, wide: Bool = false) {
      self.samples = samples
      self.units = units
      let spread: Float = wide ? 40 : 5
      heads = (0..<samples).flatMap { n in
        randomValues(units, -3, 3, seed: UInt64(n)) + randomValues(units, -spread, spread, seed: UInt64(n) + 100)
      }
      noise = randomValues(samples * units, -3, 3, seed: 7)
      dz = randomValues(samples * units, -1, 1, seed: 8)
    }

    func mean(_ n: Int, _ j: Int) -> Int { n * 2 * units + j }
    func logVariance(_ n: Int, _ j: Int) -> Int { n * 2 * units + units + j }

    func forward(reference: Bool = false, noise useNoise: Bool = true) -> (z: [Float], kl: [Float]) {
      var kl = [Float](repeating: .nan, count: samples)
      let given = useNoise ? noise : nil
      let z = output(samples * units) {
        if reference {
          hg_reference_gaussian_latent_forward(samples, units, heads, given, $0, &kl)
        } else {
          hg_gaussian_latent_forward(samples, units, heads, given, $0, &kl, nil)
        }
      }
      return (z, kl)
    }

    func backward(reference: Bool = false, noise useNoise: Bool = true, beta: Float = 0.7) -> [Float] {
      let given = useNoise ? noise : nil
      return output(heads.count) {
        if reference {
          hg_reference_gaussian_latent_backward(samples, units, heads, given, dz, beta, $0)
        } else {
          hg_gaussian_latent_backward(samples, units, heads, given, dz, beta, $0, nil)
        }
      }
    }
  }

  static let unitCounts = [1, 2, 15, 16, 17, 20, 128]

  static func clamped(_ logVariance: Float) -> Double {
    Double(min(max(logVariance, HG_LOG_VARIANCE_MIN), HG_LOG_VARIANCE_MAX))
  }

  /// z: the deviation carries 4 roundoffs, the sum and the stored reference one each. KL: a term carries at most twelve
  /// roundoffs of mean^2 + exp(lv) + 1 + |lv| (9 in the variance), the sum adds units / 16 + 6 of the same.
  @Test(
    "The latent and its divergence are within bounds of the definition, with and without noise", arguments: unitCounts)
  static func latentForward(_ units: Int) {
    for wide in [false, true] {
      let latent = LatentCase(4, units, wide: wide)
      for noise in [true, false] {
        let wanted = latent.forward(reference: true, noise: noise)
        withEachInstructionSet { isa in
          let got = latent.forward(noise: noise)
          expectClose("\(isa) z", got.z, wanted.z) { i in
            let lv = clamped(latent.heads[latent.logVariance(i / units, i % units)])
            let spread = noise ? exp(lv / 2) * Double(abs(latent.noise[i])) : 0
            return roundoff * (4 * spread + 2 * Double(abs(wanted.z[i])))
          }
          expectClose("\(isa) kl", got.kl, wanted.kl) { n in
            let size = (0..<units).reduce(0.0) { sum, j in
              let mean = Double(latent.heads[latent.mean(n, j)]), lv = clamped(latent.heads[latent.logVariance(n, j)])
              return sum + mean * mean + exp(lv) + 1 + abs(lv)
            }
            return roundoff * (12 + Double(units) / 16 + 6) * size / 2
          }
        }
      }
    }
  }

  /// The mean's gradient rounds once, and the reference once; the log-variance's carries 7 roundoffs in dz noise
  /// deviation, 10 in beta (exp(lv) - 1), one in the sum and one in the reference.
  @Test("The gradient of the latent is within bounds of the definition, with and without noise", arguments: unitCounts)
  static func latentBackward(_ units: Int) {
    for wide in [false, true] {
      let latent = LatentCase(4, units, wide: wide)
      for noise in [true, false] {
        let wanted = latent.backward(reference: true, noise: noise)
        withEachInstructionSet { isa in
          expectClose("\(isa)", latent.backward(noise: noise), wanted) { i in
            let n = i / (2 * units), j = i % (2 * units)
            if j < units {
              return 2 * roundoff * (Double(abs(latent.heads[i])) + Double(abs(latent.dz[n * units + j])))
            }
            let lv = clamped(latent.heads[i]), at = n * units + j - units
            let data = noise ? abs(Double(latent.dz[at] * latent.noise[at])) * exp(lv / 2) : 0
            return roundoff * (9 * data + 12 * (exp(lv) + 1)) / 2
          }
        }
      }
    }
  }

  @Test("The gradient of the latent agrees with central differences of the definition in double")
  static func latentGradient() {
    let latent = LatentCase(1, 19), beta = 0.7, h = 1e-5
    // The scalar whose gradient is asked for: <z, dz> + beta KL.
    func objective(_ heads: [Double]) -> Double {
      (0..<19).reduce(0.0) { sum, j in
        let mean = heads[j], lv = heads[19 + j]
        let z = mean + exp(lv / 2) * Double(latent.noise[j])
        return sum + z * Double(latent.dz[j]) + beta * (mean * mean + exp(lv) - 1 - lv) / 2
      }
    }
    let heads = latent.heads.map(Double.init)
    let wanted = heads.indices.map { i in
      var up = heads, down = heads
      up[i] += h
      down[i] -= h
      return Float((objective(up) - objective(down)) / (2 * h))
    }
    // Ten roundoffs as above plus the quotient's error: h^2 / 6 f''' and 1e-16 f / h, both below 5e-8 here.
    expectClose("gradient", latent.backward(), wanted) { 12 * roundoff * (1 + Double(abs(wanted[$0]))) + 5e-8 }
  }

  @Test("Outside its range the log-variance counts as the bound and its gradient is zero; on the bound it is not")
  static func clampedLogVariance() {
    let variances: [Float] = [-30.001, -1000, -.infinity, 20.001, 1000, .infinity, -30, 20]
    let means = [Float](repeating: 0.5, count: 8), ones = [Float](repeating: 1, count: 8)
    let bounds: [Float] = [-30, -30, -30, 20, 20, 20, -30, 20]
    withEachInstructionSet { isa in
      let z = output(8) { hg_gaussian_latent_forward(1, 8, means + variances, ones, $0, nil, nil) }
      let atBound = output(8) { hg_gaussian_latent_forward(1, 8, means + bounds, ones, $0, nil, nil) }
      #expect(z == atBound, "\(isa)")
      let dheads = output(16) { hg_gaussian_latent_backward(1, 8, means + variances, ones, ones, 1, $0, nil) }
      #expect(Array(dheads[8..<14]) == [0, 0, 0, 0, 0, 0] && dheads[14] != 0 && dheads[15] != 0, "\(isa)")
    }
  }

  @Test("NaN reaches the latent and the divergence of its own sample only")
  static func latentNaN() {
    withEachInstructionSet { isa in
      var kl: [Float] = [0, 0, 0]
      let heads: [Float] = [.nan, 0, 0, .nan, 0, 0]
      let z = output(3) { hg_gaussian_latent_forward(3, 1, heads, [1, 1, 1], $0, &kl, nil) }
      #expect(firstDifference(z, [.nan, .nan, 1]) == nil && firstDifference(kl, [.nan, .nan, 0]) == nil, "\(isa)")
      let dheads = output(6) { hg_gaussian_latent_backward(3, 1, heads, [1, 1, 1], [1, 1, 1], 1, $0, nil) }
      #expect(firstDifference(dheads, [.nan, 0.5, 1, .nan, 1, 0.5]) == nil, "\(isa)")
    }
  }

  @Test("A standard normal posterior has divergence zero exactly, whatever the number of units", arguments: unitCounts)
  static func zeroDivergence(_ units: Int) {
    let heads = [Float](repeating: 0, count: 2 * units)
    withEachInstructionSet { isa in
      var kl: Float = .nan
      _ = output(units) { hg_gaussian_latent_forward(1, units, heads, nil, $0, &kl, nil) }
      #expect(kl == 0, "\(isa)")
    }
  }

  @Test("The latent has equal bits on every instruction set with FMA", arguments: unitCounts)
  static func latentBits(_ units: Int) {
    let latent = LatentCase(5, units, wide: true)
    expectEqualBitsOnEachISA("units \(units)") {
      let (z, kl) = latent.forward()
      return z + kl + latent.backward()
    }
  }
}
