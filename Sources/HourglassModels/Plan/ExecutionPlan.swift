/// Everything about a training step that can be known before it runs: layers with their geometry, the flat vector, the
/// shards, and a place for every array. Made once; running it can neither fail nor allocate.
///
/// A sample is an image, or where training follows the importance-weighted bound one of the K samples of an image's
/// code. Those of an image lie next to each other, in one chunk.
///
///     flat vector      [ sharded parameters (convolutions) | parameters of products (dense layers) ]
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

  /// The chain: encoder, latent, decoder.
  public let layers: [any PlannedLayer]
  /// What lies before and after each layer: layer i leads from boundary i to boundary i + 1.
  public let boundaries: [Boundary]
  /// Maximal runs of layers of one granularity.
  public let segments: [Range<Int>]
  /// The boundary of the code: the latent's output, the decoder's input.
  public let codeBoundary: Int
  /// Where a penalty is a function of the code's derivative, tangents and their errors at all boundaries up to the
  /// code's, and the layers between; empty where none is.
  public let tangents: [Boundary]
  public let linearized: [any LinearizedLayer]
  /// Where each layer's saved state and prepared weights lie.
  public let states: [Place]
  public let preparedOffsets: [Int]

  /// Nil where training goes back through the chain.
  public let contrastiveDivergence: PlannedContrastiveDivergence?

  /// Length of the flat vector, and of its front part whose gradients are summed shard by shard.
  public let parameterCount: Int
  public let shardedCount: Int
  /// All tensors in the order of the model.
  public let parameters: [Parameter]

  /// Floats for each sample of the minibatch, of a group, of a chunk; and floats of prepared weights.
  public let batchFloats: Int
  public let groupFloats: Int
  public let chunkFloats: Int
  public let preparedFloats: Int

  /// Errors: `ModelError` that names the layer, what it wanted and what it found.
  ///
  /// - Parameters:
  ///   - batchSize, shards: counted in images.
  ///   - importanceSamples: of each image's code, of a model without an `importanceRefusal`; nil for training that does
  ///     not follow the importance-weighted bound.
  public init(
    _ model: Autoencoder, batchSize: Int, shards: Int? = nil, importanceSamples: Int? = nil
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
    let shards = shards ?? Self.defaultShards(batchSize: batchSize, importanceSamples: importanceSamples)
    guard (1...batchSize).contains(shards) else {
      throw ModelError(model.name, "wanted 1 to \(batchSize) shards, not more than the batch size, found \(shards)")
    }
    self.model = model
    (self.batchSize, self.shards) = (batchSize * samplesPerImage, shards)
    self.importanceSamples = importanceSamples
    let imagesPerShard = (batchSize + shards - 1) / shards
    samplesPerShard = imagesPerShard * samplesPerImage
    var chain = try model.planChain()
    for layer in chain.layers {
      guard let least = layer.leastShard, samplesPerShard < least else { continue }
      throw ModelError(
        layer.name, "wanted shards of at least \(least) samples, which it takes together, found \(samplesPerShard)")
    }
    takesWholeShards = chain.layers.contains { $0.leastShard != nil && !($0 is any PlannedPenalty) }
    let mostImages = takesWholeShards ? imagesPerShard : max(1, Self.mostSamplesPerChunk / samplesPerImage)
    let chunks = (imagesPerShard + mostImages - 1) / mostImages
    samplesPerChunk = (imagesPerShard + chunks - 1) / chunks * samplesPerImage
    (shardedCount, parameterCount) = Self.placeParameters(&chain.layers)
    layers = chain.layers
    codeBoundary = chain.codeBoundary
    parameters = layers.flatMap(\.parameters)

    segments = Self.segments(of: layers)
    var memory = MemoryLayout3()
    let isLinearized = layers[codeBoundary...].first is PlannedContractiveEstimate
    linearized = isLinearized ? layers[..<codeBoundary].compactMap { $0 as? any LinearizedLayer } : []
    boundaries = Self.placeBoundaries(
      layers, segments, codeBoundary: chain.codeBoundary, through: layers.count, &memory
    ) { [layers] b in
      layers[b].backwardReadsInput || layers[b - 1].backwardReadsOutput
        || isLinearized && b < chain.codeBoundary && layers[b - 1].activation != .linear
    }
    states = layers.map { memory.place($0.stateMemory, $0.stateCount) }
    let output = boundaries[layers.count].values
    contrastiveDivergence = model.objective?.planned(layers) { isPersistent in
      isPersistent ? memory.place(.batch, output.count) : output
    }
    tangents =
      isLinearized
      ? Self.placeBoundaries(
        layers, segments, codeBoundary: chain.codeBoundary, through: chain.codeBoundary, &memory
      ) { [layers] b in layers[b].gradient != .none || layers[b - 1].activation.isCurved }
      : []
    var prepared = 0
    preparedOffsets = layers.map { layer in
      defer { prepared += layer.preparedCount }
      return prepared
    }
    preparedFloats = prepared
    (batchFloats, groupFloats, chunkFloats) = (memory.batch.count, memory.group.count, memory.chunk.count)
  }

  /// A shard for every 8 samples, at most 16: enough to keep 16 workers busy. It follows from the batch size alone,
  /// because the number of shards orders sums.
  /// Samples of an image's code stay in one shard.
  public static func defaultShards(batchSize: Int, importanceSamples: Int? = nil) -> Int {
    // Beyond 128 of either there are 16 anyway, and no product of nonsense overflows.
    let (images, samples) = (min(max(batchSize, 0), 128), min(max(importanceSamples ?? 1, 0), 128))
    return min(16, batchSize, (images * samples + 7) / 8)
  }

  /// More samples would push a chunk's images out of the second-level cache; fewer would leave tiles half empty.
  private static let mostSamplesPerChunk = 16

  /// The dense layers, whose gradients are products over the whole minibatch, with their places among the layers.
  public var products: [Product] {
    layers.enumerated().compactMap { index, layer in
      guard let layer = layer as? PlannedDense else { return nil }
      guard layer.tie == nil else { return Product(layer: layer, index: index, terms: [], contraction: nil) }
      let tied = layers.indices.filter { (layers[$0] as? PlannedDense)?.tie?.partner == index }
      let terms = terms(index) + tied.flatMap(terms).map { Product.Term(x: $0.dy, dy: $0.x) }
      return Product(layer: layer, index: index, terms: terms, contraction: contraction(of: index))
    }
  }

  private func contraction(of layer: Int) -> Product.Contraction? {
    layers.indices.lazy.compactMap { i in
      guard let penalty = layers[i] as? PlannedContractivePenalty, penalty.tie?.partner == layer else { return nil }
      return Product.Contraction(squares: states[i], weight: penalty.site.weight)
    }.first
  }

  /// Input and error of the output of a dense layer, and the same of its tangents.
  private func terms(_ layer: Int) -> [Product.Term] {
    let chains = linearized.indices.contains(layer) ? [boundaries, tangents] : [boundaries]
    return chains.map { boundaries in
      guard let dy = boundaries[layer + 1].error else {
        preconditionFailure("the output of a dense layer has an error")
      }
      return Product.Term(x: boundaries[layer].values, dy: dy)
    }
  }

  /// Why a code alone cannot be decoded, if it cannot.
  public var decodingRefusal: String? {
    for layer in layers[codeBoundary...] {
      guard let partner = layer.partner, partner < codeBoundary else { continue }
      return "\(layer.name) of \(model.name) wants the switches that \(layers[partner].name) finds in an image, so a "
        + "code alone cannot be decoded"
    }
    return nil
  }

  /// Runs of the flat vector that hold running statistics, in order.
  public var statistics: [Range<Int>] {
    parameters.filter(\.isStatistic).map { $0.offset..<$0.offset + $0.count }.sorted { $0.lowerBound < $1.lowerBound }
  }

  /// The samples of a minibatch of `count` that belong to a run of shards.
  public func samples(of shards: Range<Int>, in count: Int) -> Range<Int> {
    min(shards.lowerBound * samplesPerShard, count)..<min(shards.upperBound * samplesPerShard, count)
  }

  /// Scratch of one replica: for its group, its likelihood, and for products over the whole minibatch.
  public func scratchFloats(groupSamples: Int, threads: Int) -> Int {
    let slopes = tangents.map(\.shape.count).max() ?? 0
    let likelihood = model.likelihood.scratchCount(image: model.input, threads: threads)
    return layers.reduce(max(slopes, likelihood)) { most, layer in
      let samples =
        switch layer.granularity {
        case .chunk: min(samplesPerChunk, groupSamples)
        case .group: layer.gradient == .product ? batchSize : groupSamples
        }
      return max(most, layer.scratchCount(samples: samples, threads: threads))
    }
  }

  /// Planned bytes, which a plan's bounds keep below 2^60: of everything the replicas share, and of one replica.
  public func bytes(groupSamples: Int, threads: Int) -> (shared: Int, perReplica: Int) {
    let optimizerMoments = 2
    let shared = parameterCount * (2 + optimizerMoments) + shards * shardedCount + batchSize * batchFloats
    let replica =
      groupSamples * groupFloats + samplesPerChunk * chunkFloats + preparedFloats
      + scratchFloats(groupSamples: groupSamples, threads: threads)
    return (shared * MemoryLayout<Float>.size, replica * MemoryLayout<Float>.size)
  }

  private static func placeParameters(_ layers: inout [any PlannedLayer]) -> (sharded: Int, all: Int) {
    var next = 0
    var sharded = 0
    for kind in [GradientKind.sharded, .product] {
      for i in layers.indices where layers[i].gradient == kind {
        layers[i].parameterOffset = next
        next += Planner.aligned(layers[i].parameterCount)
      }
      if kind == .sharded { sharded = next }
    }
    for i in layers.indices {
      guard var layer = layers[i] as? any TiedLayer, let partner = layer.tie?.partner else { continue }
      layer.tie?.offset = layers[partner].parameterOffset
      layers[i] = layer
    }
    return (sharded, next)
  }

  private static func segments(of layers: [any PlannedLayer]) -> [Range<Int>] {
    var segments: [Range<Int>] = []
    for i in layers.indices {
      if let last = segments.last, layers[last.lowerBound].granularity == layers[i].granularity {
        segments[segments.count - 1] = last.lowerBound..<i + 1
      } else {
        segments.append(i..<i + 1)
      }
    }
    return segments
  }

  /// A product reads its input and the error of its output for the whole minibatch. Between two layers of a chunked
  /// segment, errors live in two places that take turns; so do activations that the way back does not read, and in the
  /// last segment, which goes forward and back chunk by chunk, activations live as long as their chunk. All others, and
  /// input, code and output, live as long as their group.
  ///
  /// - Parameters:
  ///   - end: the last boundary.
  ///   - isReadBack: whether the way back reads the values of a boundary between two layers.
  private static func placeBoundaries(
    _ layers: [any PlannedLayer], _ segments: [Range<Int>], codeBoundary: Int, through end: Int,
    _ memory: inout MemoryLayout3, isReadBack: (Int) -> Bool
  ) -> [Boundary] {
    var turns = [0, 0]
    var insideChunk = Set<Int>()
    for segment in segments where layers[segment.lowerBound].granularity == .chunk {
      let isLast = segment.upperBound == layers.count
      for b in segment.lowerBound + 1..<segment.upperBound + (isLast ? 1 : 0) where b <= end {
        insideChunk.insert(b)
        turns[b % 2] = max(turns[b % 2], layers[b - 1].output.count)
      }
    }
    let turnPlaces = turns.map { memory.chunk.place(.chunk, $0) }
    let firstWithParameters = layers.firstIndex { $0.gradient != .none } ?? layers.count
    return (0...end).map { b in
      let shape = b == 0 ? layers[0].input : layers[b - 1].output
      let feedsProduct = b < layers.count && layers[b].gradient == .product
      let comesFromProduct = b > 0 && layers[b - 1].gradient == .product
      let isInner = insideChunk.contains(b) && b < layers.count && b != codeBoundary
      let turn = Place(.chunk, offset: turnPlaces[b % 2].offset, count: shape.count)
      let values =
        if feedsProduct {
          memory.batch.place(.batch, shape.count)
        } else if isInner && !isReadBack(b) {
          turn
        } else if isInner && segments.last?.contains(b) == true {
          memory.chunk.place(.chunk, shape.count)
        } else {
          memory.group.place(.group, shape.count)
        }
      let error: Place? =
        if b <= firstWithParameters && b < layers.count {
          nil
        } else if comesFromProduct {
          memory.batch.place(.batch, shape.count)
        } else if insideChunk.contains(b) {
          turn
        } else {
          memory.group.place(.group, shape.count)
        }
      return Boundary(
        shape: shape, activation: b == 0 ? .linear : layers[b - 1].activation, values: values, error: error)
    }
  }
}

