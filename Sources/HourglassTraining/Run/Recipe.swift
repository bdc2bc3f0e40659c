import Glibc
import HourglassData
import HourglassModels

/// Everything that decides the result of a run, saved with it. What decides only its speed is a `ParallelPlan`.
public struct Recipe: Codable, Sendable {
  public var model: Autoencoder
  public var data: DataSource
  /// The images that are evaluated after every epoch; nil for none.
  public var validation: DataSource?
  /// What is done at random to the images trained on; nil where they stay as they are.
  public var augmentation: Augmentation?
  /// What is done at random to the images that the network sees, not to those that it is to put out; nil for nothing.
  public var corruption: Corruption?
  /// Samples of a minibatch, over all workers.
  public var batchSize: Int
  /// Minibatches of a step, whose gradients are summed up for one update.
  public var accumulate: Int
  /// Pieces into which a minibatch is cut for summing gradients.
  public var shards: Int
  /// The seed of all random numbers.
  public var seed: UInt64
  /// What the weights of layers start from that say nothing themselves; nil for PyTorch's start.
  public var initializer: Initializer?
  public var optimizer: Optimizer
  /// Largest norm of the mean gradient, greater than 0: a longer one is scaled down to it; nil is no limit.
  public var clipNorm: Float?
  /// Largest magnitude of an element of the mean gradient, greater than 0: a larger one is cut to it; nil is no limit.
  public var clipValue: Float?
  /// Decay of the exponential moving average of the weights that stands for the trained model, between 0 and 1; nil
  /// where the weights themselves do.
  public var ema: Float?
  /// Weight in the loss of the KL divergence and of the penalties on the codes, at least 0.
  public var beta: Float
  /// Nats of KL divergence that each latent unit has at no cost, greater than 0; nil for none.
  public var freeBits: Float?
  /// Nats that the KL divergence of a Gaussian latent is led to, at least 0: the loss has beta |KL - capacity|, by
  /// means over a shard (see `GaussianLatent`); nil where it is kept small.
  public var capacity: Float?
  /// Part of each label's probability that training spreads evenly over all classes, from 0 to below 1; nil for none.
  public var labelSmoothing: Float?
  /// Samples of each image's code, where training follows the importance-weighted bound; nil where it does not.
  public var importanceSamples: Int?
  /// The run ends after so many passes over the data, or earlier after so many steps; nil is no limit.
  public var epochs: Int?
  public var steps: Int?
  /// The run ends earlier when the monitored loss has not fallen for so many epochs; nil is no such end.
  public var patience: Int?
  /// A fall of the monitored loss by no more than this counts as none for patience; nil for 0.
  public var minDelta: Double?
  /// The loss that `patience` and the best checkpoint go by; nil, as in recipes of earlier versions, for that of the
  /// validation where there is one, and else of the training.
  public var monitor: Monitor?
  /// Trains on the first so many minibatches alone, as a check that a model can learn them by heart; nil for all.
  public var overfitBatches: Int?
  /// How the learning rate goes on after its warm-up; nil for constant, as in recipes of earlier versions.
  public var schedule: Schedule?
  /// The span over which the learning rate rises from nearly nothing to its full height; nil for none.
  public var warmup: Span?
  /// The span over which the weight of the terms beside the reconstruction rises from 0 to beta; nil for none.
  public var betaWarmup: Span?
  /// The span over which the capacity rises from 0; nil where it is there from the start.
  public var capacityWarmup: Span?

  /// Runs and files whose weights take the place of those that start from the seed, one after the other; nil for none.
  public var start: [Start]?

  /// Names of the classes that the model puts out, in the order of its outputs, or that its layers are told, by label;
  /// nil, as in recipes of earlier versions, where labels go by their numbers.
  public var classes: [String]?

  /// The loss that early stopping and the best checkpoint go by.
  public enum Monitor: String, Codable, Sendable, CaseIterable {
    case validation, training
  }

  public init(
    model: Autoencoder, data: DataSource = DataSource(), validation: DataSource? = nil,
    batchSize: Int = defaultBatchSize,
    accumulate: Int = 1, shards: Int? = nil, seed: UInt64 = 1, optimizer: Optimizer = Optimizer(),
    clipNorm: Float? = nil, beta: Float = 1, epochs: Int? = defaultEpochs, steps: Int? = nil,
    augmentation: Augmentation? = nil,
    corruption: Corruption? = nil, importanceSamples: Int? = nil
  ) {
    (self.model, self.data, self.validation) = (model, data, validation)
    (self.batchSize, self.accumulate) = (batchSize, accumulate)
    self.importanceSamples = importanceSamples
    self.shards = 1
    (self.seed, self.optimizer, self.clipNorm, self.beta) = (seed, optimizer, clipNorm, beta)
    (self.epochs, self.steps) = (epochs, steps)
    (self.augmentation, self.corruption) = (augmentation, corruption)
    self.shards = shards ?? defaultShards
  }

