// Layers of sequences: names for those of images whose height is 1, N x 1 x L x C. A sequence of L steps with C
// channels is such an image. Parameters have PyTorch's shapes, which have no axis for the height.

/// Convolution along a sequence, with bias and activation: `Conv2D` over images of height 1.
///
///     y[n,q,k] = a(b[k] + sum over s, c of x[n, qV+s-left, c] w[s,c,k])
public struct Conv1D: Layer, Hashable {
  /// The number of filters, K, which are the channels of the output.
  public var filters: Int
  /// The length S of the filters.
  public var kernel: Int
  /// V: how far windows lie apart.
  public var stride: Int
  /// How far windows may reach over the ends: `same`, a number for both, or as sides of which top and bottom are 0.
  public var padding: Padding
  /// What stands outside the sequence.
  public var paddingMode: Pad2D.Mode
  /// How far the taps of a filter lie apart.
  public var dilation: Int
  /// How many groups the channels fall into, of which each meets its own alone.
  public var groups: Int
  /// The activation a of the output.
  public var activation: Activation
  /// Whether there is a bias b.
  public var bias: Bool
  /// What weights start from; nil for what the recipe says of the whole model.
  public var initializer: Initializer?

  /// A convolution with K = `filters` filters: N x 1 x L x C in, N x 1 x Q x K out, with Q = ceil(L / V) for the
  /// padding `same`.
  public init(
    _ filters: Int, kernel: Int, stride: Int = 1, padding: Padding = .same, paddingMode: Pad2D.Mode = .zeros,
    dilation: Int = 1, groups: Int = 1, activation: Activation = .linear, bias: Bool = true,
    initializer: Initializer? = nil
  ) {
    (self.filters, self.kernel, self.stride, self.dilation, self.groups) = (filters, kernel, stride, dilation, groups)
    (self.padding, self.paddingMode, self.activation) = (padding, paddingMode, activation)
    (self.bias, self.initializer) = (bias, initializer)
  }

  public init(from decoder: any Decoder) throws {
    let fields = try decoder.container(keyedBy: CodingKeys.self)
    filters = try fields.decode(Int.self, forKey: .filters)
    kernel = try fields.decode(Int.self, forKey: .kernel)
    stride = try fields.decode(.stride, or: 1)
    padding = try fields.decode(.padding, or: .same)
    paddingMode = try fields.decode(.paddingMode, or: .zeros)
    dilation = try fields.decode(.dilation, or: 1)
    groups = try fields.decode(.groups, or: 1)
    activation = try fields.decode(.activation, or: .linear)
    bias = try fields.decode(.bias, or: true)
    initializer = try fields.decodeIfPresent(Initializer.self, forKey: .initializer)
  }

  public func plan(_ planner: inout Planner) throws(ModelError) {
    let conv = Conv2D(
      filters, kernel: Extent2D(1, kernel), stride: Extent2D(1, stride), padding: try planner.alongLine(padding),
      paddingMode: paddingMode, dilation: Extent2D(1, dilation), groups: groups, activation: activation, bias: bias,
      initializer: initializer)
    try conv.plan(&planner, alongLine: true)
  }
}

/// Transposed convolution along a sequence, with bias and activation: `ConvTranspose2D` over images of height 1.
///
///     x[n,w,c] = a(b[c] + sum over the q, s that meet w, and k, of y[n,q,k] w[s,c,k])
public struct ConvTranspose1D: Layer, Hashable {
  /// The number of filters, C, which are the channels of the output.
  public var filters: Int
  /// The length S of the filters.
  public var kernel: Int
  /// V: how far windows lie apart in the output.
  public var stride: Int
  /// How far windows may reach over the ends of the output: `same`, a number for both, or as sides of which top and
  /// bottom are 0.
  public var padding: Padding
  /// The length of the output, where several would lead back to the input's; nil for the one that PyTorch takes without
  /// output padding.
  public var outputSize: Int?
  /// How far the taps of a filter lie apart.
  public var dilation: Int
  /// How many groups the channels fall into, of which each meets its own alone.
  public var groups: Int
  /// The activation a of the output.
  public var activation: Activation
  /// Whether there is a bias b.
  public var bias: Bool
  /// What weights start from; nil for what the recipe says of the whole model.
  public var initializer: Initializer?

