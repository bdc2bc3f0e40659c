import HourglassKernels

/// Tells the layers behind it of which class each sample is: it concatenates what reaches it with a code e of the
/// sample's label l, the same at each position, along the channels. In the encoder and behind the code of a variational
/// autoencoder it makes a conditional one.
///
///     y = [x | e],   H x W x (C + K), e[k] = 1 where k = l and else 0
///     y = [x | e],   H x W x (C + E), e = w[l], with `embedding` E: `weight` w, K x E, as in PyTorch's nn.Embedding
///
/// A vector has one position. Labels go by the names of classes, as a classifier's do.
///
/// Source: Sohn, Lee & Yan, "Learning structured output representation using deep conditional generative models",
/// NIPS 2015.
public struct Condition: Layer, Hashable {
  /// K, the number of classes.
  public var classes: Int
  /// E, the numbers that are learned of each class; nil for a one-hot code, 1 for the class and 0 for the others.
  public var embedding: Int?

  /// A condition on classes: N x H x W x C in, N x H x W x (C + K) or (C + E) out.
  public init(classes: Int, embedding: Int? = nil) { (self.classes, self.embedding) = (classes, embedding) }

  /// More classes, or numbers of each, would be a slip of the hand.
  private static let most = 1 << 16

  public func plan(_ planner: inout Planner) throws(ModelError) {
    guard (1...Self.most).contains(classes) else {
      throw ModelError(planner.name, "wanted 1 to \(Self.most) classes, found \(classes)")
    }
    if let embedding, !(1...Self.most).contains(embedding) {
      throw ModelError(planner.name, "wanted an embedding of 1 to \(Self.most) numbers, found \(embedding)")
    }
    let shape = planner.shape
    let output = ImageShape(shape.height, shape.width, shape.channels + (embedding ?? classes))
    try planner.check(output)
    try planner.append(
      PlannedCondition(
        name: planner.name, input: shape, output: output, inputActivation: planner.activation, classes: classes,
        isLearned: embedding != nil,
        // A group may hold several shards, whose gradients are sums of their own.
        granularity: embedding == nil ? planner.granularity : .chunk))
  }
}

extension Autoencoder {
  /// The number of classes of which layers are told each sample's, of a model with a `Condition`; nil for another.
  public var conditionClasses: Int? { conditions.first?.classes }

  private var conditions: [Condition] {
    var found: [Condition] = []
    _ = mapped { layer, _ in
      if let condition = layer as? Condition { found.append(condition) }
      return layer
    }
    return found
  }

  /// Refuses conditions on different classes, and those that tell a model the label that it is to put out.
  func checkConditions() throws(ModelError) {
    guard let classes = conditionClasses else { return }
    if let other = conditions.first(where: { $0.classes != classes }) {
      throw ModelError(
        name, "wanted the same number of classes in every Condition, found \(classes) and \(other.classes)")
    }
    guard likelihood.target == .image else {
      throw ModelError(
        "likelihood",
        "wanted one of images beside a Condition, which tells the layers the label, found \(likelihood.name)")
    }
  }
}

struct PlannedCondition: PlannedLayer {
  let name: String
  let input: ImageShape
  let output: ImageShape
  let inputActivation: Activation
  let classes: Int
  /// Whether the codes are parameters.
  let isLearned: Bool
  let granularity: Granularity

  var kind: String { Condition.kind }
  var activation: Activation { .linear }

  /// E, or K of a one-hot code.
  private var width: Int { output.channels - input.channels }
  private var positions: Int { output.height * output.width }

  var parameterCount: Int { isLearned ? classes * width : 0 }
  var parameters: [Parameter] {
    guard isLearned else { return [] }
    return [
      Parameter(
        name: "\(name).weight", shape: [classes, width], fanIn: classes, fanOut: width, offset: 0,
        axes: [Parameter.Axis(classes, stride: width), Parameter.Axis(width, stride: 1)], initializer: .normal(1))
    ]
  }

  /// The codes at all positions, and likewise their errors.
  func scratchCount(samples: Int, threads: Int) -> Int { samples * positions * width }

  func reads(_ use: Use) -> [Read] { use.gatingReads(inputActivation) }

  func forward(_ pass: Pass) {
    guard let labels = pass.labels else { return }
    for n in 0..<pass.samples {
      let (first, label) = (pass.scratch + n * positions * width, Int(labels[n]))
      if isLearned {
        first.update(from: pass.parameters + label * width, count: width)
      } else {
        first.update(repeating: 0, count: width)
        first[label] = 1
      }
      for m in 1..<max(1, positions) { (first + m * width).update(from: first, count: width) }
    }
    pass.withParallel {
      checked(
        hg_concat_forward(pass.samples * positions, input.channels, width, pass.x, pass.scratch, pass.y, $0))
    }
  }

  func backward(_ pass: Pass) {
    guard let dy = pass.dy else { return }
    let errors = isLearned ? pass.scratch : nil
    if pass.dx != nil || errors != nil {
      pass.withParallel {
        checked(hg_concat_backward(pass.samples * positions, input.channels, width, dy, pass.dx, errors, $0))
      }
    }
    pass.applyInputDerivative(count: input.count)
    guard let errors, let labels = pass.labels, let gradients = pass.gradients else { return }
    if !pass.accumulate { gradients.update(repeating: 0, count: parameterCount) }
    for n in 0..<pass.samples {
      let row = gradients + Int(labels[n]) * width
      for m in n * positions..<(n + 1) * positions {
        for e in 0..<width { row[e] += errors[m * width + e] }
      }
    }
  }

  func addNodes(to graph: inout ONNXBuilder) {
    let (x, label) = (graph.form(input), graph.label())
    var code =
      isLearned
      ? graph.node("Gather", [graph.tensor(parameters[0]), label])
      : graph.node("OneHot", [label, graph.tensor("classes", [classes]), graph.tensor("values", [Float(0), 1])])
    if !input.isVector {
      let planes = graph.node("Unsqueeze", [code, graph.tensor("axes", [2, 3])])
      code = graph.node("Expand", [planes, graph.tensor("extents", [1, width, input.height, input.width])])
    }
    graph.put(graph.node("Concat", [x, code], ["axis": .integer(1)]))
  }
}
