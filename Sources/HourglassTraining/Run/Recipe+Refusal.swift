import HourglassData
import HourglassModels

extension Recipe {
  /// The first setting whose value nobody can train by, which a file may hold; nil where there is none.
  public var refusedSetting: Setting? { Setting.all.first { $0.refusal(in: self) != nil } }

  /// Why nobody can train by this recipe, which a file may hold; nil where nothing speaks against it. Names are those
  /// of the file.
  public var refusal: String? {
    if let setting = refusedSetting, let refusal = setting.refusal(in: self) { return "\(setting.name): \(refusal)" }
    return importanceRefusal ?? pairsRefusal ?? missingRefusal ?? standardizationRefusal ?? objectiveRefusal
      ?? data.refusal.map { "data.\($0)" } ?? validation?.refusal.map { "validation.\($0)" }
  }

  /// Why nobody can train by this recipe on whatever images a caller hands over; nil where nothing speaks against it.
  var refusalOfAnyData: String? {
    if let setting = refusedSetting, let refusal = setting.refusal(in: self) { return "\(setting.name): \(refusal)" }
    return importanceRefusal ?? missingRefusal ?? standardizationRefusal ?? objectiveRefusal
  }

  /// Why the importance-weighted bound, which has its divergence by the samples and in full, does not go with the rest
  /// of the recipe.
  private var importanceRefusal: String? {
    guard importanceSamples != nil else { return nil }
    let refusals = [
      model.importanceRefusal, model.boundRefusal, beta != 1 ? "wanted a beta of 1, found \(beta)" : nil,
      betaWarmup.map { "wanted no betaWarmup, found \($0.rawValue)" },
      freeBits.map { "wanted no freeBits, found \($0)" },
      capacity.map { "wanted no capacity, found \($0)" },
    ]
    return refusals.compactMap(\.self).first.map { "importanceSamples: \($0)" }
  }

  /// Why Gibbs chains do not go with the rest of the recipe: a chain belongs to a place in one minibatch, and the image
  /// that a chain leaves is not another one than the image that the loss compares with.
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

  /// Why elements cannot be missing: windows of structural similarity and Gibbs chains want all of them.
  private var missingRefusal: String? {
    guard let missing else { return nil }
    if !missing.isFinite { return "data.preparation.missing: wanted a finite number, found \(missing)" }
    if data.preparation?.binarizes == true { return "data.preparation.missing: wanted none with binarizes, found both" }
    if model.likelihood.wantsWindows {
      return "data.preparation.missing: wanted none with the \(model.likelihood.name) likelihood, found some"
    }
    return model.objective.map { "data.preparation.missing: wanted none with the objective \($0.summary), found some" }
  }

  /// Why images cannot be standardised for a model that puts out nothing beyond [0, 1].
  private var standardizationRefusal: String? {
    guard data.codes == nil, data.preparation?.standardizes == true || standardization != nil else { return nil }
    if data.preparation?.binarizes == true { return "preparation.standardizes: wanted none with binarizes, found both" }
    if let refusal = standardization?.refusal(for: model) { return "preparation.standardization: \(refusal)" }
    guard let plan = try? plan(), let demand = model.demandedTargets(plan.values[plan.output].activation)
    else { return nil }
    return "preparation.standardizes: wanted a likelihood such as gaussian or squaredError, and a linear output, found "
      + "one of others: \(demand.sentence); "
      + "--model NAME@HxWxC,linear has such an output"
  }
}

extension DataSource {
  /// Why no images can be prepared as this source says.
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
    (others.limit, others.missing, others.standardizes, others.standardization) = (nil, nil, nil, nil)
    if path == nil, others != Preparation() {
      return "preparation: wanted images in files with a path, found none"
    }
    return nil
  }
}
