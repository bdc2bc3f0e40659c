import HourglassData
import HourglassModels

extension ExecutionPlan {
  /// Floats of what the likelihood makes of one output: an image, or where labels are the target the output itself.
  fileprivate var meanCount: Int {
    model.likelihood.target == .image ? model.input.count : outputShape.count
  }
}

/// The forward half of a model on all workers: encode, decode, reconstruct and measure, a batch at a time.
///
/// It runs the layers, kernels and random streams of training, and its numbers depend on neither workers nor threads.
public final class Inference {
  public let plan: ExecutionPlan
  /// The flat vector of parameters.
  public let parameters: FloatBuffer

  private let shared: SharedMemory
  private let inputs: FloatBuffer
  private let outputs: FloatBuffer
  private let missing: Float?
  /// What the images are measured against where that is not what the model sees, and behind them the same as the model
  /// puts it out.
  private let targets: FloatBuffer?
  private let similarities: FloatBuffer
  private let squaredErrors: FloatBuffer
  private let bounds: AlignedBuffer<Double>
  private let seeds: AlignedBuffer<UInt64>
  private let current: AlignedBuffer<Request>
  private let counter = WorkCounter()
  private let team: WorkerTeam

  private struct Request {
    var count = 0
    /// The uses that run, and the numbers of the values that they begin with and lead to.
    var firstUse = 0
    var endUse = 0
    var input = 0
    var output = 0
    var noise = Noise.none
    var measures = false
    /// Whether it measures against `targets`.
    var hasTargets = false
    /// Draws of each code, where p(image) is bounded by them; without noise by what `seeds` say of each image.
    var draws = 0
    /// Whether the state of the latent is wanted in place of what the last layer puts out.
    var wantsState = false
    /// Whether the expected image is wanted in place of what the last layer puts out.
    var wantsMean = false
  }

  /// The forward half of the model that a recipe trains, which sees images as in training.
  ///
  /// Errors: those of the other `init`.
  public convenience init(_ recipe: Recipe, parallel: ParallelPlan, parameters: FloatBuffer? = nil) throws {
    try self.init(
      model: recipe.model, parallel: parallel, parameters: parameters, standardization: recipe.standardization,
      hasPairs: recipe.data.inputs != nil, missing: recipe.missing)
  }

