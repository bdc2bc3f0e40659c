import HourglassKernels
import TestSupport

/// The form itself in double, and with `isMagnitude` that of the magnitudes of all matrices, which bounds its errors.
/// Matrices of 3 taps: Lavin & Gray, "Fast algorithms for convolutional neural networks", 2016, section 4.3. Of 2 taps:
/// Toom and Cook's for the points 0, 1, -1, 2 and infinity (Blahut, "Fast algorithms for signal processing", 2010,
/// section 5.2): the input's rows are the coefficients of the products of x - a over all points a but one, the filter's
/// the powers of a point over the product of its distances from the others, the output's the powers of the points.
struct WinogradForm {
  typealias Matrix = [[Double]]
  let input, filter, output: Matrix
  let taps: Int
  let isMagnitude: Bool

  init(_ geometry: hg_geometry2d, isMagnitude: Bool) {
    self.isMagnitude = isMagnitude
    taps = geometry.filter_height == 3 ? 3 : 2
    if taps == 3 {
      input = [
        [4, 0, -5, 0, 1, 0], [0, -4, -4, 1, 1, 0], [0, 4, -4, -1, 1, 0], [0, -2, -1, 2, 1, 0], [0, 2, -1, -2, 1, 0],
        [0, 4, 0, -5, 0, 1],
      ]
      filter = [
        [1.0 / 4, 0, 0], [-1.0 / 6, -1.0 / 6, -1.0 / 6], [-1.0 / 6, 1.0 / 6, -1.0 / 6], [1.0 / 24, 1.0 / 12, 1.0 / 6],
        [1.0 / 24, -1.0 / 12, 1.0 / 6], [0, 0, 1],
      ]
      output = [[1, 1, 1, 1, 1, 0], [0, 1, -1, 2, -2, 0], [0, 1, 1, 4, 4, 0], [0, 1, -1, 8, -8, 1]]
    } else {
      let points: [Double] = [0, 1, -1, 2]
      func product(without skipped: Int?) -> [Double] {
        var polynomial = [1.0]
        for (i, point) in points.enumerated() where i != skipped {
          let shifted = [0] + polynomial
          polynomial = shifted.indices.map { shifted[$0] - point * ($0 < polynomial.count ? polynomial[$0] : 0) }
        }
        return polynomial + [Double](repeating: 0, count: 5 - polynomial.count)
      }
      func scale(_ i: Int) -> Double {
        points.indices.filter { $0 != i }.reduce(1) { $0 * (points[i] - points[$1]) }
      }
      input = points.indices.map { product(without: $0) } + [product(without: nil)]
      filter = points.indices.map { [1 / scale($0), points[$0] / scale($0)] } + [[0, 1]]
      let powers = [[1, 1, 1, 1], points, points.map { $0 * $0 }, points.map { $0 * $0 * $0 }]
      output = powers.enumerated().map { $1 + [$0 == 3 ? 1 : 0] }
    }
  }

  /// m t m^T.
  func transform(_ m: Matrix, _ t: Matrix) -> Matrix {
    let m = isMagnitude ? m.map { $0.map(abs) } : m
    func times(_ a: Matrix, _ b: Matrix) -> Matrix {
      a.map { row in b[0].indices.map { j in row.indices.reduce(0) { $0 + row[$1] * b[$1][j] } } }
    }
    return times(times(m, t), Self.transposed(m))
  }

  static func transposed(_ m: Matrix) -> Matrix { m[0].indices.map { j in m.map { $0[j] } } }

  private func value(_ x: Float) -> Double { isMagnitude ? abs(Double(x)) : Double(x) }

  /// An image N H W C.
  struct Image {
    let values: Floats
    let height, width, channels: Int
  }

  /// A `size` x `size` window of an image, its elements `step` apart, zeros outside.
  private func window(_ image: Image, n: Int, _ top: Int, _ left: Int, step: Int, c: Int, size: Int) -> Matrix {
    (0..<size).map { i in
      (0..<size).map { j in
        let (y, x) = (top + i * step, left + j * step)
        guard (0..<image.height).contains(y), (0..<image.width).contains(x) else { return 0 }
        return value(image.values.pointer[((n * image.height + y) * image.width + x) * image.channels + c])
      }
    }
  }

  private func phases(_ count: Int) -> [(Int, Int)] { (0..<count * count).map { ($0 / count, $0 % count) } }
  private func tiles(_ height: Int, _ width: Int) -> [(Int, Int)] {
    stride(from: 0, to: height, by: 4).flatMap { top in stride(from: 0, to: width, by: 4).map { (top, $0) } }
  }

