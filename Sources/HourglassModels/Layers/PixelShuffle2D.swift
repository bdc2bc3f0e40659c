/// Pixel shuffle: squares of r x r pixels from r^2 channels of one, as PyTorch's `PixelShuffle` numbers them.
///
///     y[n, rh+i, rw+j, c] = x[n, h, w, c r^2 + i r + j]   for i, j < r
///
/// Source: Shi et al., "Real-time single image and video super-resolution using an efficient sub-pixel convolutional
/// neural network", CVPR 2016.
public struct PixelShuffle2D: Layer, Hashable {
  /// The factor r of height and width.
  public var factor: Int

  /// A pixel shuffle: N x H x W x C r^2 in, N x r H x r W x C out.
  public init(_ factor: Int) { self.factor = factor }

  public func plan(_ planner: inout Planner) throws(ModelError) {
    let (small, r) = (planner.shape, factor)
    try planner.check(factor: r)
    guard small.channels % (r * r) == 0 else {
      throw ModelError(planner.name, "wanted channels that \(r) x \(r) divides, found \(small.channels)")
    }
    let large = ImageShape(small.height * r, small.width * r, small.channels / (r * r))
    try planner.check(large)
    let pixel = small.channels
    try planner.append(
      PlannedPermutation(
        planner, as: planner.name, kind: Self.kind, to: large,
        axes: [
          (small.height, small.width * pixel), (r, r), (small.width, pixel), (r, 1), (large.channels, r * r),
        ]
      ) { graph in
        let attributes: [String: ONNXGraph.Attribute] = ["blocksize": .integer(r), "mode": .string("CRD")]
        graph.put(graph.node("DepthToSpace", [graph.image(small)], attributes))
      })
  }
}

/// The inverse of the pixel shuffle: r^2 channels of one pixel from squares of r x r pixels, as PyTorch's
/// `PixelUnshuffle` numbers them.
///
///     y[n, p, q, c r^2 + i r + j] = x[n, rp+i, rq+j, c]   for i, j < r
public struct PixelUnshuffle2D: Layer, Hashable {
  /// The factor r by which height and width shrink.
  public var factor: Int

  /// The inverse of a pixel shuffle: N x r P x r Q x C in, N x P x Q x C r^2 out.
  public init(_ factor: Int) { self.factor = factor }

  public func plan(_ planner: inout Planner) throws(ModelError) {
    let (large, r) = (planner.shape, factor)
    try planner.check(factor: r)
    guard large.height % r == 0, large.width % r == 0 else {
      throw ModelError(
        planner.name,
        "wanted a factor that divides the height \(large.height) and the width \(large.width), found \(r)")
    }
    let small = ImageShape(large.height / r, large.width / r, large.channels * r * r)
    try planner.check(small)
    let (pixel, line) = (large.channels, large.width * large.channels)
    try planner.append(
      PlannedPermutation(
        planner, as: planner.name, kind: Self.kind, to: small,
        axes: [(small.height, r * line), (small.width, r * pixel), (pixel, 1), (r, line), (r, pixel)]
      ) { graph in
        // ONNX's SpaceToDepth numbers the channels otherwise.
        let squares = graph.tensor("squares", [0, pixel, small.height, r, small.width, r])
        let split = graph.node("Reshape", [graph.image(large), squares])
        let moved = graph.node("Transpose", [split], ["perm": .integers([0, 1, 3, 5, 2, 4])])
        graph.put(graph.node("Reshape", [moved, graph.tensor("shape", [0] + small.channelsFirst)]))
      })
  }
}

extension Planner {
  /// Refuses a factor of an image's extents that is not positive, or absurd.
  func check(factor: Int) throws(ModelError) {
    guard (1...Self.mostExtent).contains(factor) else {
      throw ModelError(name, "wanted a factor of 1 to \(Self.mostExtent), found \(factor)")
    }
  }
}