  /// Errors: a `ModelError` where the model cannot be planned or memory does not suffice, a `ThreadError` where the
  /// system does not make as many threads.
  ///
  /// - Parameters:
  ///   - parameters: the flat vector of the model's plan, shared with whoever trains it.
  ///   - standardization: of the images that the model sees, and puts out. All that goes in and comes out here is in
  ///     their own units, but for the losses.
  ///   - missing: what the model sees, standardised, in the place of elements that are NaN; nil where there are none.
  ///   - hasPairs: whether the images that are measured may be other ones than those that the model sees.
  public init(
    model: Autoencoder, parallel: ParallelPlan, parameters: FloatBuffer? = nil,
    standardization: Standardization? = nil, hasPairs: Bool = false, missing: Float? = nil
  ) throws {
    let plan = try ExecutionPlan(model, batchSize: Self.batchSize, isTraining: false)
    try parallel.check()
    if let refusal = standardization?.refusal(for: model) { throw ModelError("standardization", refusal) }
    try PlannedMemory(
      inference: plan, parallel: parallel, hasParameters: parameters == nil, hasPairs: hasPairs || missing != nil
    ).check(plan, advice: "take a smaller model")
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
    let targets = hasPairs || missing != nil ? FloatBuffer(count: 2 * plan.batchSize * model.input.count) : nil
    let (similarities, squaredErrors) = (FloatBuffer(count: plan.batchSize), FloatBuffer(count: plan.batchSize))
    let bounds = AlignedBuffer<Double>(count: plan.batchSize)
    let seeds = AlignedBuffer<UInt64>(count: plan.batchSize)
    let current = AlignedBuffer<Request>(count: 1)
    (self.plan, self.shared, self.parameters) = (plan, shared, shared.parameters)
    (self.inputs, self.outputs, self.targets) = (inputs, outputs, targets)
    (self.similarities, self.squaredErrors) = (similarities, squaredErrors)
    (self.current, self.bounds, self.seeds, self.missing) = (current, bounds, seeds, missing)

    let counter = counter
    team = try WorkerTeam(parallel) { worker, phase in
      let request = current.pointer[0]
      let replica = replicas[worker]
      if phase == Phase.start {
        replica.start()
        shared.clear(plan: plan) { $0.share(worker, of: parallel.workers) }
        return
      }
      let (from, to) = (plan.values[request.input].shape.count, plan.values[request.output].shape.count)
      var similarity = StructuralSimilarity(shape: model.input)
      replica.prepare(backward: false)
      while let shard = counter.take(below: plan.shards) {
        let samples = plan.samples(of: shard, in: request.count)
        if samples.isEmpty { continue }
        let start = samples.lowerBound
        let input = replica.values(request.input, first: start, group: start)
        input.update(from: inputs.pointer + start * from, count: samples.count * from)
        if request.input == 0 {
          standardization?.apply(input, count: samples.count * from)
          if let missing { input.fillMissing(count: samples.count * from, with: missing) }
        }
        let size = model.input.count
        var wanted = inputs.pointer
        var target: UnsafeMutablePointer<Float>?
        if request.hasTargets, let targets {
          wanted = targets.pointer
          let standardized = targets.pointer + (plan.batchSize + start) * size
          standardized.update(from: wanted + start * size, count: samples.count * size)
          standardization?.apply(standardized, count: samples.count * size)
          target = standardized
        }
        guard request.draws == 0 else {
          if request.noise == .none {
            replica.evidenceBounds(
              samples, target: target, draws: request.draws, seeds: seeds.pointer + start,
              into: bounds.pointer + start)
          } else {
            replica.importanceBounds(
              samples, target: target, draws: request.draws, noise: request.noise, into: bounds.pointer + start)
          }
          continue
        }
        replica.forward(request.firstUse..<request.endUse, samples: samples, mode: Replica.Mode(noise: request.noise))
        if request.wantsState {
          let state = plan.uses[plan.encoder.upperBound - 1].state
          (outputs.pointer + start * state.count).update(
            from: replica.address(state, start, start), count: samples.count * state.count)
          continue
        }
        let output = replica.values(request.output, first: start, group: start)
        let results = outputs.pointer + start * (request.wantsMean ? plan.meanCount : to)
        guard request.wantsMean else {
          results.update(from: output, count: samples.count * to)
          continue
        }
        if request.measures { replica.likelihood(samples, group: start, target: target, wantsError: false) }
        model.likelihood.mean(
          of: output, samples: samples.count, count: to, channels: model.input.channels, into: results)
        guard model.likelihood.target == .image else { continue }
        standardization?.undo(results, count: samples.count * size)
        guard request.measures else { continue }
        for n in samples {
          let (image, original) = (outputs.pointer + n * size, wanted + n * size)
          squaredErrors.pointer[n] = Self.squaredError(image, original, count: size)
          // What is missing counts as put out right.
          if missing != nil { for i in 0..<size where original[i].isNaN { original[i] = image[i] } }
          similarities.pointer[n] = Float(similarity.value(image, original))
        }
      }
    }
    team.run(phase: Phase.start)
  }

  /// Floats that a sample needs at most at the input and at the output.
  static func widest(_ plan: ExecutionPlan) -> Int {
    // A latent that is a distribution is twice as long as its code.
    return max(plan.model.input.count, plan.outputShape.count, 2 * plan.codeShape.count)
  }

  private enum Phase {
    /// Once: each worker is the first to write the memory it will use.
    static let start = 0
    static let shards = 1
  }

  /// The draws of a code that a bound may be taken by.
  public static let drawRange = 1...1 << 24

  /// Enough to keep 16 workers busy with shards of 16.
  public static let batchSize = 256

  /// The codes of images, the mean where the latent is a distribution: `codeCount` floats for each image.
  ///
  /// - Parameter labels: of the images, here and below, where layers read them.
  public func encode(_ images: [Float], labels: ArraySlice<Int>? = nil) -> [Float] {
    run(images, labels, plan.encoder, from: 0, to: plan.code)
  }

