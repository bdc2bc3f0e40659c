extension Double {
  /// The natural logarithm of a finite number above 0, within 2 units in the last place. It is made of operations that
  /// IEEE 754 rounds correctly, so it has the same bits on every machine, which a library's logarithm has not.
  ///
  ///     x = 2^e m, m between the roots of 1/2 and 2;   ln x = e ln 2 + 2 (z + z^3 / 3 + ... + z^21 / 21 + ...),
  ///     z = (m - 1) / (m + 1), |z| < 0.172, so that what is left out is below 10^-18 of the sum
  package var naturalLogarithm: Double {
    // The upper part of ln 2 has 33 bits, so that its product with an exponent is exact.
    let (upper, lower) = (0x1.62e42feep-1, 0x1.a39ef35793c76p-33)
    let isUpper = significand > 0x1.6a09e667f3bcdp0
    let (e, m) = (Double(exponent) + (isUpper ? 1 : 0), isUpper ? significand / 2 : significand)
    let z = (m - 1) / (m + 1)
    let square = z * z
    var series = 0.0
    for k in stride(from: 21.0, through: 3, by: -2) { series = (series + 1 / k) * square }
    return e * upper + (2 * z + (2 * z * series + e * lower))
  }
}
