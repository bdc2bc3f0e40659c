import HourglassData
import HourglassModels

/// What all replicas share: the parameters, and the memory indexed by the place of a sample in the minibatch.
struct SharedMemory: Sendable {
  /// The flat vector of parameters.
  let parameters: FloatBuffer
  /// Inputs and output errors of dense layers, for the whole minibatch.
  let batch: FloatBuffer
  /// The label of each sample's image, where the model reads it.
  let labels: AlignedBuffer<Int32>
  /// The reconstruction loss of each sample, and the other terms of its loss: term after term, each of all samples.
  let losses: FloatBuffer
  let terms: FloatBuffer
  /// Over the samples of a step the sum of the reconstruction loss, then of each other term, and last how much more the
  /// loss has than these, where a capacity is wanted of the divergence.
  let sums: AlignedBuffer<Double>
  /// Where training follows the importance-weighted bound, the bound of each image, and of each sample the weight.
  let bounds: FloatBuffer
  let importanceWeights: FloatBuffer?

  /// The memory of one process.
  init(plan: ExecutionPlan, parameters: FloatBuffer) {
    self.init(
      plan: plan, parameters: parameters, batch: FloatBuffer(unwritten: plan.batchFloats * plan.batchSize),
      FloatBuffer.init(count:))
  }

  /// The memory of the processes of a node.
  init(plan: ExecutionPlan, team: NodeTeam) throws {
    try self.init(
      plan: plan, parameters: team.buffer(unwritten: plan.parameterCount),
      batch: team.buffer(unwritten: plan.batchFloats * plan.batchSize), team.buffer(of:))
  }

  private init<E>(
    plan: ExecutionPlan, parameters: FloatBuffer, batch: FloatBuffer, _ buffer: (Int) throws(E) -> FloatBuffer
  ) throws(E) {
    (self.parameters, self.batch) = (parameters, batch)
    labels = AlignedBuffer(count: plan.batchSize)
    losses = try buffer(plan.batchSize)
    let terms = plan.model.terms.count
    self.terms = try buffer(max(1, terms) * plan.batchSize)
    sums = AlignedBuffer(count: 2 + terms)
    bounds = try buffer(plan.batchSize / plan.samplesPerImage)
    importanceWeights = plan.importanceSamples == nil ? nil : try buffer(plan.batchSize)
  }

  /// Clears the rows of the batch memory that a worker will mostly write.
  func clear(plan: ExecutionPlan, share: (Range<Int>) -> Range<Int>) {
    let places = plan.values.flatMap { [$0.values, $0.error, $0.tangent, $0.tangentError].compactMap(\.self) }
    let offsets = Set(places.filter { $0.memory == .batch }.map(\.offset)).union([0, plan.batchFloats]).sorted()
    for (start, end) in zip(offsets, offsets.dropFirst()) {
      batch.clear(share(start * plan.batchSize..<end * plan.batchSize))
    }
  }
}

extension Range<Int> {
  /// One of so many runs of nearly equal length, one after the other.
  func share(_ index: Int, of shares: Int) -> Range<Int> {
    lowerBound + count * index / shares..<lowerBound + count * (index + 1) / shares
  }
}

/// One worker's memory, and the walk of a group of samples through the chain and back.
struct Replica: Sendable {
  let plan: ExecutionPlan
  let shared: SharedMemory
  /// Samples that the group memory holds.
  let groupSamples: Int
  let parallel: ParallelPlan
  /// The worker that owns this replica, and what keeps it on a core of its own.
  let worker: Int
  let cores: WorkerCores
  var threads: Int { parallel.threads }

  private let group: FloatBuffer
  private let chunk: FloatBuffer
  private let prepared: FloatBuffer
  let scratch: FloatBuffer
  /// Nil where steps are not profiled.
  let clock: WorkerClock?
  /// Nil where images are trained on as they are stored.
  private let distortion: Distortion?
  /// What standardises the images that the network sees and puts out.
  private let standardization: Standardization?
  private let labelSmoothing: Float

