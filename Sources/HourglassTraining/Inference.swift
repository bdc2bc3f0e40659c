import HourglassData
import HourglassModels

extension ExecutionPlan {
  /// Floats of what the likelihood makes of one output: an image, or where labels are the target the output itself.
  fileprivate var meanCount: Int {
    model.likelihood.target == .image ? model.input.count : boundaries[layers.count].shape.count
  }
}

/// The forward half of a model on all workers: encode, decode, reconstruct and measure, a batch at a time.
///
/// The same chain, kernels and random streams as in training; the numbers depend on neither workers nor threads.
public final class Inference {
  public let plan: ExecutionPlan
  /// The flat vector of parameters.
  public let parameters: FloatBuffer

  private let shared: SharedMemory
  private let inputs: FloatBuffer
  private let outputs: FloatBuffer
  private let similarities: FloatBuffer
  private let bounds: AlignedBuffer<Double>
  private let seeds: AlignedBuffer<UInt64>
  private let current: AlignedBuffer<Request>
  private let counter = WorkCounter()
  private let team: WorkerTeam

  private struct Request {
    var count = 0
    var first = 0
    var last = 0
    var noise = Noise.none
    var measures = false
    /// Draws of each code, where p(image) is bounded by them; without noise by what `seeds` say of each image.
    var draws = 0
    /// Of what comes after the last layer the expected image, not the values themselves.
    var wantsMean = false
  }

  /// Errors: a `ModelError` where the model cannot be planned or memory does not suffice, a `ThreadError` where the
  /// system does not make as many threads.
  ///
  /// - Parameter parameters: the flat vector of the model's plan, shared with whoever trains it.
  public init(model: Autoencoder, parallel: ParallelPlan, parameters: FloatBuffer? = nil) throws {
    let plan = try ExecutionPlan(model, batchSize: Self.batchSize)
    try parallel.check()
    try PlannedMemory(inference: plan, parallel: parallel, hasParameters: parameters == nil).check(plan)
    plan.require(parameters)
    let shared = SharedMemory(plan: plan, parameters: parameters ?? FloatBuffer(count: plan.parameterCount))
    let cores = WorkerCores(parallel)
    let replicas = (0..<parallel.workers).map { worker in
      Replica(
        plan: plan, shared: shared, groupSamples: plan.samplesPerShard, parallel: parallel, worker: worker,
        cores: cores)
    }
    let widest = Self.widest(plan)
    let inputs = FloatBuffer(count: plan.batchSize * widest)
    let outputs = FloatBuffer(count: plan.batchSize * widest)
    let similarities = FloatBuffer(count: plan.batchSize)
    let bounds = AlignedBuffer<Double>(count: plan.batchSize)
    let seeds = AlignedBuffer<UInt64>(count: plan.batchSize)
    let current = AlignedBuffer<Request>(count: 1)
    (self.plan, self.shared, self.parameters) = (plan, shared, shared.parameters)
    (self.inputs, self.outputs, self.similarities) = (inputs, outputs, similarities)
    (self.current, self.bounds, self.seeds) = (current, bounds, seeds)

    let counter = counter
    team = try WorkerTeam(parallel) { worker, phase in
      let request = current.pointer[0]
      let replica = replicas[worker]
      if phase == Phase.start {
        replica.start()
        shared.clear(shareOf: worker, workers: parallel.workers, plan: plan)
        return
      }
      let (from, to) = (plan.boundaries[request.first].shape.count, plan.boundaries[request.last].shape.count)
      var similarity = StructuralSimilarity(shape: model.input)
      replica.prepare(backward: false)
      while let shard = counter.take(below: plan.shards) {
        let samples = plan.samples(of: shard, in: request.count)
        if samples.isEmpty { continue }
        let start = samples.lowerBound
        replica.values(request.first, first: start, group: start)
          .update(from: inputs.pointer + start * from, count: samples.count * from)
        guard request.draws == 0 else {
          if request.noise == .none {
            replica.evidenceBounds(
              samples, draws: request.draws, seeds: seeds.pointer + start, into: bounds.pointer + start)
          } else {
            replica.importanceBounds(
              samples, draws: request.draws, noise: request.noise, into: bounds.pointer + start)
          }
          continue
        }
        replica.forward(
          request.first..<request.last, samples: samples, mode: Replica.Mode(noise: request.noise))
        let output = replica.values(request.last, first: start, group: start)
        let results = outputs.pointer + start * (request.wantsMean ? plan.meanCount : to)
        guard request.wantsMean else {
          results.update(from: output, count: samples.count * to)
          continue
        }
        if request.measures { replica.likelihood(samples, group: start, wantsError: false) }
        model.likelihood.mean(
          of: output, samples: samples.count, count: to, channels: model.input.channels, into: results)
        if request.measures, model.likelihood.target == .image {
          for n in samples {
            similarities.pointer[n] = Float(
              similarity.value(outputs.pointer + n * model.input.count, inputs.pointer + n * model.input.count))
          }
        }
      }
    }
    team.run(phase: Phase.start)
  }

