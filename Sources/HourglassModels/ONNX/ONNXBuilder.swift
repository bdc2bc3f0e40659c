/// An ONNX graph while layers append their nodes, and the values that reach the next of them.
public struct ONNXBuilder {
  private var graph: ONNXGraph
  /// What reaches the next layer, which reads the first; the mean and the log-variance after a Gaussian latent.
  private(set) var values: [String]
  /// Whether they are N, C, H, W; else N, D.
  private var areImages: Bool
  /// The layer whose nodes are appended.
  private var layer = ""
  private let parameters: UnsafePointer<Float>

  init(name: String, input: String, shape: ImageShape, parameters: UnsafePointer<Float>) {
    let port = ONNXGraph.Port(input, shape)
    (graph, values, self.parameters) = (ONNXGraph(name: name, inputs: [port]), [input], parameters)
    areImages = !shape.isVector
  }

  // MARK: For layers

  /// The input of the layer as images N, C, H, W.
  mutating func image(_ shape: ImageShape) -> String {
    if !areImages {
      // Zero keeps the extent of that axis.
      let extents = tensor("shape", [0] + shape.channelsFirst)
      values = values.map { node("Reshape", [$0, extents]) }
      areImages = true
    }
    return values[0]
  }

  /// The input of the layer as vectors, of an image in the order C, H, W.
  mutating func vector() -> String {
    if areImages {
      values = values.map { node("Flatten", [$0], ["axis": .integer(1)]) }
      areImages = false
    }
    return values[0]
  }

  /// As vectors where the shape is one, and else as images.
  mutating func form(_ shape: ImageShape) -> String { shape.isVector ? vector() : image(shape) }

  /// The places of the maxima that a max-pooling found, nil where it is not in the graph.
  mutating func switches(of pool: String) -> String? {
    guard let i = graph.nodes.firstIndex(where: { $0.name == "\(pool)/MaxPool" }) else { return nil }
    let name = "\(pool)/switches"
    if !graph.nodes[i].outputs.contains(name) { graph.nodes[i].outputs.append(name) }
    return name
  }

  /// The name of a parameter's tensor.
  mutating func tensor(_ parameter: Parameter) -> String {
    add(
      ONNXGraph.Tensor(
        name: parameter.name, shape: parameter.shape, elements: .floats(parameter.tensor(in: parameters))))
  }

  /// The name of a tensor of the layer's own: a vector of integers.
  mutating func tensor(_ name: String, _ integers: [Int]) -> String {
    add(
      ONNXGraph.Tensor(
        name: "\(layer)/\(name)", shape: [integers.count], elements: .integers(integers.map { Int64($0) })))
  }

  /// The same for a vector of floats.
  mutating func tensor(_ name: String, _ floats: [Float]) -> String {
    add(ONNXGraph.Tensor(name: "\(layer)/\(name)", shape: [floats.count], elements: .floats(floats)))
  }

  /// The same for a number.
  mutating func tensor(_ name: String, _ number: Float) -> String {
    add(ONNXGraph.Tensor(name: "\(layer)/\(name)", shape: [], elements: .floats([number])))
  }

  private mutating func add(_ tensor: ONNXGraph.Tensor) -> String {
    if !graph.tensors.contains(where: { $0.name == tensor.name }) { graph.tensors.append(tensor) }
    return tensor.name
  }

  /// Appends an operation on named values and returns the name of its result.
  mutating func node(
    _ operation: String, _ inputs: [String], _ attributes: [String: ONNXGraph.Attribute] = [:]
  ) -> String {
    let equals = graph.nodes.count { $0.name.hasPrefix("\(layer)/\(operation)") }
    let name = "\(layer)/\(operation)" + (equals == 0 ? "" : "_\(equals)")
    graph.nodes.append(
      ONNXGraph.Node(name: name, operation: operation, inputs: inputs, outputs: [name], attributes: attributes))
    return name
  }

  /// Hands on the values to the next layer, in the form that `image` or `vector` last made of the input.
  mutating func put(_ values: String...) { self.values = values }

  mutating func put(_ values: [String]) { self.values = values }

  /// Appends an operation on each element, which keeps the form.
  mutating func apply(_ operation: String, _ attributes: [String: ONNXGraph.Attribute] = [:]) {
    put(node(operation, [values[0]], attributes))
  }

