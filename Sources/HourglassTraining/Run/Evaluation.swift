import Glibc
import HourglassData
import HourglassModels

/// The measures of a model on a data set, as one object of JSON.
public struct Evaluation: Codable, Sendable, Equatable {
  /// The number of samples.
  public var samples = 0
  /// The reconstruction loss plus beta times the KL divergence and the penalties, mean over samples.
  public var loss = 0.0
  /// The mean squared error per pixel of the expected image; nil for a model that puts out labels.
  public var mse: Double?
  /// The peak signal-to-noise ratio in dB, see `psnr(meanSquaredError:)`; nil for a model that puts out labels.
  public var psnr: Double?
  /// The structural similarity (Wang et al. 2004), mean over samples; nil for a model that puts out labels.
  public var ssim: Double?
  /// The part of the samples whose likeliest class is not their label; nil for a model that does not put out classes.
  public var errorRate: Double?
  /// The numbers of samples by label (rows) and likeliest class (columns). Classes of the set that the model does not
  /// know have rows behind those that it knows.
  public var confusion: [[Int]]?
  /// What the rows are called, by the names of the classes where there are any. The first of them are the columns.
  public var classes: [String]?
  /// The classes of the set that the model does not know. Their samples count as errors, and are no part of the means.
  public var unknownClasses: [String]?

  /// The hash of the weights, see `WeightsHash`.
  public var weightsHash = ""
  /// The reconstruction loss with one sample of z, mean over samples, in nats per image (in squared error where that is
  /// the likelihood); nil for a model that has neither a KL divergence nor a penalty.
  public var reconstruction: Double?
  /// The KL divergence, mean over samples, in nats per image; nil for a model that is not variational.
  public var kl: Double?
  /// The sum of reconstruction loss and KL divergence, mean over samples; nil for a model that is not variational.
  public var negativeELBO: Double?
  /// The importance-weighted bound of -log p(image) (Burda et al. 2016), mean over samples, in nats per image; nil
  /// where it was not asked for.
  public var negativeLogLikelihood: Double?
  /// The draws of each code for that bound.
  public var importanceSamples: Int?
  /// The latent units whose mean varies over the data with a variance above 0.01 (Burda et al. 2015); nil for a model
  /// that is not variational.
  public var activeUnits: Int?
  /// The sum of all penalties before beta weighs it, mean over samples; nil for a model without one. What takes
  /// several samples together takes those of a shard of `Inference`.
  public var penalty: Double?
  /// The terms of a loss that has several beside the reconstruction, each by the key of its `LossTerm`, mean over
  /// samples; nil for another model.
  public var terms: [String: Double]?
  /// How many codes a VectorQuantizer uses as if all were equally likely, e to the entropy of the codes in nats, mean
  /// over the codebooks; nil for another model.
  public var perplexity: Double?
  /// How sparse the codes are; nil for a model without a penalty.
  public var sparsity: Sparsity?

  /// A latent unit whose mean has a greater variance over the data is active.
  public static let activeVariance = 0.01

  /// The peak signal-to-noise ratio of pixels in [0, 1], 10 log10(1 / mse) in dB. Equal images have no infinity, which
  /// JSON does not know, but about 3077, the ratio of the smallest normal number.
  public static func psnr(meanSquaredError: Double) -> Double {
    -10 * log10(max(meanSquaredError, .leastNormalMagnitude))
  }
}

/// What is measured of one sample.
public struct SampleEvaluation: Sendable {
  /// The place of the sample in the data.
  public var index: Int
  /// Its losses, and what the model puts out.
  public var measurement: Inference.Measurement
  /// Whether the model knows the class of the sample. Where it does not, the losses are those of another class.
  public var isKnown = true
}

/// Runs a data set through a model and sums up how well the model does.
public struct Evaluator {
  private let inference: Inference
  private let beta: Float
  private let seed: UInt64
  /// The nats that the KL divergence was led to; nil where it was kept small.
  private let capacity: Float?

  /// An evaluator of a model.
  ///
  /// - Parameters:
  ///   - beta: the weight of the KL divergence and the penalties in the loss.
  ///   - seed: the seed of the one sample of z for each image.
  ///   - capacity: the nats that the KL divergence was led to, whose distance from it is in the loss then.
  public init(_ inference: Inference, beta: Float, seed: UInt64, capacity: Float? = nil) {
    (self.inference, self.beta, self.seed, self.capacity) = (inference, beta, seed, capacity)
  }

  /// An evaluator of the model that a recipe trains.
  public init(_ inference: Inference, _ recipe: Recipe) {
    self.init(inference, beta: recipe.beta, seed: recipe.seed, capacity: recipe.capacity)
  }

