import HourglassKernels

/// p(target | output of the chain): what the error of one sample is, and its gradient. The target is the image, summed
/// over its pixels, or the label of the image.
public enum Likelihood: Sendable, Hashable {
  /// -log p of pixels in [0, 1] under a Bernoulli distribution; the decoder ends in logits. In nats.
  case bernoulli
  /// Sum of squared differences: -log p under a Gaussian of variance 1/2, less its constant.
  case squaredError
  /// Sum of absolute differences: -log p under a Laplace distribution of scale 1, less its constant.
  case absoluteError
  /// Sum of ln(cosh(difference)): squared, halved, for small differences, absolute less ln 2 for large ones.
  case logCosh
  /// Huber's loss with threshold 1: squared, halved, up to a difference of 1, linear beyond.
  case huber
  /// 1 - structural similarity of images in [0, 1], times their elements, so that it weighs as much as a sum over them.
  case ssim
  /// 1 - multi-scale structural similarity of images in [0, 1], times their elements: contrast and structure of the
  /// image and of as many halved ones, at most 4, as hold a window (Wang, Simoncelli & Bovik, Asilomar 2003).
  case msSsim
  /// -log p under a Gaussian, in nats. With a variance, the decoder puts out the means; without, it puts out for each
  /// pixel the means of all channels, then their log-variances, clamped to [-30, 20].
  case gaussian(variance: Float? = nil)
  /// -log p of counts under a Poisson distribution, in nats; the decoder puts out the logarithm of each rate.
  case poisson
  /// -log p of counts under a negative binomial distribution, in nats. The decoder puts out for each pixel the
  /// logarithms of the means m of all channels, then the logarithms of the dispersions r, clamped to [-30, 20]; the
  /// variance is m + m^2 / r.
  case negativeBinomial
  /// -log p of counts under a multinomial distribution with their sum, in nats; the decoder puts out a logit for each
  /// element (Liang et al., "Variational autoencoders for collaborative filtering", WWW 2018).
  case multinomial
  /// -log p of the 256 levels 0, 1/255 ... 1 of a byte under a logistic distribution over their bins, in nats. The
  /// decoder puts out for each pixel the means of all channels, then the logarithms of the scales, clamped to [-30, 20]
  /// (Kingma et al., "Improved variational inference with inverse autoregressive flow", NIPS 2016; Salimans et al.,
  /// "PixelCNN++", ICLR 2017).
  case discretizedLogistic
  /// -log p of the label under a categorical distribution (softmax cross-entropy); the chain ends in a logit for each
  /// class. In nats.
  case categorical
  /// Squared difference to the label, a number; the chain ends in one number.
  case labelSquaredError
  /// Sum of squares of the output, which is compared with nothing: the squared distance of a code from the `Centre`.
  case squaredNorm

  /// What the output is compared with.
  public enum Target: String, Sendable {
    case image, label, nothing
  }

  /// What the output is compared with.
  public var target: Target {
    switch self {
    case .categorical, .labelSquaredError: .label
    case .squaredNorm: .nothing
    default: .image
    }
  }

  /// Whether it compares windows of images in [0, 1].
  public var wantsWindows: Bool { self == .ssim || self == .msSsim }

  /// Whether its targets are counts, of any size.
  public var wantsCounts: Bool { [.poisson, .negativeBinomial, .multinomial].contains(self) }

  /// The numbers that the decoder puts out for each element of the image: 2 for a mean and its spread.
  var outputsPerElement: Int {
    switch self {
    case .gaussian(nil), .negativeBinomial, .discretizedLogistic: 2
    default: 1
    }
  }

