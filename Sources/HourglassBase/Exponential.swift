extension Double {
  /// The exponential function, within 3 units in the last place, 0 where it would be below 2^-1000 and infinite beyond
  /// 2^1000. It is made of operations that IEEE 754 rounds correctly, so it has the same bits on every machine, which a
  /// library's exponential has not.
  ///
  ///     x = k ln 2 + r, |r| <= ln 2 / 2;   e^x = 2^k (1 + r + r^2 / 2 + ... + r^14 / 14!),
  ///     what is left out is below 10^-18 of the sum
  package var naturalExponential: Double {
    guard self > -693 else { return isNaN ? self : 0 }
    guard self < 693 else { return isNaN ? self : .infinity }
    // The upper part of ln 2 has 33 bits, so that its product with k is exact.
    let (upper, lower) = (0x1.62e42feep-1, 0x1.a39ef35793c76p-33)
    let k = (self / 0x1.62e42fefa39efp-1).rounded()
    let r = (self - k * upper) - k * lower
    var sum = 1.0
    for n in stride(from: 14.0, through: 1, by: -1) { sum = 1 + r / n * sum }
    return Double(sign: .plus, exponent: Int(clamping: k), significand: sum)
  }
}
