/// Everything about a training step, or about inference, that can be known before it runs: layers with their geometry,
/// the values between them, the flat vector, the shards, and a place for every array. Made once; running it can neither
/// fail nor allocate.
///
/// A sample is an image, or where training follows the importance-weighted bound one of the K samples of an image's
/// code. The samples of an image lie next to each other, in one chunk.
///
///     flat vector      [ parameters summed shard by shard (convolutions) | parameters of products (dense layers) ]
///     minibatch        [ shard 0 | shard 1 | ... ]      samples n of shard s: s m <= n < (s + 1) m
///     a shard          [ chunk | chunk | ... ]          what image layers take at once
///     a group          a run of shards that one replica holds at a time; speed only
public struct ExecutionPlan: Sendable {
  public let model: Autoencoder
  /// Samples of a minibatch.
  public let batchSize: Int
  /// K, where training follows the importance-weighted bound, 1 or more; nil where it does not.
  public let importanceSamples: Int?
  public var samplesPerImage: Int { importanceSamples ?? 1 }
  public let shards: Int
  /// m above; a partial minibatch keeps it, so its last shards are short or empty.
  public let samplesPerShard: Int
  public let samplesPerChunk: Int
  /// Whether a layer's output for a sample depends on the others of its shard while training; chunks are whole shards
  /// then.
  public let takesWholeShards: Bool
  /// Whether samples go back as well, or forward alone.
  public let isTraining: Bool

  /// What runs, in the order of the way forward: encoder, latent, penalty, decoder. Each layer reads what layers before
  /// it wrote.
  public let uses: [Use]
  /// What the layers read and write. Value 0 is the image.
  public let values: [Value]
  /// Maximal runs of uses of one granularity.
  public let segments: [Range<Int>]
  /// The number of the code, which the latent puts out, and of what the last layer puts out.
  public let code: Int
  public var output: Int { uses[uses.count - 1].output }
  /// The uses that make the code of an image; the decoder follows.
  public let encoder: Range<Int>
  public var decoder: Range<Int> { encoder.upperBound..<uses.count }
  /// The value that the last layer of the encoder reads: mean and log-variance of a Gaussian latent's code.
  public var posterior: Int { uses[encoder.upperBound - 1].input }
  public var codeShape: ImageShape { values[code].shape }
  public var outputShape: ImageShape { values[output].shape }
  /// Where a penalty is a function of the code's derivative, the uses whose tangents it follows; empty where none is.
  public let tangents: Range<Int>

  /// The number of classes whose labels layers read; nil where none reads labels.
  public let conditionClasses: Int?
  /// Whether each sample comes with a label, which the model is to put out or its layers read.
  public var readsLabels: Bool { conditionClasses != nil || model.likelihood.target == .label }

  /// Nil where training goes back through the layers.
  public let contrastiveDivergence: PlannedContrastiveDivergence?

  /// Length of the flat vector, and of its front part whose gradients are summed shard by shard.
  public let parameterCount: Int
  public let shardedCount: Int
  /// All tensors in the order of the model.
  public let parameters: [Parameter]
  /// Matrices of parameters whose gradients are products over the whole minibatch.
  public let products: [Product<Place>]
  /// Runs of the front part that follow a rule of their layer in place of the optimiser, in order.
  public let owned: [(range: Range<Int>, follow: Work.Follow)]

  /// Floats for each sample of the minibatch, of a group, of a chunk; and floats of prepared weights.
  public let batchFloats: Int
  public let groupFloats: Int
  public let chunkFloats: Int
  public let preparedFloats: Int
  /// From when to when each array lives, and where.
  let lifetimes: Lifetimes

