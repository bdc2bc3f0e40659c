import HourglassKernels
import HourglassModels

/// Phase 2 of a step: slices of the flat vector, each summed and updated by whoever is free.
///
/// What is summed the layers have listed (`Work`): the shards' gradients in order, or products over the whole
/// minibatch, samples in order. Either goes on from the sum over the earlier minibatches of the step, and is divided by
/// the number of samples inside the optimiser, which runs over the slice while it is in cache, or where gradients are
/// clipped once the norm of all slices is known. Slices are cut from the plan alone.
struct GradientReducer: Sendable {
  /// A piece of work of phase 2: a run of the flat vector, and how it is summed.
  struct Slice: Sendable {
    enum Sum: Sendable {
      case shards
      /// The shards' notes in place of gradients, which the parameters follow by a rule of their layer.
      case owned(Work.Follow)
      /// Rows of a product of the plan.
      case product(Int, rows: Range<Int>)
    }
    let range: Range<Int>
    let sum: Sum
  }

  let plan: ExecutionPlan
  let slices: [Slice]
  /// The slices from here on are sums over shards, those before it products.
  private let firstSharded: Int
  /// The slices in the order in which they are taken: those whose sums go from node to node come last.
  let turns: [Int]
  /// The runs of the flat vector whose sums go from node to node, and for each product whether its do.
  let chained: [Range<Int>]
  private let areChained: [Bool]
  let shared: SharedMemory
  let optimizer: Optimizer
  /// Gradients of shards, over the front part of the flat vector.
  let shardGradients: ShardGradients
  /// The sum over the step's samples, over the whole flat vector or, where that of a slice is gone with its update,
  /// over the part of it that is summed before phase 2.
  let gradient: FloatBuffer
  /// Then each worker has room for one slice, which stays in cache.
  let rooms: [FloatBuffer]
  let moments: [FloatBuffer]
  /// The exponential moving average of the parameters, and its decay, where one is kept.
  let average: FloatBuffer?
  private let averageDecay: Float?
  private let clipValue: Float?
  /// The sum of squares of each slice of `gradient`, where gradients are clipped.
  private let squares: AlignedBuffer<Double>

  init(
    plan: ExecutionPlan, shared: SharedMemory, optimizer: Optimizer, averageDecay: Float? = nil, workers: Int,
    team: NodeTeam? = nil, clips: Bool = false, clipValue: Float? = nil, keepsGradient: Bool
  ) throws {
    func vector(_ count: Int) throws -> FloatBuffer {
      try team?.buffer(unwritten: count) ?? FloatBuffer(unwritten: count)
    }
    let place = team?.transport.place
    (self.plan, self.shared, self.optimizer) = (plan, shared, optimizer)
    (self.averageDecay, self.clipValue) = (averageDecay, clipValue)
    // The workers of all processes take the same slices. What goes from node to node is short enough for a message,
    // unless the norm over slices is that of one process.
    let (nodes, isShared) = (place?.nodes ?? 1, team != nil)
    let areChained = StepExchange.areChained(plan, nodes: nodes)
    self.areChained = areChained
    slices = Self.slices(
      plan, workers: clips || isShared ? 1 : workers, areSent: nodes > 1 && !clips ? areChained : nil)
    let sharded = slices.map(\.range).filter { $0.lowerBound < plan.shardedCount }
    firstSharded = slices.count - sharded.count
    let goes = slices.map { slice in
      if case .product(let product, _) = slice.sum { areChained[product] } else { nodes > 1 }
    }
    turns = slices.indices.filter { !goes[$0] } + slices.indices.filter { goes[$0] }
    chained = slices.indices.filter { goes[$0] }.map { [slices] in slices[$0].range }
    let held = TrainingStep.heldShards(plan: plan, workers: workers, place: place)
    shardGradients = ShardGradients(
      buffers: try vector(held * plan.shardedCount), count: held, stride: plan.shardedCount, slices: sharded,
      workers: workers)
    gradient = try vector(
      Self.gradientFloats(of: plan, workers: workers, place: place, keepsGradient: keepsGradient))
    rooms =
      keepsGradient
      ? []
      : (0..<workers).map { [slices] _ in
        FloatBuffer(unwritten: slices.reduce(0) { max($0, $1.range.count) })
      }
    moments = try optimizer.moments.map { _ in try vector(plan.parameterCount) }
    average = try averageDecay.map { _ in try vector(plan.parameterCount) }
    squares = try team?.buffer(of: slices.count) ?? AlignedBuffer(count: slices.count)
  }

