import Foundation
import HourglassKernels
import Testing

extension KernelTests {
  /// A term of z^2 - noise^2 - lv carries three roundoffs of the sum of its sizes, the sum units / 16 + 6 of the same,
  /// the stored reference one.
  @Test("The log ratio of posterior and prior is within bounds of the definition", arguments: unitCounts)
  static func logRatio(_ units: Int) {
    for wide in [false, true] {
      let latent = LatentCase(4, units, wide: wide)
      let z = latent.forward().z
      func size(_ n: Int) -> Double {
        (n * units..<(n + 1) * units).reduce(0) { sum, i in
          let (code, e) = (Double(z[i]), Double(latent.noise[i]))
          return sum + code * code + e * e + abs(clamped(latent.heads[latent.logVariance(n, i - n * units)]))
        }
      }
      let wanted = output(4) { hg_reference_gaussian_log_ratio(4, units, latent.heads, latent.noise, z, $0) }
      withEachInstructionSet { isa in
        let got = output(4) { hg_gaussian_log_ratio(4, units, latent.heads, latent.noise, z, $0, nil) }
        expectClose("\(isa)", got, wanted) { roundoff * (10 + Double(units) / 16) * size($0) / 2 }
      }
    }
  }

  /// dz + w z rounds once, and the reference once; a log-variance's carries 9 roundoffs of its data, as in
  /// `latentBackward`, and two of the weight.
  @Test("The way back through the log ratio is within bounds of the definition", arguments: unitCounts)
  static func logRatioBackward(_ units: Int) {
    let weights: [Float] = [0.7, 0, 1, 1e-20]
    for wide in [false, true] {
      let latent = LatentCase(4, units, wide: wide)
      let z = latent.forward().z
      let wanted = output(8 * units) {
        hg_reference_gaussian_log_ratio_backward(4, units, latent.heads, latent.noise, z, weights, latent.dz, $0)
      }
      withEachInstructionSet { isa in
        let got = output(8 * units) {
          hg_gaussian_log_ratio_backward(4, units, latent.heads, latent.noise, z, weights, latent.dz, $0, nil)
        }
        expectClose("\(isa)", got, wanted) { i in
          let n = i / (2 * units), j = i % units, at = n * units + j
          let size = Double(abs(latent.dz[at])) + Double(abs(weights[n] * z[at]))
          if i % (2 * units) < units { return 2 * roundoff * size }
          let data = size * Double(abs(latent.noise[at])) * exp(clamped(latent.heads[i]) / 2)
          return roundoff * (10 * data + 2 * Double(weights[n])) / 2
        }
      }
    }
  }

  /// Losses of some hundred and ratios of some ten round by 2^-24 of that; of the differences d of two log-weights an
  /// exponential carries |d| roundoffs and 4, the sum of K of them K / 16 + 5, the logarithm 4.
  @Test(
    "The importance-weighted bound and its weights are within bounds of the definition",
    arguments: [1, 2, 5, 15, 16, 17, 50, 200])
  static func importanceBound(_ draws: Int) {
    let images = 3, count = 19
    let loss = randomValues(images * draws, 90, 110, seed: 1), ratio = randomValues(images * draws, -5, 5, seed: 2)
    let errors = randomValues(images * draws * count, -1, 1, seed: 3)
    var (bound, weights, dy) = (randomValues(images, 0, 1), loss, errors)
    hg_reference_importance_bound(images, draws, count, loss, ratio, &bound, &weights, &dy)
    #expect(weights.reduce(0, +) > 2.999 && weights.reduce(0, +) < 3.001)
    let ofSum = roundoff * (2 * 120 + 2 * 30 + 4 + Double(draws) / 16 + 5)
    withEachInstructionSet { isa in
      var (gotBound, got, gotErrors) = (bound.map { _ in Float.nan }, loss, errors)
      #expect(hg_importance_bound(images, draws, count, loss, ratio, &gotBound, &got, &gotErrors, nil) == nil)
      expectClose("\(isa) bound", gotBound, bound) { _ in ofSum + roundoff * 2 * 120 }
      expectClose("\(isa) weights", got, weights) { (2 * ofSum + 2 * roundoff) * Double(weights[$0]) }
      expectClose("\(isa) errors", gotErrors, dy) { (2 * ofSum + 3 * roundoff) * Double(abs(dy[$0])) }
    }
    expectEqualBitsOnEachISA("\(draws) draws") {
      var (bound, weights, dy) = (bound, loss, errors)
      hg_importance_bound(images, draws, count, loss, ratio, &bound, &weights, &dy, nil)
      return bound + weights + dy
    }
  }

