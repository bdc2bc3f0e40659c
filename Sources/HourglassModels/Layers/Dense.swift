import HourglassKernels

/// Fully connected layer with bias and activation:  y[n,o] = a(b[o] + sum over i of x[n,i] w[i,o]).
///
/// An image at the input is read as a vector; `Reshape` makes an image of the output.
public struct Dense: Layer, Hashable {
  public var units: Int
  public var activation: Activation

  public init(_ units: Int, activation: Activation = .linear) {
    (self.units, self.activation) = (units, activation)
  }

  public init(from decoder: any Decoder) throws {
    let fields = try decoder.container(keyedBy: CodingKeys.self)
    units = try fields.decode(Int.self, forKey: .units)
    activation = try fields.decodeIfPresent(Activation.self, forKey: .activation) ?? .linear
  }

  public func plan(_ planner: inout Planner) throws(ModelError) {
    try planner.check(units, "unit")
    try planner.append(
      PlannedDense(
        name: planner.name, input: planner.shape, output: ImageShape(vector: units), activation: activation))
  }
}

/// A dense layer, or several that read the same input, side by side in one matrix (the heads of a Gaussian latent).
///
/// Tied to another dense layer it reads that layer's weight transposed and has a bias alone; the gradient of the shared
/// weight is then the sum of both uses.
public struct PlannedDense: TiedLayer, LinearizedLayer {
  public let name: String
  public let input: ImageShape
  /// A vector, or the image that a following `Reshape` made of it.
  public internal(set) var output: ImageShape
  public let activation: Activation
  /// Names of the parts of the output in files, of equal size; [""] for one.
  let heads: [String]
  public var parameterOffset = 0
  public var tie: Tie?

  init(
    name: String, input: ImageShape, output: ImageShape, activation: Activation, heads: [String] = [""],
    tie: Tie? = nil
  ) {
    (self.name, self.input, self.output) = (name, input, output)
    (self.activation, self.heads, self.tie) = (activation, heads, tie)
  }

  public var kind: String { tie == nil ? Dense.kind : TiedDense.kind }
  public var granularity: Granularity { .group }
  public var gradient: GradientKind { .product }
  public var parameterCount: Int { biasOffset + output.count }
  public var multiplyAdds: Int { input.count * output.count }
  /// Where the bias begins, counted from the layer's own parameters.
  var biasOffset: Int { tie == nil ? Planner.aligned(input.count * output.count) : 0 }
  /// The transposed weight of the layer that this one is tied to.
  public var preparedCount: Int { tie == nil ? 0 : Planner.aligned(input.count * output.count) }

  public var parameters: [Parameter] {
    let (inputs, outputs) = (input.count, output.count)
    let inputAxes = input.channelsFirstAxes(stride: outputs)
    let outputAxes =
      heads.count == 1 ? output.channelsFirstAxes(stride: 1) : [Parameter.Axis(outputs / heads.count, stride: 1)]
    return heads.enumerated().flatMap { index, head in
      let name = head.isEmpty ? name : "\(name).\(head)"
      let units = outputs / heads.count
      let first = parameterOffset + index * units
      let bias = Parameter(
        name: "\(name).bias", shape: [units], fanIn: inputs, offset: first + biasOffset, axes: outputAxes)
      guard tie == nil else { return [bias] }
      let weight = Parameter(
        name: "\(name).weight", shape: [units, inputs], fanIn: inputs, offset: first, axes: outputAxes + inputAxes)
      return [weight, bias]
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

  public func prepare(_ pass: Pass) {
    guard let tie else { return }
    pass.withParallel {
      checked(hg_transpose(output.count, input.count, pass.parameters + tie.offset, pass.prepared, $0))
    }
  }

  private func weight(_ pass: Pass) -> UnsafeMutablePointer<Float> {
    tie == nil ? pass.parameters + parameterOffset : pass.prepared
  }

  public func forward(_ pass: Pass) {
    forward(pass, bias: pass.parameters + parameterOffset + biasOffset, activation)
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
    if let tie {
      return graph.put(graph.node("Gemm", [x, graph.tensor(weight(of: tie)), tensors[0]]))
    }
    graph.put(
      heads.indices.map { head in
        graph.node("Gemm", [x, tensors[2 * head], tensors[2 * head + 1]], ["transB": .integer(1)])
      })
  }

  /// The weight of the layer that this one is tied to, as that layer has it.
  private func weight(of tie: Tie) -> Parameter {
    Parameter(
      name: "\(tie.name).weight", shape: [input.count, output.count], fanIn: output.count, offset: tie.offset,
      axes: input.channelsFirstAxes(stride: 1) + output.channelsFirstAxes(stride: input.count))
  }

  /// Rows of the weight gradient, summed over a whole minibatch in the order of its samples.
  ///
  /// - Parameters:
  ///   - x, dy: input and error of the output of all `samples`.
  ///   - accumulate: whether the sum goes on from what is there.
  ///   - gradient: the flat vector of gradients.
  public func weightGradient(
    rows: Range<Int>, samples: Int, x: UnsafePointer<Float>, dy: UnsafePointer<Float>, accumulate: Bool,
    gradient: UnsafeMutablePointer<Float>, scratch: UnsafeMutablePointer<Float>, threads: Int
  ) {
    var geometry = geometry(samples: samples)
    var parallel = Planner.parallel(threads: threads)
    checked(
      hg_dense_backward_weight(
        &geometry, rows.lowerBound, rows.upperBound, x, dy, accumulate, gradient + parameterOffset, scratch, &parallel))
  }

  /// Adds factor w[i,o] sum over n of squares[n,o] to rows of the weight gradient.
  public func addContraction(
    rows: Range<Int>, samples: Int, squares: UnsafePointer<Float>, factor: Float,
    parameters: UnsafePointer<Float>, gradient: UnsafeMutablePointer<Float>, scratch sums: UnsafeMutablePointer<Float>
  ) {
    var geometry = geometry(samples: samples)
    checked(hg_dense_backward_bias(&geometry, squares, false, sums))
    for row in rows {
      let (w, dw) = (parameters + parameterOffset + row * output.count, gradient + parameterOffset + row * output.count)
      for o in 0..<output.count { dw[o] += factor * sums[o] * w[o] }
    }
  }

  /// The bias gradient, likewise.
  public func biasGradient(
    samples: Int, dy: UnsafePointer<Float>, accumulate: Bool, gradient: UnsafeMutablePointer<Float>
  ) {
    var geometry = geometry(samples: samples)
    checked(hg_dense_backward_bias(&geometry, dy, accumulate, gradient + parameterOffset + biasOffset))
  }

  /// The rows of the weight as a range of the flat vector.
  public func weightRange(rows: Range<Int>) -> Range<Int> {
    parameterOffset + rows.lowerBound * output.count..<parameterOffset + rows.upperBound * output.count
  }

  /// The bias as a range of the flat vector.
  public var biasRange: Range<Int> { parameterOffset + biasOffset..<parameterOffset + biasOffset + output.count }
}
