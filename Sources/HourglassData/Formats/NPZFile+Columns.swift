import FoundationEssentials
import Glibc

extension NPZFile {
  /// An array with an entry for each of N things, which NumPy reads without pickle.
  public enum Column: Sendable {
    /// Floats, N x width, `<f4`.
    case floats([Float], width: Int)
    /// Whole numbers, N, `<i8`.
    case integers([Int])
    /// Texts, N, `<U` with the length of the longest in Unicode scalars.
    case texts([String])

    /// The bytes of an NPY file. Errors: the texts take more memory than is granted.
    fileprivate func encoded(_ path: String) throws(DataError) -> Data {
      switch self {
      case .floats(let values, let width):
        return NPYFile.encoded(values, shape: [values.count / max(1, width), width])
      case .integers(let values):
        return NPYFile.header("<i8", [values.count])
          + values.map { Int64($0).littleEndian }.withUnsafeBytes { Data($0) }
      case .texts(let texts):
        let length = max(1, texts.map(\.unicodeScalars.count).max() ?? 1)
        try GrantedMemory.require(
          checkedProduct([8, texts.count, length]), for: path, "hold \(texts.count) texts of \(length) characters")
        var characters = [UInt32](repeating: 0, count: texts.count * length)
        for (row, text) in texts.enumerated() {
          for (place, scalar) in text.unicodeScalars.enumerated() {
            characters[row * length + place] = scalar.value.littleEndian
          }
        }
        return NPYFile.header("<U\(length)", [texts.count]) + characters.withUnsafeBytes { Data($0) }
      }
    }
  }

  /// Writes columns as `np.savez` does, for `np.load`.
  public static func write(columns: [(name: String, column: Column)], to path: String) throws(DataError) {
    var members: [(name: String, contents: Data)] = []
    for (name, column) in columns { members.append(("\(name).npy", try column.encoded(path))) }
    try AtomicFile.write(try ZipFile.archive(members, path: path), to: path)
  }
}