  /// Losses of `samples` and, where wanted, the error of their outputs of `count` values.
  ///
  /// - Parameters:
  ///   - target: the images of the shape `image`, where these are the target; an element that is NaN is missing, and
  ///     has neither loss nor error.
  ///   - labels: where these are the target; of a categorical likelihood 0 to `count` - 1.
  ///   - scratch: `scratchCount` floats.
  ///   - labelSmoothing: of a categorical likelihood over K classes, the part e of a label's probability that is spread
  ///     evenly over all: the target is 1 - e for the label, plus e / K for each class (Szegedy et al., "Rethinking the
  ///     inception architecture", CVPR 2016), as PyTorch's CrossEntropyLoss(label_smoothing=e) has it.
  public func evaluate(
    samples: Int, count: Int, image: ImageShape, output: UnsafePointer<Float>, target: UnsafePointer<Float>,
    labels: UnsafePointer<Int32>, loss: UnsafeMutablePointer<Float>, error: UnsafeMutablePointer<Float>?,
    scratch: UnsafeMutablePointer<Float>, threads: Int, labelSmoothing: Float = 0
  ) {
    let pixels = image.height * image.width
    switch self {
    case .bernoulli: checked(hg_bernoulli_logits(samples, count, output, target, loss, error, nil))
    case .squaredError: checked(hg_squared_error(samples, count, output, target, loss, error, nil))
    case .absoluteError: checked(hg_absolute_error(samples, count, output, target, loss, error, nil))
    case .logCosh: checked(hg_log_cosh_error(samples, count, output, target, loss, error, nil))
    case .poisson: checked(hg_poisson(samples, count, output, target, loss, error, nil))
    case .multinomial: checked(hg_multinomial(samples, count, output, target, loss, error, nil))
    case .huber: checked(hg_huber_error(samples, count, output, target, loss, error, nil))
    case .ssim:
      var parallel = Planner.parallel(threads: threads)
      checked(
        hg_ssim(
          samples, image.height, image.width, image.channels, output, target, loss, error, scratch, &parallel))
    case .msSsim:
      var parallel = Planner.parallel(threads: threads)
      checked(
        hg_ms_ssim(
          samples, image.height, image.width, image.channels, output, target, loss, error, scratch, &parallel))
    case .gaussian(let variance?): checked(hg_gaussian(samples, count, variance, output, target, loss, error, nil))
    case .gaussian(nil):
      checked(hg_gaussian_heads(samples, pixels, image.channels, output, target, loss, error, nil))
    case .negativeBinomial:
      checked(hg_negative_binomial(samples, pixels, image.channels, output, target, loss, error, nil))
    case .discretizedLogistic:
      checked(hg_discretized_logistic(samples, pixels, image.channels, output, target, loss, error, nil))
    case .categorical where labelSmoothing > 0:
      for n in 0..<samples {
        let (logits, label) = (output + n * count, Int(labels[n]))
        // Before the error, which may take the place of the logits: loss - e (mean of the logits - that of the label).
        let excess = (0..<count).reduce(0) { $0 + logits[$1] } / Float(count) - logits[label]
        checked(hg_softmax_cross_entropy(1, count, logits, labels + n, loss + n, error.map { $0 + n * count }, nil))
        loss[n] -= labelSmoothing * excess
        guard let error = error.map({ $0 + n * count }) else { continue }
        for j in 0..<count { error[j] -= labelSmoothing / Float(count) }
        error[label] += labelSmoothing
      }
    case .categorical: checked(hg_softmax_cross_entropy(samples, count, output, labels, loss, error, nil))
    case .labelSquaredError:
      for n in 0..<samples {
        let difference = output[n] - Float(labels[n])
        loss[n] = difference * difference
        error?[n] = 2 * difference
      }
    case .squaredNorm:
      for n in 0..<samples {
        let values = output + n * count
        loss[n] = (0..<count).reduce(0) { $0 + values[$1] * values[$1] }
        guard let error = error.map({ $0 + n * count }) else { continue }
        for i in 0..<count { error[i] = 2 * values[i] }
      }
    }
  }

  /// Floats that `evaluate` of so many samples wants, or of fewer.
  package func scratchCount(samples: Int, image: ImageShape, threads: Int) -> Int {
    var parallel = Planner.parallel(threads: threads)
    return switch self {
    case .ssim: hg_ssim_scratch(samples, image.height, image.width, image.channels, &parallel)
    case .msSsim: hg_ms_ssim_scratch(samples, image.height, image.width, image.channels, &parallel)
    default: 0
    }
  }