  /// The numbers of the codes of images under a VectorQuantizer, whole numbers: N x H W G.
  public func codeNumbers(_ images: [Float], labels: ArraySlice<Int>? = nil) -> [Float] {
    precondition(plan.model.isQuantized, "\(plan.model.name) has codes without numbers")
    return run(images, labels, plan.encoder, from: 0, to: plan.code, wantsState: true)
  }

  /// The codes of their numbers, N x H x W x C.
  public func codes(ofNumbers numbers: [Float]) -> [Float] {
    let use = plan.uses[plan.encoder.upperBound - 1]
    guard let quantizer = use.layer as? PlannedVectorQuantizer else {
      preconditionFailure("\(plan.model.name) has codes without numbers")
    }
    return quantizer.values(of: numbers, parameters: parameters.pointer + use.parameterOffset)
  }

  /// The distribution of each image's code under a variational model, N x 2 Z: `codeCount` means, then as many
  /// log-variances.
  public func posterior(_ images: [Float], labels: ArraySlice<Int>? = nil) -> [Float] {
    precondition(plan.model.isVariational, "\(plan.model.name) has codes without a distribution")
    return run(images, labels, plan.encoder.dropLast(), from: 0, to: plan.posterior)
  }

  /// The expected images of codes, of a model whose plan has no `decodingRefusal`.
  public func decode(_ codes: [Float], labels: ArraySlice<Int>? = nil) -> [Float] {
    precondition(plan.decodingRefusal == nil, plan.decodingRefusal ?? "")
    return run(codes, labels, plan.decoder, from: plan.code, to: plan.output, wantsMean: true)
  }

  /// The expected images of the images' codes.
  public func reconstruct(_ images: [Float], labels: ArraySlice<Int>? = nil) -> [Float] {
    run(images, labels, plan.uses.indices, from: 0, to: plan.output, wantsMean: true)
  }

  /// The floats of one code, Z.
  public var codeCount: Int { plan.codeShape.count }
  /// The floats of one image, H W C.
  public var imageCount: Int { plan.model.input.count }

  /// How well images are reconstructed, one entry for each.
  public struct Measurement: Sendable {
    /// The reconstruction loss, in nats, or squared error summed over pixels.
    public var reconstruction: Float
    /// The other terms of the loss, in the order of the model's `terms`: the KL divergence of the code in nats, and
    /// penalties.
    public var terms: [Float]
    /// How near the expected image is; nil for a model that puts out labels.
    public var image: ImageMeasurement?
    /// The likeliest class, or the number, of a model that puts out labels; nil for another.
    public var prediction: Float?
  }

  /// How near an expected image is to the image.
  public struct ImageMeasurement: Sendable {
    /// Mean over pixels that are not missing of the squared difference to the expected image.
    public var squaredError: Float
    public var similarity: Float
  }

