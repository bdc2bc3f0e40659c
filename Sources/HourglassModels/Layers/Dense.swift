import HourglassKernels

/// Fully connected layer with bias and activation:  y[n,o] = a(b[o] + sum over i of x[n,i] w[i,o]).
///
/// An image at the input is read as a vector; `Reshape` makes an image of the output.
public struct Dense: Layer, Hashable {
  /// The number of outputs, O.
  public var units: Int
  /// The activation a of the output.
  public var activation: Activation

  /// Whether there is a bias b.
  public var bias: Bool
  /// What the weight starts from; nil for what the recipe says of the whole model.
  public var initializer: Initializer?

  /// A dense layer with O = `units` outputs: N x I in, N x O out.
  public init(
    _ units: Int, activation: Activation = .linear, bias: Bool = true, initializer: Initializer? = nil
  ) {
    (self.units, self.activation, self.bias, self.initializer) = (units, activation, bias, initializer)
  }

  public init(from decoder: any Decoder) throws {
    let fields = try decoder.container(keyedBy: CodingKeys.self)
    units = try fields.decode(Int.self, forKey: .units)
    activation = try fields.decode(.activation, or: .linear)
    bias = try fields.decode(.bias, or: true)
    initializer = try fields.decodeIfPresent(Initializer.self, forKey: .initializer)
  }

  public func encode(to encoder: any Encoder) throws {
    var fields = encoder.container(keyedBy: CodingKeys.self)
    try fields.encode(units, forKey: .units)
    try fields.encode(activation, forKey: .activation)
    try fields.encode(bias, .bias, unless: true)
    try fields.encodeIfPresent(initializer, forKey: .initializer)
  }

  private enum CodingKeys: String, CodingKey { case units, activation, bias, initializer }

  public func plan(_ planner: inout Planner) throws(ModelError) {
    try planner.check(units, "unit")
    let (name, input) = (planner.name, planner.shape)
    try planner.append(activation) { activation throws(ModelError) in
      PlannedDense(
        name: name, input: input, output: ImageShape(vector: units), activation: activation, hasBias: bias,
        initializer: initializer)
    }
  }
}

/// A dense layer, or several that read the same input, side by side in one matrix (the heads of a Gaussian latent).
///
/// Tied to another dense layer it reads that layer's weight transposed and has a bias alone; the gradient of the shared
/// weight is then the sum of both uses.
public struct PlannedDense: PlannedLayer {
  public let name: String
  public let input: ImageShape
  /// A vector, or the image that a following `Reshape` made of it.
  public internal(set) var output: ImageShape
  public let activation: Activation
  /// Names of the parts of the output in files, of equal size; [""] for one.
  let heads: [String]
  /// The dense layer that lends its weight; nil where the weight is the layer's own.
  let lender: Lender?
  let hasBias: Bool
  let initializer: Initializer?

  init(
    name: String, input: ImageShape, output: ImageShape, activation: Activation, heads: [String] = [""],
    lender: Lender? = nil, hasBias: Bool = true, initializer: Initializer? = nil
  ) {
    (self.name, self.input, self.output) = (name, input, output)
    (self.activation, self.heads, self.lender) = (activation, heads, lender)
    (self.hasBias, self.initializer) = (hasBias, initializer)
  }

  public var kind: String { lender == nil ? Dense.kind : TiedDense.kind }
  public var granularity: Granularity { .group }
  public var followsTangents: Bool { true }
  public var parameterCount: Int { hasBias ? biasOffset + output.count : input.count * output.count }
  public var multiplyAdds: Int { input.count * output.count }
  /// Where the bias begins, counted from the layer's own parameters.
  var biasOffset: Int { lender == nil ? Planner.aligned(input.count * output.count) : 0 }
  /// The transposed weight of the layer that this one is tied to.
  public var preparedCount: Int { lender == nil ? 0 : Planner.aligned(input.count * output.count) }

