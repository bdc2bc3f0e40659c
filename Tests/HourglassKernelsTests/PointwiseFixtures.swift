import HourglassKernels
import TestSupport
import Testing

/// The unit roundoff of Float: one rounding changes a value by at most this part of it. One unit in the last place is
/// at most two of these.
let roundoff = 0x1p-24

/// `count` values, uniform in [low, high).
func randomValues(_ count: Int, _ low: Float, _ high: Float, seed: UInt64 = 1) -> [Float] {
  var generator = SplitMix64(seed: seed)
  return (0..<count).map { _ in low + (high - low) * Float(generator.next() >> 40) * 0x1p-24 }
}

/// `count` floats written by `body`, NaN where it writes nothing.
func output(_ count: Int, _ body: (UnsafeMutablePointer<Float>) -> Void) -> [Float] {
  var values = [Float](repeating: .nan, count: count)
  values.withUnsafeMutableBufferPointer { buffer in
    if let base = buffer.baseAddress { body(base) }
  }
  return values
}

/// The first place where the bits differ, all NaN being equal.
func firstDifference(_ a: [Float], _ b: [Float]) -> Int? {
  guard a.count == b.count else { return min(a.count, b.count) }
  return a.indices.first { a[$0].bitPattern != b[$0].bitPattern && !(a[$0].isNaN && b[$0].isNaN) }
}

/// Every element of `got` lies within its bound of what was wanted.
func expectClose(_ what: String, _ got: [Float], _ wanted: [Float], bound: (Int) -> Double) {
  for i in got.indices where !(abs(Double(got[i]) - Double(wanted[i])) <= bound(i)) {
    Issue.record("\(what), element \(i): \(got[i]) where \(wanted[i]) is wanted within \(bound(i))")
    return
  }
}

/// The floats that `body` makes have the same bits on every instruction set with FMA.
func expectEqualBitsOnEachISA(_ what: String, _ body: () -> [Float]) {
  var first: (isa: String, values: [Float])?
  withEachInstructionSet(onlyFMA: true) { isa in
    let values = body()
    if let first {
      let difference = firstDifference(first.values, values)
      #expect(difference == nil, "\(what): \(isa) differs from \(first.isa) at element \(difference ?? 0)")
    } else {
      first = (isa, values)
    }
  }
}
