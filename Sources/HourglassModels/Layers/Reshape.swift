/// The elements of a sample in another shape, in the order of channels, then rows, then columns: PyTorch's `view` of
/// N x C x H x W.
///
/// Directly behind a `Dense` layer it moves nothing, because the dense layer's outputs lie in memory as height, width,
/// channels from the start, and in files as channels, height, width. `Dense` flattens an image by itself. Elsewhere the
/// elements are moved, once for an image that becomes a vector or the other way round, twice between images.
public struct Reshape: Layer, Hashable {
  /// The shape that it makes; 1 x 1 x n is a vector.
  public var shape: ImageShape

  /// Another shape of as many elements: N x H' W' C' in any shape in, N x H x W x C out.
  public init(_ height: Int, _ width: Int, _ channels: Int) { shape = ImageShape(height, width, channels) }

  public func plan(_ planner: inout Planner) throws(ModelError) {
    try planner.check(shape)
    guard shape.count == planner.shape.count else {
      throw ModelError(
        planner.name,
        "\(shape) has \(shape.count) elements, but the layer before puts out \(planner.shape.count) (\(planner.shape))")
    }
    if var dense = planner.before as? PlannedDense {
      dense.output = shape
      return planner.replaceLast(with: dense)
    }
    let (name, from) = (planner.name, planner.shape)
    if !from.isVector || shape.isVector {
      let pixel = from.channels
      try planner.append(
        PlannedPermutation(
          planner, as: shape.isVector ? name : "\(name).vector", kind: Self.kind, to: ImageShape(vector: from.count),
          axes: [(pixel, 1), (from.height, from.width * pixel), (from.width, pixel)]
        ) { _ = $0.vector() })
    }
    guard !shape.isVector else { return }
    try planner.append(
      PlannedPermutation(
        planner, as: name, kind: Self.kind, to: shape,
        axes: [(shape.height, shape.width), (shape.width, 1), (shape.channels, shape.height * shape.width)]
      ) { [shape] graph in
        _ = graph.vector()
        _ = graph.image(shape)
      })
  }
}
