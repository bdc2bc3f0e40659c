import HourglassKernels

/// What a layer meets while a model is planned: its name, the value that reaches it, and a place to put what runs.
public struct Planner {
  /// `encoder.0` and so on; the name of the item being planned.
  public internal(set) var name: String
  /// What runs, in order.
  public private(set) var uses: [Use] = []
  private(set) var values: [Value]
  /// The number of the value that reaches the next layer.
  private(set) var value = 0
  /// Layers appended so far, which tells the random numbers of one layer from those of others.
  private(set) var count = 0
  private var parameterCount = 0
  private var outputCount = 0

  /// The shape that reaches the next layer, and the activation that made it.
  public var shape: ImageShape { values[value].shape }
  var activation: Activation { values[value].activation }
  /// The layer that makes what reaches the next one; nil for the image.
  var before: (any PlannedLayer)? { writer(of: value).map { uses[$0].layer } }
  /// The granularity of the layer before, for a layer that is to cut no segment in two.
  var granularity: Granularity { before?.granularity ?? .chunk }

  init(name: String, input: ImageShape) throws(ModelError) {
    (self.name, values) = (name, [Value(input, .linear)])
    try check(input)
  }

  /// What a layer further on calls the image as it enters the chain.
  static let imageName = "image"
  /// The name of the one item that is the latent.
  static let latentName = "latent"

  /// Appends a layer that reads the value at hand, and where branches meet a second one.
  mutating func append(_ layer: some PlannedLayer, and skip: Int? = nil) throws(ModelError) {
    guard layer.output.count <= Self.mostElements else {
      throw ModelError(name, "wanted at most \(Self.mostElements) outputs a sample, found \(layer.output.count)")
    }
    outputCount += layer.output.count
    guard outputCount <= Self.mostElements else {
      throw ModelError(
        name, "wanted at most \(Self.mostElements) outputs a sample of all layers, found \(outputCount) with this layer"
      )
    }
    parameterCount += layer.parameterCount
    guard parameterCount <= Self.mostElements else {
      throw ModelError(
        name, "wanted at most \(Self.mostElements) parameters in all, found \(parameterCount) with this layer")
    }
    values.append(Value(layer.output, layer.activation))
    uses.append(Use(layer: layer, input: value, skip: skip, output: values.count - 1, branch: nil))
    value = values.count - 1
    count += 1
  }

  /// Appends the layers of a list inside a block: `encoder.1.0` and so on.
  mutating func append(_ layers: [any Layer], within block: String) throws(ModelError) {
    for (i, layer) in layers.enumerated() {
      name = "\(block).\(i)"
      try layer.plan(&self)
    }
    name = block
  }

  /// Lets a second layer read a value: the one at hand, the image, or what the layer called `name` puts out last. Who
  /// was to read it reads the first output of a `Fork` instead. Answers the number of the second; nil where there is no
  /// such layer.
  mutating func fork(behind name: String? = nil) -> Int? {
    if name == Self.imageName { return fork(0, behind: -1, name: Self.imageName) }
    guard let place = name.map({ name in uses.lastIndex { $0.layer.name == name } }) ?? uses.count - 1 else {
      return nil
    }
    return fork(name == nil ? value : uses[place].output, behind: place, name: name ?? self.name)
  }

  /// Lets a second layer read what a Gaussian latent draws from, means and log-variances, and answers the number of it;
  /// nil where there is no such latent.
  mutating func forkPosterior() -> Int? {
    guard let latent = uses.firstIndex(where: { $0.layer is PlannedGaussianLatent }) else { return nil }
    return fork(uses[latent].input, behind: latent - 1, name: name)
  }

  private mutating func fork(_ source: Int, behind place: Int, name: String) -> Int {
    let (main, branch) = (values.count, values.count + 1)
    let shape = values[source].shape
    let fork = PlannedFork(
      name: name, shape: shape, inputActivation: values[source].activation,
      granularity: writer(of: source).map { uses[$0].layer.granularity } ?? .chunk)
    values += [Value(shape, .linear), Value(shape, .linear)]
    for i in uses.indices {
      if uses[i].input == source { uses[i].input = main }
      if uses[i].skip == source { uses[i].skip = main }
    }
    uses.insert(Use(layer: fork, input: source, skip: nil, output: main, branch: branch), at: place + 1)
    if value == source { value = main }
    return branch
  }

  /// Follows another value than the one at hand, and answers the value that it leads to.
  mutating func branch(
    from start: Int, _ body: (inout Planner) throws(ModelError) -> Void
  ) throws(ModelError) -> Int {
    let main = value
    value = start
    try body(&self)
    defer { value = main }
    return value
  }

  /// The place among the uses of the one that writes a value; nil for the image.
  func writer(of value: Int) -> Int? { uses.firstIndex { $0.outputs.contains(value) } }

  /// Puts another layer with the same output in the place of the last.
  mutating func replaceLast(with layer: some PlannedLayer) {
    uses[uses.count - 1].layer = layer
    values[value] = Value(layer.output, layer.activation)
  }

  /// Bounds that keep every product of extents within 64 bits; no real model comes near them.
  private static let mostUnits = 1 << 24
  static let mostExtent = 1 << 16
  private static let mostElements = 1 << 31

  /// Refuses a count of filters or units that is not positive, or absurd.
  func check(_ count: Int, _ what: String) throws(ModelError) {
    guard (1...Self.mostUnits).contains(count) else {
      throw ModelError(name, "wanted 1 to \(Self.mostUnits) \(what)s, found \(count)")
    }
  }

  /// Refuses an amount of padding that is negative, or absurd.
  static func check(_ pads: Int..., at name: String) throws(ModelError) {
    for pad in pads where !(0...mostExtent).contains(pad) {
      throw ModelError(name, "wanted a padding of 0 to \(mostExtent), found \(pad)")
    }
  }

  func check(_ shape: ImageShape) throws(ModelError) {
    let extents = [shape.height, shape.width, shape.channels]
    guard extents.allSatisfy({ $0 >= 1 }), shape.height <= Self.mostExtent, shape.width <= Self.mostExtent,
      shape.channels <= Self.mostUnits, shape.count <= Self.mostElements
    else {
      throw ModelError(
        name,
        "wanted height and width of 1 to \(Self.mostExtent), 1 to \(Self.mostUnits) channels and at most "
          + "\(Self.mostElements) elements, found " + extents.map(String.init).joined(separator: " x "))
    }
  }

  /// A count of floats rounded up to 64 bytes, so that arrays placed one after the other stay aligned.
  static func aligned(_ count: Int) -> Int { (count + 15) & ~15 }

  /// OpenMP threads for a kernel.
  package static func parallel(threads: Int) -> hg_parallel {
    hg_parallel(size: MemoryLayout<hg_parallel>.size, threads: threads, parallel_for: nil, context: nil)
  }
}
