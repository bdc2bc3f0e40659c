import Glibc

/// Documents in lines of text, plain or gzip, with a vocabulary beside them.
///
///     .txt    label j:count j:count ...      j: number of a term from 0, rising; count: from 1
///     .tsv    label <tab> ... <tab> title <tab> text
///
/// Labels count from 0. The first column of a TSV file is the label, and the last two (the last, where there are but
/// two) are text; columns between are ignored, and there is no header. In text LaTeX commands (a backslash and letters)
/// are dropped and capitals made small; words are runs of two or more letters a to z, and words of the vocabulary are
/// counted.
///
/// A vocabulary is a text file of one term a line; the line is the term's number.
enum TextFile {
  /// The form of documents that the name of a file tells; nil for any other name.
  static func form(_ name: String) -> ImageForm? {
    let name = name.lowercased()
    let bare = name.hasSuffix(".gz") ? String(name.dropLast(3)) : name
    return bare.hasSuffix(".tsv") ? .texts : bare.hasSuffix(".txt") ? .termCounts : nil
  }

  /// Reads a file. Errors: it is empty, has a line of another form, or takes more memory than is granted.
  static func read(_ path: String, terms: [String]) throws(DataError) -> (documents: TermCounts, labels: [Int]) {
    let bytes = try GzipFile(path).readAll()
    let isTable = form(path) == .texts
    let numbers = isTable ? Dictionary(uniqueKeysWithValues: zip(terms, terms.indices)) : [:]
    let room = Room(bytes, isTable: isTable)
    // The longest word of a table may be the whole file, and is there twice while it grows.
    let need = 8 * (room.terms + 2 * room.lines) + (isTable ? 4 * bytes.count : 0)
    try GrantedMemory.require(need, for: path, "count the terms of \(room.lines) documents")
    var documents = TermCounts(terms: terms, path: path, documents: room.lines, occurrences: room.terms)
    var (labels, columns): ([Int], Int?) = ([], nil)
    labels.reserveCapacity(room.lines)
    try forEachLine(bytes) { (place, line) throws(DataError) in
      func refused(_ reason: String) -> DataError {
        DataError(path: path, reason: "line \(place + 1): \(reason)")
      }
      if isTable {
        let found = line.count { $0 == tab } + 1
        guard found > 1, found == columns ?? found else {
          throw refused("wanted \(columns.map(String.init) ?? "2 or more") columns with tabs between, found \(found)")
        }
        columns = found
        labels.append(try label(line.prefix { $0 != tab }, refused))
        count(line.suffix(from: startOfTexts(line, columns: found)), numbers, into: &documents)
      } else {
        var rest = line
        labels.append(try label(nextWord(&rest) ?? [], refused))
        try count(rest, into: &documents, refused)
      }
      documents.endDocument()
    }
    guard documents.count > 0 else { throw DataError(path: path, reason: "wanted a document a line, found none") }
    return (documents, labels)
  }

  /// The most documents, and terms in them, that a file can hold.
  private struct Room {
    let lines: Int
    let terms: Int

    init(_ bytes: [UInt8], isTable: Bool) {
      lines = bytes.count { $0 == UInt8(ascii: "\n") } + 1
      // A word has two letters and a character behind them.
      terms = isTable ? (bytes.count + 1) / 3 : bytes.count { $0 == UInt8(ascii: ":") }
    }
  }

  private static let tab = UInt8(ascii: "\t")

  /// The place where the texts of a line begin: the last two cells, or the last of two.
  private static func startOfTexts(_ line: ArraySlice<UInt8>, columns: Int) -> Int {
    let last = line.lastIndex(of: tab) ?? line.startIndex
    return columns == 2 ? last : line[..<last].lastIndex(of: tab) ?? last
  }