  /// Floats that a sample needs at most at the input and at the output.
  static func widest(_ plan: ExecutionPlan) -> Int {
    // A latent that is a distribution is twice as long as its code.
    let ends = [plan.boundaries[0], plan.boundaries[plan.layers.count]].map(\.shape.count)
    return max(ends[0], ends[1], 2 * plan.boundaries[plan.codeBoundary].shape.count)
  }

  private enum Phase {
    /// Once: each worker is the first to write the memory it will use.
    static let start = 0
    static let shards = 1
  }

  /// Enough to keep 16 workers busy with shards of 16.
  public static let batchSize = 256

  /// The codes of images, the mean where the latent is a distribution: `codeCount` floats for each image.
  public func encode(_ images: [Float]) -> [Float] {
    run(images, from: 0, to: plan.codeBoundary)
  }

  /// Of a variational model the distribution of each image's code: `codeCount` means, then as many log-variances.
  public func posterior(_ images: [Float]) -> [Float] {
    precondition(plan.model.isVariational, "\(plan.model.name) has codes without a distribution")
    return run(images, from: 0, to: plan.codeBoundary - 1)
  }

  /// The expected images of codes, of a model whose plan has no `decodingRefusal`.
  public func decode(_ codes: [Float]) -> [Float] {
    precondition(plan.decodingRefusal == nil, plan.decodingRefusal ?? "")
    return run(codes, from: plan.codeBoundary, to: plan.layers.count, wantsMean: true)
  }

  /// The expected images of the images' codes.
  public func reconstruct(_ images: [Float]) -> [Float] {
    run(images, from: 0, to: plan.layers.count, wantsMean: true)
  }

  /// Floats of one code, and of one image.
  public var codeCount: Int { plan.boundaries[plan.codeBoundary].shape.count }
  public var imageCount: Int { plan.model.input.count }

  /// How well images are reconstructed, one entry for each.
  public struct Measurement: Sendable {
    /// In nats, or squared error summed over pixels.
    public var reconstruction: Float
    /// Divergence of the latent in nats.
    public var divergence: Float
    /// Of a model that puts out images.
    public var image: ImageMeasurement?
    /// Of a model that puts out labels: the likeliest class, or the number.
    public var prediction: Float?
  }

  /// How near an expected image is to the image.
  public struct ImageMeasurement: Sendable {
    /// Mean over pixels of the squared difference to the expected image.
    public var squaredError: Float
    public var similarity: Float
  }

  /// Measures at most `batchSize` images, N x H x W x C, with the given noise.
  ///
  /// - Parameter labels: of the images, where the model puts out labels; of a categorical likelihood classes that it
  ///   has, see `Dataset.checkLabels`.
  public func measure(_ images: [Float], labels: ArraySlice<Int>? = nil, noise: Noise) -> [Measurement] {
    let (count, end) = (take(images, labels), plan.layers.count)
    perform(Request(count: count, first: 0, last: end, noise: noise, measures: true, wantsMean: true))
    let (width, isImage) = (plan.boundaries[end].shape.count, plan.model.likelihood.target == .image)
    return (0..<count).map { n in
      var result = Measurement(reconstruction: shared.losses.pointer[n], divergence: shared.divergences.pointer[n])
      if isImage {
        result.image = ImageMeasurement(squaredError: squaredError(n), similarity: similarities.pointer[n])
      } else {
        result.prediction = plan.model.likelihood.prediction(of: outputs.pointer + n * width, count: width)
      }
      return result
    }
  }