  // MARK: For the plan

  /// Each channel less its mean and over its deviation, or back again.
  mutating func apply(_ standardization: Standardization, isInverse: Bool, shape: ImageShape) {
    layer = isInverse ? "unstandardized" : "standardized"
    let extents = [shape.channels] + (shape.isVector ? [] : [1, 1])
    let (mean, deviation) = (standardization.mean, standardization.deviation)
    let constants = [("mean", mean), ("deviation", deviation)].map { name, values in
      add(ONNXGraph.Tensor(name: "\(layer)/\(name)", shape: extents, elements: .floats(values.map { Float($0) })))
    }
    let input = form(shape)
    if isInverse {
      put(node("Add", [node("Mul", [input, constants[1]]), constants[0]]))
    } else {
      put(node("Div", [node("Sub", [input, constants[0]]), constants[1]]))
    }
  }

  mutating func append(_ layers: some Sequence<any PlannedLayer>) throws(ModelError) {
    for planned in layers {
      layer = planned.name
      try planned.addNodes(to: &self)
      planned.activation.addNodes(to: &self)
    }
  }

  /// Keeps the first channels.
  mutating func takeChannels(_ count: Int, of shape: ImageShape) {
    layer = "mean"
    let range = [tensor("first", [0]), tensor("end", [count]), tensor("axis", [1])]
    put(node("Slice", [form(shape)] + range))
  }

  /// The graph with its values under the names of outputs.
  consuming func finished(_ outputs: [String], _ shape: ImageShape) -> ONNXGraph {
    layer = outputs[0]
    _ = form(shape)
    // A chain that does nothing would put out its input, which has a name of its own.
    if values[0] == graph.inputs[0].name { apply("Identity") }
    let names = Dictionary(uniqueKeysWithValues: zip(values, outputs))
    for i in graph.nodes.indices {
      graph.nodes[i].inputs = graph.nodes[i].inputs.map { names[$0] ?? $0 }
      graph.nodes[i].outputs = graph.nodes[i].outputs.map { names[$0] ?? $0 }
    }
    graph.outputs = outputs.map { ONNXGraph.Port($0, shape) }
    graph.prune()
    return graph
  }
}

/// What of an autoencoder a graph holds.
public enum ModelPart: String, Sendable, CaseIterable {
  /// From `image` to `code`, or to `mean` and `log_variance` of a variational model.
  case encoder
  /// From `code` to `reconstruction`, the expected image; where labels are the target, to `logits` or `prediction`.
  case decoder
  /// From `image` to the same, through the mean of a variational model.
  case autoencoder
}

extension ExecutionPlan {
  /// The forward half of a trained model without its noise.
  ///
  /// - Parameters:
  ///   - parameters: the flat vector.
  ///   - standardization: of the images that the model sees and puts out, which the graph takes and gives as they are.
  /// - Throws: `ModelError` that names a layer with no form in ONNX.
  public func onnxGraph(
    _ part: ModelPart, parameters: FloatBuffer, standardization: Standardization? = nil
  ) throws(ModelError) -> ONNXGraph {
    let code = boundaries[codeBoundary].shape
    let range =
      switch part {
      case .encoder: 0..<codeBoundary
      case .decoder: codeBoundary..<layers.count
      case .autoencoder: layers.indices
      }
    let input = part == .decoder ? ("code", code) : ("image", model.input)
    var builder = ONNXBuilder(
      name: "\(model.name) \(part.rawValue)", input: input.0, shape: input.1, parameters: parameters.pointer)
    if let standardization, part != .decoder {
      builder.apply(standardization, isInverse: false, shape: model.input)
    }
    try builder.append(layers[range])
    guard part != .encoder else {
      return builder.finished(model.isVariational ? ["mean", "log_variance"] : ["code"], code)
    }
    var output = boundaries[layers.count].shape
    if model.likelihood == .gaussian() {
      // Means lie in front of log-variances.
      builder.takeChannels(model.input.channels, of: output)
      output = model.input
    }
    model.likelihood.meanActivation.addNodes(to: &builder)
    if let standardization, model.likelihood.target == .image {
      builder.apply(standardization, isInverse: true, shape: model.input)
    }
    return builder.finished([model.likelihood.outputName], output)
  }
}