  /// A transposed convolution with C = `filters` filters: N x 1 x Q x K in, N x 1 x L x C out, with L = Q V for the
  /// padding `same`.
  public init(
    _ filters: Int, kernel: Int, stride: Int = 1, padding: Padding = .same, outputSize: Int? = nil,
    dilation: Int = 1, groups: Int = 1, activation: Activation = .linear, bias: Bool = true,
    initializer: Initializer? = nil
  ) {
    (self.filters, self.kernel, self.stride, self.dilation, self.groups) = (filters, kernel, stride, dilation, groups)
    (self.padding, self.outputSize, self.activation) = (padding, outputSize, activation)
    (self.bias, self.initializer) = (bias, initializer)
  }

  public init(from decoder: any Decoder) throws {
    let fields = try decoder.container(keyedBy: CodingKeys.self)
    filters = try fields.decode(Int.self, forKey: .filters)
    kernel = try fields.decode(Int.self, forKey: .kernel)
    stride = try fields.decode(.stride, or: 1)
    padding = try fields.decode(.padding, or: .same)
    outputSize = try fields.decodeIfPresent(Int.self, forKey: .outputSize)
    dilation = try fields.decode(.dilation, or: 1)
    groups = try fields.decode(.groups, or: 1)
    activation = try fields.decode(.activation, or: .linear)
    bias = try fields.decode(.bias, or: true)
    initializer = try fields.decodeIfPresent(Initializer.self, forKey: .initializer)
  }

  public func plan(_ planner: inout Planner) throws(ModelError) {
    let conv = ConvTranspose2D(
      filters, kernel: Extent2D(1, kernel), stride: Extent2D(1, stride), padding: try planner.alongLine(padding),
      outputSize: outputSize.map { Extent2D(1, $0) }, dilation: Extent2D(1, dilation), groups: groups,
      activation: activation, bias: bias, initializer: initializer)
    try conv.plan(&planner, alongLine: true)
  }
}

/// Max-pooling along a sequence: `MaxPool2D` over images of height 1.
public struct MaxPool1D: Layer, Hashable {
  /// The length S of a window.
  public var kernel: Int
  /// V: how far windows lie apart; nil for the length of a window.
  public var stride: Int?
  /// How far windows may reach over the ends; less than the kernel.
  public var padding: Padding
  /// Whether the length is rounded up: a last window may end behind the padding, if it begins before it.
  public var ceiling: Bool

  /// A max-pooling: N x 1 x L x C in, N x 1 x Q x C out.
  public init(_ kernel: Int, stride: Int? = nil, padding: Padding = .valid, ceiling: Bool = false) {
    (self.kernel, self.stride, self.padding, self.ceiling) = (kernel, stride, padding, ceiling)
  }

  public init(from decoder: any Decoder) throws {
    let fields = try decoder.container(keyedBy: CodingKeys.self)
    kernel = try fields.decode(Int.self, forKey: .kernel)
    stride = try fields.decodeIfPresent(Int.self, forKey: .stride)
    padding = try fields.decode(.padding, or: .valid)
    ceiling = try fields.decode(.ceiling, or: false)
  }

  public func plan(_ planner: inout Planner) throws(ModelError) {
    let pool = MaxPool2D(
      Extent2D(1, kernel), stride: Extent2D(1, stride ?? kernel), padding: try planner.alongLine(padding),
      ceiling: ceiling)
    try pool.plan(&planner, kind: Self.kind)
  }
}