  /// Clears a worker's share of all vectors, so that they are spread over the memory near the workers.
  func clear(_ worker: Int, share: (Range<Int>) -> Range<Int>) {
    for vector in [shardGradients.buffers, shared.parameters, gradient] + moments + [average].compactMap(\.self) {
      vector.clear(share(0..<vector.count))
    }
    if !rooms.isEmpty { rooms[worker].clear() }
  }

  /// Whether the sum over the whole flat vector is there after a step.
  var keepsGradient: Bool { gradient.count == plan.parameterCount }

  /// The gradient of a slice alone, as the worker sees it that has the slice.
  private func gradient(of slice: Int, worker: Int) -> UnsafeMutablePointer<Float> {
    let range = slices[slice].range
    return range.upperBound <= gradient.count ? gradient.pointer + range.lowerBound : rooms[worker].pointer
  }

  /// Sums one slice over a minibatch, onto the sum over the minibatches before, or where the sum goes from node to node
  /// over the shards or samples of this node, onto that of the nodes before.
  func sum(
    _ slice: Int, _ now: StepWork.Current, worker: Int, scratch: UnsafeMutablePointer<Float>, threads: Int
  ) {
    let (gradient, goesOn) = (gradient(of: slice, worker: worker), now.samplesBefore > 0)
    switch slices[slice].sum {
    case .shards, .owned:
      shardGradients.addRest(
        ofSlice: slice - firstSharded, end: now.endShardOfNode, accumulate: goesOn, into: gradient)
    case .product(let product, let rows):
      let samples =
        areChained[product] ? plan.samples(of: now.firstShardOfNode..<now.endShardOfNode, in: now.count) : 0..<now.count
      guard !samples.isEmpty else { return }
      plan.products[product].sum(
        rows: rows, samples: samples, beta: now.beta, accumulate: goesOn || samples.lowerBound > 0,
        parameters: shared.parameters.pointer, gradient: gradient, scratch: scratch, threads: threads,
        memory: shared.batch.pointer, capacity: plan.batchSize)
    }
  }

  /// True for the gradient of a matrix: a product over the minibatch.
  func isProduct(_ slice: Int) -> Bool {
    if case .product(let product, _) = slices[slice].sum { plan.products[product].rows > 1 } else { false }
  }

  /// The use whose gradient alone a slice is; nil for a run of sharded parameters.
  func use(of slice: Int) -> Int? {
    if case .product(let product, _) = slices[slice].sum { plan.products[product].use } else { nil }
  }

  /// Notes the sum of squares of a slice that was summed; what follows a rule of its layer is no gradient.
  func square(_ slice: Int) {
    if case .owned = slices[slice].sum { return }
    precondition(keepsGradient, "a gradient that is clipped is kept")
    let range = slices[slice].range
    squares.pointer[slice] = Kernels.sumOfSquares(gradient.pointer + range.lowerBound, range.count)
  }

  /// Euclidean norm of the summed gradient: the squares of all slices, added in the order of the slices.
  func norm() -> Double { squares.elements.reduce(0, +).squareRoot() }

  /// Updates the weights of a slice with `scale` times its summed gradient, or by the rule of their layer with the sum
  /// over the step's `samples`, and the average of either while it is in cache.
  func update(
    _ slice: Int, step: Int, scale: Float, learningRate: Float, momentum: Float?, samples: Int, worker: Int
  ) {
    let (range, gradient) = (slices[slice].range, gradient(of: slice, worker: worker))
    let weights = shared.parameters.pointer + range.lowerBound
    if case .owned(let follow) = slices[slice].sum {
      follow(weights, gradient, range.count, samples)
    } else {
      if let clipValue { checked(hg_clip(range.count, scale, clipValue, gradient, nil)) }
      var first = range.lowerBound
      while first < range.upperBound {
        let (part, isDecoder) = plan.part(of: first..<range.upperBound, splits: optimizer.decoderWeightDecay != nil)
        (isDecoder ? optimizer.ofDecoder : optimizer).with(momentum: momentum).update(
          part, step: step, scale: clipValue == nil ? scale : 1, learningRate: learningRate,
          gradient: gradient + (part.lowerBound - range.lowerBound), weights: shared.parameters, moments: moments)
        first = part.upperBound
      }
    }
    guard let average, let averageDecay else { return }
    Kernels.movingAverage(
      of: weights, range.count, decay: Self.decay(averageDecay, afterStep: step),
      into: average.pointer + range.lowerBound)
  }

