/// An ONNX graph while layers append their nodes, and what each value of the plan is called there.
public struct ONNXBuilder {
  private var graph: ONNXGraph
  /// A value in the graph.
  private struct Form {
    /// The mean and the log-variance after a Gaussian latent, otherwise one.
    var names: [String]
    /// Whether they are N, C, H, W; else N, D.
    var areImages: Bool
  }
  /// The values of the plan that are in the graph, by their numbers.
  private var forms: [Int: Form] = [:]
  /// What the layer reads whose nodes are appended, or what it has put.
  private var form: Form
  /// The layer's name, its use, and the second value that it reads.
  private var layer = ""
  private var use: Use?
  private var skip: Form?
  private let parameters: UnsafePointer<Float>
  private let plan: ExecutionPlan

  init(name: String, input: String, value: Int, plan: ExecutionPlan, parameters: UnsafePointer<Float>) {
    let shape = plan.values[value].shape
    (graph, self.plan) = (ONNXGraph(name: name, inputs: [ONNXGraph.Port(input, shape)]), plan)
    (form, self.parameters) = (Form(names: [input], areImages: !shape.isVector), parameters)
  }

  /// What the layer reads, which then is the first; after `put` what it makes.
  var values: [String] { form.names }

  // MARK: For layers

  /// The input of the layer as images N, C, H, W.
  mutating func image(_ shape: ImageShape) -> String {
    form = asImages(form, shape, "shape")
    return values[0]
  }

  private mutating func asImages(_ form: Form, _ shape: ImageShape, _ name: String) -> Form {
    guard !form.areImages else { return form }
    // Zero keeps the extent of that axis.
    let extents = tensor(name, [0] + shape.channelsFirst)
    return Form(names: form.names.map { node("Reshape", [$0, extents]) }, areImages: true)
  }

  /// The input of the layer as vectors, of an image in the order C, H, W.
  mutating func vector() -> String {
    form = asVectors(form)
    return values[0]
  }

  private mutating func asVectors(_ form: Form) -> Form {
    guard form.areImages else { return form }
    return Form(names: form.names.map { node("Flatten", [$0], ["axis": .integer(1)]) }, areImages: false)
  }

  /// As vectors where the shape is one, and else as images.
  mutating func form(_ shape: ImageShape) -> String { shape.isVector ? vector() : image(shape) }

  /// The second value that the layer reads, as vectors where the shape is one, and else as images.
  mutating func skip(_ shape: ImageShape) -> String {
    guard let skip else { preconditionFailure("\(layer) reads two values") }
    return (shape.isVector ? asVectors(skip) : asImages(skip, shape, "skippedShape")).names[0]
  }

  /// The places of the maxima that a max-pooling found, nil where it is not in the graph.
  mutating func switches(of pool: String) -> String? {
    guard let i = graph.nodes.firstIndex(where: { $0.name == "\(pool)/MaxPool" }) else { return nil }
    let name = "\(pool)/switches"
    if !graph.nodes[i].outputs.contains(name) { graph.nodes[i].outputs.append(name) }
    return name
  }

  /// The name of the tensor of one of the layer's parameters.
  mutating func tensor(_ parameter: Parameter) -> String { tensor(parameter, of: use) }

  /// The name of the tensor of a parameter of the layer that lends its own.
  mutating func lentTensor(_ parameter: Parameter) -> String {
    tensor(parameter, of: use?.lender.map { plan.uses[$0] })
  }

  private mutating func tensor(_ parameter: Parameter, of use: Use?) -> String {
    let parameter = parameter.moved(by: use?.parameterOffset ?? 0)
    return add(
      ONNXGraph.Tensor(
        name: parameter.name, shape: parameter.shape, elements: .floats(parameter.tensor(in: parameters))))
  }

  /// The name of a tensor of the layer's own: a vector of integers.
  mutating func tensor(_ name: String, _ integers: [Int]) -> String {
    add(
      ONNXGraph.Tensor(
        name: "\(layer)/\(name)", shape: [integers.count], elements: .integers(integers.map { Int64($0) })))
  }

  /// The name of a tensor of the layer's own: floats, a vector unless a shape says otherwise.
  mutating func tensor(_ name: String, _ floats: [Float], shape: [Int]? = nil) -> String {
    add(ONNXGraph.Tensor(name: "\(layer)/\(name)", shape: shape ?? [floats.count], elements: .floats(floats)))
  }

  /// The name of a tensor of the layer's own: a number.
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
  mutating func put(_ values: String...) { form.names = values }

  mutating func put(_ values: [String]) { form.names = values }

  /// Appends an operation on each element, which keeps the form.
  mutating func apply(_ operation: String, _ attributes: [String: ONNXGraph.Attribute] = [:]) {
    put(node(operation, [values[0]], attributes))
  }

  /// Appends the nearest number of a range to each element.
  mutating func clip(_ range: ClosedRange<Float>) {
    put(node("Clip", [values[0], tensor("least", range.lowerBound), tensor("most", range.upperBound)]))
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

  mutating func append(_ uses: Range<Int>) throws(ModelError) {
    guard let first = plan.uses[uses].first else { return }
    forms[first.input] = form
    for use in plan.uses[uses] {
      guard let input = forms[use.input] else { preconditionFailure("a value is written before it is read") }
      (layer, self.use, form, skip) = (use.layer.name, use, input, use.skip.flatMap { forms[$0] })
      try use.layer.addNodes(to: &self)
      use.layer.activation.addNodes(to: &self)
      for output in use.outputs { forms[output] = form }
    }
    use = nil
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
    let range =
      switch part {
      case .encoder: encoder
      case .decoder: decoder
      case .autoencoder: uses.indices
      }
    if part == .decoder, let decodingRefusal { throw ModelError(model.name, decodingRefusal) }
    let input = part == .decoder ? ("code", code) : ("image", 0)
    var builder = ONNXBuilder(
      name: "\(model.name) \(part.rawValue)", input: input.0, value: input.1, plan: self,
      parameters: parameters.pointer)
    if let standardization, part != .decoder {
      builder.apply(standardization, isInverse: false, shape: model.input)
    }
    try builder.append(range)
    guard part != .encoder else {
      return builder.finished(model.isVariational ? ["mean", "log_variance"] : ["code"], values[code].shape)
    }
    let isImage = model.likelihood.target == .image
    model.likelihood.addMeanNodes(to: &builder, images: model.input, output: values[output].shape)
    if let standardization, isImage {
      builder.apply(standardization, isInverse: true, shape: model.input)
    }
    return builder.finished([model.likelihood.outputName], isImage ? model.input : values[output].shape)
  }
}
