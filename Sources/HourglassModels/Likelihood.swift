import HourglassKernels

/// p(target | output of the chain): what the error of one sample is, and its gradient. The target is the image, summed
/// over its pixels, or the label of the image.
public enum Likelihood: Sendable, Hashable {
  /// -log p of pixels in [0, 1] under a Bernoulli distribution; the decoder ends in logits. In nats.
  case bernoulli
  /// Sum of squared differences: -log p under a Gaussian of variance 1/2, less its constant.
  case squaredError
  /// -log p of the label under a categorical distribution (softmax cross-entropy); the chain ends in a logit for each
  /// class. In nats.
  case categorical
  /// Squared difference to the label, a number; the chain ends in one number.
  case labelSquaredError

  /// What the output is compared with.
  public enum Target: Sendable {
    case image, label
  }

  public var target: Target {
    switch self {
    case .bernoulli, .squaredError: .image
    case .categorical, .labelSquaredError: .label
    }
  }

  /// Losses of `samples` and, where wanted, the error of their outputs of `count` values.
  ///
  /// - Parameters:
  ///   - target: the images, where these are the target.
  ///   - labels: where these are the target; of a categorical likelihood 0 to `count` - 1.
  public func evaluate(
    samples: Int, count: Int, output: UnsafePointer<Float>, target: UnsafePointer<Float>,
    labels: UnsafePointer<Int32>, loss: UnsafeMutablePointer<Float>, error: UnsafeMutablePointer<Float>?
  ) {
    switch self {
    case .bernoulli: checked(hg_bernoulli_logits(samples, count, output, target, loss, error))
    case .squaredError: checked(hg_squared_error(samples, count, output, target, loss, error))
    case .categorical: checked(hg_softmax_cross_entropy(samples, count, output, labels, loss, error))
    case .labelSquaredError:
      for n in 0..<samples {
        let difference = output[n] - Float(labels[n])
        loss[n] = difference * difference
        error?[n] = 2 * difference
      }
    }
  }

  /// The expected image, which is what a person looks at; where labels are the target, the output as it is. `image` may
  /// be `output`.
  public func mean(of output: UnsafePointer<Float>, count: Int, into image: UnsafeMutablePointer<Float>) {
    checked(hg_activation_forward(meanActivation.kernel, count, output, image, nil))
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
    case .bernoulli, .squaredError:
      output == input ? nil : "wanted an output of the input's shape \(input), found \(output)"
    case .categorical:
      output.isVector && output.count > 1
        ? nil : "wanted a vector with a logit for each of 2 or more classes, as Dense(10) makes, found \(output)"
    case .labelSquaredError:
      output.count == 1 ? nil : "wanted one number, as Dense(1) makes, found \(output)"
    }
  }

  /// Why a chain that ends in `activation` does not fit, if it does not.
  func refusal(of activation: Activation) -> String? {
    let wantsLogits = self == .bernoulli || self == .categorical
    return wantsLogits && activation != .linear
      ? "the \(name) likelihood wants logits, so a last layer with linear activation, found \(activation.rawValue)"
      : nil
  }

  /// Why numbers in a range cannot be its target, if they cannot.
  public func refusal(ofTargets range: ClosedRange<Float>) -> String? {
    guard self == .bernoulli, range.lowerBound < 0 || range.upperBound > 1 else { return nil }
    return "the \(name) likelihood wants numbers in [0, 1], found \(range.lowerBound) to \(range.upperBound); take "
      + "squaredError, or sigmoid units"
  }

  /// What a loss is counted in, for people to read.
  public var unit: String {
    switch self {
    case .bernoulli, .categorical: "nats per image"
    case .squaredError, .labelSquaredError: "squared error per image"
    }
  }

  /// What other programs call that which `mean` makes.
  var outputName: String {
    switch self {
    case .bernoulli, .squaredError: "reconstruction"
    case .categorical: "logits"
    case .labelSquaredError: "prediction"
    }
  }

  /// As in files.
  public var name: String {
    switch self {
    case .bernoulli: "bernoulli"
    case .squaredError: "squaredError"
    case .categorical: "categorical"
    case .labelSquaredError: "labelSquaredError"
    }
  }

  static let all: [Likelihood] = [.bernoulli, .squaredError, .categorical, .labelSquaredError]
}

extension Likelihood: Codable {
  public init(from decoder: any Decoder) throws {
    let value = try decoder.singleValueContainer()
    let name = try value.decode(String.self)
    guard let found = Self.all.first(where: { $0.name == name }) else {
      let names = Self.all.map(\.name).joined(separator: ", ")
      throw DecodingError.dataCorruptedError(in: value, debugDescription: "wanted one of \(names), found \(name)")
    }
    self = found
  }

  public func encode(to encoder: any Encoder) throws {
    var value = encoder.singleValueContainer()
    try value.encode(name)
  }
}
