import Foundation

/// Documents in lines of text, plain or gzip, with a vocabulary beside them.
///
///     .txt    label j:count j:count ...      j: number of a term from 0, rising; count: from 1
///     .tsv    label <tab> ... <tab> title <tab> text
///
/// Labels count from 0. Of a TSV file's columns the first is the label, and the last two (the last, where there are but
/// two) are text; columns between are ignored, and there is no header. In text LaTeX commands (a backslash and letters)
/// are dropped and capitals made small; words are runs of two or more letters a to z, of which
/// those of the vocabulary count.
///
/// A vocabulary is a text file of one term a line; the line is the term's number.
enum TextFile {
  /// The form that the name of a file tells, if it is one of these.
  static func form(_ name: String) -> ImageForm? {
    let name = name.lowercased()
    let bare = name.hasSuffix(".gz") ? String(name.dropLast(3)) : name
    return bare.hasSuffix(".tsv") ? .texts : bare.hasSuffix(".txt") ? .termCounts : nil
  }

  /// Errors: an empty file, a line that is not as it must be, more than memory can hold.
  static func read(_ path: String, terms: [String]) throws(DataError) -> (documents: TermCounts, labels: [Int]) {
    let bytes = try contents(path)
    let isTable = form(path) == .texts
    let numbers = isTable ? Dictionary(uniqueKeysWithValues: zip(terms, terms.indices)) : [:]
    var documents = TermCounts(terms: terms)
    var (labels, columns): ([Int], Int?) = ([], nil)
    for (place, line) in lines(bytes).enumerated() {
      func refused(_ reason: String) -> DataError {
        DataError(path: path, reason: "line \(place + 1): \(reason)")
      }
      if isTable {
        let cells = line.split(separator: UInt8(ascii: "\t"), omittingEmptySubsequences: false)
        guard cells.count > 1, cells.count == columns ?? cells.count else {
          throw refused(
            "wanted \(columns.map(String.init) ?? "2 or more") columns with tabs between, found \(cells.count)")
        }
        columns = cells.count
        labels.append(try label(cells[0], refused))
        let texts = cells.suffix(cells.count > 2 ? 2 : 1)
        count(texts, numbers, into: &documents)
      } else {
        let words = line.split { $0 == UInt8(ascii: " ") || $0 == UInt8(ascii: "\t") }
        labels.append(try label(words.first ?? [], refused))
        try count(words.dropFirst(), into: &documents, refused)
      }
      documents.endDocument()
    }
    guard documents.count > 0 else { throw DataError(path: path, reason: "wanted a document a line, found none") }
    return (documents, labels)
  }

  /// Errors: no term, a line that is empty or has a blank in it, a term twice.
  static func vocabulary(_ path: String) throws(DataError) -> [String] {
    var terms: [String] = []
    for line in lines(try contents(path)) {
      let term = String(decoding: line, as: UTF8.self)
      guard !term.isEmpty, !term.contains(where: \.isWhitespace) else {
        throw DataError(path: path, reason: "line \(terms.count + 1): wanted one term, found \"\(term.prefix(40))\"")
      }
      terms.append(term)
    }
    guard !terms.isEmpty else { throw DataError(path: path, reason: "wanted a term a line, found none") }
    var seen: Set<String> = []
    for (place, term) in terms.enumerated() where !seen.insert(term).inserted {
      throw DataError(path: path, reason: "line \(place + 1): wanted each term once, found \(term) again")
    }
    return terms
  }

  private static func contents(_ path: String) throws(DataError) -> [UInt8] {
    let bytes = try GzipFile(path).read(GrantedMemory.available)
    guard bytes.count < GrantedMemory.available else { throw Dataset.tooLarge(path) }
    return bytes
  }

  /// Lines without their ends, which may be those of Windows; after the last end comes no line.
  private static func lines(_ bytes: [UInt8]) -> [ArraySlice<UInt8>] {
    var lines = bytes.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false)
    if lines.last?.isEmpty == true { lines.removeLast() }
    return lines.map { $0.last == UInt8(ascii: "\r") ? $0.dropLast() : $0 }
  }

  private static func label(
    _ cell: ArraySlice<UInt8>, _ refused: (String) -> DataError
  ) throws(DataError) -> Int {
    guard let label = number(cell) else {
      throw refused("wanted a label, a number from 0, in front, found \"\(text(cell))\"")
    }
    return label
  }

  /// Counts of the form j:count.
  private static func count(
    _ pairs: ArraySlice<ArraySlice<UInt8>>, into documents: inout TermCounts, _ refused: (String) -> DataError
  ) throws(DataError) {
    var last = -1
    for pair in pairs {
      guard let colon = pair.firstIndex(of: UInt8(ascii: ":")), let place = number(pair[..<colon]),
        let count = number(pair[(colon + 1)...]), count > 0
      else {
        throw refused("wanted term:count, both numbers, the count from 1, found \"\(text(pair))\"")
      }
      guard place < documents.terms.count else {
        throw refused("wanted terms 0 to \(documents.terms.count - 1) of the vocabulary, found \(place)")
      }
      guard place > last else { throw refused("wanted each term once, in rising order, found \(place) after \(last)") }
      documents.append(place: place, count: count)
      last = place
    }
  }

  /// Words of the vocabulary in some cells.
  private static func count(
    _ cells: ArraySlice<ArraySlice<UInt8>>, _ numbers: [String: Int], into documents: inout TermCounts
  ) {
    var counts: [Int: Int] = [:]
    for cell in cells {
      forEachWord(cell) { word in
        if let place = numbers[word] { counts[place, default: 0] += 1 }
      }
    }
    for (place, count) in counts.sorted(by: { $0.key < $1.key }) { documents.append(place: place, count: count) }
  }

  private static func forEachWord(_ text: ArraySlice<UInt8>, _ body: (String) -> Void) {
    var word: [UInt8] = []
    var isCommand = false
    // A byte that is no letter ends the last word too.
    for byte in text + [0] {
      let small = byte | 0x20
      let isLetter = (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(small)
      if isLetter {
        if !isCommand { word.append(small) }
        continue
      }
      if word.count > 1 { body(String(decoding: word, as: UTF8.self)) }
      word.removeAll(keepingCapacity: true)
      isCommand = byte == UInt8(ascii: "\\")
    }
  }

  /// A number of digits alone, below 2^31.
  private static func number(_ digits: ArraySlice<UInt8>) -> Int? {
    guard (1...10).contains(digits.count) else { return nil }
    var value = 0
    for digit in digits {
      guard (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(digit) else { return nil }
      value = 10 * value + Int(digit - UInt8(ascii: "0"))
    }
    return value <= Int(Int32.max) ? value : nil
  }

  private static func text(_ bytes: ArraySlice<UInt8>) -> String { String(decoding: bytes.prefix(40), as: UTF8.self) }
}
