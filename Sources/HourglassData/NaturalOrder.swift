/// Whether a name comes before another where digits in a row count as the number that they are: 2 before 10.
///
/// Other characters are compared as Unicode scalars; names that differ only in leading zeros are compared as texts.
func isNaturallyBefore(_ one: String, _ other: String) -> Bool {
  let (a, b) = (Array(one.unicodeScalars), Array(other.unicodeScalars))
  var (i, j) = (0, 0)
  /// The digits from a place on, without zeros in front; it moves the place behind them.
  func digits(_ scalars: [Unicode.Scalar], _ place: inout Int) -> [Unicode.Scalar] {
    let first = place
    while place < scalars.count, ("0"..."9").contains(scalars[place]) { place += 1 }
    return Array(scalars[first..<place].drop { $0 == "0" })
  }
  while i < a.count, j < b.count {
    if ("0"..."9").contains(a[i]), ("0"..."9").contains(b[j]) {
      let (x, y) = (digits(a, &i), digits(b, &j))
      if x.count != y.count { return x.count < y.count }
      if x != y { return x.lexicographicallyPrecedes(y) }
    } else {
      if a[i] != b[j] { return a[i] < b[j] }
      (i, j) = (i + 1, j + 1)
    }
  }
  if (i < a.count) != (j < b.count) { return j < b.count }
  return one < other
}
