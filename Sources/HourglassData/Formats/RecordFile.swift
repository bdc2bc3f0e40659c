import HourglassBase

/// A reader of records of the binary version of CIFAR-10, plain or gzip.
///
///     a record: label byte, 1,024 red bytes, 1,024 green bytes, 1,024 blue bytes, each plane 32 rows of 32
///
/// Source: Krizhevsky, "The CIFAR-10 dataset", section "Binary version".
enum RecordFile {
  static let shape = ImageShape(32, 32, 3)
  static let length = 1 + shape.count

  static func isRecord(_ name: String) -> Bool {
    let name = name.lowercased()
    return name.hasSuffix(".bin") || name.hasSuffix(".bin.gz")
  }

  /// All records, label bytes included. Errors: the file holds no whole number of records, or none.
  static func read(_ path: String) throws(DataError) -> [UInt8] {
    let data = try GzipFile(path).readAll()
    guard !data.isEmpty, data.count % length == 0 else {
      throw DataError(
        path: path,
        reason: "wanted CIFAR-10 records of \(length) bytes (label, then 32 x 32 red, green, blue), found "
          + "\(data.count) bytes\(data.isEmpty ? "" : ", \(data.count % length) too many")")
    }
    return data
  }
}