  /// Evaluates all samples of a set.
  ///
  /// Errors: the data or `each` throws; labels are none that the model can put out.
  ///
  /// - Parameters:
  ///   - importanceSamples: draws of each code for the bound of a variational model with a likelihood in nats; nil for
  ///     no bound.
  ///   - transport: of the processes that share the work, see `SharedBatches`; nil for one process.
  ///   - each: called with what is measured of each sample, in order.
  public func evaluate(
    _ data: Dataset, importanceSamples: Int? = nil, sharedBy transport: (any Transport)? = nil,
    each: (SampleEvaluation) throws -> Void = { _ in }
  ) throws -> Evaluation {
    let plan = inference.plan
    let (isVariational, hasPenalty) = (plan.model.isVariational, !plan.model.penalties.isEmpty)
    let isImage = plan.model.likelihood.target == .image
    try data.checkTargets(for: plan, isMeasured: true)
    guard !data.hasInputs || !isImage || inference.hasPairs else {
      throw DataError(
        path: data.source, reason: "wanted images for a model that was trained on single ones, found pairs")
    }
    guard importanceSamples == nil || !data.hasInputs else {
      throw DataError(
        path: data.source, reason: "importance samples: wanted images that the model sees itself, found pairs")
    }
    if let importanceSamples {
      let range = Inference.drawRange
      if let refusal = plan.model.importanceRefusal { throw ModelError("importance samples", refusal) }
      guard isVariational, range.contains(importanceSamples) else {
        throw ModelError(
          "importance samples",
          isVariational
            ? "wanted 1 to \(range.upperBound), found \(importanceSamples)"
            : "wanted a variational model, found \(plan.model.name), whose code is no draw")
      }
    }
    var confusion = try ConfusionMatrix(plan, data)
    var known = 0
    var (reconstruction, squaredError, similarity) = (0.0, 0.0, 0.0)
    var terms = Array(repeating: 0.0, count: plan.model.terms.count)
    var bound = 0.0
    var units = UnitStatistics(count: inference.codeCount)
    var usage = CodeUsage(plan)
    let hasCodes = isVariational || hasPenalty
    let (inference, seed) = (inference, seed)
    var batches = SharedBatches<Double>(data, sharedBy: transport) { batch in
      let range = batch.images
      let images = try data.inputs(range)
      let wanted = data.hasInputs && isImage ? try data.images(range) : nil
      data.announce(batch.following.lazy.map { Int32($0) })
      let noise: Noise = hasCodes ? .evaluation(seed: seed, step: batch.number) : .none
      // A class that the model does not know is measured as class 0.
      let targets = (plan.readsLabels ? data.labels?[range] : nil).map { labels in
        ArraySlice(labels.map { plan.labels.contains($0) ? $0 : 0 })
      }
      var numbers = inference.measure(images, wanted: wanted, labels: targets, noise: noise).flatMap(\.numbers)
      if hasCodes { numbers += inference.encode(images, labels: targets).map { Double($0) } }
      if plan.model.isQuantized { numbers += inference.codeNumbers(images, labels: targets).map { Double($0) } }
      if let importanceSamples {
        numbers += inference.importanceBounds(
          images, labels: targets, draws: importanceSamples, seed: seed, step: batch.number)
      }
      return numbers
    }
    while let (batch, numbers) = try batches.next() {
      let range = batch.images
      var rest = numbers[...]
      func take(_ count: Int) -> [Double] {
        defer { rest = rest.dropFirst(count) }
        return Array(rest.prefix(count))
      }
      let labels = plan.readsLabels ? data.labels?[range] : nil
      let isKnown = range.map { index in labels.map { plan.labels.contains($0[index]) } ?? true }
      for (place, index) in range.enumerated() {
        let measurement = Inference.Measurement(
          take(Inference.Measurement.numbers(of: plan)), of: plan.model.likelihood.target)
        if isKnown[place] {
          known += 1
          reconstruction += Double(measurement.reconstruction)
          for (i, term) in measurement.terms.enumerated() { terms[i] += Double(term) }
        }
        squaredError += Double(measurement.image?.squaredError ?? 0)
        similarity += Double(measurement.image?.similarity ?? 0)
        if let label = labels?[index], let prediction = measurement.prediction { confusion?.add(label, prediction) }
        try each(SampleEvaluation(index: index, measurement: measurement, isKnown: isKnown[place]))
      }
      if hasCodes { units.add(take(range.count * inference.codeCount).map { Float($0) }) }
      usage?.add(take(range.count * plan.uses[plan.encoder.upperBound - 1].layer.stateCount).map { Float($0) })
      bound += zip(rest, isKnown).reduce(0.0) { $0 + ($1.1 ? $1.0 : 0) }
    }
    let n = Double(known)
    var result = Evaluation(samples: data.count)
    let excess = capacity.map { abs(terms[0] / n - Double($0)) - terms[0] / n } ?? 0
    result.loss = (reconstruction + Double(beta) * terms.reduce(0, +)) / n + Double(beta) * excess
    let named = NamedTerms(plan.model.terms, terms.map { $0 / n })
    (result.kl, result.penalty, result.terms) = (named.kl, named.penalty, named.all)
    if !terms.isEmpty { result.reconstruction = reconstruction / n }
    if isImage {
      result.mse = squaredError / n
      result.psnr = Evaluation.psnr(meanSquaredError: squaredError / n)
      result.ssim = similarity / n
    }
    (result.errorRate, result.confusion) = (confusion?.errorRate, confusion?.counts)
    result.classes = confusion.map { $0.counts.indices.map(data.nameOfClass) }
    result.unknownClasses = confusion == nil || data.unknownClasses.isEmpty ? nil : data.unknownClasses
    result.weightsHash = WeightsHash.of(inference.parameters, plan: inference.plan)
    if isVariational {
      result.negativeELBO = (reconstruction + terms[0]) / n
      (result.negativeLogLikelihood, result.importanceSamples) = (
        importanceSamples.map { _ in -bound / n }, importanceSamples
      )
      result.activeUnits = units.variances.count { $0 > Evaluation.activeVariance }
    }
    result.perplexity = usage?.perplexity
    if hasPenalty {
      result.sparsity = Sparsity(frequencies: units.frequencies, meanActivity: units.meanActivity)
    }
    return result
  }

