import HourglassKernels

/// One call of one layer: samples, and where everything lies. Made afresh for each call, on the stack.
public struct Pass {
  /// Images in this call.
  public var samples: Int
  /// Place of the first of them in the step: part of the address of its random numbers.
  public var firstSample: Int

  /// Input and output of the layer.
  public var x: UnsafeMutablePointer<Float>
  public var y: UnsafeMutablePointer<Float>
  /// Error of the output, and of the input where somebody wants it.
  public var dy: UnsafeMutablePointer<Float>?
  public var dx: UnsafeMutablePointer<Float>?
  /// The activation that made `x`: the layer multiplies `dx` by its derivative.
  public var inputActivation: Activation

  /// The flat vector of parameters, this replica's prepared weights, and the gradients of this shard.
  public var parameters: UnsafeMutablePointer<Float>
  public var prepared: UnsafeMutablePointer<Float>
  public var gradients: UnsafeMutablePointer<Float>?
  /// Whether the shard's gradients go on from what is there.
  public var accumulate: Bool

  /// What the layer keeps from forward to backward, and scratch.
  public var state: UnsafeMutablePointer<Float>
  public var scratch: UnsafeMutablePointer<Float>
  /// What the layer's partner keeps of the same samples.
  public var partnerState: UnsafeMutablePointer<Float>?
  /// Of each sample: the Kullback-Leibler divergence in nats, written by a latent that has one, or the penalty.
  public var divergence: UnsafeMutablePointer<Float>

  /// Where training follows the importance-weighted bound, the weight of each sample among those of its image, known on
  /// the way back. The divergence is then its estimate by the sample, log q(z | x) - log p(z).
  public var importanceWeights: UnsafePointer<Float>?

  /// Where a penalty is a function of it, the tangent of `x` and its error (see `LinearizedLayer`).
  public var tangent: UnsafeMutablePointer<Float>?
  public var tangentError: UnsafeMutablePointer<Float>?

  public var noise: Noise
  /// Weight of divergence or penalty in the loss.
  public var beta: Float
  /// Nats that each latent unit may diverge by at no cost, in the mean over a shard; 0 for none.
  public var freeBits: Float = 0
  /// Where a call has more, they are a run of whole shards of so many, of which the last may be short.
  public var samplesPerShard = Int.max
  /// OpenMP threads for the kernels.
  public var threads: Int

  public init(
    samples: Int, firstSample: Int, x: UnsafeMutablePointer<Float>,
    y: UnsafeMutablePointer<Float>,
    dy: UnsafeMutablePointer<Float>?, dx: UnsafeMutablePointer<Float>?, inputActivation: Activation,
    parameters: UnsafeMutablePointer<Float>, prepared: UnsafeMutablePointer<Float>,
    state: UnsafeMutablePointer<Float>, scratch: UnsafeMutablePointer<Float>,
    divergence: UnsafeMutablePointer<Float>, noise: Noise, beta: Float, threads: Int
  ) {
    (self.samples, self.firstSample) = (samples, firstSample)
    (self.x, self.y, self.dy, self.dx, self.inputActivation) = (x, y, dy, dx, inputActivation)
    (self.parameters, self.prepared, gradients, accumulate) = (parameters, prepared, nil, false)
    (self.state, self.scratch, partnerState, self.divergence) = (state, scratch, nil, divergence)
    (self.noise, self.beta, self.threads) = (noise, beta, threads)
  }

  /// Multiplies `dx`, of `count` values a sample, by the derivative of the activation that made `x`.
  func applyInputDerivative(count: Int) {
    guard let dx, inputActivation != .linear else { return }
    inputActivation.backward(count: samples * count, y: x, dy: dx, dx: dx, threads: threads)
  }

  /// Calls a kernel with this pass's threads.
  @inline(__always)
  func withParallel<R>(_ body: (UnsafePointer<hg_parallel>) -> R) -> R {
    var parallel = Planner.parallel(threads: threads)
    return body(&parallel)
  }
}