  init(
    plan: ExecutionPlan, shared: SharedMemory, groupSamples: Int, parallel: ParallelPlan, worker: Int,
    cores: WorkerCores,
    augmentation: Augmentation? = nil, corruption: Corruption? = nil, hasPairs: Bool = false,
    missing: Float? = nil, standardization: Standardization? = nil, labelSmoothing: Float = 0, clock: WorkerClock? = nil
  ) {
    (self.clock, self.standardization, self.labelSmoothing) = (clock, standardization, labelSmoothing)
    (self.plan, self.shared, self.groupSamples, self.parallel) = (plan, shared, groupSamples, parallel)
    (self.worker, self.cores) = (worker, cores)
    group = FloatBuffer(unwritten: plan.groupFloats * groupSamples)
    chunk = FloatBuffer(unwritten: plan.chunkFloats * plan.samplesPerChunk)
    prepared = FloatBuffer(unwritten: plan.preparedFloats)
    scratch = FloatBuffer(unwritten: plan.scratchFloats(groupSamples: groupSamples, threads: parallel.threads))
    distortion = Distortion(
      augmentation, corruption, hasPairs: hasPairs, missing: missing, shape: plan.model.input,
      groupSamples: groupSamples)
  }

  /// The settings of a step that the passes need.
  struct Mode {
    var noise: Noise
    var beta: Float = 1
    var freeBits: Float = 0
    var capacity: Float?
    /// Samples of the step in the minibatches before.
    var samplesBefore = 0
  }

  /// The memory of this replica alone.
  var arenas: [FloatBuffer] { [group, chunk, prepared, scratch] + (distortion?.arenas ?? []) }

  /// To be called once by the worker that owns this replica: founds its OpenMP team, so that no step allocates, and
  /// writes the replica's memory first, so that it lies near the worker.
  func start() {
    parallel.foundTeam(worker: worker)
    for arena in arenas { arena.clear() }
  }

  /// Brings all weights into the order the passes read; once after every change of the parameters.
  func prepare(backward: Bool) {
    clock?.start()
    for i in plan.uses.indices {
      var pass = pass(use: i, samples: 0..<0, group: 0, mode: Mode(noise: .none))
      if !backward { pass.dx = nil }
      plan.uses[i].layer.prepare(pass)
    }
    clock?.lap(.preparation)
  }

  /// Where a value lies for the sample `first` of the minibatch, the group beginning at sample `group`.
  func values(_ value: Int, first: Int, group: Int) -> UnsafeMutablePointer<Float> {
    address(plan.values[value].values, first, group)
  }

  /// Puts items of a data set at the input, augmented, corrupted and standardised where that is wanted: item `items[n]`
  /// for the sample n of the minibatch, all samples of an image alike. Answers the first that cannot be read.
  func fill(_ samples: Range<Int>, from data: Dataset, items: AlignedBuffer<Int32>, mode: Mode) -> ReadFailure? {
    clock?.start()
    for n in samples {
      let (item, input) = (Int(items.pointer[n]), values(0, first: n, group: samples.lowerBound))
      do {
        if n > samples.lowerBound, n % plan.samplesPerImage != 0 {
          input.update(from: input - plan.model.input.count, count: plan.model.input.count)
          distortion?.repeatTarget(n - samples.lowerBound)
        } else if let distortion,
          let streams = mode.noise.image(sample: (mode.samplesBefore + n) / plan.samplesPerImage)
        {
          try distortion.fill(
            item, from: data, draw: mode.noise.imageDraw, sample: n - samples.lowerBound, streams, into: input)
          standardize(input)
          distortion.fillMissing(input)
          if let target = distortion.target(n - samples.lowerBound) { standardize(target) }
        } else {
          try data.fill(item, draw: mode.noise.imageDraw, into: input)
          standardize(input)
        }
      } catch { return ReadFailure(sample: n, error: error) }
    }
    clock?.lap(.input)
    return nil
  }

