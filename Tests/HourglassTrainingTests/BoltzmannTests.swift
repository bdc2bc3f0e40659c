import Foundation
import HourglassData
import HourglassModels
import TestSupport
import Testing

@testable import HourglassTraining

/// Restricted Boltzmann machines, trained by contrastive divergence.
@Suite struct BoltzmannTests {
  static func machine(
    _ input: ImageShape, hidden: Int, steps: Int = 1, persistent: Bool = false, gaussian: Bool = false
  ) -> Autoencoder {
    Autoencoder(
      "\(gaussian ? "gaussian" : "bernoulli") \(persistent ? "PCD" : "CD")-\(steps)", input: input,
      likelihood: .squaredError, objective: .contrastiveDivergence(steps: steps, persistent: persistent)
    ) {
    } latent: {
      Dense(hidden, activation: .sigmoid)
    } decoder: {
      TiedDense(to: "latent", activation: gaussian ? .linear : .sigmoid)
    }
  }

  /// Both kinds of visible units, one step and several, chains from the images and persistent ones.
  static let machines = [
    machine(ImageShape(8, 5, 1), hidden: 23),
    machine(ImageShape(8, 5, 1), hidden: 23, steps: 3, gaussian: true),
    machine(ImageShape(8, 5, 1), hidden: 23, steps: 2, persistent: true),
    machine(ImageShape(8, 5, 1), hidden: 23, persistent: true, gaussian: true),
  ]

  // MARK: The likelihood

  /// A machine of 4 visible and 3 hidden units, small enough to sum over all states of its units.
  struct Exact {
    let isGaussian: Bool
    let (w, b, c): ([[Double]], [Double], [Double])

    /// All vectors of so many zeros and ones.
    static func states(_ count: Int) -> [[Double]] {
      (0..<1 << count).map { bits in (0..<count).map { Double(bits >> $0 & 1) } }
    }

    /// Takes the parameters at hand, which in files are [hidden, visible], [hidden], [visible].
    init(_ step: TrainingStep, isGaussian: Bool) {
      let tensors = step.plan.parameters.map { $0.tensor(in: step.parameters.pointer).map(Double.init) }
      self.isGaussian = isGaussian
      w = (0..<4).map { i in (0..<3).map { tensors[0][$0 * 4 + i] } }
      (c, b) = (tensors[1], tensors[2])
    }

    /// w h, of which a visible unit's mean follows.
    func field(_ h: [Double]) -> [Double] { w.map { dot($0, h) } }

    func hidden(_ v: [Double]) -> [Double] {
      c.indices.map { j in sigmoid(c[j] + dot(v, w.map { $0[j] })) }
    }

    /// Each state of the hidden units, its weight in Z with the visible units summed or integrated out, and the mean of
    /// the visible units. For Gaussian ones the integral of exp(-|v - b|^2 / 2 + a v) is exp(a b + |a|^2 / 2) (2 pi)^2.
    var hiddenStates: [(h: [Double], weight: Double, mean: [Double])] {
      Self.states(3).map { h in
        let a = field(h)
        let sums: [Double] = zip(a, b).map { $0 + $1 }
        if isGaussian {
          let exponent = dot(c, h) + dot(a, b) + dot(a, a) / 2
          return (h, exp(exponent) * 4 * Double.pi * Double.pi, sums)
        }
        let factors = sums.map { 1 + exp($0) }
        return (h, exp(dot(c, h)) * factors.reduce(1, *), sums.map(sigmoid))
      }
    }

    /// Gradient of the mean of -log p over images: that of w, c, b in the order of the files.
    func gradient(_ images: [[Double]]) -> [[Double]] {
      let states = hiddenStates
      let z = states.reduce(0) { $0 + $1.weight }
      let seen = images.map { (v: $0, h: hidden($0)) }
      func gradient(_ value: (_ v: [Double], _ h: [Double]) -> Double) -> Double {
        var (model, data) = (0.0, 0.0)
        for state in states { model += state.weight / z * value(state.mean, state.h) }
        for pair in seen { data += value(pair.v, pair.h) / Double(images.count) }
        return model - data
      }
      let dw = (0..<12).map { k in gradient { v, h in v[k % 4] * h[k / 4] } }
      return [dw, (0..<3).map { j in gradient { $1[j] } }, (0..<4).map { i in gradient { v, _ in v[i] } }]
    }

