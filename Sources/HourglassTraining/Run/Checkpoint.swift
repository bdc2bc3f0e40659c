import Glibc
import HourglassData
import HourglassModels

/// The state of a run after some step: parameters, moments, and everything else that is needed to go on to the same
/// bits.
///
/// The file is safetensors. It has the parameters under PyTorch's names and shapes, the moments as `optimizer.m.NAME`
/// and `optimizer.v.NAME`, a moving average, where one is kept, as `ema.NAME`, the visible units of persistent chains
/// as `chains`, and metadata. Layouts: convolution OIHW, transposed convolution IOHW, dense OI with image axes in C, H,
/// W order, chains NHWC.
public struct Checkpoint: Sendable {
  /// The numbers that a run knows beside its tensors.
  public struct Progress: Codable, Sendable, Equatable {
    /// The steps done.
    public var step = 0
    /// The samples of the epoch at hand that were trained on so far.
    public var epochSamples = 0
    /// The sum of the reconstruction loss over those samples.
    public var epochReconstruction = 0.0
    /// The sum of all other terms of the loss, KL divergence and penalties, over those samples.
    public var epochDivergence = 0.0
    /// The sums of each of them, where there are several, or a capacity of the KL divergence; nil otherwise.
    public var epochTerms: [Double]?
    /// The smallest monitored loss of an epoch so far.
    public var best: Double?
    /// The epoch that ended with that loss, counted from 1.
    public var bestEpoch: Int?
    /// The monitored loss from which it has not fallen by more than the recipe's least difference.
    public var plateau: Double?
    /// The epoch that ended with that loss, counted from 1.
    public var plateauEpoch: Int?
    /// Where the learning rate stands, if it falls on plateaus.
    public var ratePlateau: RatePlateau?
    /// The samples trained on by all sessions of this run.
    public var samples = 0
    /// The seconds that those samples took.
    public var seconds = 0.0
    /// The steps done when training last went on with changed data; nil where it never did.
    public var dataStep: Int?
    /// The epochs done when training last went on with changed data; nil where it never did.
    public var dataEpoch: Int?
    /// How often training went on with changed data.
    public var dataChanges: Int?

    /// Forgets the samples of the epoch at hand.
    mutating func beginEpoch() {
      (epochSamples, epochReconstruction, epochDivergence, epochTerms) = (0, 0, 0, nil)
    }

    /// The epochs done, each of so many steps since the data last changed.
    func epochs(stepsPerEpoch: Int) -> Int { (dataEpoch ?? 0) + (step - (dataStep ?? 0)) / stepsPerEpoch }
  }

  /// What the run knows beside its tensors.
  public var progress: Progress
  /// The hash of the parameters, see `WeightsHash`.
  public var weightsHash: String
  /// What the weights were trained by and on; nil in files of earlier versions.
  public let origin: Origin?
  private let tensors: [SafeTensors.Source]

  /// The state of a step. Its tensors are those of the step and hold until it runs again.
  public init(_ training: TrainingStep, progress: Progress, origin: Origin? = nil) {
    self.init(training.plan, Self.vectors(training), chains: training.chains.map(Array.init), progress, origin)
  }

  /// The state before the first step from these parameters. Their moving average, if one is kept, begins there too.
  public init(startingFrom parameters: FloatBuffer, plan: ExecutionPlan, optimizer: Optimizer, hasAverage: Bool = false)
  {
    let zeros = FloatBuffer(count: plan.parameterCount)
    let average = hasAverage ? [(prefix: Self.averagePrefix, values: parameters)] : []
    let moments = optimizer.moments.map { (prefix: "optimizer.\($0).", values: zeros) }
    let chains = plan.chainsShape.map { [Float](repeating: 0, count: $0.reduce(1, *)) }
    self.init(plan, [("", parameters)] + moments + average, chains: chains, Progress(), nil)
  }

  /// The state made of vectors.
  ///
  /// - Parameter vectors: the parameters first, each with what stands before its names.
  private init(
    _ plan: ExecutionPlan, _ vectors: [(prefix: String, values: FloatBuffer)], chains: [Float]?, _ progress: Progress,
    _ origin: Origin?
  ) {
    (self.progress, self.origin) = (progress, origin)
    weightsHash = WeightsHash.of(vectors[0].values, plan: plan)
    var tensors = vectors.flatMap { plan.tensors($0.values, prefix: $0.prefix) }
    if let chains, let shape = plan.chainsShape {
      tensors.append(SafeTensors.Source(name: Self.chainsName, shape: shape) { chains })
    }
    self.tensors = tensors
  }

  /// Opens a file and checks that it is whole. Values are read again when they are wanted, a tensor at a time.
  ///
  /// Cost: reads the file once.
  ///
  /// Errors: `SafeTensors` refuses the file; its metadata is of another program or version; its contents do not have
  /// the hash that was written with them; its progress is none that a run makes.
  public init(reading path: String) throws(DataError) {
    let (tensors, metadata) = try SafeTensors.open(path)
    self.tensors = tensors
    guard metadata["format"] == Self.format else {
      throw DataError(
        path: path,
        reason: "wanted a checkpoint of format \(Self.format), found \(metadata["format"] ?? "none in the metadata")")
    }
    guard let json = metadata["progress"], let hash = metadata["weightsHash"] else {
      throw DataError(path: path, reason: "wanted metadata with progress and weightsHash, found no such")
    }
    let progress = try JSONFile.decode(Progress.self, from: json.utf8, path: path, what: "no progress of a run")
    (self.progress, weightsHash) = (progress, hash)
    if let refusal = progress.refusal { throw DataError(path: path, reason: "progress.\(refusal)") }
    origin = try metadata[Self.originKey].map { (json) throws(DataError) in
      try JSONFile.decode(Origin.self, from: json.utf8, path: path, what: "not the recipe that it was trained by")
    }
    let found = try Self.contentHash(tensors, metadata)
    guard found == metadata[Self.hashKey] else {
      throw DataError(
        path: path,
        reason: "the contents were altered: wanted SHA-256 \(metadata[Self.hashKey] ?? "none"), found \(found)")
    }
  }

