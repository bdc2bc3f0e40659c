import FoundationEssentials
import Glibc

/// A file of events for TensorBoard. A folder has one for each session, to which epochs are added.
///
///     record      length of the event (8 bytes), its masked CRC-32C (4), the event, its masked CRC-32C (4)
///     mask(c)     (c rotated right by 15 bits) + 0xa282ead8
///
/// Numbers are little-endian.
///
/// A session tells the step it begins with, so that TensorBoard forgets what an earlier session, which was killed,
/// wrote beyond its last checkpoint.
///
/// Source: TensorFlow, record_writer.h, event.proto and summary.proto.
public struct EventFile: Sendable {
  /// A value that TensorBoard shows.
  public enum Value: Sendable {
    case scalar(Float)
    case image(PNGImage)
  }

  public let path: String
  /// Whether the folder had no other file of events.
  public let isFirst: Bool

  /// Makes the next file of a folder, and the folder where there is none.
  ///
  /// - Parameter step: the first step of the session.
  /// - Throws: the folder or the file cannot be made.
  public init(in folder: String, from step: Int) throws(DataError) {
    try AtomicFile.makeFolder(folder)
    let names = try InputFile.names(in: folder)
    // TensorBoard reads files in the order of their names; files of other programs may have any number.
    let last = names.compactMap { $0.hasPrefix(Self.prefix) ? Int($0.dropFirst(Self.prefix.count)) : nil }
      .filter { (1..<999_999).contains($0) }.max()
    isFirst = last == nil
    path = "\(folder)/\(Self.prefix)\("\(1_000_001 + (last ?? 0))".dropFirst())"
    try AtomicFile.write(Data(), to: path)
    try append(step: 0) { $0.string(EventField.version, "brain.Event:2") }
    try append(step: step) { event in
      event.message(EventField.session) { $0.integer(1, Self.sessionStart) }
    }
  }

  /// Adds values of a step under their names.
  public func append(step: Int, _ values: [(name: String, value: Value)]) throws(DataError) {
    try append(step: step) { (event) throws(DataError) in
      try event.message(EventField.summary) { (summary) throws(DataError) in
        for (name, value) in values {
          try summary.message(1) { (field) throws(DataError) in
            field.string(1, name)
            switch value {
            case .scalar(let number): field.float(2, number)
            case .image(let picture):
              try field.message(4) { (image) throws(DataError) in try Self.write(picture, to: &image) }
            }
          }
        }
      }
    }
  }

  /// Adds the hyperparameters of a run, as TensorBoard's plugin hparams reads them: numbers, truths and texts by name.
  ///
  /// Source: TensorBoard, summary.proto and hparams/plugin_data.proto.
  package func append(hyperparameters: [(name: String, value: JSONValue)]) throws(DataError) {
    var content = ProtobufWriter()
    content.message(3) { start in
      for (name, value) in hyperparameters {
        start.message(1) { entry in
          entry.string(1, name)
          entry.message(2) { field in
            switch value {
            case .number(let digits): field.double(2, Double(digits) ?? .nan)
            case .text(let text): field.string(3, text)
            case .bool(let flag): field.integer(4, flag ? 1 : 0)
            case .null, .list, .object: field.integer(1, 0)
            }
          }
        }
      }
      start.double(5, Date().timeIntervalSince1970)
    }
    try append(step: 0) { event in
      event.message(EventField.summary) { summary in
        summary.message(1) { value in
          value.string(1, "_hparams_/session_start_info")
          // A tensor of no floats.
          value.message(8) { tensor in
            tensor.integer(1, 1)
            tensor.message(2) { shape in shape.message(2) { $0.integer(1, 0) } }
          }
          value.message(9) { metadata in
            metadata.message(1) { plugin in
              plugin.string(1, "hparams")
              plugin.bytes(2, content.bytes)
            }
          }
        }
      }
    }
  }

  private static func write(_ picture: PNGImage, to image: inout ProtobufWriter) throws(DataError) {
    image.integer(1, picture.height)
    image.integer(2, picture.width)
    image.integer(3, picture.channels)
    image.bytes(4, try picture.encoded())
  }

  private func append(step: Int, _ write: (inout ProtobufWriter) throws(DataError) -> Void) throws(DataError) {
    var event = ProtobufWriter()
    event.double(EventField.time, Date().timeIntervalSince1970)
    event.integer(EventField.step, step)
    try write(&event)
    let descriptor = open(systemPath(path), O_WRONLY | O_APPEND | O_CLOEXEC)
    guard descriptor >= 0 else { throw .unwritable(path, "events cannot be written") }
    defer { close(descriptor) }
    var rest = Self.record(event.bytes)[...]
    while !rest.isEmpty {
      let count = rest.withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress, $0.count) }
      if count < 0, errno == EINTR { continue }
      guard count > 0 else { throw .unwritable(path, "events cannot be written") }
      rest = rest.dropFirst(count)
    }
  }

  static func record(_ event: [UInt8]) -> [UInt8] {
    func bytes(_ value: some FixedWidthInteger) -> [UInt8] { withUnsafeBytes(of: value.littleEndian, Array.init) }
    func masked(_ bytes: [UInt8]) -> UInt32 {
      let sum = CRC32C.checksum(bytes)
      return (sum >> 15 | sum << 17) &+ 0xa282_ead8
    }
    let length = bytes(UInt64(event.count))
    return length + bytes(masked(length)) + event + bytes(masked(event))
  }

  private static let prefix = "events.out.tfevents.hourglass."

  private enum EventField {
    static let time = 1
    static let step = 2
    static let version = 3
    static let summary = 5
    static let session = 7
  }
  private static let sessionStart = 1
}