  /// The expected images of `samples` outputs of `count` values each, which is what a person looks at: of a multinomial
  /// the share of each element; where labels are the target, the outputs as they are. `images` may be `output`.
  public func mean(
    of output: UnsafePointer<Float>, samples: Int, count: Int, channels: Int, into images: UnsafeMutablePointer<Float>
  ) {
    var (values, all) = (output, samples * count)
    if outputsPerElement == 2 {
      for pixel in 0..<all / (2 * channels) {
        (images + pixel * channels).update(from: output + pixel * 2 * channels, count: channels)
      }
      (values, all) = (UnsafePointer(images), all / 2)
    }
    switch self {
    case .bernoulli: checked(hg_activation_forward(Activation.sigmoid.kernel, all, values, images, nil))
    case .poisson, .negativeBinomial:
      for i in 0..<all { images[i] = Float(Double(values[i]).naturalExponential) }
    case .multinomial:
      var parallel = Planner.parallel(threads: 1)
      checked(hg_softmax_forward(samples, count, values, images, &parallel))
    default: if values != UnsafePointer(images) { images.update(from: values, count: all) }
    }
  }

  /// Appends to an ONNX graph what `mean` makes of the output of images.
  func addMeanNodes(to graph: inout ONNXBuilder, images: ImageShape, output: ImageShape) {
    // Means lie in front of their spreads.
    if outputsPerElement == 2 { graph.takeChannels(images.channels, of: output) }
    switch self {
    case .bernoulli: graph.apply("Sigmoid")
    case .poisson, .negativeBinomial: graph.apply("Exp")
    case .multinomial:
      _ = graph.vector()
      graph.apply("Softmax", ["axis": .integer(1)])
    default: break
    }
  }

  /// What an output of `count` values says of the label: the likeliest class, the first of equals, or the number.
  public func prediction(of output: UnsafePointer<Float>, count: Int) -> Float {
    guard self == .categorical else { return output[0] }
    return Float((1..<count).reduce(0) { output[$1] > output[$0] ? $1 : $0 })
  }

  /// Why an output of a shape does not fit images of the shape `input`, if it does not.
  func refusal(of output: ImageShape, input: ImageShape) -> String? {
    switch self {
    case .categorical:
      return output.isVector && output.count > 1
        ? nil : "wanted a vector with a logit for each of 2 or more classes, as Dense(10) makes, found \(output)"
    case .labelSquaredError:
      return output.count == 1 ? nil : "wanted one number, as Dense(1) makes, found \(output)"
    case .squaredNorm:
      return nil
    default:
      let wanted = ImageShape(input.height, input.width, outputsPerElement * input.channels)
      guard output != wanted else { return nil }
      return outputsPerElement == 1
        ? "wanted an output of the input's shape \(input), found \(output)"
        : "wanted an output of \(wanted), \(numbers ?? "two numbers") for the input \(input), found \(output)"
    }
  }

  /// Why a chain that ends in `activation` does not fit, if it does not.
  func refusal(of activation: Activation) -> String? {
    guard activation != .linear, let numbers else { return nil }
    return "the \(name) likelihood wants \(numbers), so a last layer with linear activation, found \(activation)"
  }

  /// What the decoder puts out, of any size and sign; nil where it puts out images, which another activation may bound.
  var numbers: String? {
    switch self {
    case .bernoulli, .categorical, .multinomial: "logits"
    case .gaussian(nil): "means and log-variances"
    case .poisson: "logarithms of rates"
    case .negativeBinomial: "logarithms of means and of dispersions"
    case .discretizedLogistic: "means and logarithms of scales"
    default: nil
    }
  }

  /// Why images of a shape cannot be its target, if they cannot.
  func refusal(ofImages image: ImageShape) -> String? {
    let window = Int(HG_SSIM_WINDOW)
    guard wantsWindows, min(image.height, image.width) < window else { return nil }
    return
      "the \(name) likelihood wants images of at least \(window) x \(window), the size of its window, found \(image)"
  }

  /// Why a parameter is out of its range, if it is.
  var refusal: String? {
    guard case .gaussian(let variance?) = self, !(variance >= 0x1p-126 && variance <= 0x1p124) else { return nil }
    return "wanted a variance greater than 0, found \(variance)"
  }