  /// The tensors that stand for the trained model, by name.
  var parameters: [SafeTensors.Source] { Self.trained(tensors) }

  /// The tensors of a checkpoint that stand for the trained model: moving averages where there are any, or else the
  /// parameters.
  static func trained(_ tensors: [SafeTensors.Source]) -> [SafeTensors.Source] {
    let averages = tensors.compactMap { tensor in
      tensor.name.hasPrefix(averagePrefix)
        ? SafeTensors.Source(
          name: String(tensor.name.dropFirst(averagePrefix.count)), shape: tensor.shape, values: tensor.values) : nil
    }
    return averages.isEmpty
      ? tensors.filter { !$0.name.hasPrefix("optimizer.") && $0.name != chainsName } : averages
  }

  /// All vectors that a step goes on from, each with what stands before its tensors' names.
  private static func vectors(_ training: TrainingStep) -> [(prefix: String, values: FloatBuffer)] {
    let moments = training.moments.map { (prefix: "optimizer.\($0.name).", values: $0.values) }
    return [("", training.parameters)] + moments + (training.average.map { [(averagePrefix, $0)] } ?? [])
  }

  static let averagePrefix = "ema."
  private static let chainsName = "chains"

  /// Puts all vectors that a step goes on from in place.
  ///
  /// Errors: a tensor that the model wants is missing or has another shape, and nothing is put in place then; the file
  /// can no longer be read.
  public func restore(_ training: TrainingStep, path: String) throws(DataError) {
    let chains = training.plan.chainsShape == nil ? nil : tensors.first { $0.name == Self.chainsName }
    guard chains?.shape == training.plan.chainsShape else {
      throw DataError(
        path: path,
        reason: "the model wants a tensor \(Self.chainsName) of the shape \(training.plan.chainsShape ?? []), found "
          + (chains.map { "\($0.shape)" } ?? "none"))
    }
    try tensors.restore(Self.vectors(training), training.plan, path)
    if let chains { _ = training.chains?.update(fromContentsOf: try chains.values()) }
  }

  /// Puts in place what stands for the trained model: the moving average of the parameters where the file has one, else
  /// the parameters.
  ///
  /// Errors: a tensor that the model wants is missing or has another shape, and nothing is put in place then; the file
  /// can no longer be read.
  public func restore(parameters: FloatBuffer, plan: ExecutionPlan, path: String) throws(DataError) {
    let hasAverage = tensors.contains { $0.name.hasPrefix(Self.averagePrefix) }
    try tensors.restore([(prefix: hasAverage ? Self.averagePrefix : "", values: parameters)], plan, path)
  }

  /// Writes the file, whole or not at all, with the values of one tensor in memory at a time.
  ///
  /// - Parameter ready: called with the temporary file's name, see `AtomicFile.write`.
  public func write(to path: String, ready: (String) throws(DataError) -> Void = { _ in }) throws(DataError) {
    var metadata = [
      "format": Self.format, "progress": Self.json(progress), "weightsHash": weightsHash,
      "layout": "PyTorch: convolution OIHW, transposed convolution IOHW, dense OI, image axes C, H, W",
    ]
    metadata[Self.originKey] = origin.map(Self.json)
    metadata[Self.hashKey] = try Self.contentHash(tensors, metadata)
    try SafeTensors.write(tensors, metadata: metadata, to: path, ready: ready)
  }

  private static let format = "hourglass-checkpoint-1"

  /// A value of the metadata. Numbers always encode, and a NaN loss never reaches a checkpoint.
  private static func json(_ value: some Encodable) -> String { (try? JSONText.header(value)) ?? "{}" }

  /// The name of the hash of the contents in the metadata.
  package static let hashKey = "contentHash"
  private static let originKey = "origin"

  /// The SHA-256 over all tensors and all metadata but the hash itself.
  package static func contentHash(
    _ tensors: [SafeTensors.Source], _ metadata: [String: String]
  ) throws(DataError) -> String {
    var hash = SHA256()
    for tensor in tensors.sorted(by: { $0.name < $1.name }) {
      Array("\(tensor.name) \(tensor.shape)\n".utf8).withUnsafeBytes { hash.update($0) }
      let values = try tensor.values()
      values.withUnsafeBytes { hash.update($0) }
    }
    for (key, value) in metadata.sorted(by: { $0.key < $1.key }) where key != hashKey {
      Array("\(key) \(value)\n".utf8).withUnsafeBytes { hash.update($0) }
    }
    return hash.hexDigits()
  }
}

extension ExecutionPlan {
  /// The shape N x H x W x C of persistent chains; nil without such chains.
  fileprivate var chainsShape: [Int]? {
    guard let contrastiveDivergence, contrastiveDivergence.isPersistent else { return nil }
    return [batchSize, model.input.height, model.input.width, model.input.channels]
  }
}
