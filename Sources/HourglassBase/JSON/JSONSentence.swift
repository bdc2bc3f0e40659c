extension Decoder {
  /// The error that the value here is another one than wanted: "wanted a whole number or [height, width], found "3"".
  package func mismatch(_ wanted: String) -> DecodingError {
    let found = (self as? JSONTreeDecoder)?.value.summary ?? "another value"
    return .dataCorrupted(
      .init(codingPath: codingPath, debugDescription: "wanted \(wanted), found \(found)"))
  }

  /// The error that the word here is none of those known, with the nearest of them, or `instead`, where it is another
  /// name of that one.
  package func mismatch(words known: [String], instead: String? = nil) -> DecodingError {
    let advice =
      instead.map { "; it is called \($0) here" }
      ?? (try? String(from: self)).flatMap { known.nearest(to: $0) }.map { "; the nearest is \($0)" } ?? ""
    let wanted = known.count == 1 ? known[0] : "one of " + known.joined(separator: ", ")
    let error = mismatch(wanted)
    guard case .dataCorrupted(let context) = error, !advice.isEmpty else { return error }
    return .dataCorrupted(
      .init(codingPath: context.codingPath, debugDescription: context.debugDescription + advice))
  }
}

extension JSONValue {
  /// The value as a sentence names it: a short one as it is written, else what it is.
  var summary: String {
    if let text, text.count <= 40 { return text }
    return switch self {
    case .null: "null"
    case .bool(let value): "\(value)"
    case .number(let digits): "a number of \(digits.count) characters"
    case .text(let text): "a text of \(text.count) characters"
    case .list(let values): "a list of \(values.count)"
    case .object: "an object"
    }
  }

  /// The value as JSON has it; nil for one that is long.
  private var text: String? {
    switch self {
    case .null: return "null"
    case .bool(let value): return "\(value)"
    case .number(let digits): return digits
    case .text(let text): return "\"\(text)\""
    case .list(let values):
      guard values.count <= 8 else { return nil }
      let texts = values.compactMap(\.text)
      return texts.count == values.count ? "[" + texts.joined(separator: ", ") + "]" : nil
    case .object: return nil
    }
  }
}

extension [String] {
  /// The name that a person may have meant by a word, whatever its case; nil where none is near. Of names with dots,
  /// such as `optimizer.momentum`, the last part counts.
  package func nearest(to word: String) -> String? {
    let word = word.lowercased()
    func distance(_ name: String) -> Int {
      let last = name.split(separator: ".").last.map { $0.lowercased() } ?? ""
      let isBeginning = Swift.min(word.count, last.count) > 1 && (word.hasPrefix(last) || last.hasPrefix(word))
      return isBeginning ? 0 : Self.editDistance(word, last)
    }
    let best = map { (name: $0, distance: distance($0)) }.min { $0.distance < $1.distance }
    return best.flatMap { $0.distance <= (word.count + 1) / 2 ? $0.name : nil }
  }

  /// Letters to insert, leave out or replace (Levenshtein 1966).
  private static func editDistance(_ a: String, _ b: String) -> Int {
    let b = Array<Character>(b)
    var row = Array<Int>(0...b.count)
    for (i, letter) in a.enumerated() {
      var diagonal = row[0]
      row[0] = i + 1
      for j in b.indices {
        let replaced = diagonal + (b[j] == letter ? 0 : 1)
        diagonal = row[j + 1]
        row[j + 1] = Swift.min(replaced, row[j] + 1, row[j + 1] + 1)
      }
    }
    return row[b.count]
  }
}

extension DecodingError {
  /// What is wrong, with its place in front: `encoder.0.units: wanted a whole number, found 8.5`.
  package var sentence: String {
    let (context, sentence): (Context, String) =
      switch self {
      case .keyNotFound(let key, let context): (context, "wanted a field \"\(key.stringValue)\", found none")
      case .typeMismatch(_, let context), .valueNotFound(_, let context), .dataCorrupted(let context):
        (context, context.debugDescription)
      @unknown default: (Context(codingPath: [], debugDescription: ""), "\(self)")
      }
    let path = context.codingPath.map { $0.intValue.map(String.init) ?? $0.stringValue }.joined(separator: ".")
    return path.isEmpty ? sentence : "\(path): \(sentence)"
  }
}
