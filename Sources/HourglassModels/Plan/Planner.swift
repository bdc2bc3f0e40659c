import HourglassKernels

/// What a layer meets while the chain is planned: its name, the shape that reaches it, and a place to put what runs.
public struct Planner {
  /// `encoder.0` and so on; the name of the item being planned.
  public internal(set) var name: String
  /// The shape that reaches the next layer.
  public private(set) var shape: ImageShape
  public private(set) var layers: [any PlannedLayer] = []
  /// That of the layer before.
  var activation: Activation { layers.last?.activation ?? .linear }
  private var parameterCount = 0
  private var outputCount = 0

  init(name: String, input: ImageShape) throws(ModelError) {
    (self.name, shape) = (name, input)
    try check(input)
  }

  /// The name of the one item that is the latent.
  static let latentName = "latent"

  mutating func append(_ layer: some PlannedLayer) throws(ModelError) {
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
    layers.append(layer)
    shape = layer.output
  }

  mutating func replaceLast(with layer: some PlannedLayer) {
    layers[layers.count - 1] = layer
    shape = layer.output
  }

  /// Puts another layer with the same output in the place of one.
  mutating func replace(_ index: Int, with layer: some PlannedLayer) { layers[index] = layer }

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
