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
  /// Huber's loss with threshold 1: squared, halved, up to a difference of 1, linear beyond.
  case huber
  /// 1 - structural similarity of images in [0, 1], times their elements, so that it weighs as much as a sum over them.
  case ssim
  /// -log p under a Gaussian, in nats. With a variance, the decoder puts out the means; without, it puts out for each
  /// pixel the means of all channels, then their log-variances, clamped to [-30, 20].
  case gaussian(variance: Float? = nil)
  /// -log p of the label under a categorical distribution (softmax cross-entropy); the chain ends in a logit for each
  /// class. In nats.
  case categorical
  /// Squared difference to the label, a number; the chain ends in one number.
  case labelSquaredError
  /// Sum of squares of the output, which is compared with nothing: the squared distance of a code from the `Centre`.
  case squaredNorm

  /// What the output is compared with.
  public enum Target: Sendable {
    case image, label, nothing
  }

  /// What the output is compared with.
  public var target: Target {
    switch self {
    case .bernoulli, .squaredError, .absoluteError, .huber, .ssim, .gaussian: .image
    case .categorical, .labelSquaredError: .label
    case .squaredNorm: .nothing
    }
  }

  /// Losses of `samples` and, where wanted, the error of their outputs of `count` values.
  ///
  /// - Parameters:
  ///   - target: the images of the shape `image`, where these are the target.
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
    switch self {
    case .bernoulli: checked(hg_bernoulli_logits(samples, count, output, target, loss, error))
    case .squaredError: checked(hg_squared_error(samples, count, output, target, loss, error))
    case .absoluteError: checked(hg_absolute_error(samples, count, output, target, loss, error))
    case .huber: checked(hg_huber_error(samples, count, output, target, loss, error))
    case .ssim:
      var parallel = Planner.parallel(threads: threads)
      checked(
        hg_ssim(
          samples, image.height, image.width, image.channels, output, target, loss, error, scratch, &parallel))
    case .gaussian(let variance?): checked(hg_gaussian(samples, count, variance, output, target, loss, error))
    case .gaussian(nil):
      let channels = image.channels
      checked(hg_gaussian_heads(samples, count / (2 * channels), channels, output, target, loss, error))
    case .categorical where labelSmoothing > 0:
      for n in 0..<samples {
        let (logits, label) = (output + n * count, Int(labels[n]))
        // Before the error, which may take the place of the logits: loss - e (mean of the logits - that of the label).
        let excess = (0..<count).reduce(0) { $0 + logits[$1] } / Float(count) - logits[label]
        checked(hg_softmax_cross_entropy(1, count, logits, labels + n, loss + n, error.map { $0 + n * count }))
        loss[n] -= labelSmoothing * excess
        guard let error = error.map({ $0 + n * count }) else { continue }
        for j in 0..<count { error[j] -= labelSmoothing / Float(count) }
        error[label] += labelSmoothing
      }
    case .categorical: checked(hg_softmax_cross_entropy(samples, count, output, labels, loss, error))
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

  /// Floats that `evaluate` wants.
  package func scratchCount(image: ImageShape, threads: Int) -> Int {
    guard self == .ssim else { return 0 }
    var parallel = Planner.parallel(threads: threads)
    return hg_ssim_scratch(image.height, image.width, image.channels, &parallel)
  }

  /// The expected images of `samples` outputs of `count` values each, which is what a person looks at; where labels are
  /// the target, the outputs as they are. `images` may be `output`.
  public func mean(
    of output: UnsafePointer<Float>, samples: Int, count: Int, channels: Int, into images: UnsafeMutablePointer<Float>
  ) {
    guard self != .gaussian() else {
      for pixel in 0..<samples * count / (2 * channels) {
        (images + pixel * channels).update(from: output + pixel * 2 * channels, count: channels)
      }
      return
    }
    checked(hg_activation_forward(meanActivation.kernel, samples * count, output, images, nil))
  }

  /// What makes the expected image of the chain's output.
  var meanActivation: Activation { self == .bernoulli ? .sigmoid : .linear }

  /// What an output of `count` values says of the label: the likeliest class, the first of equals, or the number.
  public func prediction(of output: UnsafePointer<Float>, count: Int) -> Float {
    guard self == .categorical else { return output[0] }
    return Float((1..<count).reduce(0) { output[$1] > output[$0] ? $1 : $0 })
  }

  /// Why an output of a shape does not fit images of the shape `input`, if it does not.
  func refusal(of output: ImageShape, input: ImageShape) -> String? {
    switch self {
    case .gaussian(nil):
      output == ImageShape(input.height, input.width, 2 * input.channels)
        ? nil
        : "wanted an output of \(ImageShape(input.height, input.width, 2 * input.channels)), means and log-variances "
          + "for the input \(input), found \(output)"
    case .bernoulli, .squaredError, .absoluteError, .huber, .ssim, .gaussian:
      output == input ? nil : "wanted an output of the input's shape \(input), found \(output)"
    case .categorical:
      output.isVector && output.count > 1
        ? nil : "wanted a vector with a logit for each of 2 or more classes, as Dense(10) makes, found \(output)"
    case .labelSquaredError:
      output.count == 1 ? nil : "wanted one number, as Dense(1) makes, found \(output)"
    case .squaredNorm: nil
    }
  }

  /// Why a chain that ends in `activation` does not fit, if it does not.
  func refusal(of activation: Activation) -> String? {
    let wanted: [Likelihood: String] = [
      .bernoulli: "logits", .categorical: "logits", .gaussian(): "means and log-variances",
    ]
    guard activation != .linear, let what = wanted[self] else { return nil }
    return "the \(name) likelihood wants \(what), so a last layer with linear activation, found \(activation)"
  }

  /// Why images of a shape cannot be its target, if they cannot.
  func refusal(ofImages image: ImageShape) -> String? {
    let window = Int(HG_SSIM_WINDOW)
    guard self == .ssim, min(image.height, image.width) < window else { return nil }
    return "the ssim likelihood wants images of at least \(window) x \(window), the size of its window, found \(image)"
  }

  /// Why a parameter is out of its range, if it is.
  var refusal: String? {
    guard case .gaussian(let variance?) = self, !(variance >= 0x1p-126 && variance <= 0x1p124) else { return nil }
    return "wanted a variance greater than 0, found \(variance)"
  }

  /// Whether the loss is -log p with all constants, so that bounds of log p(image) can be compared.
  public var isInNats: Bool {
    switch self {
    case .bernoulli, .gaussian, .categorical: true
    case .squaredError, .absoluteError, .huber, .ssim, .labelSquaredError, .squaredNorm: false
    }
  }

  /// What a loss is counted in, for people to read.
  public var unit: String {
    switch self {
    case .bernoulli, .gaussian, .categorical: "nats per image"
    case .absoluteError: "absolute error per image"
    case .huber: "Huber loss per image"
    case .ssim: "pixels times (1 - SSIM) per image"
    case .squaredError, .labelSquaredError: "squared error per image"
    case .squaredNorm: "squared distance per image"
    }
  }

  /// What other programs call that which `mean` makes.
  var outputName: String {
    switch self {
    case .bernoulli, .squaredError, .absoluteError, .huber, .ssim, .gaussian: "reconstruction"
    case .categorical: "logits"
    case .labelSquaredError: "prediction"
    case .squaredNorm: "offset"
    }
  }

  /// As in files.
  public var name: String {
    switch self {
    case .bernoulli: "bernoulli"
    case .squaredError: "squaredError"
    case .absoluteError: "absoluteError"
    case .huber: "huber"
    case .ssim: "ssim"
    case .gaussian: "gaussian"
    case .categorical: "categorical"
    case .labelSquaredError: "labelSquaredError"
    case .squaredNorm: "squaredNorm"
    }
  }

  /// The likelihoods that files name by a word alone.
  public static let withoutParameters: [Likelihood] = [
    .bernoulli, .squaredError, .absoluteError, .huber, .ssim, .gaussian(), .categorical, .labelSquaredError,
    .squaredNorm,
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