    /// -log p, mean over images.
    func loss(_ images: [[Double]]) -> Double {
      let z = hiddenStates.reduce(0) { $0 + $1.weight }
      var sum = 0.0
      for v in images {
        let distance: [Double] = zip(v, b).map { $0 - $1 }
        let own = isGaussian ? -dot(distance, distance) / 2 : dot(b, v)
        var states = 0.0
        for h in Self.states(3) { states += exp(own + dot(c, h) + dot(v, field(h))) }
        sum -= log(states / z)
      }
      return sum / Double(images.count)
    }

    /// Largest mean square of a visible unit, and at least 1: no v[i] h[j] has a larger variance.
    var largestVariance: Double {
      let states = hiddenStates
      let z = states.reduce(0) { $0 + $1.weight }
      let own: Double = isGaussian ? 1 : 0
      return (0..<4).map { i -> Double in
        var sum = 0.0
        for state in states { sum += state.weight / z * (state.mean[i] * state.mean[i] + own) }
        return sum
      }.reduce(1, max)
    }
  }

  /// Images of four elements, the second and the third of them alike in most.
  static func images(_ count: Int, isGaussian: Bool) -> [Float] {
    let draws = RandomStream(seed: 11, .synthesis).uniform(4 * count)
    let bits = (0..<count).flatMap { n -> [Float] in
      let u = Array(draws[4 * n..<4 * n + 4])
      let (first, second, last): (Float, Float, Float) = (u[0] < 0.5 ? 1 : 0, u[1] < 0.7 ? 1 : 0, u[3] < 0.2 ? 1 : 0)
      return [first, second, u[2] < 0.9 ? second : 1 - second, last]
    }
    guard isGaussian else { return bits }
    return zip(bits, RandomStream(seed: 12, .synthesis).normal(4 * count)).map { 2 * $0 - 1 + $1 / 2 }
  }

  /// Not only of numbers in [0, 1], as files have them.
  static func data(_ pixels: [Float]) -> Dataset {
    Dataset(count: pixels.count / 4, shape: ImageShape(vector: 4), source: "vectors") { index, image in
      for i in 0..<4 { image[i] = pixels[4 * index + i] }
    }
  }

  static func vectors(_ images: [Float]) -> [[Double]] {
    stride(from: 0, to: images.count, by: 4).map { n in images[n..<n + 4].map(Double.init) }
  }

  /// With long chains, or persistent ones after some steps, the gradient is that of -log p: its mean over n draws lies
  /// within 5 standard errors of sqrt(variance / n), with a bound of the variance. One step from the images does not.
  @Test(arguments: [(20, false), (5, true), (1, false)], [false, true])
  func longChainsGiveTheGradientOfTheLikelihood(_ chains: (steps: Int, persistent: Bool), _ isGaussian: Bool) throws {
    let (count, repeats, burnIn) = (500, 100, chains.persistent ? 10 : 0)
    let pixels = Self.images(count, isGaussian: isGaussian)
    let model = Self.machine(
      ImageShape(vector: 4), hidden: 3, steps: chains.steps, persistent: chains.persistent, gaussian: isGaussian)
    let data = Self.data(pixels)
    let step = try startedStep(
      model, batchSize: count, optimizer: Optimizer(.sgd, learningRate: 0), data: data)
    for (index, parameter) in step.plan.parameters.enumerated() {
      let scale: Float = isGaussian ? 0.8 : 2
      let values = RandomStream(seed: 13, .synthesis, step: index).uniform(parameter.count)
      parameter.store(values.map { scale * (2 * $0 - 1) }, in: step.parameters.pointer)
    }
    var found = step.plan.parameters.map { [Double](repeating: 0, count: $0.count) }
    for t in 0..<burnIn + repeats {
      _ = try step.run(step: t, items: (0..<Int32(count)).map { $0 }[...])
      guard t >= burnIn else { continue }
      for (k, parameter) in step.plan.parameters.enumerated() {
        for (i, sum) in parameter.tensor(in: step.gradient.pointer).enumerated() {
          found[k][i] += Double(sum) / Double(count * repeats)
        }
      }
    }
    let exact = Exact(step, isGaussian: isGaussian)
    let wanted = exact.gradient(Self.vectors(pixels))
    let worst = zip(found.joined(), wanted.joined()).map { abs($0 - $1) }.max() ?? 1
    let bound = 5 * (exact.largestVariance / Double(count * repeats)).squareRoot()
    if chains.steps == 1 {
      #expect(worst > bound, "one step is biased: \(worst) within \(bound)")
    } else {
      #expect(worst < bound, "\(worst) of \(bound)")
      #expect((wanted.joined().map(abs).max() ?? 0) > 5 * bound, "\(wanted)")
    }
  }

