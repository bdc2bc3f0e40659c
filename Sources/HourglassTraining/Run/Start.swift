import Glibc
import HourglassData
import HourglassModels

/// Weights that a run starts from instead of the seed: parameters of another run or of a file, taken by name and shape.
public struct Start: Codable, Sendable, Equatable {
  /// The folder of a run, whose last checkpoint is read, or a safetensors or NPZ file.
  public var path: String
  /// The layers that are taken, by their names there, and what they are called here; nil for all, under their own
  /// names.
  public var layers: [String: String]?

  public init(path: String, layers: [String: String]? = nil) { (self.path, self.layers) = (path, layers) }

  /// What was taken, and what was not.
  public struct Result: Sendable, Equatable {
    /// The run or the file.
    public let path: String
    /// The parameters that were taken, by their names here.
    public var taken: [String] = []
    /// The tensors that were not taken, each with the reason.
    public var left: [String] = []
  }

  /// Puts the tensors that fit into the flat vector.
  ///
  /// Errors: no run or file that can be read; no tensor that fits; where layers are named, one that does not fit.
  func apply(to flat: FloatBuffer, plan: ExecutionPlan) throws(DataError) -> Result {
    let parameters = Dictionary(plan.parameters.map { ($0.name, $0) }, uniquingKeysWith: { first, _ in first })
    var result = Result(path: path)
    let tensors = try read()
    for tensor in tensors {
      guard let name = name(of: tensor) else { continue }
      guard let parameter = parameters[name], parameter.shape == tensor.shape else {
        let here = parameters[name].map { ", here \($0.shape)" } ?? ", unknown here"
        result.left.append("\(tensor.name) \(tensor.shape)\(here)")
        continue
      }
      parameter.store(try tensor.values(), in: flat.pointer)
      result.taken.append(name)
    }
    guard !result.taken.isEmpty, layers == nil || result.left.isEmpty else {
      let wanted = plan.parameters.map { "\($0.name) \($0.shape)" }
      throw DataError(
        path: path,
        reason: "wanted weights of the model \(plan.model.name) by name and shape, such as \(Self.list(wanted)), found "
          + Self.list(result.left.isEmpty ? tensors.map { "\($0.name) \($0.shape)" } : result.left))
    }
    return result
  }

  private static func list(_ names: [String]) -> String {
    names.isEmpty
      ? "none" : names.prefix(4).joined(separator: "; ") + (names.count > 4 ? " and \(names.count - 4) more" : "")
  }

  private func read() throws(DataError) -> [SafeTensors.Source] {
    guard try InputFile.isThere(path) else {
      throw DataError(
        path: path, reason: "wanted the folder of a run, a safetensors or an NPZ file, found nothing there")
    }
    guard try InputFile.isFolder(path) else {
      return Checkpoint.trained(try WeightsFile.tensors(path))
    }
    return try RunFolder(path).read(.last).parameters
  }

  /// The name of a tensor here; nil for one of a layer that is not taken.
  private func name(of tensor: SafeTensors.Source) -> String? {
    guard let layers else { return tensor.name }
    guard let (there, here) = layers.first(where: { tensor.name.hasPrefix($0.key + ".") }) else { return nil }
    return here + tensor.name.dropFirst(there.count)
  }
}
