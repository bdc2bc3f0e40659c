import Foundation
import HourglassKernels
import Testing

extension KernelTests {
  /// Divergences of the units of a latent case, in the mean over its samples.
  static func divergences(_ latent: LatentCase, heads: [Double]? = nil) -> [Double] {
    let heads = heads ?? latent.heads.map(Double.init)
    return (0..<latent.units).map { j in
      (0..<latent.samples).reduce(0.0) { sum, n in
        let mean = heads[latent.mean(n, j)], lv = clamped(Float(heads[latent.logVariance(n, j)]))
        return sum + (mean * mean + exp(lv) - 1 - lv) / 2
      } / Double(latent.samples)
    }
  }

  /// Within the widest gap between the divergences, where rounding cannot move one across; of a single one, half of it.
  static func middle(_ values: [Double]) -> Float {
    let sorted = values.sorted()
    let gaps = zip(sorted, sorted.dropFirst())
    return Float(gaps.max { $0.1 / $0.0 < $1.1 / $1.0 }.map { ($0.0 * $0.1).squareRoot() } ?? sorted[0] / 2)
  }

  /// A mean's term rounds once, its sum once, the stored reference once; a log-variance's carries 12 roundoffs as in
  /// `latentBackward`, and its sum one more.
  @Test("Free bits are within bounds of the definition", arguments: unitCounts)
  static func freeBitsReference(_ units: Int) {
    for wide in [false, true] {
      let latent = LatentCase(5, units, wide: wide), start = randomValues(latent.heads.count, -1, 1, seed: 9)
      let free = middle(divergences(latent))
      var wanted = start
      hg_reference_gaussian_free_bits(5, units, latent.heads, free, 0.7, &wanted)
      #expect(wanted != start)
      withEachInstructionSet { isa in
        var got = start
        #expect(hg_gaussian_free_bits(5, units, latent.heads, free, 0.7, &got, nil) == nil)
        expectClose("\(isa)", got, wanted) { i in
          let size = i % (2 * units) < units ? Double(abs(latent.heads[i])) : exp(clamped(latent.heads[i])) + 1
          return roundoff * (13 * size + 3 * Double(abs(start[i])))
        }
        for (j, divergence) in divergences(latent).enumerated() where divergence < Double(free) {
          for n in 0..<5 { #expect(got[latent.mean(n, j)] == start[latent.mean(n, j)], "\(isa) unit \(j)") }
        }
      }
    }
  }

  @Test("Free bits are the gradient of the sum over units of the larger of them and the mean divergence")
  static func freeBitsGradient() {
    let latent = LatentCase(3, 19), beta = 0.5, h = 1e-5
    let free = middle(divergences(latent))
    func objective(_ heads: [Double]) -> Double {
      // The log-variances lie within the clamps, so nothing is lost by the definition in double.
      (0..<19).reduce(0.0) { sum, j in
        let mean =
          (0..<3).reduce(0.0) { sum, n in
            let mean = heads[latent.mean(n, j)], lv = heads[latent.logVariance(n, j)]
            return sum + (mean * mean + exp(lv) - 1 - lv) / 2
          } / 3
        return sum + beta * 3 * max(Double(free), mean)
      }
    }
    let heads = latent.heads.map(Double.init)
    let wanted = heads.indices.map { i in
      var up = heads, down = heads
      up[i] += h
      down[i] -= h
      return Float((objective(up) - objective(down)) / (2 * h))
    }
    #expect(wanted.contains(0) && wanted.contains { $0 != 0 })
    var got = [Float](repeating: 0, count: heads.count)
    hg_gaussian_free_bits(3, 19, latent.heads, free, Float(beta), &got, nil)
    // h^2 / 6 f''' is below 1e-8, and 1e-16 f / h below 1e-8 too, as f is some hundreds.
    expectClose("gradient", got, wanted) { 14 * roundoff * (1 + Double(abs(wanted[$0]))) + 2e-7 }
  }

  @Test("Without free bits the two calls add up to the gradient of the whole divergence; free bits have equal bits")
  static func freeBitsOfNothing() {
    let latent = LatentCase(4, 20)
    let whole = latent.backward(beta: 0.5)
    withEachInstructionSet { isa in
      var got = latent.backward(beta: 0)
      hg_gaussian_free_bits(4, 20, latent.heads, 0, 0.5, &got, nil)
      expectClose("\(isa)", got, whole) { 8 * roundoff * (Double(abs(whole[$0])) + exp(5) + 3) }
    }
    for units in unitCounts {
      let latent = LatentCase(5, units, wide: true), free = middle(divergences(latent))
      expectEqualBitsOnEachISA("units \(units)") {
        var got = latent.backward(beta: 0)
        hg_gaussian_free_bits(5, units, latent.heads, free, 0.7, &got, nil)
        return got
      }
    }
  }

  /// Two products, their sum, 1 - decay and the stored reference round once each.
  @Test(
    "A moving average is within bounds of the definition, whole or in slices, with equal bits",
    arguments: [0.1, 0.999] as [Float])
  static func movingAverage(_ decay: Float) {
    for count in [1, 15, 16, 17, 83] {
      let x = randomValues(count, -2, 2, seed: 1), start = randomValues(count, -2, 2, seed: 2)
      var wanted = start
      hg_reference_moving_average(count, decay, x, &wanted)
      withEachInstructionSet { isa in
        var got = start
        #expect(hg_moving_average(count, decay, x, &got, nil) == nil)
        expectClose("\(isa)", got, wanted) { _ in 5 * roundoff * 2 }
      }
      expectEqualBitsOnEachISA("count \(count)") {
        var whole = start, slices = start
        hg_moving_average(count, decay, x, &whole, nil)
        slices.withUnsafeMutableBufferPointer { slices in
          for (first, last) in [(0, count / 3), (count / 3, count)] {
            hg_moving_average(last - first, decay, Array(x[first..<last]), slices.baseAddress! + first, nil)
          }
        }
        #expect(firstDifference(whole, slices) == nil)
        return whole
      }
    }
  }
}
