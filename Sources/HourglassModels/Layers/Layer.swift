/// One item of an encoder, a latent or a decoder as a person writes it: a small Codable value.
///
/// Its counterpart that runs is a `PlannedLayer`; `plan` leads from one to the other. A new layer is one file with
/// both, and one line in `LayerCatalog`.
public protocol Layer: Codable, Sendable {
  /// The name of the layer in files and in tables; that of the type where it says nothing.
  static var kind: String { get }
  /// Appends what runs to the plan, or says why this layer cannot follow what is planned so far.
  func plan(_ planner: inout Planner) throws(ModelError)
}

extension Layer {
  public static var kind: String { String(describing: Self.self) }
}

/// A layer with its geometry fixed: what runs. Its memory is the plan's business; every call gets a `Pass`.
public protocol PlannedLayer: Sendable {
  /// `encoder.0`, as in files.
  var name: String { get }
  var kind: String { get }
  var input: ImageShape { get }
  var output: ImageShape { get }
  /// The activation that makes the output; whoever computes the error of the output applies its derivative.
  var activation: Activation { get }

  /// How samples reach the layer: a few at a time, so that they stay in cache, or as many as there are.
  var granularity: Granularity { get }
  /// Floats of parameters.
  var parameterCount: Int { get }
  /// The parameters under the names, shapes and order of PyTorch, with their places counted from the layer's first.
  var parameters: [Parameter] { get }
  /// Multiply-adds of one forward pass of one sample, padding counted.
  var multiplyAdds: Int { get }

  /// What the layer reads of values, errors and other layers, and when.
  func reads(_ use: Use) -> [Read]
  /// What the second phase of a step does for the layer's parameters.
  func work(_ use: Use) -> [Work]
  /// Arrays that the layer writes in the place of others, by what they are: the others are not needed any more.
  func inPlace(_ use: Use) -> [Read.Source: Read.Source]

  /// Whether the layer writes a term of each sample's loss to `Pass.term`.
  var notesTerm: Bool { get }
  /// Floats that the layer keeps from forward to backward for each sample, beside its input and output.
  var stateCount: Int { get }
  /// Samples that a shard must have at least, of a layer that takes whole shards; nil where samples do not meet.
  var leastShard: Int? { get }
  /// Floats of weights brought into the order the passes read, once per step.
  var preparedCount: Int { get }
  /// Floats of scratch that a pass over `samples` needs with `threads` threads.
  func scratchCount(samples: Int, threads: Int) -> Int

  /// Brings the weights at `pass.parameters` into the order that `forward` and `backward` read.
  func prepare(_ pass: Pass)
  /// `pass.y` from `pass.x`.
  func forward(_ pass: Pass)
  /// The gradients of parameters that are summed shard by shard from `pass.x` and `pass.dy`; before `backward`.
  func backwardParameters(_ pass: Pass)
  /// `pass.dx` from `pass.dy`, where somebody wants it; of a layer without `backwardParameters` the gradients as well.
  func backward(_ pass: Pass)

  /// Whether the derivative of the layer in one direction can be followed: `forwardTangent` and `addTangentGradient`.
  var followsTangents: Bool { get }
  /// Whether the layer is a function of the tangent of its input.
  var wantsTangents: Bool { get }
  /// `pass.y = W pass.x`: the derivative of the layer at the values that went forward last, without its activation.
  /// The pass has tangents in the place of values and their errors in that of errors.
  ///
  /// The transposed derivative is `backward`, behind a linear input.
  func forwardTangent(_ pass: Pass)
  /// Adds the term of the tangents `pass.x` and their errors `pass.dy` to the gradients that `backwardParameters` has
  /// begun.
  func addTangentGradient(_ pass: Pass)

  /// Appends what `forward` does without noise and activation to an ONNX graph, or says why that cannot be.
  func addNodes(to graph: inout ONNXBuilder) throws(ModelError)
}

extension PlannedLayer {
  public var notesTerm: Bool { false }
  public var stateCount: Int { 0 }
  public var leastShard: Int? { nil }
  public var preparedCount: Int { 0 }
  public var multiplyAdds: Int { 0 }
  public var parameterCount: Int { 0 }
  public var parameters: [Parameter] { [] }
  public var followsTangents: Bool { false }
  public var wantsTangents: Bool { false }

  public func reads(_ use: Use) -> [Read] { use.standardReads }
  /// All parameters shard by shard.
  public func work(_ use: Use) -> [Work] { parameterCount == 0 ? [] : [.shardSum(0..<parameterCount)] }
  public func inPlace(_ use: Use) -> [Read.Source: Read.Source] { [:] }
  public func scratchCount(samples: Int, threads: Int) -> Int { 0 }
  public func prepare(_ pass: Pass) {}
  public func backwardParameters(_ pass: Pass) {}
  public func forwardTangent(_ pass: Pass) { preconditionFailure("\(kind) does not follow tangents") }
  public func addTangentGradient(_ pass: Pass) {}

  public func addNodes(to graph: inout ONNXBuilder) throws(ModelError) {
    throw ModelError(name, "a \(kind) layer has no form in ONNX here; --format safetensors or npy writes its weights")
  }
}

/// How many samples a layer takes at once. It changes speed, never numbers.
public enum Granularity: Sendable {
  /// A chunk of a shard, so that images stay in the second-level cache.
  case chunk
  /// All samples a replica holds, so that a large matrix is read seldom.
  case group
}
