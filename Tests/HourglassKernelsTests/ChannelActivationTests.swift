import HourglassKernels
import TestSupport
import Testing

extension KernelTests {
  /// The parametric ReLU and the softmax, which know channels.
  @Suite enum ChannelActivationTests {
    static let shapes = [(1, 1), (7, 3), (5, 16), (9, 37), (130, 20), (0, 4)]

    @Test("A parametric ReLU of whole numbers is the definition to the bit, its slopes' gradients too")
    static func exact() {
      for (positions, channels) in shapes {
        let count = positions * channels
        func whole(_ seed: UInt64) -> [Float] { randomValues(count, -4, 4, seed: seed).map { $0.rounded() } }
        let (x, dy, slope) = (whole(1), whole(2), randomValues(channels, -2, 2, seed: 3).map { $0.rounded() })
        let before = randomValues(channels, -9, 9, seed: 4).map { $0.rounded() }
        var (wanted, wantedSlopes) = ([Float](repeating: 0, count: count), before)
        let y = output(count) { hg_reference_prelu_forward(positions, channels, x, slope, $0) }
        hg_reference_prelu_backward(positions, channels, x, dy, slope, true, &wanted, &wantedSlopes)
        withEachInstructionSet { isa in
          for division in Division.all {
            var parallel = division.parallel
            #expect(output(count) { hg_prelu_forward(positions, channels, x, slope, $0, &parallel) } == y, "\(isa)")
            var (dx, slopes) = (dy, before)
            dx.withUnsafeMutableBufferPointer { dx in
              _ = hg_prelu_backward(
                positions, channels, x, dx.baseAddress, slope, true, dx.baseAddress, &slopes, &parallel)
            }
            #expect(dx == wanted && slopes == wantedSlopes, "\(isa), \(division), \(positions) x \(channels)")
          }
        }
      }
    }

    /// An exponential is within 2 ulp, its argument rounded once and at most 8; the sum of C terms and the quotient
    /// follow.
    @Test("A softmax sums to 1 and is close to its definition, and so is its way back")
    static func softmax() {
      for (positions, channels) in shapes {
        let count = positions * channels
        let (x, dy) = (randomValues(count, -4, 4), randomValues(count, -1, 1, seed: 2))
        let wanted = output(count) { hg_reference_softmax_forward(positions, channels, x, $0) }
        let back = output(count) { hg_reference_softmax_backward(positions, channels, wanted, dy, $0) }
        let bound = Double(16 + channels) * roundoff
        withEachInstructionSet { isa in
          let y = output(count) { hg_softmax_forward(positions, channels, x, $0, nil) }
          expectClose("\(isa)", y, wanted) { bound * Double(wanted[$0]) }
          let dx = output(count) { hg_softmax_backward(positions, channels, wanted, dy, $0, nil) }
          expectClose("\(isa) back", dx, back) { 2 * bound * Double(wanted[$0]) }
          for m in 0..<positions {
            #expect(abs(y[m * channels..<(m + 1) * channels].reduce(0, +) - 1) < Float(bound), "\(isa)")
          }
        }
      }
    }

    @Test("A softmax of huge numbers has no overflow; division and instruction set change no bit")
    static func bits() {
      #expect(output(3) { hg_softmax_forward(1, 3, [1e30, 0, -1e30], $0, nil) } == [1, 0, 0])
      let (x, dy) = (randomValues(9 * 37, -9, 9), randomValues(9 * 37, -1, 1, seed: 2))
      func forward(_ parallel: UnsafePointer<hg_parallel>?) -> [Float] {
        output(x.count) { hg_softmax_forward(9, 37, x, $0, parallel) }
      }
      func backward(_ parallel: UnsafePointer<hg_parallel>?) -> [Float] {
        output(x.count) { hg_softmax_backward(9, 37, x, dy, $0, parallel) }
      }
      expectEqualBitsOnEachISA("forward") { forward(nil) }
      expectEqualBitsOnEachISA("backward") { backward(nil) }
      for division in Division.all {
        var parallel = division.parallel
        #expect(forward(&parallel) == forward(nil) && backward(&parallel) == backward(nil), "\(division)")
      }
    }
  }
}
