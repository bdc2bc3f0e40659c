import Glibc
import HourglassKernels
import HourglassModels

/// The importance-weighted bound of the log-likelihood of an image x, from K draws of its code:
///
///     L_K = log 1/K sum over k of w_k,   log w_k = log p(x | z_k) + log p(z_k) - log q(z_k | x),   z_k ~ q(z | x)
///
/// L_1 is the evidence lower bound with one sample; L_K grows with K towards log p(x).
///
/// Source: Burda, Grosse & Salakhutdinov, "Importance weighted autoencoders", ICLR 2016.
struct ImportanceBound {
  private var greatest = -Double.infinity
  private var sum = 0.0
  private var draws = 0

  /// The sum is kept relative to the greatest weight so far, so that no exponential overflows.
  mutating func add(_ logWeight: Double) {
    draws += 1
    if logWeight > greatest {
      sum = sum * exp(greatest - logWeight) + 1
      greatest = logWeight
    } else {
      sum += exp(logWeight - greatest)
    }
  }

  var value: Double { greatest + log(sum / Double(draws)) }
}

extension SharedMemory {
  /// Adds the losses of the `count` samples of a minibatch to `sums`, in order. Where training follows the bound, an
  /// image's reconstruction is the mean over its samples by their weights, and its divergence what else the bound
  /// lacks.
  func addLosses(count: Int, plan: ExecutionPlan, capacity: Float? = nil) {
    let sums = sums.pointer
    guard let importanceWeights else {
      for n in 0..<count { sums[0] += Double(losses.pointer[n]) }
      for term in 0..<self.sums.count - 2 {
        for n in 0..<count { sums[1 + term] += Double(terms.pointer[term * plan.batchSize + n]) }
      }
      guard let capacity else { return }
      for first in stride(from: 0, to: count, by: plan.samplesPerShard) {
        let shard = first..<min(first + plan.samplesPerShard, count)
        let divergence = shard.reduce(0.0) { $0 + Double(terms.pointer[$1]) }
        sums[self.sums.count - 1] += abs(divergence - Double(capacity) * Double(shard.count)) - divergence
      }
      return
    }
    for image in 0..<count / plan.samplesPerImage {
      var reconstruction = 0.0
      for n in image * plan.samplesPerImage..<(image + 1) * plan.samplesPerImage {
        reconstruction += Double(importanceWeights.pointer[n]) * Double(losses.pointer[n])
      }
      sums[0] += reconstruction
      sums[1] -= Double(bounds.pointer[image]) + reconstruction
    }
  }
}

extension Replica {
  /// Where training follows the bound: bounds of the images of some samples whose losses are in place, and the samples'
  /// weights, by which the error of the output is multiplied, `count` values a sample.
  func weighByImportance(_ piece: Range<Int>, count: Int, error: UnsafeMutablePointer<Float>) {
    guard let weights = shared.importanceWeights, let draws = plan.importanceSamples else { return }
    let first = piece.lowerBound
    checked(
      hg_importance_bound(
        piece.count / draws, draws, count, shared.losses.pointer + first, shared.terms.pointer + first,
        shared.bounds.pointer + first / draws, weights.pointer + first, error, nil))
  }

  /// The bound of each image of a shard that is in place: encodes once, then decodes K draws of the codes one after the
  /// other, addressed by `noise`, sample and k.
  func importanceBounds(
    _ samples: Range<Int>, target: UnsafeMutablePointer<Float>?, draws: Int, noise: Noise,
    into bounds: UnsafeMutablePointer<Double>
  ) {
    guard case .importance(let seed, let step, _) = noise else { preconditionFailure("draws want noise") }
    let (latent, start) = (plan.encoder.upperBound - 1, samples.lowerBound)
    let units = plan.codeShape.count
    forward(0..<latent, samples: samples, mode: Mode(noise: .none))
    var found = [ImportanceBound](repeating: ImportanceBound(), count: samples.count)
    for draw in 0..<draws {
      forward(
        latent..<plan.uses.count, samples: samples,
        mode: Mode(noise: .importance(seed: seed, step: step, draw: draw)))
      likelihood(samples, group: start, target: target, wantsError: false)
      for n in samples {
        let ratio = Self.logRatio(
          z: values(plan.code, first: n, group: start), noise: address(plan.uses[latent].state, n, start),
          logVariances: values(plan.posterior, first: n, group: start) + units, units: units)
        found[n - start].add(ratio - Double(shared.losses.pointer[n]))
      }
    }
    for (n, bound) in found.enumerated() { bounds[n] = bound.value }
  }

  /// The evidence lower bound of each image of a shard that is in place, mean over K draws of the codes; draw k of
  /// sample n is addressed by a seed of its own and k, not by its place.
  func evidenceBounds(
    _ samples: Range<Int>, target: UnsafeMutablePointer<Float>?, draws: Int, seeds: UnsafePointer<UInt64>,
    into bounds: UnsafeMutablePointer<Double>
  ) {
    let (latent, start) = (plan.encoder.upperBound - 1, samples.lowerBound)
    forward(0..<latent, samples: samples, mode: Mode(noise: .none))
    for n in samples { bounds[n - start] = 0 }
    for draw in 0..<draws {
      for n in samples {
        let mode = Mode(noise: .importance(seed: seeds[n - start], step: 0, draw: draw), samplesBefore: -n)
        forward(latent..<latent + 1, n..<n + 1, group: start, mode: mode)
      }
      forward(latent + 1..<plan.uses.count, samples: samples, mode: Mode(noise: .none))
      likelihood(samples, group: start, target: target, wantsError: false)
      for n in samples {
        bounds[n - start] -= Double(shared.losses.pointer[n]) + Double(shared.terms.pointer[n])
      }
    }
    for n in samples { bounds[n - start] /= Double(draws) }
  }

  /// log p(z) - log q(z | x), of which the constants cancel:  1/2 sum(noise^2 + lv - z^2).
  private static func logRatio(
    z: UnsafePointer<Float>, noise: UnsafePointer<Float>, logVariances: UnsafePointer<Float>, units: Int
  ) -> Double {
    var sum = 0.0
    for j in 0..<units {
      let lv = min(max(Double(logVariances[j]), Double(HG_LOG_VARIANCE_MIN)), Double(HG_LOG_VARIANCE_MAX))
      let (e, code) = (Double(noise[j]), Double(z[j]))
      sum += e * e + lv - code * code
    }
    return sum / 2
  }
}
