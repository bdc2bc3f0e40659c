import Glibc

/// The scalars that stand in the text of a path for bytes that are no valid UTF-8.
///
/// A name of a file is any bytes but 0 and a slash. In its text each byte that is no part of valid UTF-8 becomes the
/// scalar U+F700 + byte of the private use area, and so does each byte of a scalar from U+F780 to U+F7FF that a name
/// has itself. So different names are different texts, and `systemPath` takes a text back to the bytes.
private let escapes: ClosedRange<UInt32> = 0xf780...0xf7ff

/// The text of a path that the system gave.
public func pathText(_ bytes: some Collection<UInt8>) -> String {
  let bytes = Array(bytes)
  if let text = String(validating: bytes, as: UTF8.self), !hasEscapes(text) { return text }
  var (text, place) = (String.UnicodeScalarView(), 0)
  var (parser, iterator) = (Unicode.UTF8.ForwardParser(), bytes.makeIterator())
  func append(_ scalar: Unicode.Scalar?, of count: Int) {
    if let scalar, !escapes.contains(scalar.value) {
      text.append(scalar)
    } else {
      for byte in bytes[place..<place + count] { text.append(Unicode.Scalar(0xf700 + UInt16(byte))!) }
    }
    place += count
  }
  while true {
    switch parser.parseScalar(from: &iterator) {
    case .valid(let scalar): append(Unicode.UTF8.decode(scalar), of: scalar.count)
    case .error(let length): append(nil, of: length)
    case .emptyInput: return String(text)
    }
  }
}

/// The text of a path that the system gave as a string of C.
public func pathText(_ pointer: UnsafePointer<CChar>) -> String {
  pathText(UnsafeBufferPointer(start: pointer, count: strlen(pointer)).lazy.map { UInt8(bitPattern: $0) })
}

/// The bytes by which the system knows a path, as a string of C.
public func systemPath(_ text: String) -> [CChar] {
  guard hasEscapes(text) else { return Array(text.utf8CString) }
  var bytes: [CChar] = []
  for scalar in text.unicodeScalars {
    if escapes.contains(scalar.value) {
      bytes.append(CChar(truncatingIfNeeded: scalar.value & 0xff))
    } else {
      bytes += UTF8.encode(scalar)!.map { CChar(bitPattern: $0) }
    }
  }
  return bytes + [0]
}

/// A path as people read it, with bytes that are not UTF-8 written as `\xE9`.
///
/// - Parameter mark: the characters before the digits.
public func printablePath(_ text: String, mark: String = "\\x") -> String {
  guard hasEscapes(text) else { return text }
  return text.unicodeScalars.map { scalar in
    escapes.contains(scalar.value) ? mark + String(scalar.value & 0xff, radix: 16, uppercase: true) : String(scalar)
  }.joined()
}

private func hasEscapes(_ text: String) -> Bool {
  text.utf8.contains(0xef) && text.unicodeScalars.contains { escapes.contains($0.value) }
}
