import HourglassData
import HourglassModels

extension Recipe {
  /// Samples that a minibatch may have.
  public static let batchSizeRange = 1...1 << 20

  /// Why nobody can train by this recipe, which a file may hold; nil where nothing speaks against it. Names are those
  /// of the file.
  public var refusal: String? {
    func size(_ name: String, _ found: Int?, _ wanted: ClosedRange<Int> = 1...Int.max) -> String? {
      guard let found, !wanted.contains(found) else { return nil }
      let text = wanted.upperBound == Int.max ? "at least 1" : "1 to \(wanted.upperBound)"
      return "\(name): wanted \(text), found \(found)"
    }
    func number(_ name: String, _ found: Float?, _ wanted: String, _ isWanted: (Float) -> Bool) -> String? {
      guard let found, !(found.isFinite && isWanted(found)) else { return nil }
      return "\(name): wanted a number \(wanted), found \(found)"
    }
    let refusals = [
      size("batchSize", batchSize, Self.batchSizeRange), size("accumulate", accumulate, Self.accumulateRange),
      size("shards", shards, 1...max(1, batchSize)), size("epochs", epochs), size("steps", steps),
      schedule == .cosine && epochs == nil && steps == nil ? "schedule: wanted epochs or steps, found neither" : nil,
      size("patience", patience), size("overfitBatches", overfitBatches),
      monitor == .validation && validation == nil ? "monitor: wanted images to evaluate, found no validation" : nil,
      number("optimizer.learningRate", optimizer.learningRate, "greater than 0") { $0 > 0 },
      number("optimizer.beta1", optimizer.beta1, "from 0 to below 1") { $0 >= 0 && $0 < 1 },
      number("optimizer.beta2", optimizer.beta2, "from 0 to below 1") { $0 >= 0 && $0 < 1 },
      number("optimizer.momentum", optimizer.momentum, "from 0 to below 1") { $0 >= 0 && $0 < 1 },
      number("optimizer.epsilon", optimizer.epsilon, "greater than 0") { $0 > 0 },
      number("optimizer.weightDecay", optimizer.weightDecay, "of at least 0") { $0 >= 0 },
      number("optimizer.weightL1", optimizer.weightL1, "of at least 0") { $0 >= 0 },
      optimizer.nesterov && (optimizer.kind != .sgd || optimizer.momentum == 0)
        ? "optimizer.nesterov: wanted sgd with a momentum, found \(optimizer.kind.rawValue) with \(optimizer.momentum)"
        : nil,
      number("minDelta", minDelta.map { Float($0) }, "of at least 0") { $0 >= 0 },
      minDelta != nil && patience == nil ? "minDelta: wanted a patience too, found none" : nil,
      number("clipNorm", clipNorm, "greater than 0") { $0 > 0 },
      number("ema", ema, "between 0 and 1") { $0 > 0 && $0 < 1 },
      number("beta", beta, "of at least 0") { $0 >= 0 },
      number("freeBits", freeBits, "greater than 0") { $0 > 0 },
      freeBits != nil && !model.isVariational ? "freeBits: wanted a Gaussian latent, found \(model.name)" : nil,
      importanceRefusal, pairsRefusal, standardizationRefusal,
      objectiveRefusal, data.refusal.map { "data.\($0)" }, validation?.refusal.map { "validation.\($0)" },
    ]
    return refusals.compactMap(\.self).first
  }

  /// The same for the importance-weighted bound, which has its divergence by the samples and in full.
  private var importanceRefusal: String? {
    guard let importanceSamples else { return nil }
    let most = Self.batchSizeRange.upperBound / max(1, batchSize)
    let refusals = [
      model.importanceRefusal, beta != 1 ? "wanted a beta of 1, found \(beta)" : nil,
      betaWarmup.map { "wanted no betaWarmup, found \($0.rawValue)" },
      freeBits.map { "wanted no freeBits, found \($0)" },
      importanceSamples < 1 || importanceSamples > most
        ? "wanted 1 to \(most) with a batchSize of \(batchSize), found \(importanceSamples)" : nil,
    ]
    return refusals.compactMap(\.self).first.map { "importanceSamples: \($0)" }
  }

  /// The same for what the model's objective does not go with: a chain belongs to a place in one minibatch, and the
  /// image that a chain leaves is not another one than the image that the loss compares with.
  private var objectiveRefusal: String? {
    guard case .contrastiveDivergence(_, let isPersistent) = model.objective else { return nil }
    if isPersistent, accumulate > 1 { return "accumulate: wanted 1 with persistent chains, found \(accumulate)" }
    if data.inputs != nil { return "data.inputs: wanted none with contrastive divergence, found some" }
    return corruption.map { "corruption: wanted none with contrastive divergence, found \($0.rawValue)" }
  }

  /// Why pairs cannot be trained on with the rest of the recipe: what the network sees is given.
  private var pairsRefusal: String? {
    guard let inputs = data.inputs else { return nil }
    if data.path == nil { return "data.inputs: wanted a path of what to put out too, found none" }
    if data.codes != nil { return "data.inputs: wanted none beside codes, found \(inputs)" }
    if importanceSamples != nil { return "importanceSamples: wanted none with pairs, found some" }
    if validation != nil, validation?.inputs == nil {
      return "validation.inputs: wanted pairs as the data has, found none; --holdout takes some of them"
    }
    return corruption.map { "corruption: wanted none with pairs, found \($0.rawValue)" }
  }

  /// Why images cannot be standardised for a model that puts out nothing beyond [0, 1].
  private var standardizationRefusal: String? {
    guard data.codes == nil, data.preparation?.standardizes == true || standardization != nil else { return nil }
    if data.preparation?.binarizes == true { return "preparation.standardizes: wanted none with binarizes, found both" }
    if let refusal = standardization?.refusal(for: model) { return "preparation.standardization: \(refusal)" }
    guard let plan = try? plan(), let demand = model.demandedTargets(plan.values[plan.output].activation)
    else { return nil }
    return "preparation.standardizes: wanted a likelihood such as gaussian or squaredError, and a linear output, found "
      + "\(demand.reason), which wants numbers in [\(Int(clamping: demand.range.lowerBound)), 1]; "
      + "--model NAME@HxWxC,linear has such an output"
  }
}

extension DataSource {
  /// The same for a source of images.
  fileprivate var refusal: String? {
    guard let preparation else { return nil }
    if let limit = preparation.limit, limit < 1 { return "preparation.limit: wanted at least 1, found \(limit)" }
    if let part = preparation.holdout, !(part > 0 && part < 1) {
      return "preparation.holdout: wanted a part between 0 and 1, found \(part)"
    }
    for (name, extent) in [
      ("crop", preparation.crop), ("resize", preparation.resize), ("fit", preparation.fit), ("tile", preparation.tile),
      ("stride", preparation.stride),
    ] {
      let pixels = Preparation.pixelRange
      guard let extent, !(pixels.contains(extent.height) && pixels.contains(extent.width)) else { continue }
      return "preparation.\(name): wanted 1 to \(pixels.upperBound) pixels, found \(extent)"
    }
    if let refusal = preparation.tilingRefusal { return "preparation.\(refusal)" }
    if preparation.fit != nil, preparation.resize != nil {
      return "preparation.fit: wanted no resize beside it, found both"
    }
    var others = preparation
    (others.limit, others.standardizes, others.standardization) = (nil, nil, nil)
    if path == nil, others != Preparation() {
      return "preparation: wanted images in files with a path, found none"
    }
    return nil
  }
}