  public init(from decoder: any Decoder) throws {
    let fields = try decoder.container(keyedBy: CodingKeys.self)
    self.init(
      model: try fields.decode(Autoencoder.self, forKey: .model),
      data: try fields.decode(DataSource.self, forKey: .data),
      validation: try fields.decodeIfPresent(DataSource.self, forKey: .validation),
      settings: [try Overlay(from: decoder)])
    // Versions that cut a minibatch into at most 16 shards wrote their number; where somebody took it out, a run must
    // not go on with another one.
    if !fields.contains(.shards) { shards = min(shards, 16) }
  }

  /// A recipe with the defaults of all settings that no overlay says; a later one wins.
  public init(model: Autoencoder, data: DataSource, validation: DataSource?, settings: [Overlay]) {
    self.init(model: model, data: data, validation: validation, epochs: nil)
    for overlay in settings { overlay.apply(to: &self) }
    if settings.contains(where: { $0.says("shards") }) { return }
    shards = defaultShards
  }

  /// The shards of a recipe that does not say how many.
  public var defaultShards: Int {
    ExecutionPlan.defaultShards(
      batchSize: batchSize, importanceSamples: importanceSamples, joinsSamples: joinsSamples)
  }

  /// Whether the loss of a sample depends on the others of its shard. Free bits and a capacity go by means over one.
  var joinsSamples: Bool { freeBits != nil || capacity != nil || model.joinsSamplesOfShards }

  /// Where documents are trained on, makes their vocabulary and weights part of the recipe, so that all texts that the
  /// model ever sees have the same.
  public mutating func fixTerms() throws(DataError) {
    guard let terms = try data.terms(seed: seed) else { return }
    var preparation = data.preparation ?? Preparation()
    preparation.terms = terms
    data.preparation = preparation
    guard var other = validation, other.path != data.path else { return }
    preparation = other.preparation ?? Preparation()
    preparation.terms = terms
    other.preparation = preparation
    validation = other
  }

  /// By what images are standardised for the model; nil where it sees them as they are, or codes in their place.
  public var standardization: Standardization? { data.codes == nil ? data.preparation?.standardization : nil }

  /// The number that the network sees in the place of a missing element; nil where none may be missing.
  public var missing: Float? { data.codes == nil ? data.preparation?.missing : nil }

  /// Whether images are compared with others than those that the network sees, corrupted ones left aside.
  var hasTargets: Bool { data.inputs != nil || missing != nil }

  /// Makes what follows from the images trained on a part of the recipe, where it does not say so itself: the names of
  /// classes that the model is to put out, how elements of images in files are kept, and by what images are
  /// standardised.
  ///
  /// Cost: where images are standardised, reads all of them once. Errors: one cannot be read.
  public mutating func settle(on data: Dataset) throws(DataError) {
    if hasClasses, classes == nil { classes = (try? data.classNames()) ?? nil }
    if self.data.codes == nil, self.data.preparation?.standardizes == true, standardization == nil {
      self.data.preparation?.standardization = try Standardization(of: data)
    }
    guard self.data.path != nil, self.data.codes == nil, data.form != .termCounts, data.form != .texts else { return }
    var preparation = self.data.preparation ?? Preparation()
    preparation.elements = preparation.elements ?? data.elements
    self.data.preparation = preparation
  }

  /// Opens images for the model, see `DataSource.open`, with the labels that `matched` gives them.
  public func open(
    _ source: DataSource, memory: Int = GrantedMemory.forImages, parallel: ParallelPlan? = nil
  ) throws(DataError) -> Dataset {
    let data = matched(try source.open(for: model, seed: seed, memory: memory, parallel: parallel))
    try data.checkConditions(for: model)
    return data
  }

  private var hasClasses: Bool { model.likelihood == .categorical || model.conditionClasses != nil }

  /// A set whose labels number the classes that the model puts out or is told, see `Dataset.relabelled`; the set itself
  /// where there are none, or where the model does not know their names.
  public func matched(_ data: Dataset) -> Dataset {
    guard hasClasses, let classes, let outputs = try? plan().labels.count,
      classes.count <= outputs
    else { return data }
    return data.relabelled(by: (0..<outputs).map { $0 < classes.count ? classes[$0] : "\($0)" })
  }

  /// The plan of a training step. Errors: those of a model that cannot be planned.
  public func plan() throws(ModelError) -> ExecutionPlan {
    try ExecutionPlan(model, batchSize: batchSize, shards: shards, importanceSamples: importanceSamples)
  }

  /// Samples of a minibatch where nobody says how many.
  public static let defaultBatchSize = 128