  /// Measures at most `batchSize` images, N x H x W x C, with the given noise.
  ///
  /// - Parameters:
  ///   - wanted: what the model is to put out of each; nil for the images themselves. Only where the model `hasPairs`.
  ///   - labels: of the images, where the model puts out labels or its layers read them; of a categorical likelihood
  ///     classes that it has, see `Dataset.checkLabels`.
  public func measure(
    _ images: [Float], wanted: [Float]? = nil, labels: ArraySlice<Int>? = nil, noise: Noise
  ) -> [Measurement] {
    let count = take(images, labels, wanted: wanted)
    perform(
      Request(
        count: count, endUse: plan.uses.count, output: plan.output, noise: noise, measures: true,
        hasTargets: wanted != nil || isMasked, wantsMean: true))
    let (width, isImage) = (plan.outputShape.count, plan.model.likelihood.target == .image)
    return (0..<count).map { n in
      var result = Measurement(
        reconstruction: shared.losses.pointer[n],
        terms: (0..<shared.sums.count - 2).map { shared.terms.pointer[$0 * plan.batchSize + n] })
      if isImage {
        result.image = ImageMeasurement(squaredError: squaredErrors.pointer[n], similarity: similarities.pointer[n])
      } else if plan.model.likelihood.target == .label {
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
    precondition(Self.drawRange.contains(draws), "\(draws) draws of a code")
    let count = take(images, labels)
    let noise = Noise.importance(seed: seed, step: step, draw: 0)
    perform(Request(count: count, output: plan.output, noise: noise, hasTargets: isMasked, draws: draws))
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
    precondition(Self.drawRange.contains(draws), "\(draws) draws of a code")
    let count = take(images, labels)
    for n in 0..<count {
      var hash = SHA256()
      withUnsafeBytes(of: seed.littleEndian) { hash.update($0) }
      hash.update(UnsafeRawBufferPointer(start: inputs.pointer + n * imageCount, count: 4 * imageCount))
      seeds.pointer[n] = UInt64(hash.hexDigits().prefix(16), radix: 16) ?? 0
    }
    perform(Request(count: count, output: plan.output, hasTargets: isMasked, draws: draws))
    return Array(bounds.elements[..<count])
  }

  /// Puts images and their labels at the input, and what they are measured against in place, and answers how many.
  private func take(_ images: [Float], _ labels: ArraySlice<Int>?, wanted: [Float]? = nil) -> Int {
    let count = images.count / imageCount
    precondition(
      count * imageCount == images.count && count <= Self.batchSize,
      "\(images.count) floats are not 0 to \(Self.batchSize) images of \(imageCount)")
    inputs.pointer.update(from: images, count: images.count)
    if let wanted = wanted ?? (isMasked ? images : nil) {
      guard let targets, wanted.count == images.count else { preconditionFailure("images to measure against") }
      targets.pointer.update(from: wanted, count: wanted.count)
    }
    if plan.readsLabels { take(labels, of: count) }
    return count
  }

  private func take(_ labels: ArraySlice<Int>?, of count: Int) {
    precondition(labels?.count == count, "\(labels?.count ?? 0) labels of \(count) images")
    for (n, label) in (labels ?? []).enumerated() {
      precondition(plan.labels.contains(label), "the label \(label) of a model of \(plan.labels)")
      shared.labels.pointer[n] = Int32(label)
    }
  }

  /// Whether images can be measured against other ones than those that the model sees.
  public var hasPairs: Bool { targets != nil }
  /// Whether elements of images may be missing, and are measured by the others.
  private var isMasked: Bool { missing != nil && plan.model.likelihood.target == .image }

  private static func squaredError(
    _ image: UnsafePointer<Float>, _ wanted: UnsafePointer<Float>, count: Int
  ) -> Float {
    var (sum, seen): (Float, Int) = (0, 0)
    for i in 0..<count where !wanted[i].isNaN {
      let difference = image[i] - wanted[i]
      sum += difference * difference
      seen += 1
    }
    return sum / Float(max(1, seen))
  }

  private func run(
    _ values: [Float], _ labels: ArraySlice<Int>?, _ uses: Range<Int>, from input: Int, to output: Int,
    wantsMean: Bool = false, wantsState: Bool = false
  ) -> [Float] {
    let width = plan.values[input].shape.count
    let resultWidth =
      wantsMean
      ? plan.meanCount
      : wantsState ? plan.uses[plan.encoder.upperBound - 1].state.count : plan.values[output].shape.count
    precondition(values.count % width == 0, "\(values.count) floats are no whole number of samples of \(width)")
    var results: [Float] = []
    results.reserveCapacity(values.count / width * resultWidth)
    for start in stride(from: 0, to: values.count, by: Self.batchSize * width) {
      let part = values[start..<min(start + Self.batchSize * width, values.count)]
      _ = inputs.elements.update(fromContentsOf: part)
      let count = part.count / width
      if plan.conditionClasses != nil { take(labels?.dropFirst(start / width).prefix(count), of: count) }
      perform(
        Request(
          count: count, firstUse: uses.lowerBound, endUse: uses.upperBound, input: input, output: output,
          wantsState: wantsState, wantsMean: wantsMean))
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