  private func standardize(_ image: UnsafeMutablePointer<Float>) {
    standardization?.apply(image, count: plan.model.input.count)
  }

  /// Forward through some uses, a chunk or the group at a time.
  func forward(_ uses: Range<Int>, samples: Range<Int>, mode: Mode) {
    for segment in plan.segments where segment.overlaps(uses) {
      forEachPiece(of: segment, samples: samples) { piece in
        forward(segment.clamped(to: uses), piece, group: samples.lowerBound, mode: mode)
      }
    }
  }

  /// Forward through some uses with a piece of the group that begins at sample `group`.
  func forward(_ uses: Range<Int>, _ piece: Range<Int>, group: Int, mode: Mode) {
    for i in uses {
      let pass = pass(use: i, samples: piece, group: group, mode: mode)
      plan.uses[i].layer.forward(pass)
      forwardTangents(use: i, pass, first: piece.lowerBound, group: group)
      clock?.lap(.forward, layer: i)
    }
  }

  /// Forward, likelihood and backward of a run of shards; the gradients of sharded parameters go to the shards'
  /// `gradients`, those of products are left to the inputs and errors in the shared memory.
  ///
  /// The last segment goes forward and back chunk by chunk, while its images are in cache.
  func train(samples: Range<Int>, mode: Mode, gradients: ShardGradients) {
    if let machine = plan.contrastiveDivergence { return contrast(machine, samples: samples, mode: mode) }
    guard let last = plan.segments.last else { return }
    let start = samples.lowerBound
    forward(0..<last.lowerBound, samples: samples, mode: mode)
    forEachPiece(of: last, samples: samples) { piece in
      forward(last, piece, group: start, mode: mode)
      likelihood(piece, group: start, wantsError: true)
      backward(last, piece, group: start, mode: mode, gradients: gradients)
    }
    for segment in plan.segments.dropLast().reversed() {
      forEachPiece(of: segment, samples: samples) { piece in
        backward(segment, piece, group: start, mode: mode, gradients: gradients)
      }
    }
  }

  /// Reconstruction losses of some samples whose output is in place and, where wanted, the error of the last layer.
  ///
  /// - Parameter target: what their outputs are compared with; nil for what `fill` has found.
  func likelihood(
    _ piece: Range<Int>, group: Int, target: UnsafeMutablePointer<Float>? = nil, wantsError: Bool
  ) {
    let end = plan.values[plan.output]
    let count = end.shape.count
    let output = address(end.values, piece.lowerBound, group)
    let error = wantsError ? end.error.map { address($0, piece.lowerBound, group) } : nil
    let target =
      target ?? distortion?.target(piece.lowerBound - group) ?? values(0, first: piece.lowerBound, group: group)
    plan.model.likelihood.evaluate(
      samples: piece.count, count: count, image: plan.model.input, output: output, target: target,
      labels: shared.labels.pointer + piece.lowerBound, loss: shared.losses.pointer + piece.lowerBound, error: error,
      scratch: scratch.pointer, threads: threads, labelSmoothing: labelSmoothing)
    if let error { weighByImportance(piece, count: count, error: error) }
    if let error {
      end.activation.backward(
        count: piece.count * count, y: output, dy: error, dx: error, threads: threads)
    }
    clock?.lap(.likelihood)
  }