  /// Errors: `ModelError` that names the layer, what it wanted and what it found.
  ///
  /// - Parameters:
  ///   - batchSize: images of a minibatch.
  ///   - shards: pieces of a minibatch.
  ///   - importanceSamples: how many samples of each image's code training takes, of a model without an
  ///     `importanceRefusal`; nil for training that does not follow the importance-weighted bound.
  ///   - isTraining: whether samples go back as well. Otherwise image, code, the input of the latent and the output
  ///     stay until all uses are through.
  public init(
    _ model: Autoencoder, batchSize: Int, shards: Int? = nil, importanceSamples: Int? = nil, isTraining: Bool = true
  ) throws(ModelError) {
    let most = 1 << 20
    guard (1...most).contains(batchSize) else {
      throw ModelError(model.name, "wanted a batch size of 1 to \(most), found \(batchSize)")
    }
    let samplesPerImage = importanceSamples ?? 1
    guard (1...most / batchSize).contains(samplesPerImage) else {
      throw ModelError(
        model.name,
        "wanted 1 to \(most / batchSize) importance samples with a batch size of \(batchSize), found "
          + "\(samplesPerImage)")
    }
    if importanceSamples != nil, let refusal = model.importanceRefusal { throw ModelError("latent", refusal) }
    if importanceSamples != nil, let refusal = model.boundRefusal { throw ModelError(Planner.penaltyName, refusal) }
    let shards =
      shards
      ?? Self.defaultShards(
        batchSize: batchSize, importanceSamples: importanceSamples, joinsSamples: model.joinsSamplesOfShards)
    guard (1...batchSize).contains(shards) else {
      throw ModelError(model.name, "wanted 1 to \(batchSize) shards, not more than the batch size, found \(shards)")
    }
    (self.model, self.isTraining, conditionClasses) = (model, isTraining, model.conditionClasses)
    (self.batchSize, self.shards) = (batchSize * samplesPerImage, shards)
    self.importanceSamples = importanceSamples
    let imagesPerShard = (batchSize + shards - 1) / shards
    samplesPerShard = imagesPerShard * samplesPerImage
    let graph = try model.planned()
    for use in graph.uses {
      guard let least = use.layer.leastShard, samplesPerShard < least else { continue }
      throw ModelError(
        use.layer.name, "wanted shards of at least \(least) samples, which it takes together, found \(samplesPerShard)")
    }
    takesWholeShards = graph.uses.contains { $0.layer.leastShard != nil && $0.layer.granularity == .chunk }
    let mostImages = takesWholeShards ? imagesPerShard : max(1, Self.mostSamplesPerChunk / samplesPerImage)
    let chunks = (imagesPerShard + mostImages - 1) / mostImages
    samplesPerChunk = (imagesPerShard + chunks - 1) / chunks * samplesPerImage

    var (uses, values) = (graph.uses, graph.values)
    (code, encoder) = (graph.code, graph.encoder)
    let tangible = Self.tangible(uses)
    tangents = 0..<(uses.firstIndex { $0.layer.wantsTangents } ?? 0)
    segments = Self.segments(of: uses)
    (shardedCount, parameterCount) = Self.placeParameters(&uses)
    let products = Self.products(of: uses, tangible: tangible)
    owned = Self.owned(of: uses)

    let lifetimes = Self.lifetimes(
      uses, values, segments, products, code: (graph.code, graph.encoder.upperBound - 1), tangible: tangible,
      objective: model.objective, isTraining: isTraining)
    self.products = products.map { $0.map { lifetimes.place(of: $0) ?? .none } }
    for v in values.indices {
      values[v].values = lifetimes.place(of: .values(v)) ?? .none
      values[v].error = lifetimes.place(of: .error(v))
      values[v].tangent = lifetimes.place(of: .tangent(v))
      values[v].tangentError = lifetimes.place(of: .tangentError(v))
    }
    var (prepared, terms) = (0, 0)
    for i in uses.indices {
      if uses[i].layer.notesTerm { (uses[i].term, terms) = (terms, terms + 1) }
      uses[i].state = lifetimes.place(of: .state(uses[i].output)) ?? .none
      uses[i].hasBackwardPass =
        uses[i].inputs.contains { values[$0].error != nil }
        || uses[i].layer.parameterCount > 0 && !uses[i].hasGradientPass
      uses[i].preparedOffset = prepared
      prepared += uses[i].layer.preparedCount
    }
    (self.uses, self.values, self.lifetimes, preparedFloats) = (uses, values, lifetimes, prepared)
    parameters = uses.flatMap(\.parameters)
    let chains = lifetimes.place(of: .state(Self.chains)) ?? values[uses[uses.count - 1].output].values
    contrastiveDivergence = model.objective?.planned(uses.map(\.layer), chains: chains)
    (batchFloats, groupFloats, chunkFloats) = (
      lifetimes.floats[.batch] ?? 0, lifetimes.floats[.group] ?? 0, lifetimes.floats[.chunk] ?? 0
    )
  }

  /// A shard for every 8 samples: at most 16, enough to keep 16 workers busy, and from batches of 512 images on at most
  /// 128. It follows from the recipe alone, because the number of shards orders sums.
  /// Samples of an image's code stay in one shard.
  ///
  /// - Parameter joinsSamples: whether a loss depends on which samples are in a shard together, so that there are never
  ///   more than 16.
  public static func defaultShards(
    batchSize: Int, importanceSamples: Int? = nil, joinsSamples: @autoclosure () -> Bool = false
  ) -> Int {
    // With 1024 of either there are 128, and no product of nonsense overflows.
    let (images, samples) = (min(max(batchSize, 0), 1024), min(max(importanceSamples ?? 1, 0), 1024))
    let most = batchSize < 512 || joinsSamples() ? 16 : 128
    return min(most, batchSize, (images * samples + 7) / 8)
  }

