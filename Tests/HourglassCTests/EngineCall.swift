import CHourglass
import Foundation
import HourglassC

/// A model of the C interface, called through its header, with errors thrown.
final class CModel {
  struct Refusal: Error, CustomStringConvertible {
    let code: hourglass_code
    let description: String
  }

  let handle: OpaquePointer

  init(_ settings: String) throws {
    var made: OpaquePointer?
    try Self.check { hourglass_make_model(settings, &made, $0) }
    handle = made!
  }

  init(opening folder: String, checkpoint: String? = nil) throws {
    var made: OpaquePointer?
    try Self.check { hourglass_open_model(folder, checkpoint, &made, $0) }
    handle = made!
  }

  deinit { hourglass_free_model(handle) }

  typealias Sentence = UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>

  /// Calls, and throws what is wrong with the sentence, which is there if and only if something is.
  static func check(_ body: (Sentence) -> Int32) throws {
    var sentence: UnsafeMutablePointer<CChar>?
    let code = body(&sentence)
    defer { hourglass_free_text(sentence) }
    guard code != 0 else { return precondition(sentence == nil, "a sentence about nothing") }
    throw Refusal(code: hourglass_code(UInt32(code)), description: String(cString: sentence!))
  }

  func describe() throws -> [String: Any] {
    var text: UnsafeMutablePointer<CChar>?
    try Self.check { hourglass_describe(handle, &text, $0) }
    defer { hourglass_free_text(text) }
    let object = try JSONSerialization.jsonObject(with: Data(String(cString: text!).utf8))
    return object as? [String: Any] ?? [:]
  }

  var weightsHash: String { get throws { try describe()["weightsHash"] as? String ?? "" } }

  /// Images of elements that stay where they are while the body runs.
  func lending<T, R>(
    _ elements: [T], _ type: hourglass_type, _ extents: [Int64], strides: [Int64]? = nil, labels: [Int64]? = nil,
    _ body: (OpaquePointer) throws -> R
  ) throws -> R {
    try elements.withUnsafeBytes { memory in
      try extents.withUnsafeBufferPointer { extents in
        var images: OpaquePointer?
        func lend(_ strides: UnsafePointer<Int64>?) throws {
          var array = hourglass_array(
            size: MemoryLayout<hourglass_array>.size, data: memory.baseAddress, type: Int32(type.rawValue),
            rank: Int32(extents.count), extents: extents.baseAddress, strides: strides)
          try Self.check { hourglass_lend_images(handle, &array, labels, &images, $0) }
        }
        if let strides { try strides.withUnsafeBufferPointer { try lend($0.baseAddress) } } else { try lend(nil) }
        defer { hourglass_free_images(images) }
        return try body(images!)
      }
    }
  }

  @discardableResult
  func train(
    _ images: OpaquePointer?, validation: OpaquePointer? = nil, folder: String? = nil, keepsWeights: Bool = false,
    _ observer: hourglass_observer? = nil, _ context: UnsafeMutableRawPointer? = nil
  ) throws -> Int32 {
    var end: Int32 = -1
    func train(_ folder: UnsafePointer<CChar>?) throws {
      var training = hourglass_training(
        size: MemoryLayout<hourglass_training>.size, folder: folder, keeps_weights: keepsWeights ? 1 : 0,
        observer: observer, context: context)
      try Self.check { hourglass_train(handle, images, validation, &training, &end, $0) }
    }
    if let folder { try folder.withCString(train) } else { try train(nil) }
    return end
  }

  func floats(
    _ count: Int, _ call: (UnsafeMutablePointer<Float>, Int64, Sentence) -> Int32
  ) throws -> [Float] {
    var values = [Float](repeating: -1, count: count)
    try values.withUnsafeMutableBufferPointer { room in
      try Self.check { call(room.baseAddress!, Int64(count), $0) }
    }
    return values
  }
}