  public var parameters: [Parameter] {
    let (inputs, outputs) = (input.count, output.count)
    let inputAxes = input.channelsFirstAxes(stride: outputs)
    let outputAxes =
      heads.count == 1 ? output.channelsFirstAxes(stride: 1) : [Parameter.Axis(outputs / heads.count, stride: 1)]
    return heads.enumerated().flatMap { index, head in
      let name = head.isEmpty ? name : "\(name).\(head)"
      let units = outputs / heads.count
      let first = index * units
      let bias = Parameter(
        bias: "\(name).bias", count: units, fanIn: inputs, offset: first + biasOffset, axes: outputAxes,
        initializer: initializer)
      guard lender == nil else { return [bias] }
      let weight = Parameter(
        name: "\(name).weight", shape: [units, inputs], fanIn: inputs, fanOut: units, offset: first,
        axes: outputAxes + inputAxes, initializer: initializer)
      return hasBias ? [weight, bias] : [weight]
    }
  }

  private func geometry(samples: Int) -> hg_dense {
    hg_dense(size: MemoryLayout<hg_dense>.size, samples: samples, inputs: input.count, outputs: output.count)
  }

  public func scratchCount(samples: Int, threads: Int) -> Int {
    var geometry = geometry(samples: samples)
    var parallel = Planner.parallel(threads: threads)
    return max(
      hg_dense_forward_scratch(&geometry, &parallel), hg_dense_backward_data_scratch(&geometry, &parallel),
      hg_dense_backward_weight_scratch(&geometry, &parallel), output.count)
  }

  public func reads(_ use: Use) -> [Read] {
    use.standardReads + (lender.map { [Read(.weight($0.value), [.forward])] } ?? [])
  }

  /// The gradients of weight and bias are sums over the minibatch:  dw = x^T dy,  db = sum of dy. A borrowed weight has
  /// the other layer's shape, so that its gradient is dy^T x.
  public func work(_ use: Use) -> [Work] {
    let (x, dy) = (Read.Source.values(use.input), Read.Source.error(use.output))
    let bias = Product(rows: 1, columns: output.count, offset: biasOffset, terms: [.bias(dy: dy)])
    let weight = Product(rows: input.count, columns: output.count, offset: 0, terms: [.outer(x: x, dy: dy)])
    return [lender == nil ? .product(weight) : .lent([.outer(x: dy, dy: x)])] + (hasBias ? [.product(bias)] : [])
  }

  public func prepare(_ pass: Pass) {
    guard let weight = pass.lentParameters else { return }
    pass.withParallel { checked(hg_transpose(output.count, input.count, weight, pass.prepared, $0)) }
  }

  private func weight(_ pass: Pass) -> UnsafeMutablePointer<Float> {
    lender == nil ? pass.parameters : pass.prepared
  }

  public func forward(_ pass: Pass) {
    forward(pass, bias: hasBias ? pass.parameters + biasOffset : nil, activation)
  }

  public func forwardTangent(_ pass: Pass) { forward(pass, bias: nil, .linear) }

  private func forward(_ pass: Pass, bias: UnsafePointer<Float>?, _ activation: Activation) {
    var geometry = geometry(samples: pass.samples)
    pass.withParallel {
      checked(
        hg_dense_forward(
          &geometry, pass.x, weight(pass), bias, activation.kernel, pass.y, pass.scratch, $0))
    }
  }

  public func backward(_ pass: Pass) {
    guard let dy = pass.dy, let dx = pass.dx else { return }
    var geometry = geometry(samples: pass.samples)
    pass.withParallel {
      checked(
        hg_dense_backward_data(
          &geometry, dy, weight(pass), pass.inputActivation.kernel, pass.x, dx, pass.scratch, $0))
    }
  }

  public func addNodes(to graph: inout ONNXBuilder) {
    let (x, tensors) = (graph.vector(), parameters.map { graph.tensor($0) })
    if let lender {
      return graph.put(graph.node("Gemm", [x, graph.lentTensor(weight(of: lender)), tensors[0]]))
    }
    let each = tensors.count / heads.count
    graph.put(
      heads.indices.map { head in
        graph.node("Gemm", [x] + tensors[each * head..<each * (head + 1)], ["transB": .integer(1)])
      })
  }

  /// The weight of the layer that this one is tied to, as that layer has it.
  private func weight(of lender: Lender) -> Parameter {
    Parameter(
      name: "\(lender.name).weight", shape: [input.count, output.count], fanIn: output.count, fanOut: input.count,
      offset: 0,
      axes: input.channelsFirstAxes(stride: 1) + output.channelsFirstAxes(stride: input.count))
  }
}
