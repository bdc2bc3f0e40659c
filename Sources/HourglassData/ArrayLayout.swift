import HourglassBase

extension NPYArray {
  /// Reads the array as samples: N x D (vectors), N x H x W, N x H x W x C or N x C x H x W; or sequences, N x L,
  /// N x L x C or N x C x L.
  ///
  /// Without a layout it is the one that makes `input` of the array, where only one does; otherwise that of vectors or
  /// of images.
  ///
  /// Errors: the layout has another number of axes; without a layout, both of sequences make `input`, or an array of
  /// four axes has 1 or 3 elements along both or neither of the second and the last.
  ///
  /// - Parameter input: the shape that is wanted of each sample.
  public func samples(
    _ layout: Preparation.Layout? = nil, for input: ImageShape? = nil, path: String
  ) throws(DataError) -> (count: Int, shape: ImageShape, isPlanar: Bool) {
    try Self.samples(shape, layout, input, path)
  }

  static func samples(
    _ shape: [Int], _ layout: Preparation.Layout?, _ input: ImageShape?, _ path: String
  ) throws(DataError) -> (count: Int, shape: ImageShape, isPlanar: Bool) {
    let found = "found the shape \(extents(shape))"
    guard let elements = checkedProduct(shape + [4]) else {
      throw DataError(path: path, reason: "\(found), over 2^63 bytes; the header is wrong")
    }
    guard elements > 0 else { throw DataError(path: path, reason: "holds no images: \(found)") }
    let axes = if let layout { layout } else { try likelyLayout(shape, input, path) }
    guard let image = axes.image(of: shape) else {
      throw DataError(path: path, reason: "--layout \(axes.rawValue): wanted \(axes.rawValue.count) axes, \(found)")
    }
    return (shape[0], image, axes == .nchw || axes == .ncl)
  }

  private static func likelyLayout(
    _ shape: [Int], _ input: ImageShape?, _ path: String
  ) throws(DataError) -> Preparation.Layout {
    let found = "found the shape \(extents(shape))"
    let fitting = Preparation.Layout.allCases.filter { input != nil && $0.image(of: shape) == input }
    if fitting.count == 1 { return fitting[0] }
    if fitting == [.nlc, .ncl] {
      throw DataError(
        path: path, reason: "wanted N,L,C or N,C,L, \(found), which may be either; say --layout nlc or --layout ncl")
    }
    switch shape.count {
    case 2: return .nd
    case 3: return .nhw
    case 4:
      let (isFirst, isLast) = ([1, 3].contains(shape[1]), [1, 3].contains(shape[3]))
      if isFirst != isLast { return isFirst ? .nchw : .nhwc }
      throw DataError(
        path: path,
        reason: "wanted N,H,W,C or N,C,H,W with 1 or 3 channels, \(found)"
          + (isFirst ? ", which may be either; say --layout nhwc or --layout nchw" : "; say which with --layout"))
    default:
      throw DataError(path: path, reason: "wanted N,H,W or four axes, or vectors N,D, \(found)")
    }
  }
}

extension Preparation.Layout {
  /// The shape of each sample of an array with these axes; nil for another number of axes.
  fileprivate func image(of shape: [Int]) -> ImageShape? {
    guard shape.count == rawValue.count else { return nil }
    switch self {
    case .nd: return ImageShape(vector: shape[1])
    case .nhw: return ImageShape(shape[1], shape[2], 1)
    case .nhwc: return ImageShape(shape[1], shape[2], shape[3])
    case .nchw: return ImageShape(shape[2], shape[3], shape[1])
    case .nl: return ImageShape(1, shape[1], 1)
    case .nlc: return ImageShape(1, shape[1], shape[2])
    case .ncl: return ImageShape(1, shape[2], shape[1])
    }
  }
}
