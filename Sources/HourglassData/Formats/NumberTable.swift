import Glibc

/// A table of numbers in text, plain or gzip: a vector in each row, with commas, semicolons, tabs or blanks between
/// numbers, and perhaps titles in the first row. A cell that is empty or says NA or nan is NaN.
enum NumberTable {
  /// Reads a table; nil for a file that is not text.
  ///
  /// Errors: text that is no table of numbers; a row of another length, or with something else in a cell, by line.
  static func read(_ path: String) throws(DataError) -> NPYArray? {
    let start = try GzipFile(path).read(1 << 16)
    guard !start.isEmpty, start.allSatisfy({ $0 >= 0x20 && $0 != 0x7f || (0x09...0x0d).contains($0) }) else {
      return nil
    }
    guard let table = Table(start) else {
      throw DataError(
        path: path,
        reason: "wanted an IDX, NPY or NPZ file, CIFAR-10 records, a picture or a table of numbers, found text")
    }
    let bytes = try GzipFile(path).readAll()
    try GrantedMemory.require(checkedProduct([3, bytes.count]), for: path, "read a table of numbers")
    var (values, line) = ([Float](), 0)
    for row in bytes.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false) {
      line += 1
      let cells = table.cells(row)
      if cells.isEmpty || line == 1 && table.hasTitles { continue }
      guard cells.count == table.columns else {
        throw DataError(path: path, reason: "line \(line): wanted \(table.columns) numbers, found \(cells.count)")
      }
      for cell in cells {
        guard let number = Table.number(cell) else {
          throw DataError(path: path, reason: "line \(line): wanted a number, found \"\(cell.prefix(40))\"")
        }
        values.append(number)
      }
    }
    return NPYArray(shape: [values.count / table.columns, table.columns], elements: .floats(values))
  }

  /// The line of Python that makes floats of an array `a` of other elements. Bytes and numbers can be converted; texts,
  /// objects and records cannot.
  static func advice(_ descriptor: String) -> String {
    switch NPYHeader.unquoted(descriptor).drop(while: { "<>|=".contains($0) }).first {
    case "O": return "rebuild it as one array of numbers, np.stack([np.asarray(x, '<f4') for x in a])"
    case "b", "i", "u", "f": return "convert with a.astype('<f4')"
    case "c": return "save an array of real numbers, such as np.abs(a).astype('<f4')"
    default: return "save an array of numbers"
    }
  }

  private struct Table {
    /// The character between numbers; nil for white space.
    var delimiter: UInt8?
    var columns: Int
    var hasTitles: Bool

    /// Looks at the start of a file; nil where neither the first nor the second row consists of numbers.
    init?(_ start: [UInt8]) {
      let lines = start.split(separator: UInt8(ascii: "\n")).prefix(3)
      let whole = lines.count > 1 ? Array(lines.prefix(2)) : Array(lines)
      for delimiter in [UInt8(ascii: ","), UInt8(ascii: ";"), UInt8(ascii: "\t"), nil] {
        (self.delimiter, columns, hasTitles) = (delimiter, 0, false)
        let rows = whole.map(cells)
        let areNumbers = rows.map { $0.allSatisfy { Self.number($0) != nil } }
        guard let place = areNumbers.firstIndex(of: true), place == 0 || !areNumbers[0], rows[place].count > 1 else {
          continue
        }
        (columns, hasTitles) = (rows[place].count, place > 0)
        return
      }
      return nil
    }

    /// The texts of a row; none of an empty one.
    func cells(_ row: ArraySlice<UInt8>) -> [String] {
      let row = row.last == UInt8(ascii: "\r") ? row.dropLast() : row
      if row.isEmpty { return [] }
      let parts =
        delimiter.map { row.split(separator: $0, omittingEmptySubsequences: false) }
        ?? row.split { $0 == UInt8(ascii: " ") || $0 == UInt8(ascii: "\t") }
      return parts.map { String(decoding: $0, as: UTF8.self).trimmed() }
    }

    /// A cell as a number, NaN for one that is empty; nil for something else.
    static func number(_ cell: String) -> Float? {
      cell.isEmpty || cell == "NA" ? .nan : Double(cell).map { Float($0) }
    }
  }
}