  private func backward(
    _ segment: Range<Int>, _ piece: Range<Int>, group: Int, mode: Mode, gradients: ShardGradients
  ) {
    let shard = piece.lowerBound / plan.samplesPerShard
    for i in segment.reversed() {
      let use = plan.uses[i]
      var pass = pass(use: i, samples: piece, group: group, mode: mode)
      let sums = gradients.gradient(of: shard)
      if use.isSharded { pass.gradients = sums + use.parameterOffset }
      if use.isSharded, let lender = use.lender { pass.lentGradients = sums + plan.uses[lender].parameterOffset }
      pass.accumulate = use.isWeightLent || piece.lowerBound > shard * plan.samplesPerShard
      let tangents = tangents(use: i, pass, first: piece.lowerBound, group: group)
      if use.isSharded {
        use.layer.backwardParameters(pass)
        if let tangents { use.layer.addTangentGradient(tangents) }
        if use.hasGradientPass { clock?.lap(.gradient, layer: i) }
      }
      guard use.hasBackwardPass else { continue }
      use.layer.backward(pass)
      joinTangents(use: i, pass, tangents)
      clock?.lap(.backward, layer: i)
    }
  }

  /// Chunks that never cross a shard's border, or the group in one piece.
  private func forEachPiece(of segment: Range<Int>, samples: Range<Int>, _ body: (Range<Int>) -> Void) {
    cores.keepApart(worker)
    clock?.start()
    guard plan.uses[segment.lowerBound].layer.granularity == .chunk else { return body(samples) }
    var first = samples.lowerBound
    while first < samples.upperBound {
      let shardEnd = (first / plan.samplesPerShard + 1) * plan.samplesPerShard
      let end = min(first + plan.samplesPerChunk, shardEnd, samples.upperBound)
      body(first..<end)
      cores.keepApart(worker)
      clock?.start()
      first = end
    }
  }

  func address(_ place: Place, _ first: Int, _ groupStart: Int) -> UnsafeMutablePointer<Float> {
    switch place.memory {
    case .batch: shared.batch.pointer + place.offset * plan.batchSize + first * place.count
    case .group: group.pointer + place.offset * groupSamples + (first - groupStart) * place.count
    case .chunk: chunk.pointer + place.offset * plan.samplesPerChunk
    }
  }

  func pass(use i: Int, samples: Range<Int>, group: Int, mode: Mode) -> Pass {
    let (first, use) = (samples.lowerBound, plan.uses[i])
    let (before, after) = (plan.values[use.input], plan.values[use.output])
    var pass = Pass(
      samples: samples.count, firstSample: mode.samplesBefore + first,
      x: address(before.values, first, group), y: address(after.values, first, group),
      inputActivation: before.activation,
      parameters: shared.parameters.pointer + use.parameterOffset, prepared: prepared.pointer + use.preparedOffset,
      state: address(use.state, first, group), scratch: scratch.pointer,
      term: shared.terms.pointer + (use.term ?? 0) * plan.batchSize + first,
      noise: mode.noise, beta: mode.beta, threads: threads)
    pass.dy = after.error.map { address($0, first, group) }
    pass.dx = before.error.map { address($0, first, group) }
    if let skip = use.skip.map({ plan.values[$0] }) {
      (pass.skip, pass.skipActivation) = (address(skip.values, first, group), skip.activation)
      pass.dskip = skip.error.map { address($0, first, group) }
    }
    if let branch = use.branch { pass.dbranch = plan.values[branch].error.map { address($0, first, group) } }
    pass.capacity = mode.capacity
    (pass.freeBits, pass.samplesPerShard, pass.batchSize) = (mode.freeBits, plan.samplesPerShard, plan.batchSize)
    pass.labels = UnsafePointer(shared.labels.pointer + first)
    pass.importanceWeights = shared.importanceWeights.map { UnsafePointer($0.pointer + first) }
    if let lender = use.lender.map({ plan.uses[$0] }) {
      pass.lentState = address(lender.state, first, group)
      pass.lentParameters = shared.parameters.pointer + lender.parameterOffset
    }
    if mode.noise.hasDirections, let tangent = before.tangent {
      pass.tangent = address(tangent, first, group)
      pass.tangentError = before.tangentError.map { address($0, first, group) }
    }
    return pass
  }
}