  /// y at every `apart`-th row and column from `place` on = a gather of x: with windows of elements `step` apart, the
  /// first of phase (a, b) at `start` + (a, b), and the filter of phase, row and column of taps, and channels.
  private func gather(
    _ x: Image, step: Int, start: (Int, Int), into y: Image, from place: (Int, Int), apart: Int, samples: Int,
    bias: Floats?, tap: ((Int, Int), Int, Int, Int, Int) -> Float
  ) {
    let phases = phases(step)
    let points = phases.map { phase in
      (0..<x.channels).map { c in
        (0..<y.channels).map { k in
          transform(filter, (0..<taps).map { r in (0..<taps).map { value(tap(phase, r, $0, c, k)) } })
        }
      }
    }
    let (height, width) = ((y.height - place.0 + apart - 1) / apart, (y.width - place.1 + apart - 1) / apart)
    for n in 0..<samples {
      for (top, left) in tiles(height, width) {
        let inputs = phases.map { a, b in
          (0..<x.channels).map { c in
            transform(
              input,
              window(
                x, n: n, top * step + start.0 + a, left * step + start.1 + b, step: step, c: c, size: taps + 3))
          }
        }
        for k in 0..<y.channels {
          var sums = Matrix(repeating: [Double](repeating: 0, count: taps + 3), count: taps + 3)
          for phase in phases.indices {
            for c in 0..<x.channels {
              for i in sums.indices {
                for j in sums.indices { sums[i][j] += points[phase][c][k][i][j] * inputs[phase][c][i][j] }
              }
            }
          }
          let tile = transform(output, sums)
          for i in 0..<min(4, height - top) {
            for j in 0..<min(4, width - left) {
              let (row, column) = (place.0 + (top + i) * apart, place.1 + (left + j) * apart)
              y.values.pointer[((n * y.height + row) * y.width + column) * y.channels + k] =
                Float(tile[i][j] + (bias.map { value($0.pointer[k]) } ?? 0))
            }
          }
        }
      }
    }
  }

  /// From the large image to the small one.
  func gather(_ p: ConvolutionInputs, bias: Floats?) -> Floats {
    let g = p.geometry
    let (C, K, S, U) = (g.large_channels, g.small_channels, g.filter_width, g.stride_vertical)
    let y = Image(
      values: Floats(count: g.smallCount), height: g.small_height, width: g.small_width, channels: g.small_channels)
    let x = Image(values: p.large, height: g.large_height, width: g.large_width, channels: C)
    gather(
      x, step: U, start: (-g.pad_top, -g.pad_left), into: y, from: (0, 0), apart: 1, samples: g.samples, bias: bias
    ) { phase, r, s, c, k in p.filter.pointer[(((r * U + phase.0) * S + s * U + phase.1) * C + c) * K + k] }
    return y.values
  }

  /// From the small image to the large one.
  func scatter(_ p: ConvolutionInputs, bias: Floats?) -> Floats {
    let g = p.geometry
    let (C, K, S, U) = (g.large_channels, g.small_channels, g.filter_width, g.stride_vertical)
    let x = Image(values: Floats(count: g.largeCount), height: g.large_height, width: g.large_width, channels: C)
    let y = Image(values: p.small, height: g.small_height, width: g.small_width, channels: K)
    for (a, b) in phases(U) where a < g.large_height && b < g.large_width {
      let start = ((a + g.pad_top) / U - taps + 1, (b + g.pad_left) / U - taps + 1)
      gather(y, step: 1, start: start, into: x, from: (a, b), apart: U, samples: g.samples, bias: bias) {
        _, r, s, k, c in
        let (row, column) = ((taps - 1 - r) * U + (a + g.pad_top) % U, (taps - 1 - s) * U + (b + g.pad_left) % U)
        return p.filter.pointer[((row * S + column) * C + c) * K + k]
      }
    }
    return x.values
  }

  func filterGradient(_ p: ConvolutionInputs) -> Floats {
    let g = p.geometry
    let (C, K, S, U) = (g.large_channels, g.small_channels, g.filter_width, g.stride_vertical)
    let x = Image(values: p.large, height: g.large_height, width: g.large_width, channels: C)
    let dy = Image(values: p.small, height: g.small_height, width: g.small_width, channels: K)
    let gradient = Floats(count: g.filterCount)
    for (a, b) in phases(U) {
      let zero = Matrix(repeating: [Double](repeating: 0, count: taps + 3), count: taps + 3)
      var sums = [Matrix](repeating: zero, count: C * K)
      for n in 0..<g.samples {
        for (top, left) in tiles(g.small_height, g.small_width) {
          let inputs = (0..<C).map {
            transform(
              input,
              window(
                x, n: n, top * U - g.pad_top + a, left * U - g.pad_left + b, step: U, c: $0, size: taps + 3))
          }
          let errors = (0..<K).map {
            transform(Self.transposed(output), window(dy, n: n, top, left, step: 1, c: $0, size: 4))
          }
          for c in 0..<C {
            for k in 0..<K {
              for i in zero.indices {
                for j in zero.indices { sums[c * K + k][i][j] += inputs[c][i][j] * errors[k][i][j] }
              }
            }
          }
        }
      }
      for c in 0..<C {
        for k in 0..<K {
          let values = transform(Self.transposed(filter), sums[c * K + k])
          for r in 0..<taps {
            for s in 0..<taps {
              gradient.pointer[(((r * U + a) * S + s * U + b) * C + c) * K + k] = Float(values[r][s])
            }
          }
        }
      }
    }
    return gradient
  }
}
