import HourglassData
import HourglassModels

/// Weights from elsewhere: a safetensors or NPZ file of tensors under PyTorch's names and shapes.
public enum WeightsFile {
  /// The name under which a file carries the hash of its weights.
  package static let hashKey = "weightsHash"
  /// The name under which a file carries the standardisation of its model's images.
  package static let standardizationKey = "standardization"

  /// Reads the flat vector of parameters.
  ///
  /// Errors: a file that is no safetensors or NPZ file, or is damaged; elements of another type than 32-bit floats;
  /// tensors that are missing, or of no layer of the model; other shapes; infinities and NaN; in a file that names the
  /// hash of its weights, other weights.
  public static func read(_ path: String, plan: ExecutionPlan) throws(DataError) -> FloatBuffer {
    let (file, hash, _) = try open(path)
    try checkNames(file, plan, path)
    let parameters = FloatBuffer(count: plan.parameterCount)
    try file.restore([(prefix: "", values: parameters)], plan, path)
    if let hash {
      let found = WeightsHash.of(parameters, plan: plan)
      guard found == hash else {
        throw DataError(
          path: path, reason: "the weights were altered: wanted the hash \(hash) that the file names, found \(found)")
      }
    }
    return parameters
  }

  /// How the images of the model in a file are standardised; nil where the file does not say.
  public static func standardization(_ path: String) throws(DataError) -> Standardization? {
    try open(path).standardization
  }

  /// The tensors of a file, all of whose numbers are finite.
  static func tensors(_ path: String) throws(DataError) -> [SafeTensors.Source] { try open(path).tensors }

  /// The tensors of a file, with the hash of its weights and a standardisation where it has them.
  private static func open(
    _ path: String
  ) throws(DataError) -> (tensors: [SafeTensors.Source], hash: String?, standardization: Standardization?) {
    let (file, hash): ([SafeTensors.Source], String?)
    var standardization: Standardization?
    if path.lowercased().hasSuffix(".safetensors") {
      let (tensors, metadata) = try SafeTensors.open(path)
      (file, hash) = (tensors, metadata[hashKey])
      if let json = metadata[standardizationKey] {
        standardization = try JSONFile.decode(
          Standardization.self, from: json.utf8, path: path, what: standardizationKey)
      }
    } else if path.lowercased().hasSuffix(".npz") {
      (file, hash) = (try NPZFile.tensors(path).map { SafeTensors.Source($0) }, nil)
    } else {
      throw DataError(
        path: path,
        reason: "wanted a name that ends in .safetensors or .npz; save a state_dict with safetensors.torch.save_file")
    }
    for tensor in file {
      let values = try tensor.values()
      guard let place = values.firstIndex(where: { !$0.isFinite }) else { continue }
      throw DataError(path: path, reason: "\(tensor.name): wanted finite numbers, found \(values[place]) at \(place)")
    }
    let prefix = "\(standardizationKey)."
    let beside = file.filter { $0.name == prefix + "mean" || $0.name == prefix + "deviation" }
    guard beside.count == 2 else { return (file, hash, standardization) }
    func values(_ name: String) throws(DataError) -> [Double] {
      try beside.first { $0.name == prefix + name }?.values().map { Double($0) } ?? []
    }
    guard let found = Standardization(mean: try values("mean"), deviation: try values("deviation")) else {
      throw DataError(
        path: path, reason: "\(prefix)deviation: wanted as many means as deviations greater than 0, found others")
    }
    return (file.filter { !$0.name.hasPrefix(prefix) }, hash, found)
  }

  private static func checkNames(
    _ file: [SafeTensors.Source], _ plan: ExecutionPlan, _ path: String
  ) throws(DataError) {
    let (wanted, found) = (plan.parameters.map(\.name), file.map(\.name))
    let missing = wanted.filter { !found.contains($0) }
    let others = found.filter { !wanted.contains($0) }
    guard !missing.isEmpty || !others.isEmpty else { return }
    if let prefix = prefix(of: found, wanted) {
      throw DataError(
        path: path,
        reason: "all names begin with \(prefix), wanted \(wanted[0]) and so on; save the state_dict of the module that "
          + "is called \(prefix.dropLast())")
    }
    var parts: [String] = []
    if !missing.isEmpty { parts.append("missing are \(list(missing))") }
    if !others.isEmpty { parts.append("not of the model are \(list(others))") }
    throw DataError(
      path: path, reason: "wanted the tensors of the model \(plan.model.name), \(parts.joined(separator: "; "))")
  }

  /// The prefix that all wanted names have in a file, as where a model was wrapped; nil for none.
  private static func prefix(of found: [String], _ wanted: [String]) -> String? {
    guard let first = wanted.first, let wrapped = found.first(where: { $0.hasSuffix(".\(first)") }) else { return nil }
    let prefix = wrapped.dropLast(first.count)
    return Set(found) == Set(wanted.map { prefix + $0 }) ? String(prefix) : nil
  }

  private static func list(_ names: [String]) -> String {
    let shown = names.prefix(6).joined(separator: ", ")
    return names.count > 6 ? "\(shown) and \(names.count - 6) more" : shown
  }
}

extension ExecutionPlan {
  /// The tensors of a flat vector as files hold them, with the values that it has whenever they are wanted.
  package func tensors(_ flat: FloatBuffer, prefix: String = "") -> [SafeTensors.Source] {
    parameters(under: prefix).map { parameter in
      SafeTensors.Source(name: prefix + parameter.name, shape: parameter.shape) { parameter.tensor(in: flat.pointer) }
    }
  }

  /// The parameters that a file holds with a prefix: running statistics have no moments.
  fileprivate func parameters(under prefix: String) -> [Parameter] {
    prefix.hasPrefix("optimizer.") ? parameters.filter { !$0.isStatistic } : parameters
  }
}

extension [SafeTensors.Source] {
  /// Puts the tensors whose names begin with a prefix into flat vectors.
  ///
  /// Errors: a tensor is missing or has another shape, and nothing is put in place then; the file can no longer be
  /// read.
  func restore(
    _ vectors: [(prefix: String, values: FloatBuffer)], _ plan: ExecutionPlan, _ path: String
  ) throws(DataError) {
    let byName = Dictionary(map { ($0.name, $0) }, uniquingKeysWith: { first, _ in first })
    var found: [(parameter: Parameter, tensor: SafeTensors.Source, flat: FloatBuffer)] = []
    for (prefix, flat) in vectors {
      for parameter in plan.parameters(under: prefix) {
        guard let tensor = byName[prefix + parameter.name] else {
          throw DataError(path: path, reason: "the model wants a tensor \(prefix + parameter.name), the file has none")
        }
        guard tensor.shape == parameter.shape else {
          throw DataError(
            path: path, reason: "\(tensor.name): the model wants the shape \(parameter.shape), found \(tensor.shape)")
        }
        found.append((parameter, tensor, flat))
      }
    }
    for (parameter, tensor, flat) in found { parameter.store(try tensor.values(), in: flat.pointer) }
  }
}
