import FoundationEssentials
import Glibc
import HourglassData
import HourglassModels
import HourglassTraining

/// The writer of ONNX models: one graph with its tensors in one file. Equal contents give equal bytes.
///
/// Source: onnx/onnx, onnx.proto, which gives the numbers of the fields.
public enum ONNXFile {
  /// The version of the format that came with operator set 17.
  private static let formatVersion = 8
  /// The most bytes of a file; Protocol Buffers allow no longer message.
  private static let mostBytes = Int(Int32.max)

  /// - Parameters:
  ///   - version: the version of Hourglass.
  ///   - metadata: texts about the model, by name.
  /// - Throws: the tensors are larger than a file can be, or it cannot be written.
  public static func write(
    _ graph: ONNXGraph, version: String, metadata: [String: String], to path: String
  ) throws(DataError) {
    let size = graph.tensors.reduce(0) { $0 + 8 + 4 * $1.shape.reduce(1, *) }
    guard size < mostBytes else {
      throw DataError(
        path: path, reason: "wanted less than 2 GiB of weights, which an ONNX file can hold, found \(size) bytes")
    }
    try AtomicFile.write(Data(encoded(graph, version: version, metadata: metadata)), to: path)
  }

  static func encoded(_ graph: ONNXGraph, version: String, metadata: [String: String]) -> [UInt8] {
    var model = ProtobufWriter()
    model.integer(1, formatVersion)
    model.string(2, "hourglass")
    model.string(3, version)
    model.message(7) { write(graph, to: &$0) }
    model.message(8) {
      $0.string(1, "")  // the standard operations
      $0.integer(2, ONNXGraph.operatorSet)
    }
    for (key, value) in metadata.sorted(by: { $0.key < $1.key }) {
      model.message(14) {
        $0.string(1, key)
        $0.string(2, value)
      }
    }
    return model.bytes
  }

  private static func write(_ graph: ONNXGraph, to message: inout ProtobufWriter) {
    for node in graph.nodes { message.message(1) { write(node, to: &$0) } }
    message.string(2, graph.name)
    for tensor in graph.tensors { message.message(5) { write(tensor, to: &$0) } }
    for port in graph.inputs { message.message(11) { write(port, to: &$0) } }
    for port in graph.outputs { message.message(12) { write(port, to: &$0) } }
  }

  private static func write(_ node: ONNXGraph.Node, to message: inout ProtobufWriter) {
    for input in node.inputs { message.string(1, input) }
    for output in node.outputs { message.string(2, output) }
    message.string(3, node.name)
    message.string(4, node.operation)
    for (name, value) in node.attributes.sorted(by: { $0.key < $1.key }) {
      message.message(5) { attribute in
        attribute.string(1, name)
        switch value {
        case .float(let value):
          attribute.float(2, value)
          attribute.integer(20, 1)
        case .integer(let value):
          attribute.integer(3, value)
          attribute.integer(20, 2)
        case .string(let value):
          attribute.string(4, value)
          attribute.integer(20, 3)
        case .integers(let values):
          for value in values { attribute.integer(8, value) }
          attribute.integer(20, 7)
        }
      }
    }
  }

  private static let float = 1
  private static let int64 = 7

  private static func write(_ tensor: ONNXGraph.Tensor, to message: inout ProtobufWriter) {
    for extent in tensor.shape { message.integer(1, extent) }
    switch tensor.elements {
    case .floats(let values):
      message.integer(2, float)
      values.withUnsafeBytes { message.bytes(9, $0) }
    case .integers(let values):
      message.integer(2, int64)
      values.withUnsafeBytes { message.bytes(9, $0) }
    }
    message.string(8, tensor.name)
  }

  private static func write(_ port: ONNXGraph.Port, to message: inout ProtobufWriter) {
    message.string(1, port.name)
    message.message(2) { type in
      type.message(1) { tensor in
        tensor.integer(1, port.isInteger ? int64 : float)
        tensor.message(2) { shape in
          shape.message(1) { $0.string(2, "N") }
          for extent in port.shape { shape.message(1) { $0.integer(1, extent) } }
        }
      }
    }
  }
}