/// Average pooling along a sequence: `AveragePool2D` over images of height 1.
public struct AveragePool1D: Layer, Hashable {
  /// The length S of a window.
  public var kernel: Int
  /// V: how far windows lie apart; nil for the length of a window.
  public var stride: Int?
  /// How far windows may reach over the ends; less than the kernel.
  public var padding: Padding
  /// Whether the length is rounded up: a last window may end behind the padding, if it begins before it.
  public var ceiling: Bool
  /// Whether the mean is over padding, too.
  public var countsPadding: Bool

  /// An average pooling: N x 1 x L x C in, N x 1 x Q x C out.
  public init(
    _ kernel: Int, stride: Int? = nil, padding: Padding = .valid, ceiling: Bool = false, countsPadding: Bool = true
  ) {
    (self.kernel, self.stride, self.padding) = (kernel, stride, padding)
    (self.ceiling, self.countsPadding) = (ceiling, countsPadding)
  }

  public init(from decoder: any Decoder) throws {
    let fields = try decoder.container(keyedBy: CodingKeys.self)
    kernel = try fields.decode(Int.self, forKey: .kernel)
    stride = try fields.decodeIfPresent(Int.self, forKey: .stride)
    padding = try fields.decode(.padding, or: .valid)
    ceiling = try fields.decode(.ceiling, or: false)
    countsPadding = try fields.decode(.countsPadding, or: true)
  }

  public func plan(_ planner: inout Planner) throws(ModelError) {
    let pool = AveragePool2D(
      Extent2D(1, kernel), stride: Extent2D(1, stride ?? kernel), padding: try planner.alongLine(padding),
      ceiling: ceiling, countsPadding: countsPadding)
    try pool.plan(&planner, kind: Self.kind)
  }
}

/// Upsampling along a sequence: `Upsample2D` over images of height 1.
public struct Upsample1D: Layer, Hashable {
  /// V: how many steps one becomes.
  public var factor: Int
  /// What stands between steps.
  public var mode: Mode
  /// Whether the ends of both sequences meet, of an interpolation.
  public var alignCorners: Bool

  /// What stands between the steps of a sequence that is made longer.
  public enum Mode: String, Codable, Sendable, CaseIterable {
    /// The nearest step.
    case nearest
    /// A mean of the two steps around, by their distances.
    case linear
  }

  /// An upsampling: N x 1 x Q x C in, N x 1 x Q V x C out.
  public init(_ factor: Int, mode: Mode = .nearest, alignCorners: Bool = false) {
    (self.factor, self.mode, self.alignCorners) = (factor, mode, alignCorners)
  }

  public init(from decoder: any Decoder) throws {
    let fields = try decoder.container(keyedBy: CodingKeys.self)
    factor = try fields.decode(Int.self, forKey: .factor)
    mode = try fields.decode(.mode, or: .nearest)
    alignCorners = try fields.decode(.alignCorners, or: false)
  }

  public func plan(_ planner: inout Planner) throws(ModelError) {
    _ = try planner.alongLine(.valid)
    let upsampling = Upsample2D(
      Extent2D(1, factor), mode: mode == .nearest ? .nearest : .bilinear, alignCorners: alignCorners)
    try upsampling.plan(&planner, kind: Self.kind)
  }
}

extension Planner {
  /// The padding of a layer of sequences as that of images of height 1.
  ///
  /// Errors: what reaches the layer has another height, or the padding has rows.
  fileprivate func alongLine(_ padding: Padding) throws(ModelError) -> Padding {
    guard shape.height == 1 else {
      throw ModelError(name, "wanted a sequence, 1 x length x channels, found \(shape)")
    }
    switch padding {
    case .same: return .same
    case .amount(let both) where both.height == 0 || both.height == both.width:
      return .amount(Extent2D(0, both.width))
    case .sides(let sides) where sides.top == 0 && sides.bottom == 0: return padding
    default: throw ModelError(name, "wanted a padding of both ends, or [0, left, 0, right], found one of rows")
    }
  }
}
