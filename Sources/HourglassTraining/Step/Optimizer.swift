import HourglassKernels
import HourglassModels

/// How weights follow gradients. Every kind is elementwise, so that any slice of the flat vector can be updated by
/// itself.
public struct Optimizer: Encodable, Sendable, Equatable {
  /// The algorithm.
  public enum Kind: String, Codable, Sendable, CaseIterable {
    /// Kingma & Ba, "Adam: a method for stochastic optimization", ICLR 2015.
    case adam
    /// Adam with decoupled weight decay: Loshchilov & Hutter, ICLR 2019.
    case adamw
    /// Stochastic gradient descent with momentum, plain or Nesterov's.
    case sgd
    /// Tieleman & Hinton, "Lecture 6.5 - RMSprop", 2012; with momentum where that is above 0.
    case rmsprop
    /// Duchi, Hazan & Singer, "Adaptive subgradient methods", JMLR 2011.
    case adagrad
    /// Zeiler, "ADADELTA: an adaptive learning rate method", 2012.
    case adadelta
  }

  /// The algorithm.
  public var kind: Kind
  /// The step size.
  public var learningRate: Float
  /// The decay of the running mean of gradients, for Adam and AdamW.
  public var beta1: Float = 0.9
  /// The decay of the running mean of squared gradients; RMSprop calls it alpha, AdaDelta rho.
  public var beta2: Float
  /// What is added to the root of squared gradients, so that nothing is divided by zero.
  public var epsilon: Float
  /// The momentum of SGD and RMSprop.
  public var momentum: Float
  /// Whether SGD takes Nesterov's momentum: w -= rate (g + momentum m) in place of rate m (Sutskever et al., ICML
  /// 2013).
  public var nesterov = false
  /// The L2 penalty: weightDecay w is added to the gradient; AdamW takes rate weightDecay w off the weight instead.
  public var weightDecay: Float
  /// The part of weight decay that reaches the parameters of decoder layers alone, beside `weightDecay`; nil for none.
  public var decoderWeightDecay: Float?
  /// The L1 penalty: weightL1 sign(w) is added to the gradient.
  public var weightL1: Float = 0

  /// The learning rate of a kind where nobody says.
  public static func defaultLearningRate(_ kind: Kind) -> Float {
    switch kind {
    case .adam, .adamw: 1e-3
    case .sgd, .rmsprop, .adagrad: 1e-2
    case .adadelta: 1
    }
  }

  /// An optimiser with PyTorch's defaults, but for a momentum of 0.9 for SGD: weight decay is 0.01 for AdamW and 0
  /// otherwise.
  public init(_ kind: Kind = .adam, learningRate: Float? = nil, weightDecay: Float? = nil) {
    self.kind = kind
    self.learningRate = learningRate ?? Self.defaultLearningRate(kind)
    self.weightDecay = weightDecay ?? (kind == .adamw ? 0.01 : 0)
    beta2 = kind == .rmsprop ? 0.99 : kind == .adadelta ? 0.9 : 0.999
    epsilon = kind == .adagrad ? 1e-10 : kind == .adadelta ? 1e-6 : 1e-8
    momentum = kind == .rmsprop ? 0 : 0.9
  }

  /// The optimiser of the decoder's parameters.
  var ofDecoder: Optimizer {
    var optimizer = self
    optimizer.weightDecay += decoderWeightDecay ?? 0
    return optimizer
  }

  /// The names of the moments it keeps, as in checkpoints: m is a mean of gradients or steps, v of squared gradients
  /// (for AdaGrad their sum), u of squared steps.
  public var moments: [String] {
    switch kind {
    case .adam, .adamw: ["m", "v"]
    case .sgd: ["m"]
    case .rmsprop: momentum > 0 ? ["v", "m"] : ["v"]
    case .adagrad: ["v"]
    case .adadelta: ["v", "u"]
    }
  }

  /// The optimiser with a step's own momentum, which of Adam is its beta1; itself for nil.
  func with(momentum: Float?) -> Optimizer {
    var optimizer = self
    if let momentum {
      optimizer.beta1 = momentum
      if self.momentum > 0 { optimizer.momentum = momentum }
    }
    return optimizer
  }

  /// Updates a slice of the flat vector with `scale` times the slice's gradient, to which penalties on the weights are
  /// added in place.
  ///
  /// - Parameters:
  ///   - step: the number of the step, from 0.
  ///   - learningRate: the learning rate of the step, which need not be the optimiser's.
  func update(
    _ slice: Range<Int>, step: Int, scale: Float, learningRate: Float, gradient: UnsafeMutablePointer<Float>,
    weights: FloatBuffer, moments: [FloatBuffer]
  ) {
    let (at, gradients, weight) = (slice.lowerBound, gradient, weights.pointer + slice.lowerBound)
    var scale = scale
    // SGD adds its decay by itself.
    let l2 = kind == .adamw || kind == .sgd ? 0 : weightDecay
    if l2 > 0 || weightL1 > 0 {
      checked(hg_penalize(slice.count, scale, l2, weightL1, weight, gradients, nil))
      scale = 1
    }
    func moment(_ index: Int) -> UnsafeMutablePointer<Float> { moments[index].pointer + at }
    switch kind {
    case .adam, .adamw:
      let t = step + 1
      var options = hg_adam_options(
        size: MemoryLayout<hg_adam_options>.size, gradient_scale: scale, learning_rate: learningRate, beta1: beta1,
        beta2: beta2, epsilon: epsilon, weight_decay: kind == .adamw ? weightDecay : 0,
        correction1: Self.correction(beta1, t), correction2: Self.correction(beta2, t))
      checked(hg_adam(&options, slice.count, gradients, weight, moment(0), moment(1), nil))
    case .sgd:
      var options = hg_sgd_options(
        size: MemoryLayout<hg_sgd_options>.size, gradient_scale: scale, learning_rate: learningRate,
        momentum: momentum, weight_decay: weightDecay, nesterov: nesterov)
      checked(hg_sgd(&options, slice.count, gradients, weight, moment(0), nil))
    case .rmsprop:
      var options = hg_rmsprop_options(
        size: MemoryLayout<hg_rmsprop_options>.size, gradient_scale: scale, learning_rate: learningRate, alpha: beta2,
        epsilon: epsilon, momentum: momentum)
      checked(hg_rmsprop(&options, slice.count, gradients, weight, moment(0), momentum > 0 ? moment(1) : nil, nil))
    case .adagrad:
      var options = hg_adagrad_options(
        size: MemoryLayout<hg_adagrad_options>.size, gradient_scale: scale, learning_rate: learningRate,
        epsilon: epsilon)
      checked(hg_adagrad(&options, slice.count, gradients, weight, moment(0), nil))
    case .adadelta:
      var options = hg_adadelta_options(
        size: MemoryLayout<hg_adadelta_options>.size, gradient_scale: scale, learning_rate: learningRate, rho: beta2,
        epsilon: epsilon)
      checked(hg_adadelta(&options, slice.count, gradients, weight, moment(0), moment(1), nil))
    }
  }
}

extension Optimizer {
  /// The number 1 - beta^t by repeated squaring in double. It has the same bits on every machine, which a library's
  /// `pow` has not.
  static func correction(_ beta: Float, _ t: Int) -> Float {
    var (power, base, exponent) = (1.0, Double(beta), t)
    while exponent > 0 {
      if exponent & 1 == 1 { power *= base }
      base *= base
      exponent >>= 1
    }
    return Float(1 - power)
  }
}