  /// The negative bound of K samples with losses <z, a> + |z|^2 / 2, as a function of the heads of each, in double.
  @Test("The kernels' gradient of the bound agrees with central differences of the definition", arguments: [1, 2, 7])
  static func importanceGradient(_ draws: Int) {
    let units = 19, latent = LatentCase(draws, units), h = 1e-5
    func negativeBound(_ heads: [Double]) -> Double {
      let logWeights = (0..<draws).map { k in
        (0..<units).reduce(0.0) { sum, j in
          let (mean, lv) = (heads[latent.mean(k, j)], heads[latent.logVariance(k, j)])
          let e = Double(latent.noise[k * units + j]), z = mean + exp(lv / 2) * e
          let loss = 0.001 * (z * Double(latent.dz[k * units + j]) + z * z / 2)
          return sum - loss - (z * z - e * e - lv) / 2 * 0.001
        }
      }
      return -log(logWeights.reduce(0) { $0 + exp($1) } / Double(draws))
    }
    let heads = latent.heads.map(Double.init)
    let wanted = heads.indices.map { i in
      var up = heads, down = heads
      up[i] += h
      down[i] -= h
      return Float((negativeBound(up) - negativeBound(down)) / (2 * h))
    }
    // All scaled by a thousandth, so that no sample has all the weight.
    let z = latent.forward().z
    let whole = output(draws) { hg_gaussian_log_ratio(draws, units, latent.heads, latent.noise, z, $0, nil) }
    let ratio = whole.map { $0 / 1000 }
    let loss = (0..<draws).map { k in
      (k * units..<(k + 1) * units).reduce(Float(0)) { sum, i in
        let slope: Float = latent.dz[i] + z[i] / 2
        return sum + z[i] * slope / 1000
      }
    }
    var (bound, weights, dz) = (Float(0), loss, zip(latent.dz, z).map { ($0 + $1) / 1000 })
    hg_importance_bound(1, draws, units, loss, ratio, &bound, &weights, &dz, nil)
    #expect(abs(Double(bound) + negativeBound(heads)) < 1e-4 * abs(Double(bound)))
    #expect(draws == 1 || weights.allSatisfy { $0 < 0.99 })
    let got = output(heads.count) {
      hg_gaussian_log_ratio_backward(
        draws, units, latent.heads, latent.noise, z, weights.map { $0 / 1000 }, dz, $0, nil)
    }
    // Log-weights of some ten, whose rounding moves the weights by 1e-6 and with them gradients of at most five.
    let scale = wanted.map(abs).max() ?? 0
    expectClose("gradient", got, wanted) { _ in 2e-5 * Double(scale) }
  }

  @Test("Importance: one sample weighs 1, NaN stays in its image, large differences are finite, wrong counts refused")
  static func importanceExtremes() {
    withEachInstructionSet { isa in
      var (bound, weights, dy): ([Float], [Float], [Float]) = ([0, 0], [7, 7], [1, 2, 3, 4, 5, 6])
      hg_importance_bound(2, 1, 3, [10, 1e30], [0.5, 0], &bound, &weights, &dy, nil)
      #expect(bound == [-10.5, -1e30] && weights == [1, 1] && dy == [1, 2, 3, 4, 5, 6], "\(isa)")
      (bound, weights) = ([0, 0, 0], [Float](repeating: 7, count: 6))
      hg_importance_bound(3, 2, 0, [.nan, 0, 1e30, 5, 5, 5], [0, 0, 0, 0, 0, 0], &bound, &weights, nil, nil)
      #expect(bound[0].isNaN && weights[0].isNaN && weights[1].isNaN, "\(isa)")
      #expect(bound[1] == -5 - Float(log(2.0)) && Array(weights[2...]) == [0, 1, 0.5, 0.5] && bound[2] == -5, "\(isa)")
    }
    func text(_ answer: UnsafePointer<CChar>?) -> String? { answer.map { String(cString: $0) } }
    let one = Floats(count: 1).pointer
    #expect(text(hg_importance_bound(1, 0, 1, one, one, one, one, nil, nil)) == "draws is not at least 1")
    #expect(text(hg_importance_bound(-1, 1, 1, nil, nil, nil, nil, nil, nil)) == "a count is negative")
    #expect(hg_importance_bound(0, 1, 1, nil, nil, nil, nil, nil, nil) == nil)
    #expect(hg_importance_bound(1, 1, 1, nil, nil, nil, nil, nil, nil) != nil)
    #expect(hg_gaussian_log_ratio(1, 1, one, nil, one, one, nil) != nil)
    #expect(hg_gaussian_log_ratio_backward(1, 1, one, one, one, nil, one, one, nil) != nil)
  }
}
