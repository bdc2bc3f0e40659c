/// One item of an encoder, a latent or a decoder as a person writes it: a small Codable value.
///
/// Its counterpart that runs is a `PlannedLayer`; `plan` leads from one to the other. A new layer is one file with
/// both, and one line in `LayerCatalog`.
public protocol Layer: Codable, Sendable {
  /// Appends what runs to the plan, or says why this layer cannot follow what is planned so far.
  func plan(_ planner: inout Planner) throws(ModelError)
}

extension Layer {
  /// The name of the layer in JSON and in tables.
  public static var kind: String { String(describing: Self.self) }
}

/// A layer with its geometry fixed: what runs. Its memory is the plan's business; every call gets a `Pass`.
public protocol PlannedLayer: Sendable {
  /// `encoder.0`, as in files.
  var name: String { get }
  var kind: String { get }
  var input: ImageShape { get }
  var output: ImageShape { get }
  /// The activation that made `output`; its derivative is applied by whoever computes the error of `output`.
  var activation: Activation { get }

  /// How samples reach the layer: a few at a time, so that they stay in cache, or as many as there are.
  var granularity: Granularity { get }
  /// How the gradients of the parameters come about.
  var gradient: GradientKind { get }
  /// Floats of parameters, and where they begin in the flat vector; set by the planner.
  var parameterCount: Int { get }
  var parameterOffset: Int { get set }
  /// The parameters under the names, shapes and order of PyTorch.
  var parameters: [Parameter] { get }
  /// Multiply-adds of one forward pass of one sample, padding counted.
  var multiplyAdds: Int { get }

  /// Floats that the layer keeps from forward to backward for each sample, beside its input and output, and where.
  var stateCount: Int { get }
  var stateMemory: Place.Memory { get }
  /// The layer before it, by its place in the chain, whose state its passes see as well; nil for none.
  var partner: Int? { get }
  /// Samples that a shard must have at least, of a layer that takes whole shards; nil where samples do not meet.
  var leastShard: Int? { get }
  /// Whether `backward` reads `pass.x` and `pass.y`.
  var backwardReadsInput: Bool { get }
  var backwardReadsOutput: Bool { get }
  /// Floats of weights brought into the order the passes read, once per step.
  var preparedCount: Int { get }
  /// Floats of scratch that a pass over `samples` needs with `threads` threads.
  func scratchCount(samples: Int, threads: Int) -> Int

  /// Brings the weights at `pass.parameters` into the order that `forward` and `backward` read.
  func prepare(_ pass: Pass)
  /// `pass.y` from `pass.x`.
  func forward(_ pass: Pass)
  /// The gradients of sharded parameters from `pass.x` and `pass.dy`; before `backward`.
  func backwardParameters(_ pass: Pass)
  /// `pass.dx` from `pass.dy`; called only where somebody wants it.
  func backward(_ pass: Pass)

  /// Appends what `forward` does without noise and activation to an ONNX graph, or says why that cannot be.
  func addNodes(to graph: inout ONNXBuilder) throws(ModelError)
}

extension PlannedLayer {
  public var stateCount: Int { 0 }
  public var stateMemory: Place.Memory { .group }
  public var partner: Int? { nil }
  public var leastShard: Int? { nil }
  public var backwardReadsInput: Bool { true }
  public var backwardReadsOutput: Bool { false }
  public var preparedCount: Int { 0 }
  public var multiplyAdds: Int { 0 }
  public var parameterCount: Int { 0 }
  public var parameters: [Parameter] { [] }
  public func scratchCount(samples: Int, threads: Int) -> Int { 0 }
  public func prepare(_ pass: Pass) {}
  public func backwardParameters(_ pass: Pass) {}

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

/// How the gradient of a layer's parameters is summed over the samples of a minibatch.
public enum GradientKind: Sendable {
  /// No parameters.
  case none
  /// One sum per shard during the backward pass, the shards added in order afterwards.
  case sharded
  /// One product over the whole minibatch after the backward pass (dense layers, which hold most parameters).
  case product
}