  /// Importance-weighted bounds of log p(image) in nats, of at most `batchSize` images (see `ImportanceBound`).
  ///
  /// - Parameters:
  ///   - draws: K, 1 to 2^24.
  ///   - step: part of the address of the draws' random numbers.
  public func importanceBounds(
    _ images: [Float], labels: ArraySlice<Int>? = nil, draws: Int, seed: UInt64, step: Int
  ) -> [Double] {
    precondition(plan.model.isVariational, "\(plan.model.name) has codes without a distribution")
    precondition((1...1 << 24).contains(draws), "\(draws) draws of a code")
    let count = take(images, labels)
    let noise = Noise.importance(seed: seed, step: step, draw: 0)
    perform(Request(count: count, first: 0, last: plan.layers.count, noise: noise, draws: draws))
    return Array(bounds.elements[..<count])
  }

  /// Evidence lower bounds of log p(image) in nats, mean over K draws of the code, of at most `batchSize` images.
  ///
  /// The draws of an image follow from the seed and from its pixels alone, not from its place among others: from the
  /// first 8 bytes of SHA-256 over both.
  ///
  /// - Parameter draws: K, 1 to 2^24.
  public func evidenceBounds(
    _ images: [Float], labels: ArraySlice<Int>? = nil, draws: Int, seed: UInt64
  ) -> [Double] {
    precondition(plan.model.isVariational, "\(plan.model.name) has codes without a distribution")
    precondition((1...1 << 24).contains(draws), "\(draws) draws of a code")
    let count = take(images, labels)
    for n in 0..<count {
      var hash = SHA256()
      withUnsafeBytes(of: seed.littleEndian) { hash.update($0) }
      hash.update(UnsafeRawBufferPointer(start: inputs.pointer + n * imageCount, count: 4 * imageCount))
      seeds.pointer[n] = UInt64(hash.hexDigits().prefix(16), radix: 16) ?? 0
    }
    perform(Request(count: count, first: 0, last: plan.layers.count, draws: draws))
    return Array(bounds.elements[..<count])
  }

  /// Puts images and their labels at the input, and answers how many.
  private func take(_ images: [Float], _ labels: ArraySlice<Int>?) -> Int {
    let count = images.count / imageCount
    precondition(
      count * imageCount == images.count && count <= Self.batchSize,
      "\(images.count) floats are not 0 to \(Self.batchSize) images of \(imageCount)")
    inputs.pointer.update(from: images, count: images.count)
    guard plan.model.likelihood.target == .label else { return count }
    precondition(labels?.count == count, "\(labels?.count ?? 0) labels of \(count) images")
    for (n, label) in (labels ?? []).enumerated() {
      precondition(plan.labels.contains(label), "the label \(label) of a model of \(plan.labels)")
      shared.labels.pointer[n] = Int32(label)
    }
    return count
  }

  private func squaredError(_ n: Int) -> Float {
    var sum: Float = 0
    for i in n * imageCount..<(n + 1) * imageCount {
      let difference = outputs.pointer[i] - inputs.pointer[i]
      sum += difference * difference
    }
    return sum / Float(imageCount)
  }

  private func run(_ values: [Float], from first: Int, to last: Int, wantsMean: Bool = false) -> [Float] {
    let width = plan.boundaries[first].shape.count
    let resultWidth = wantsMean ? plan.meanCount : plan.boundaries[last].shape.count
    precondition(values.count % width == 0, "\(values.count) floats are no whole number of samples of \(width)")
    var results: [Float] = []
    results.reserveCapacity(values.count / width * resultWidth)
    for start in stride(from: 0, to: values.count, by: Self.batchSize * width) {
      let part = values[start..<min(start + Self.batchSize * width, values.count)]
      _ = inputs.elements.update(fromContentsOf: part)
      let count = part.count / width
      perform(Request(count: count, first: first, last: last, wantsMean: wantsMean))
      results.append(contentsOf: outputs.elements[..<(count * resultWidth)])
    }
    return results
  }

  private func perform(_ request: Request) {
    current.pointer[0] = request
    counter.reset()
    team.run(phase: Phase.shards)
  }
}