  /// More samples would push a chunk's images out of the second-level cache; fewer would leave tiles half empty.
  private static let mostSamplesPerChunk = 16

  /// Why a code alone cannot be decoded, if it cannot.
  public var decodingRefusal: String? {
    let made = Set(uses[encoder].flatMap(\.outputs)).union([0]).subtracting([code])
    for use in uses[decoder] {
      let read = use.layer.reads(use).compactMap { read -> (value: Int, what: String)? in
        guard read.moments.contains(.forward) else { return nil }
        return switch read.source {
        case .values(let v): (v, "output")
        case .state(let v): (v, "switches")
        default: nil
        }
      }
      guard let (value, what) = read.first(where: { made.contains($0.value) }) else { continue }
      let lender = uses[encoder].last { $0.outputs.contains(value) }?.layer.name ?? "the image"
      return "\(use.layer.name) of \(model.name) wants the \(what) that \(lender) finds in an image, so a code alone "
        + "cannot be decoded"
    }
    return nil
  }

  /// The shards of a minibatch of so many samples.
  public func shards(of samples: Int) -> Int { (samples + samplesPerShard - 1) / samplesPerShard }

  /// The samples of a minibatch of `count` that belong to a run of shards.
  public func samples(of shards: Range<Int>, in count: Int) -> Range<Int> {
    min(shards.lowerBound * samplesPerShard, count)..<min(shards.upperBound * samplesPerShard, count)
  }

  /// Scratch of one replica: for its group, its likelihood, and for products over the whole minibatch.
  public func scratchFloats(groupSamples: Int, threads: Int) -> Int {
    let slopes = tangents.reduce(0) { max($0, uses[$1].layer.output.count) }
    let likelihood = model.likelihood.scratchCount(image: model.input, threads: threads)
    return uses.reduce(max(slopes, likelihood)) { most, use in
      let isProduct = use.layer.parameterCount > 0 && !use.isSharded
      let samples =
        switch use.layer.granularity {
        case .chunk: min(samplesPerChunk, groupSamples)
        case .group: isProduct ? batchSize : groupSamples
        }
      return max(most, use.layer.scratchCount(samples: samples, threads: threads))
    }
  }

  /// Planned bytes, which a plan's bounds keep below 2^60: of everything the replicas share but gradients, and of one
  /// replica.
  public func bytes(groupSamples: Int, threads: Int) -> (shared: Int, perReplica: Int) {
    let optimizerMoments = 2
    let training = isTraining ? parameterCount * (1 + optimizerMoments) : 0
    let shared = training + batchSize * batchFloats
    let replica =
      groupSamples * groupFloats + samplesPerChunk * chunkFloats + preparedFloats
      + scratchFloats(groupSamples: groupSamples, threads: threads)
    return (shared * MemoryLayout<Float>.size, replica * MemoryLayout<Float>.size)
  }
}

extension ExecutionPlan {
  /// Over how many samples layers and penalties take their statistics which take those of a shard, and where these are
  /// few, by what number of shards they would be more; nil where no layer takes any.
  public var shardStatistics: String? {
    let kinds = uses.filter { $0.layer.leastShard != nil }.map(\.layer.kind)
    guard let first = kinds.first else { return nil }
    let others = kinds.filter { $0 != first }.reduce(into: [String]()) { if !$0.contains($1) { $0.append($1) } }
    let takes = ([first] + others).joined(separator: ", ") + (others.isEmpty ? " takes" : " take")
    let sentence = "\(takes) statistics over the samples of a shard, \(samplesPerShard / samplesPerImage) images here"
    let (images, many) = (batchSize / samplesPerImage, 32)
    let fewer = max(1, images / many)
    guard fewer < shards else { return sentence }
    return sentence + "; --shards \(fewer) makes them \((images + fewer - 1) / fewer), for at most \(fewer) "
      + (fewer == 1 ? "worker" : "workers")
  }
}

extension Autoencoder {
  /// Whether the loss of a sample depends on the others of its shard; no for a model that cannot be planned.
  package var joinsSamplesOfShards: Bool { (try? planned())?.uses.contains { $0.layer.leastShard != nil } ?? false }
}