  /// The gradient above is that of the loss here, by central differences, so that the two formulas check each other.
  @Test(arguments: [false, true]) func trainingRaisesTheLikelihood(_ isGaussian: Bool) throws {
    let pixels = Self.images(200, isGaussian: isGaussian)
    let model = Self.machine(ImageShape(vector: 4), hidden: 3, persistent: true, gaussian: isGaussian)
    let data = Self.data(pixels)
    let step = try startedStep(
      model, batchSize: 200, optimizer: Optimizer(.sgd, learningRate: 0.05), data: data)
    let images = Self.vectors(pixels)
    let before = Exact(step, isGaussian: isGaussian)
    let gradient = Array(before.gradient(images).joined())
    var differences: [Double] = []
    for parameter in step.plan.parameters {
      let start = parameter.tensor(in: step.parameters.pointer)
      for i in start.indices {
        let losses = [Float(0x1p-7), -0x1p-7].map { h in
          var moved = start
          moved[i] += h
          parameter.store(moved, in: step.parameters.pointer)
          return Exact(step, isGaussian: isGaussian).loss(images)
        }
        differences.append((losses[0] - losses[1]) * 0x1p6)
      }
      parameter.store(start, in: step.parameters.pointer)
    }
    #expect((zip(gradient, differences).map { abs($0 - $1) }.max() ?? 1) < 1e-4)

    for t in 0..<400 { _ = try step.run(step: t, items: (0..<Int32(200)).map { $0 }[...]) }
    let after = Exact(step, isGaussian: isGaussian).loss(images)
    #expect(after < before.loss(images) - 0.1, "\(before.loss(images)) to \(after)")
  }

  // MARK: The terms of the gradient

