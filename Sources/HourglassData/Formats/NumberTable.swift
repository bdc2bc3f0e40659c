import Foundation

/// Advice about files that were given in place of an array of numbers, such as a CSV file: how they become one.
enum NumberTable {
  /// The error for a file that is text; nil for one that is not.
  static func refusal(_ path: String) throws(DataError) -> DataError? {
    let start = try GzipFile(path).read(1 << 16)
    guard !start.isEmpty, start.allSatisfy({ $0 >= 0x20 && $0 != 0x7f || (0x09...0x0d).contains($0) }) else {
      return nil
    }
    let wanted = "wanted an IDX, NPY or NPZ file, CIFAR-10 records or a picture, found text"
    guard let table = Table(start) else { return DataError(path: path, reason: wanted) }
    let name = (path as NSString).lastPathComponent
    let options = table.delimiter.map { ", delimiter='\($0 == "\t" ? "\\t" : $0)'" } ?? ""
    let skipped = table.hasTitles ? ", skiprows=1" : ""
    return DataError(
      path: path,
      reason: "\(wanted) with \(table.columns) numbers in a row; make an array of it, a vector of each row: "
        + "np.save('\(name).npy', np.loadtxt('\(name)', 'f4'\(options)\(skipped), ndmin=2))")
  }

  /// The line of Python that makes floats of an array `a` of other elements. Bytes and numbers can be converted; texts,
  /// objects and records cannot.
  static func advice(_ descriptor: String) -> String {
    switch descriptor.trimmingCharacters(in: ["'", "\""]).drop(while: { "<>|=".contains($0) }).first {
    case "O": return "rebuild it as one array of numbers, np.stack([np.asarray(x, '<f4') for x in a])"
    case "b", "i", "u", "f": return "convert with a.astype('<f4')"
    case "c": return "save an array of real numbers, such as np.abs(a).astype('<f4')"
    default: return "save an array of numbers"
    }
  }

  private struct Table {
    /// The character between numbers; nil for white space.
    var delimiter: String?
    var columns: Int
    var hasTitles: Bool

    /// Looks at the start of a file; nil where neither the first nor the second row consists of numbers.
    init?(_ start: [UInt8]) {
      let lines = String(decoding: start, as: UTF8.self).split(whereSeparator: \.isNewline).prefix(3).map(String.init)
      let whole = lines.count > 1 ? Array(lines.prefix(2)) : lines
      for delimiter in [",", ";", "\t", nil] {
        let rows = whole.map { line in
          delimiter.map { line.components(separatedBy: $0) } ?? line.split(separator: " ").map(String.init)
        }
        let areNumbers = rows.map { row in
          row.allSatisfy { Double($0.trimmingCharacters(in: .whitespaces)) != nil }
        }
        guard let place = areNumbers.firstIndex(of: true), place == 0 || !areNumbers[0], rows[place].count > 1 else {
          continue
        }
        (self.delimiter, columns, hasTitles) = (delimiter, rows[place].count, place > 0)
        return
      }
      return nil
    }
  }
}
