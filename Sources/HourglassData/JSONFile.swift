import HourglassBase

/// The one way in which Hourglass reads JSON: files of a run or of a person, lines, and headers of other formats.
///
/// Foundation's reader takes the first of two values under one name, and says of a number that its type does not hold
/// neither where it stands nor what was wanted.
public enum JSONFile {
  /// Reads a value.
  ///
  /// Errors: the file cannot be read; it is no JSON, with line and column; an object has a name twice; a value is
  /// missing or another one than wanted, with its place such as `encoder.0.filters`.
  ///
  /// - Parameter what: what the file is to hold, as in "no settings".
  public static func read<Value: Decodable>(_: Value.Type, from path: String, what: String) throws(DataError) -> Value {
    try decode(Value.self, from: try InputFile.contents(of: path), path: path, what: what)
  }

  /// Reads a value from bytes that come from the file at `path`. Errors: see `read`.
  public static func decode<Value: Decodable>(
    _: Value.Type, from bytes: some Collection<UInt8>, path: String, what: String
  ) throws(DataError) -> Value {
    do { return try JSONParser.decode(Value.self, from: Array(bytes)) } catch {
      throw DataError(path: path, reason: "\(what): \((error as? DecodingError)?.sentence ?? "\(error)")")
    }
  }
}
