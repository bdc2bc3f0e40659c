import HourglassKernels
import HourglassModels

/// How weights follow gradients. All are elementwise, so that any slice of the flat vector can be updated by itself.
public struct Optimizer: Codable, Sendable, Equatable {
  public enum Kind: String, Codable, Sendable, CaseIterable {
    /// Kingma & Ba, "Adam: a method for stochastic optimization", ICLR 2015.
    case adam
    /// Adam with decoupled weight decay: Loshchilov & Hutter, ICLR 2019.
    case adamw
    /// Stochastic gradient descent with momentum.
    case sgd
  }

  public var kind: Kind
  public var learningRate: Float
  public var beta1: Float = 0.9
  public var beta2: Float = 0.999
  public var epsilon: Float = 1e-8
  public var momentum: Float = 0.9
  public var weightDecay: Float

  /// PyTorch's defaults: weight decay 0.01 for AdamW, none otherwise.
  public init(_ kind: Kind = .adam, learningRate: Float = 1e-3, weightDecay: Float? = nil) {
    (self.kind, self.learningRate) = (kind, learningRate)
    self.weightDecay = weightDecay ?? (kind == .adamw ? 0.01 : 0)
  }

  /// Names of the moments it keeps, as in checkpoints.
  public var moments: [String] { kind == .sgd ? ["m"] : ["m", "v"] }

  /// Updates a slice of the flat vector with `scale` times the gradient. `step` counts from 0.
  func update(
    _ slice: Range<Int>, step: Int, scale: Float, gradient: FloatBuffer, weights: FloatBuffer, moments: [FloatBuffer]
  ) {
    let at = slice.lowerBound
    switch kind {
    case .adam, .adamw:
      let t = step + 1
      var options = hg_adam_options(
        size: MemoryLayout<hg_adam_options>.size, gradient_scale: scale, learning_rate: learningRate, beta1: beta1,
        beta2: beta2, epsilon: epsilon, weight_decay: kind == .adamw ? weightDecay : 0,
        correction1: Self.correction(beta1, t), correction2: Self.correction(beta2, t))
      checked(
        hg_adam(
          &options, slice.count, gradient.pointer + at, weights.pointer + at, moments[0].pointer + at,
          moments[1].pointer + at))
    case .sgd:
      var options = hg_sgd_options(
        size: MemoryLayout<hg_sgd_options>.size, gradient_scale: scale, learning_rate: learningRate,
        momentum: momentum, weight_decay: weightDecay)
      checked(hg_sgd(&options, slice.count, gradient.pointer + at, weights.pointer + at, moments[0].pointer + at))
    }
  }
}

extension Optimizer {
  /// 1 - beta^t by repeated squaring in double: the same bits on every machine, unlike a library's `pow`.
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