  /// Passes over the data where neither epochs nor steps are said.
  public static let defaultEpochs = 5

  /// Samples that a minibatch may have.
  public static let batchSizeRange = 1...1 << 20

  /// Minibatches that a step may have.
  public static let accumulateRange = 1...1 << 20

  /// Images of a step; the last one of an epoch has what is left.
  public var samplesPerStep: Int { batchSize * accumulate }
  /// Whether a step needs the gradient of all parameters at once: to add up minibatches, or for its norm.
  var keepsGradient: Bool { accumulate > 1 || clipNorm != nil }

  /// Whether gradients can be clipped to this norm.
  public static func isClipNorm(_ norm: Float) -> Bool { norm.isFinite && norm > 0 }

  /// The order in which a set of so many images is trained on.
  public func order(count: Int) -> BatchOrder {
    let first = overfitBatches?.multipliedReportingOverflow(by: batchSize)
    return BatchOrder(
      count: count, batchSize: samplesPerStep, seed: seed, first: first.map { $0.overflow ? count : $0.partialValue })
  }

  /// The loss that is monitored.
  public var monitored: Monitor { monitor ?? (validation == nil ? .training : .validation) }

  /// The step after which the run ends, for a data set that makes so many steps an epoch.
  ///
  /// - Parameters:
  ///   - step: after which the data set came in place of another one.
  ///   - done: the epochs done by then.
  public func lastStep(stepsPerEpoch: Int, since step: Int = 0, epochs done: Int = 0) -> Int {
    let all = epochs.map { step.plusClamping(max(0, $0 - done).timesClamping(stepsPerEpoch)) }
    return min(steps ?? Int.max, all ?? Int.max)
  }
}

/// Where images come from, a path or the built-in images, and what is taken of them.
public struct DataSource: Codable, Sendable, Equatable {
  /// A file or a folder; nil for the built-in images.
  public var path: String?
  public var split: Split
  /// Nil where all images are taken as they are, as in recipes of earlier versions.
  public var preparation: Preparation?
  /// The folder of a run whose codes of the images are taken in their place; nil for the images themselves.
  public var codes: String?
  /// A file or a folder of what the network sees in place of the images at `path`, which it is to put out; nil for the
  /// images themselves. Both are matched by name.
  public var inputs: String?

  public init(
    path: String? = nil, split: Split = .train, preparation: Preparation? = nil, codes: String? = nil,
    inputs: String? = nil
  ) {
    (self.path, self.split, self.preparation, self.codes) = (path, split, preparation, codes)
    self.inputs = inputs
  }

  /// The vocabulary and the weights of documents trained on here; nil where there are none.
  func terms(seed: UInt64) throws(DataError) -> TermStatistics? {
    guard let path, Dataset.areDocuments(at: path) else { return nil }
    if let terms = preparation?.terms { return terms }
    var one = self
    one.preparation = preparation ?? Preparation()
    one.preparation?.limit = 1
    return try one.open(seed: seed).terms
  }

  /// Opens the images, of whatever shape; the built-in ones are 28 x 28.
  ///
  /// - Parameter input: the shape that is wanted, from which the axes of an array follow that may be read in several
  ///   ways.
  public func open(
    seed: UInt64, for input: ImageShape? = nil, memory: Int = GrantedMemory.forImages
  ) throws(DataError) -> Dataset {
    guard let path else {
      return try Dataset.synthetic(
        shape: ImageShape(28, 28, 1), count: preparation?.limit, seed: seed, split: split)
    }
    let preparation = preparation ?? Preparation()
    func open(_ path: String, _ preparation: Preparation, memory: Int) throws(DataError) -> Dataset {
      try Dataset.open(
        path: path, split: split, preparation: preparation, seed: seed, for: input, threads: GrantedCores.count,
        memory: memory)
    }
    guard let inputs else { return try open(path, preparation, memory: memory) }
    var all = preparation
    (all.holdout, all.labels, all.limit) = (nil, nil, nil)
    let partners = try open(inputs, all, memory: memory / 2)
    return try open(path, preparation, memory: memory / 2).paired(with: partners, isWhole: all == preparation)
  }

  /// Opens the images and checks that they have the model's shape.
  ///
  /// - Parameters:
  ///   - seed: of the built-in images, and of what is held out.
  ///   - memory: bytes that decoded images may take; it changes no image.
  ///   - parallel: for computing codes.
  public func open(
    for model: Autoencoder, seed: UInt64, memory: Int = GrantedMemory.forImages, parallel: ParallelPlan? = nil
  ) throws(DataError) -> Dataset {
    if let codes { return try openCodes(by: codes, for: model, seed: seed, memory: memory, parallel: parallel) }
    guard let path else {
      return try Dataset.synthetic(shape: model.input, count: preparation?.limit, seed: seed, split: split)
    }
    let data = try open(seed: seed, for: model.input, memory: memory)
    guard data.shape == model.input else {
      let advice = advice(for: data, to: model)
      throw DataError(
        path: path, reason: "wanted images of \(model.input) for the model \(model.name), found \(data.shape)\(advice)")
    }
    return data
  }