  /// min(decay, (1 + t) / (10 + t)) for step t, which counts from 0, so that a short run forgets its start too.
  ///
  /// Source: TensorFlow's ExponentialMovingAverage with `num_updates`.
  static func decay(_ decay: Float, afterStep step: Int) -> Float {
    min(decay, Float(Double(1 + step) / Double(10 + step)))
  }

  /// Floats of a slice: its gradient, weights and moments (16 bytes for each) stay in the second-level cache.
  private static let sliceFloats = 16384
  /// More workers get four slices each, but none of so few floats that handing it out would show.
  private static let mostWorkersOfLargeSlices = 16
  private static let fewestSliceFloats = 2048

  /// Floats of the sum that is kept: all where somebody reads it later or sums go from node to node, else the part that
  /// is summed before phase 2.
  static func gradientFloats(
    of plan: ExecutionPlan, workers: Int, place: ProcessPlace? = nil, keepsGradient: Bool
  ) -> Int {
    if keepsGradient || place.map({ $0.nodes > 1 }) ?? false { return plan.parameterCount }
    return TrainingStep.heldShards(plan: plan, workers: workers, place: place) < plan.shards ? plan.shardedCount : 0
  }

  /// Parameters of the largest slice.
  static func largestSlice(of plan: ExecutionPlan, workers: Int) -> Int {
    TrainingStep.slices(of: plan, workers: workers).reduce(0) { max($0, $1.parameters) }
  }

  /// Slices for a number of workers. Where gradients are clipped, whose norm adds up the squares of slices, they are
  /// those for one worker, so that bits do not depend on the workers.
  ///
  /// - Parameter areSent: of each product whether its slices are sent to other nodes, as those that are no product's
  ///   then are; nil where none are.
  static func slices(_ plan: ExecutionPlan, workers: Int, areSent: [Bool]? = nil) -> [Slice] {
    let isFine = workers > mostWorkersOfLargeSlices
    let floats =
      isFine ? min(sliceFloats, max(fewestSliceFloats, plan.parameterCount / (4 * workers))) : sliceFloats
    var slices: [Slice] = []
    for (index, product) in plan.products.enumerated() {
      let isSent = areSent?[index] ?? false
      // A multiple of 24 rows divides evenly into tiles of 6, 8 and 12; 8 rows take half as long again for each
      // multiply-add. Messages are short.
      let least = isSent ? 6 : isFine && product.rows < 24 * workers ? 8 : 24
      let rows = max(least, (isSent ? StepExchange.messageFloats : floats) / product.columns / least * least)
      for first in stride(from: 0, to: product.rows, by: rows) {
        let rows = first..<min(first + rows, product.rows)
        slices.append(Slice(range: product.range(rows: rows), sum: .product(index, rows: rows)))
      }
    }
    var next = 0
    let floatsOfShards = areSent == nil ? floats : StepExchange.messageFloats
    func addSharded(upTo end: Int) {
      for first in stride(from: next, to: end, by: floatsOfShards) {
        slices.append(Slice(range: first..<min(first + floatsOfShards, end), sum: .shards))
      }
    }
    for (range, follow) in plan.owned {
      addSharded(upTo: range.lowerBound)
      slices.append(Slice(range: range, sum: .owned(follow)))
      next = range.upperBound
    }
    addSharded(upTo: plan.shardedCount)
    return slices
  }
}

extension ExecutionPlan {
  /// The front of a run of parameters that belongs to one layer, and whether that is one of the decoder; the whole run
  /// where the decoder need not be told apart. Updates are elementwise, so no bit depends on it.
  fileprivate func part(of range: Range<Int>, splits: Bool) -> (range: Range<Int>, isDecoder: Bool) {
    guard splits else { return (range, false) }
    var (owner, end) = (uses.startIndex, range.upperBound)
    for i in uses.indices where uses[i].layer.parameterCount > 0 {
      let offset = uses[i].parameterOffset
      if offset > range.lowerBound {
        end = min(end, offset)
      } else if uses[owner].layer.parameterCount == 0 || offset > uses[owner].parameterOffset {
        owner = i
      }
    }
    return (range.lowerBound..<end, decoder.contains(owner))
  }
}

extension TrainingStep {
  /// What phase 2 hands out, in this order: how many parameters a slice has, and how many rows of a product, 0 where
  /// their gradient is a sum over shards.
  package static func slices(of plan: ExecutionPlan, workers: Int) -> [(parameters: Int, rows: Int)] {
    GradientReducer.slices(plan, workers: workers).map { slice in
      guard case .product(let product, let rows) = slice.sum, plan.products[product].rows > 1 else {
        return (slice.range.count, 0)
      }
      return (slice.range.count, rows.count)
    }
  }
}