  /// Reads a vocabulary. Errors: it has no term, a line that is empty or has a blank in it, or a term twice.
  static func vocabulary(_ path: String) throws(DataError) -> [String] {
    let bytes = try GzipFile(path).readAll()
    let count = bytes.count { $0 == UInt8(ascii: "\n") } + 1
    // A term takes a string, a place in a set that is at most three quarters full, and its letters where they are many.
    try GrantedMemory.require(64 * count + 2 * bytes.count, for: path, "hold a vocabulary of \(count) terms")
    var terms: [String] = []
    var seen: Set<String> = []
    try forEachLine(bytes) { (place, line) throws(DataError) in
      let term = String(decoding: line, as: UTF8.self)
      guard !term.isEmpty, !term.contains(where: \.isWhitespace) else {
        throw DataError(path: path, reason: "line \(place + 1): wanted one term, found \"\(term.prefix(40))\"")
      }
      guard seen.insert(term).inserted else {
        throw DataError(
          path: path, reason: "line \(place + 1): wanted each term once, found \(term.prefix(40)) again")
      }
      terms.append(term)
    }
    guard !terms.isEmpty else { throw DataError(path: path, reason: "wanted a term a line, found none") }
    return terms
  }

  /// The names of classes, a line each, in the first of some files that a folder has; nil where it has none.
  static func classes(in folder: String, _ names: [String]) throws(DataError) -> [String]? {
    guard let path = try InputFile.first(of: names, in: folder) else { return nil }
    let bytes = try InputFile.contents(of: path)
    try GrantedMemory.require(
      18 * bytes.count, for: path, "hold the names of classes", advice: "wanted is a name a line")
    return String(decoding: bytes, as: UTF8.self).split(whereSeparator: \.isNewline)
      .map { $0.trimmed() }
  }

  /// Calls a body with each line without its end, which may be that of Windows; after the last end comes no line.
  private static func forEachLine(
    _ bytes: [UInt8], _ body: (_ place: Int, ArraySlice<UInt8>) throws(DataError) -> Void
  ) throws(DataError) {
    var (rest, place) = (bytes[...], 0)
    while !rest.isEmpty {
      let line = rest[..<(rest.firstIndex(of: UInt8(ascii: "\n")) ?? rest.endIndex)]
      rest = rest[line.endIndex...].dropFirst()
      try body(place, line.last == UInt8(ascii: "\r") ? line.dropLast() : line)
      place += 1
    }
  }

  /// Takes the next run of bytes that are no blanks.
  private static func nextWord(_ rest: inout ArraySlice<UInt8>) -> ArraySlice<UInt8>? {
    func isBlank(_ byte: UInt8) -> Bool { byte == UInt8(ascii: " ") || byte == tab }
    let word = rest.drop(while: isBlank).prefix { !isBlank($0) }
    rest = rest[word.endIndex...]
    return word.isEmpty ? nil : word
  }

  private static func label(
    _ cell: ArraySlice<UInt8>, _ refused: (String) -> DataError
  ) throws(DataError) -> Int {
    guard let label = number(cell) else {
      throw refused("wanted a label, a number from 0, in front, found \"\(text(cell))\"")
    }
    return label
  }

  /// Adds counts of the form j:count.
  private static func count(
    _ pairs: ArraySlice<UInt8>, into documents: inout TermCounts, _ refused: (String) -> DataError
  ) throws(DataError) {
    var (rest, last) = (pairs, -1)
    while let pair = nextWord(&rest) {
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

  /// Counts the words of the vocabulary in texts.
  private static func count(
    _ cells: ArraySlice<UInt8>, _ numbers: [String: Int], into documents: inout TermCounts
  ) {
    var counts: [Int: Int] = [:]
    forEachWord(cells) { word in
      if let place = numbers[word] { counts[place, default: 0] += 1 }
    }
    for (place, count) in counts.sorted(by: { $0.key < $1.key }) { documents.append(place: place, count: count) }
  }

  private static func forEachWord(_ text: ArraySlice<UInt8>, _ body: (String) -> Void) {
    var word: [UInt8] = []
    var isCommand = false
    func end() {
      if word.count > 1 { body(String(decoding: word, as: UTF8.self)) }
      word.removeAll(keepingCapacity: true)
    }
    for byte in text {
      let small = byte | 0x20
      let isLetter = (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(small)
      if isLetter {
        if !isCommand { word.append(small) }
        continue
      }
      end()
      isCommand = byte == UInt8(ascii: "\\")
    }
    end()
  }

  /// A number below 2^31 that consists of digits alone; else nil.
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
