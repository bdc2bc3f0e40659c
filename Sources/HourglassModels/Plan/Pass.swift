import HourglassKernels

/// One call of one layer: N samples, and where everything lies. Made afresh for each call, on the stack.
///
/// `input`, `output` and the counts below are those of the layer: floats of one sample.
public struct Pass {
  /// N.
  public var samples: Int
  /// Place of the first sample in the step: part of the address of its random numbers.
  public var firstSample: Int

  /// What the layer reads: N x input.
  public var x: UnsafeMutablePointer<Float>
  /// The second value that it reads, where branches meet: N x its shape.
  public var skip: UnsafeMutablePointer<Float>?
  /// What it writes: N x output.
  public var y: UnsafeMutablePointer<Float>
  /// Errors of the output and of the second output of a `Fork`: N x output.
  public var dy: UnsafeMutablePointer<Float>?
  public var dbranch: UnsafeMutablePointer<Float>?
  /// Errors of `x` and `skip`, of the same size, where somebody wants them.
  public var dx: UnsafeMutablePointer<Float>?
  public var dskip: UnsafeMutablePointer<Float>?
  /// The activations that made `x` and `skip`: the layer multiplies `dx` and `dskip` by their derivatives.
  public var inputActivation: Activation
  public var skipActivation = Activation.linear

  /// The layer's parameters, `parameterCount`; its prepared weights, `preparedCount`; and the gradients of its
  /// parameters in this shard, `parameterCount`.
  public var parameters: UnsafeMutablePointer<Float>
  public var prepared: UnsafeMutablePointer<Float>
  public var gradients: UnsafeMutablePointer<Float>?
  /// Whether the shard's gradients go on from what is there.
  public var accumulate: Bool

  /// What the layer keeps from forward to backward, N x `stateCount`, and scratch, `scratchCount`.
  public var state: UnsafeMutablePointer<Float>
  public var scratch: UnsafeMutablePointer<Float>
  /// Parameters, gradients and state of the layer that lends its own, by that layer's counts.
  public var lentParameters: UnsafeMutablePointer<Float>?
  public var lentGradients: UnsafeMutablePointer<Float>?
  public var lentState: UnsafeMutablePointer<Float>?

  /// The layer's own term of each sample's loss, N, of a layer that `notesTerm`: the Kullback-Leibler divergence of a
  /// latent in nats, or a penalty.
  public var term: UnsafeMutablePointer<Float>
  /// Where training follows the importance-weighted bound, the weight of each sample among those of its image, N, known
  /// on the way back. The latent's term is then the KL divergence's estimate by the sample, log q(z | x) - log p(z).
  public var importanceWeights: UnsafePointer<Float>?

  /// Where a penalty is a function of it, the tangent of `x` and its error, of the size of `x` (see
  /// `PlannedLayer.forwardTangent`).
  public var tangent: UnsafeMutablePointer<Float>?
  public var tangentError: UnsafeMutablePointer<Float>?

  public var noise: Noise
  /// Weight of all terms in the loss beside the reconstruction.
  public var beta: Float
  /// Nats that each latent unit may diverge by at no cost, in the mean over a shard; 0 for none.
  public var freeBits: Float = 0
  /// The nats that the KL divergence is led to, in the mean over a shard; nil where it is kept small.
  public var capacity: Float?
  /// Where a call has more, they are a run of whole shards of so many, of which the last may be short.
  public var samplesPerShard = Int.max
  /// Samples of a minibatch that is not the last of an epoch.
  public var batchSize = Int.max
  /// OpenMP threads for the kernels.
  public var threads: Int

  public init(
    samples: Int, firstSample: Int, x: UnsafeMutablePointer<Float>, y: UnsafeMutablePointer<Float>,
    inputActivation: Activation, parameters: UnsafeMutablePointer<Float>, prepared: UnsafeMutablePointer<Float>,
    state: UnsafeMutablePointer<Float>, scratch: UnsafeMutablePointer<Float>,
    term: UnsafeMutablePointer<Float>, noise: Noise, beta: Float, threads: Int
  ) {
    (self.samples, self.firstSample) = (samples, firstSample)
    (self.x, self.y, self.inputActivation) = (x, y, inputActivation)
    (self.parameters, self.prepared, accumulate) = (parameters, prepared, false)
    (self.state, self.scratch, self.term) = (state, scratch, term)
    (self.noise, self.beta, self.threads) = (noise, beta, threads)
  }

  /// The samples of each shard of a call that begins with one.
  func forEachShard(_ body: (Range<Int>) -> Void) {
    for first in stride(from: 0, to: samples, by: samplesPerShard) {
      body(first..<min(first + samplesPerShard, samples))
    }
  }

  /// The mean of the layer's own term over a shard, samples in order.
  func meanTerm(_ shard: Range<Int>) -> Double {
    shard.reduce(0.0) { $0 + Double(term[$1]) } / Double(shard.count)
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