  /// What would bring images of one shape to a model of another, as far as trying it on the first image shows.
  private func advice(for data: Dataset, to model: Autoencoder) -> String {
    let (found, wanted) = (data.shape, model.input)
    var ways: [String] = []
    if [.npy, .npz].contains(data.form), let shape = Self.reshaping(from: found, to: wanted) {
      ways.append("np.save of a.reshape(\(shape)) makes them fit")
    }
    if let flags = Self.flags(from: found, to: wanted) {
      var one = self
      one.preparation = flags.changing(preparation ?? Preparation())
      one.preparation?.limit = 1
      if let shape = try? one.open(seed: 1).shape, shape == wanted { ways.append("\(flags.text) makes them fit") }
    }
    let family = Autoencoder.sizedPresets.first { name in
      model.name.hasPrefix(name) && model.name.dropFirst(name.count).allSatisfy { "-@x0123456789".contains($0) }
    }
    if let family {
      let sized = "\(family)@\(found.height)x\(found.width)x\(found.channels)"
      if let model = try? Autoencoder.preset(sizedBy: sized), (try? ExecutionPlan(model, batchSize: 2)) != nil {
        ways.append("--model \(sized) takes them as they are")
      }
    }
    if let change = Self.change(of: model, toTake: found) { ways.append("\(change) in the model file takes them") }
    return ways.isEmpty ? "" : "; " + ways.joined(separator: ", ")
  }

  /// What makes a model of vectors one of images with as many values; nil where nothing does.
  private static func change(of model: Autoencoder, toTake found: ImageShape) -> String? {
    guard model.input.isVector, !found.isVector, model.input.count == found.count else { return nil }
    let shape = "[\(found.height), \(found.width), \(found.channels)]"
    let reshape = Reshape(found.height, found.width, found.channels)
    let ends =
      [
        ([], ""), ([reshape], #" with {"layer": "Reshape", "shape": \#(shape)} at the end of the decoder"#),
      ] as [([any Layer], String)]
    for (end, words) in ends {
      var other = model
      other.input = found
      other.decoder += end
      if (try? ExecutionPlan(other, batchSize: 2)) != nil { return #""input": \#(shape)"# + words }
    }
    return nil
  }

  /// The axes of an array that holds the same numbers as images of another shape, where only axes of one element differ
  /// or one of the two is a vector.
  private static func reshaping(from found: ImageShape, to wanted: ImageShape) -> String? {
    func extents(_ shape: ImageShape) -> [Int] { [shape.height, shape.width, shape.channels].filter { $0 > 1 } }
    guard found.count == wanted.count, found.isVector || wanted.isVector || extents(found) == extents(wanted) else {
      return nil
    }
    switch wanted.channels {
    case _ where wanted.isVector: return "len(a), -1"
    case 1: return "-1, \(wanted.height), \(wanted.width)"
    case 3: return "-1, \(wanted.height), \(wanted.width), 3"
    default: return nil
    }
  }

  /// Nil where images would lose what they show: a vector or a row of one pixel is no small image. Where proportions
  /// differ much, they are kept.
  private static func flags(
    from found: ImageShape, to wanted: ImageShape
  ) -> (text: String, changing: (Preparation) -> Preparation)? {
    var (text, size, color): ([String], Extent2D?, Preparation.Color?) = ([], nil, nil)
    let stretch = Double(found.height * wanted.width) / Double(found.width * wanted.height)
    let keepsProportions = !(0.8...1.25).contains(stretch)
    if (found.height, found.width) != (wanted.height, wanted.width) {
      guard min(found.height, found.width, wanted.height, wanted.width) > 1 else { return nil }
      size = Extent2D(wanted.height, wanted.width)
      text.append("\(keepsProportions ? "--fit" : "--resize") \(wanted.width)x\(wanted.height)")
    }
    switch (found.channels, wanted.channels) {
    case (3, 1): (color, text) = (.grey, text + ["--grey"])
    case (1, 3): (color, text) = (.rgb, text + ["--rgb"])
    case (let found, let wanted) where found != wanted: return nil
    default: break
    }
    return (
      text.joined(separator: " "),
      { base in
        var changed = base
        changed.color = color ?? base.color
        if let size { (changed.resize, changed.fit) = keepsProportions ? (nil, size) : (size, nil) }
        return changed
      }
    )
  }
}
