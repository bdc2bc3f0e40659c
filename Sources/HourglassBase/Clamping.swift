extension Int {
  /// The whole part of a number; the nearest integer there is where that is beyond all integers, and 0 for NaN.
  package init(clamping value: some BinaryFloatingPoint) {
    self = Int(exactly: value.rounded(.towardZero)) ?? (value.isNaN ? 0 : value < 0 ? .min : .max)
  }

  /// Stands in front of the initializers of the standard library, which trap beyond all integers: in this package a
  /// number becomes an integer by `Int(clamping:)` or `Int(exactly:)`. `make check` makes the warning an error.
  @available(*, deprecated, message: "a number may be beyond all integers: Int(clamping:) or Int(exactly:)")
  package init(_ value: Double) { self = Int(clamping: value) }

  @available(*, deprecated, message: "a number may be beyond all integers: Int(clamping:) or Int(exactly:)")
  package init(_ value: Float) { self = Int(clamping: value) }

  /// The product, or the nearest integer there is where that is beyond all integers.
  package func timesClamping(_ other: Int) -> Int {
    let (product, overflows) = multipliedReportingOverflow(by: other)
    return overflows ? ((self < 0) == (other < 0) ? .max : .min) : product
  }

  /// The sum, or the nearest integer there is where that is beyond all integers.
  package func plusClamping(_ other: Int) -> Int {
    let (sum, overflows) = addingReportingOverflow(other)
    return overflows ? (other < 0 ? .min : .max) : sum
  }
}
