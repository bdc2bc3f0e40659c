import HourglassKernels
import Testing

extension KernelTests {
  @Test(
    "Shards are summed in their order, also onto what is there, to the bit, for any count and stride",
    arguments: [1, 2, 3, 16])
  static func sumOfShards(_ shards: Int) {
    for count in [0, 1, 15, 16, 17, 63, 64, 65, 200, 333] {
      let stride = count + 7
      let gradients = randomValues(shards * stride, -1, 1)
      let wanted = (0..<count).map { i in
        (1..<shards).reduce(gradients[i]) { $0 + gradients[$1 * stride + i] }
      }
      let gone = (0..<count).map { i in
        (0..<shards).reduce(wanted[i]) { $0 + gradients[$1 * stride + i] }
      }
      withEachInstructionSet { isa in
        var sum = output(count) { hg_sum_shards(count, shards, stride, gradients, false, $0, nil) }
        #expect(sum == wanted, "\(isa), \(count) elements")
        hg_sum_shards(count, shards, stride, gradients, true, &sum, nil)
        #expect(sum == gone, "\(isa), \(count) elements, going on")
      }
    }
  }

  @Test("The first element that is not finite is found wherever it stands")
  static func firstNonfinite() {
    var x = randomValues(600, -1, 1)
    x[3] = .greatestFiniteMagnitude
    x[300] = .leastNonzeroMagnitude
    withEachInstructionSet { isa in
      #expect(hg_first_nonfinite(600, x) == -1 && hg_first_nonfinite(0, x) == -1, "\(isa)")
      for place in [0, 1, 15, 16, 255, 256, 511, 512, 513, 599] {
        for value in [Float.infinity, -.infinity, .nan, -.nan] {
          var y = x
          y[place] = value
          y[599] = .nan
          #expect(hg_first_nonfinite(600, y) == place, "\(isa) \(value)")
          #expect(hg_first_nonfinite(place, y) == -1, "\(isa) \(value)")
        }
      }
    }
  }

  /// A square of a float is exact in double, so this is the definition to the bit, fused or not.
  @Test("The sum of squares is 16 partial sums in double and a balanced tree, on every instruction set")
  static func sumOfSquares() {
    // Many sets of uneven values, since another order often rounds to the same sum.
    for seed in 1...20 as ClosedRange<UInt64> {
      for count in [0, 1, 15, 16, 17, 100, 333] {
        let x = randomValues(count, -10, 10, seed: seed).map { $0 * $0 * $0 }
        var sums = [Double](repeating: 0, count: 16)
        for i in 0..<count { sums[i % 16] += Double(x[i]) * Double(x[i]) }
        for width in [8, 4, 2, 1] { for lane in 0..<width { sums[lane] += sums[lane + width] } }
        withEachInstructionSet { isa in
          #expect(hg_sum_of_squares(count, x) == sums[0], "\(isa), \(count) elements")
        }
      }
    }
  }

  @Test("The sum of squares holds what a float could not, counts denormals as zero and lets NaN through")
  static func sumOfSquaresRange() {
    withEachInstructionSet { isa in
      let large: Float = 1e30
      #expect(hg_sum_of_squares(2, [large, large]) == 2 * Double(large) * Double(large), "\(isa)")
      #expect(hg_sum_of_squares(1, [.leastNonzeroMagnitude]) == 0, "\(isa)")
      #expect(hg_sum_of_squares(2, [.nan, 1]).isNaN && hg_sum_of_squares(1, [-.infinity]) == .infinity, "\(isa)")
    }
  }

  @Test("The least number of a row is the first of equal ones, whichever lane has it, and NaN counts as infinite")
  static func argmin() {
    for columns in [1, 2, 15, 16, 17, 33, 100] {
      let rows = 40
      // Few whole numbers, so that most rows have several least ones.
      var x = randomValues(rows * columns, 0, 4, seed: UInt64(columns)).map { $0.rounded() }
      for column in 0..<columns { x[column] = .nan }
      for column in 0..<columns { x[columns + column] = column % 2 == 0 ? .infinity : .nan }
      x[3 * columns - 1] = -.infinity
      let wanted = (0..<rows).map { row in
        let values = x[row * columns..<(row + 1) * columns].map { $0.isNaN ? .infinity : $0 }
        return Int32(values.firstIndex(of: values.min() ?? 0) ?? 0)
      }
      withEachInstructionSet { isa in
        var found = [Int32](repeating: -1, count: rows)
        #expect(hg_argmin(rows, columns, x, &found) == nil)
        #expect(found == wanted, "\(isa), \(columns) columns")
      }
    }
    var found: Int32 = 0
    #expect(hg_argmin(1, 0, [0], &found) != nil && hg_argmin(-1, 1, [0], &found) != nil)
    // A denormal is less than nothing but zero.
    withEachInstructionSet { isa in
      #expect(hg_argmin(1, 2, [.leastNonzeroMagnitude, 0], &found) == nil && found == 1, "\(isa)")
    }
  }
}