  /// The variance of each latent unit's mean over the first images of the data, Z numbers.
  ///
  /// Errors: the images have another shape than the model's input, or cannot be read.
  public func unitVariances(_ data: Dataset, images: Int) throws -> [Double] {
    try data.checkShape(for: inference.plan)
    let images = min(images, data.count)
    var units = UnitStatistics(count: inference.codeCount)
    for start in stride(from: 0, to: images, by: Inference.batchSize) {
      let range = start..<min(start + Inference.batchSize, images)
      units.add(inference.encode(try data.images(range), labels: data.labels?[range]))
    }
    return units.variances
  }
}

extension Inference.Measurement {
  /// Its numbers in a row.
  fileprivate var numbers: [Double] {
    let others = [image?.squaredError, image?.similarity, prediction].compactMap(\.self)
    return ([reconstruction] + terms + others).map { Double($0) }
  }

  /// How many numbers it has for a plan.
  fileprivate static func numbers(of plan: ExecutionPlan) -> Int {
    let others =
      switch plan.model.likelihood.target {
      case .image: 2
      case .label: 1
      case .nothing: 0
      }
    return 1 + plan.model.terms.count + others
  }

  /// The measurement with these numbers in a row.
  fileprivate init(_ numbers: [Double], of target: Likelihood.Target) {
    let numbers = numbers.map { Float($0) }
    let last = numbers.count - 1
    switch target {
    case .image:
      self.init(
        reconstruction: numbers[0], terms: Array(numbers[1..<last - 1]),
        image: Inference.ImageMeasurement(squaredError: numbers[last - 1], similarity: numbers[last]))
    case .label: self.init(reconstruction: numbers[0], terms: Array(numbers[1..<last]), prediction: numbers[last])
    case .nothing: self.init(reconstruction: numbers[0], terms: Array(numbers[1...]))
    }
  }
}

/// The numbers of samples by label and likeliest class.
private struct ConfusionMatrix {
  private(set) var counts: [[Int]]

  /// An empty matrix; nil for a model that does not put out classes.
  ///
  /// Errors: more than memory is granted for.
  init?(_ plan: ExecutionPlan, _ data: Dataset) throws(DataError) {
    guard plan.model.likelihood == .categorical else { return nil }
    let (classes, rows) = (plan.labels.count, plan.labels.count + data.unknownClasses.count)
    try GrantedMemory.require(
      MemoryLayout<Int>.stride.timesClamping(classes.timesClamping(rows)), for: plan.model.name,
      "count the samples of \(rows) classes by label and likeliest class")
    counts = Array(repeating: Array(repeating: 0, count: classes), count: rows)
  }

  mutating func add(_ label: Int, _ prediction: Float) { counts[label][Int(clamping: prediction)] += 1 }

  var errorRate: Double {
    let right = zip(counts.indices, counts).reduce(0) { $0 + ($1.0 < $1.1.count ? $1.1[$1.0] : 0) }
    return 1 - Double(right) / Double(counts.joined().reduce(0, +))
  }
}
