extension Int {
  /// The whole part of a number. A number beyond all integers becomes the nearest integer there is, NaN becomes 0.
  package init(clamping value: some BinaryFloatingPoint) {
    self = Int(exactly: value.rounded(.towardZero)) ?? (value.isNaN ? 0 : value < 0 ? .min : .max)
  }

  /// This initializer stands in front of that of the standard library, which traps beyond all integers: in this package
  /// a number becomes an integer by `Int(clamping:)` or `Int(exactly:)`. `make check` makes the warning an error.
  @available(*, deprecated, message: "a number may be beyond all integers: Int(clamping:) or Int(exactly:)")
  package init(_ value: Double) { self = Int(clamping: value) }

  @available(*, deprecated, message: "a number may be beyond all integers: Int(clamping:) or Int(exactly:)")
  package init(_ value: Float) { self = Int(clamping: value) }

  /// The product with another integer. A product beyond all integers becomes the nearest integer there is.
  package func timesClamping(_ other: Int) -> Int {
    let (product, overflows) = multipliedReportingOverflow(by: other)
    return overflows ? ((self < 0) == (other < 0) ? .max : .min) : product
  }

  /// The sum with another integer. A sum beyond all integers becomes the nearest integer there is.
  package func plusClamping(_ other: Int) -> Int {
    let (sum, overflows) = addingReportingOverflow(other)
    return overflows ? (other < 0 ? .min : .max) : sum
  }
}
