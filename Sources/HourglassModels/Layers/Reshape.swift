/// Makes an image of the vector that a `Dense` layer puts out. It moves nothing: the dense layer's outputs lie in
/// memory as height, width, channels from the start, and in files as channels, height, width.
public struct Reshape: Layer, Hashable {
  /// The shape of the image.
  public var shape: ImageShape

  /// An image of the vector before: N x H W C in, N x H x W x C out.
  public init(_ height: Int, _ width: Int, _ channels: Int) { shape = ImageShape(height, width, channels) }

  public func plan(_ planner: inout Planner) throws(ModelError) {
    try planner.check(shape)
    guard shape.count == planner.shape.count else {
      throw ModelError(
        planner.name,
        "\(shape) has \(shape.count) elements, but the layer before puts out \(planner.shape.count) (\(planner.shape))")
    }
    guard var dense = planner.before as? PlannedDense else {
      throw ModelError(planner.name, "wanted a Dense layer directly before Reshape, found none")
    }
    dense.output = shape
    planner.replaceLast(with: dense)
  }
}