  /// The gradient of each of three steps, computed once more here in double from the same random numbers: minibatches
  /// of which the last is short, several to a step where chains are not persistent.
  @Test(arguments: machines) func theTermsAreThoseOfTheDrawnChains(_ model: Autoencoder) throws {
    guard case .contrastiveDivergence(let steps, let isPersistent) = model.objective else {
      Issue.record("\(model.name) has no chains")
      return
    }
    let isGaussian = model.name.hasPrefix("gaussian")
    let (sizes, batchSize) = ([10, 7, 10], isPersistent ? 10 : 6)
    let pixels = sizes.indices.flatMap { TestImages.waves(step: $0, samples: sizes[$0], shape: model.input) }
    let data = try Dataset(.floats(pixels), shape: model.input, source: "waves")
    let step = try startedStep(
      model, batchSize: batchSize, shards: 2, optimizer: Optimizer(.sgd, learningRate: 0.1), seed: 9, data: data)
    let (visible, hidden) = (40, 23)
    var chains = [[Double]](repeating: [Double](repeating: 0, count: visible), count: 10)
    var first = 0
    for (t, count) in sizes.enumerated() {
      // Weights lie in memory as [visible, hidden], the biases behind them.
      let memory = step.parameters.array.map(Double.init)
      let biases = step.plan.parameters.filter { $0.shape.count == 1 }.map { memory[$0.offset..<$0.offset + $0.count] }
      let w = (0..<visible).map { i in memory[i * hidden..<(i + 1) * hidden].map { $0 } }
      let (c, b) = (Array(biases[0]), Array(biases[1]))
      let columns = (0..<hidden).map { j in w.map { $0[j] } }
      func up(_ v: [Double]) -> [Double] { zip(c, columns).map { sigmoid($0 + dot(v, $1)) } }
      func drawn(_ means: [Double], _ halfStep: Int, _ n: Int, isNormal: Bool) -> [Double] {
        let stream = RandomStream(seed: 9, .gibbs, number: halfStep, step: t, sample: n)
        let numbers = (isNormal ? stream.normal(means.count) : stream.uniform(means.count)).map(Double.init)
        return zip(numbers, means).map { number, mean -> Double in
          if isNormal { return number + mean }
          return number < mean ? 1 : 0
        }
      }
      var dw = [Double](repeating: 0, count: visible * hidden)
      var dc = [Double](repeating: 0, count: hidden)
      var db = [Double](repeating: 0, count: visible)
      for n in 0..<count {
        let v0 = pixels[(first + n) * visible..<(first + n + 1) * visible].map(Double.init)
        let h0 = up(v0)
        var v = isPersistent ? chains[n] : v0
        for k in 0..<steps {
          let h = drawn(up(v), 2 * k, n, isNormal: false)
          let sums: [Double] = zip(b, w).map { $0 + dot($1, h) }
          v = drawn(isGaussian ? sums : sums.map(sigmoid), 2 * k + 1, n, isNormal: isGaussian)
        }
        if isPersistent { chains[n] = v }
        let hk = up(v)
        for i in 0..<visible {
          for j in 0..<hidden { dw[i * hidden + j] += v[i] * hk[j] - v0[i] * h0[j] }
          db[i] += v[i] - v0[i]
        }
        for j in 0..<hidden { dc[j] += hk[j] - h0[j] }
      }
      _ = try step.run(step: t, items: (Int32(first)..<Int32(first + count)).map { $0 }[...])
      first += count
      let found = step.gradient.array
      let offsets = step.plan.parameters.filter { $0.shape.count == 1 }.map(\.offset)
      // Sums of some ten thousand products in float: a part in 10^5 of the largest is far above their rounding.
      let wanted: [([Double], Int)] = [(dw, 0), (dc, offsets[0]), (db, offsets[1])]
      for (values, offset) in wanted {
        let scale = values.map(abs).max() ?? 0
        let worst = values.enumerated().map { abs(Double(found[offset + $0]) - $1) }.max() ?? 1
        #expect(worst < 1e-5 * scale && scale > 0, "step \(t): \(worst) of \(scale)")
      }
      if let kept = step.chains {
        #expect(zip(kept, chains.joined()).allSatisfy { abs(Double($0) - $1) < 1e-4 }, "step \(t)")
      }
    }
  }

  /// What is reported is the squared error of the reconstruction from the mean of the hidden units.
  @Test(arguments: machines) func theLossIsThatOfTheAutoencoder(_ model: Autoencoder) throws {
    var plain = model
    plain.objective = nil
    let data = try TestImages.waves(batchSizes: [20], shape: model.input)
    let losses = try [model, plain].map {
      try startedStep($0, batchSize: 20, optimizer: Optimizer(.sgd, learningRate: 0), data: data).run(batchSizes: [20])
    }
    #expect(losses[0] == losses[1])
  }
}

private func sigmoid(_ x: Double) -> Double { 1 / (1 + exp(-x)) }

private func dot(_ a: [Double], _ b: [Double]) -> Double {
  var sum = 0.0
  for i in a.indices { sum += a[i] * b[i] }
  return sum
}