/// A dense layer and what the gradient of its weight is: the sum, in this order, of terms x^T dy, each a sum over the
/// samples of the minibatch in order.
///
///     dw[i,o] = sum over terms, then over n, of x[n,i] dy[n,o]
///
/// One term is the layer's own: its input and the error of its output. A layer tied to it adds its own, the other way
/// round. A tied layer has no weight, so no terms.
public struct Product: Sendable {
  public struct Term: Sendable {
    /// Both in the memory of the whole minibatch.
    public let x: Place
    public let dy: Place
  }

  /// What a contractive penalty adds: 2 weight beta w[i,o] sum over n of squares[n,o].
  public struct Contraction: Sendable {
    /// Squares of the derivatives of the activation, in the memory of the whole minibatch.
    public let squares: Place
    public let weight: Float
  }

  public let layer: PlannedDense
  /// Place of the layer among those that run.
  public let index: Int
  public let terms: [Term]
  public let contraction: Contraction?
}

/// What lies between two layers: an image, the activation that made it, and where its values and its error are kept.
public struct Boundary: Sendable {
  public let shape: ImageShape
  public let activation: Activation
  public let values: Place
  /// nil where no layer before has parameters, so that nobody wants the error.
  public let error: Place?
}

/// Where an array with `count` floats for each sample lies: in one of three memories, behind `offset` floats a sample.
public struct Place: Sendable, Equatable {
  public enum Memory: Sendable {
    /// Indexed by the place of a sample in the minibatch.
    case batch
    /// Indexed by its place in the group a replica holds.
    case group
    /// Indexed by its place in the chunk at hand.
    case chunk
  }

  public let memory: Memory
  public let offset: Int
  public let count: Int

  init(_ memory: Memory, offset: Int, count: Int) {
    (self.memory, self.offset, self.count) = (memory, offset, count)
  }
}

/// The three memories while they are laid out.
private struct MemoryLayout3 {
  struct Column {
    var count = 0
    mutating func place(_ memory: Place.Memory, _ floats: Int) -> Place {
      defer { count += Planner.aligned(floats) }
      return Place(memory, offset: count, count: floats)
    }
  }
  var batch = Column()
  var group = Column()
  var chunk = Column()

  mutating func place(_ memory: Place.Memory, _ floats: Int) -> Place {
    switch memory {
    case .batch: batch.place(memory, floats)
    case .group: group.place(memory, floats)
    case .chunk: chunk.place(memory, floats)
    }
  }
}
