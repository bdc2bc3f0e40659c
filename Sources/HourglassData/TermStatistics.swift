import HourglassBase

/// A vocabulary, and the number of documents of a training set in which each of its terms occurs. It decides how all
/// texts that a run sees become vectors (see `TermCounts`), and is part of the run's recipe.
///
/// JSON writes it as one string: the number of documents, then `term:documents` for each term in its order, with blanks
/// between.
public struct TermStatistics: Sendable, Equatable {
  /// The number of documents counted, N.
  public let documents: Int
  /// The terms, distinct and without blanks.
  public let terms: [String]
  /// The number of documents that have each term, df: 0 to N.
  public let frequencies: [Int]

  /// The inverse document frequency of each term, ln((1 + N) / (1 + df)) + 1: 1 for a term that all documents have.
  public var weights: [Double] {
    frequencies.map { (Double(1 + documents) / Double(1 + $0)).naturalLogarithm + 1 }
  }

  init(documents: Int, terms: [String], frequencies: [Int]) {
    precondition(terms.count == frequencies.count, "\(frequencies.count) numbers of \(terms.count) terms")
    (self.documents, self.terms, self.frequencies) = (documents, terms, frequencies)
  }
}

extension TermStatistics: Codable {
  public func encode(to encoder: any Encoder) throws {
    var value = encoder.singleValueContainer()
    let pairs = zip(terms, frequencies).map { "\($0):\($1)" }
    try value.encode((["\(documents)"] + pairs).joined(separator: " "))
  }

  public init(from decoder: any Decoder) throws {
    func refusal(_ found: some StringProtocol) -> DecodingError {
      .dataCorrupted(
        .init(
          codingPath: decoder.codingPath,
          debugDescription: "wanted a number of documents, then term:documents with blanks, found \(found.prefix(40))"))
    }
    let text = try decoder.singleValueContainer().decode(String.self)
    let parts = text.split(separator: " ")
    guard let first = parts.first, let documents = Int(first), (1...Int(Int32.max)).contains(documents), parts.count > 1
    else {
      throw refusal(text)
    }
    var (terms, frequencies): ([String], [Int]) = ([], [])
    for part in parts.dropFirst() {
      guard let colon = part.lastIndex(of: ":"), colon > part.startIndex,
        let frequency = Int(part[part.index(after: colon)...]), (0...documents).contains(frequency)
      else { throw refusal(part) }
      terms.append(String(part[..<colon]))
      frequencies.append(frequency)
    }
    guard Set(terms).count == terms.count else { throw refusal("a term twice") }
    self.init(documents: documents, terms: terms, frequencies: frequencies)
  }
}