  /// Whether the loss is -log p with all constants, so that bounds of log p(image) can be compared.
  public var isInNats: Bool {
    switch self {
    case .bernoulli, .gaussian, .poisson, .negativeBinomial, .multinomial, .discretizedLogistic, .categorical: true
    case .squaredError, .absoluteError, .logCosh, .huber, .ssim, .msSsim, .labelSquaredError, .squaredNorm: false
    }
  }

  /// What a loss is counted in, for people to read.
  public var unit: String {
    switch self {
    case .bernoulli, .gaussian, .poisson, .negativeBinomial, .multinomial, .discretizedLogistic, .categorical:
      "nats per image"
    case .logCosh: "log-cosh loss per image"
    case .absoluteError: "absolute error per image"
    case .huber: "Huber loss per image"
    case .ssim: "pixels times (1 - SSIM) per image"
    case .msSsim: "pixels times (1 - MS-SSIM) per image"
    case .squaredError, .labelSquaredError: "squared error per image"
    case .squaredNorm: "squared distance per image"
    }
  }

  /// What other programs call that which `mean` makes.
  var outputName: String {
    switch self {
    case .categorical: "logits"
    case .labelSquaredError: "prediction"
    case .squaredNorm: "offset"
    default: "reconstruction"
    }
  }

  /// As in files.
  public var name: String {
    switch self {
    case .bernoulli: "bernoulli"
    case .squaredError: "squaredError"
    case .absoluteError: "absoluteError"
    case .logCosh: "logCosh"
    case .huber: "huber"
    case .ssim: "ssim"
    case .msSsim: "msSsim"
    case .gaussian: "gaussian"
    case .poisson: "poisson"
    case .negativeBinomial: "negativeBinomial"
    case .multinomial: "multinomial"
    case .discretizedLogistic: "discretizedLogistic"
    case .categorical: "categorical"
    case .labelSquaredError: "labelSquaredError"
    case .squaredNorm: "squaredNorm"
    }
  }

  /// The likelihoods that files name by a word alone.
  public static let withoutParameters: [Likelihood] = [
    .bernoulli, .squaredError, .absoluteError, .logCosh, .huber, .ssim, .msSsim, .gaussian(), .poisson,
    .negativeBinomial,
    .multinomial, .discretizedLogistic, .categorical, .labelSquaredError, .squaredNorm,
  ]
}

/// A word, or for a Gaussian of given variance `{"name": "gaussian", "variance": 0.1}`.
extension Likelihood: Codable {
  private enum CodingKeys: String, CodingKey, CaseIterable { case name, variance }

  public init(from decoder: any Decoder) throws {
    guard let fields = try? decoder.container(keyedBy: CodingKeys.self) else {
      self = try Self.named(by: decoder)
      return
    }
    try decoder.refuseFields(otherThan: CodingKeys.allCases.map(\.rawValue), of: "a likelihood")
    self = try Self.named(by: fields.superDecoder(forKey: .name))
    guard let variance = try fields.decodeIfPresent(Float.self, forKey: .variance) else { return }
    guard self == .gaussian() else { throw Self.error("only a gaussian has a variance, found \(name)", at: decoder) }
    self = .gaussian(variance: variance)
    if let refusal { throw Self.error(refusal, at: decoder) }
  }

  public func encode(to encoder: any Encoder) throws {
    if case .gaussian(let variance?) = self {
      var fields = encoder.container(keyedBy: CodingKeys.self)
      try fields.encode(name, forKey: .name)
      try fields.encode(variance, forKey: .variance)
    } else {
      var value = encoder.singleValueContainer()
      try value.encode(name)
    }
  }

  private static func named(by decoder: any Decoder) throws -> Likelihood {
    let name = try? String(from: decoder)
    guard let found = withoutParameters.first(where: { $0.name == name }) else {
      throw decoder.mismatch(words: withoutParameters.map(\.name))
    }
    return found
  }

  private static func error(_ sentence: String, at decoder: any Decoder) -> DecodingError {
    .dataCorrupted(.init(codingPath: decoder.codingPath, debugDescription: sentence))
  }
}
