import HourglassModels

/// Phase 2 of a step: slices of the flat vector, each summed and updated by whoever is free.
///
/// Sharded parameters: the shards' gradients are added in order. Dense weights: the gradient is one product over the
/// whole minibatch, samples in order, or several where a layer is tied or tangents go along. Either goes on from the
/// sum over the earlier minibatches of the step, and is divided by the number of samples inside the optimiser, which
/// runs over the slice while it is in cache, or where gradients are clipped once the norm of all slices is known.
/// Slices are cut from the plan alone.
struct GradientReducer: Sendable {
  /// A piece of work of phase 2.
  enum Slice: Sendable {
    /// A run of sharded parameters.
    case sharded(Range<Int>)
    /// Running statistics among them, which follow the mean of what the shards found, and no optimiser.
    case statistics(Range<Int>)
    /// Rows of the weight of product `index`.
    case weight(index: Int, rows: Range<Int>)
    /// The bias of product `index`.
    case bias(index: Int)
  }

  let plan: ExecutionPlan
  let products: [Product]
  let slices: [Slice]
  let shared: SharedMemory
  let optimizer: Optimizer
  /// A gradient for each shard, over the front part of the flat vector.
  let shardGradients: FloatBuffer
  /// The sum over the step's samples, over the whole flat vector; nil where that of a slice is gone with its update.
  let gradient: FloatBuffer?
  /// Then each worker has room for one slice, which stays in cache.
  let rooms: [FloatBuffer]
  let moments: [FloatBuffer]
  /// The exponential moving average of the parameters, and its decay, where one is kept.
  let average: FloatBuffer?
  private let averageDecay: Float?
  /// Of each slice of `gradient`, where gradients are clipped.
  private let squares: AlignedBuffer<Double>

  init(
    plan: ExecutionPlan, shared: SharedMemory, optimizer: Optimizer, averageDecay: Float? = nil, workers: Int,
    keepsGradient: Bool
  ) {
    (self.plan, self.shared, self.optimizer, self.averageDecay) = (plan, shared, optimizer, averageDecay)
    products = plan.products
    slices = Self.slices(plan, products.map(\.layer))
    shardGradients = FloatBuffer(unwritten: plan.shards * plan.shardedCount)
    gradient = keepsGradient ? FloatBuffer(unwritten: plan.parameterCount) : nil
    rooms = keepsGradient ? [] : (0..<workers).map { _ in FloatBuffer(unwritten: Self.largestSlice(of: plan)) }
    moments = optimizer.moments.map { _ in FloatBuffer(unwritten: plan.parameterCount) }
    average = averageDecay.map { _ in FloatBuffer(unwritten: plan.parameterCount) }
    squares = AlignedBuffer(count: slices.count)
  }

  /// Clears a worker's share of all vectors, so that they are spread over the memory near the workers.
  func clear(shareOf worker: Int, workers: Int) {
    for vector in [shardGradients, shared.parameters] + moments + [gradient, average].compactMap(\.self) {
      vector.clear((0..<vector.count).share(worker, of: workers))
    }
    if !rooms.isEmpty { rooms[worker].clear() }
  }

  /// The flat vector of gradients as a worker sees it that has a slice; without `gradient` there is the slice alone.
  private func gradient(of slice: Int, worker: Int) -> UnsafeMutablePointer<Float> {
    gradient?.pointer ?? rooms[worker].pointer - range(of: slice).lowerBound
  }

  /// Sums one slice over a minibatch of `count` samples, with `accumulate` onto what is there.
  func sum(
    _ slice: Int, count: Int, beta: Float, accumulate: Bool, worker: Int, scratch: UnsafeMutablePointer<Float>,
    threads: Int
  ) {
    let gradient = gradient(of: slice, worker: worker)
    switch slices[slice] {
    case .sharded(let parameters), .statistics(let parameters):
      let used = (count + plan.samplesPerShard - 1) / plan.samplesPerShard
      Kernels.sumShards(
        shardGradients, shards: used, stride: plan.shardedCount, parameters: parameters, accumulate: accumulate,
        into: gradient)
    case .weight(let index, let rows):
      for (number, term) in products[index].terms.enumerated() {
        products[index].layer.weightGradient(
          rows: rows, samples: count, x: batchMemory(term.x), dy: batchMemory(term.dy),
          accumulate: accumulate || number > 0, gradient: gradient, scratch: scratch, threads: threads)
      }
      if let contraction = products[index].contraction {
        products[index].layer.addContraction(
          rows: rows, samples: count, squares: batchMemory(contraction.squares), factor: 2 * beta * contraction.weight,
          parameters: shared.parameters.pointer, gradient: gradient, scratch: scratch)
      }
    case .bias(let index):
      products[index].layer.biasGradient(
        samples: count, dy: error(of: index), accumulate: accumulate, gradient: gradient)
    }
  }

  /// True for the gradient of a dense weight: a product over the minibatch.
  func isProduct(_ slice: Int) -> Bool {
    if case .weight = slices[slice] { true } else { false }
  }

  /// The layer whose gradient alone a slice is; nil for a run of sharded parameters.
  func layer(of slice: Int) -> Int? {
    switch slices[slice] {
    case .sharded, .statistics: nil
    case .weight(let index, _), .bias(let index): products[index].index
    }
  }

  /// Notes the sum of squares of a slice that was summed; statistics are no gradient.
  func square(_ slice: Int) {
    if case .statistics = slices[slice] { return }
    guard let gradient else { preconditionFailure("a gradient that is clipped is kept") }
    let range = range(of: slice)
    squares.pointer[slice] = Kernels.sumOfSquares(gradient.pointer + range.lowerBound, range.count)
  }

  /// Euclidean norm of the summed gradient: the squares of all slices, added in the order of the slices.
  func norm() -> Double { squares.elements.reduce(0, +).squareRoot() }

  /// Updates the weights of a slice with `scale` times its summed gradient, statistics with the mean over the step's
  /// `samples`, and the average of either while it is in cache.
  func update(_ slice: Int, step: Int, scale: Float, learningRate: Float, samples: Int, worker: Int) {
    let (range, gradient) = (range(of: slice), gradient(of: slice, worker: worker))
    if case .statistics = slices[slice] {
      Kernels.average(gradient, divisor: samples, into: shared.parameters, range)
    } else {
      optimizer.update(
        range, step: step, scale: scale, learningRate: learningRate, gradient: gradient, weights: shared.parameters,
        moments: moments)
    }
    guard let average, let averageDecay else { return }
    Kernels.movingAverage(
      of: shared.parameters.pointer + range.lowerBound, range.count,
      decay: Self.decay(averageDecay, afterStep: step), into: average.pointer + range.lowerBound)
  }

  /// min(decay, (1 + t) / (10 + t)) for step t, which counts from 0, so that a short run forgets its start too.
  ///
  /// Source: TensorFlow's ExponentialMovingAverage with `num_updates`.
  static func decay(_ decay: Float, afterStep step: Int) -> Float {
    min(decay, Float(Double(1 + step) / Double(10 + step)))
  }

  private func range(of slice: Int) -> Range<Int> {
    switch slices[slice] {
    case .sharded(let parameters), .statistics(let parameters): parameters
    case .weight(let index, let rows): products[index].layer.weightRange(rows: rows)
    case .bias(let index): products[index].layer.biasRange
    }
  }

  private func error(of product: Int) -> UnsafePointer<Float> {
    guard let place = plan.boundaries[products[product].index + 1].error else {
      preconditionFailure("the output of a dense layer has an error")
    }
    return batchMemory(place)
  }

  private func batchMemory(_ place: Place) -> UnsafePointer<Float> {
    precondition(place.memory == .batch, "products read memory of the whole minibatch")
    return UnsafePointer(shared.batch.pointer + place.offset * plan.batchSize)
  }

  /// Floats of a slice: its gradient, weights and moments (16 bytes for each) stay in the second-level cache, and there
  /// are enough slices for any number of workers.
  private static let sliceFloats = 16384

  /// Parameters of the largest slice.
  static func largestSlice(of plan: ExecutionPlan) -> Int {
    TrainingStep.slices(of: plan).reduce(0) { max($0, $1.parameters) }
  }

  static func slices(_ plan: ExecutionPlan, _ products: [PlannedDense]) -> [Slice] {
    var slices: [Slice] = []
    for (index, layer) in products.enumerated() {
      // A multiple of 24 rows divides evenly into tiles of 6, 8 and 12.
      let rows = max(24, sliceFloats / layer.output.count / 24 * 24)
      for first in stride(from: 0, to: layer.tie == nil ? layer.input.count : 0, by: rows) {
        slices.append(.weight(index: index, rows: first..<min(first + rows, layer.input.count)))
      }
      slices.append(.bias(index: index))
    }
    var next = 0
    func addSharded(upTo end: Int) {
      for first in stride(from: next, to: end, by: sliceFloats) {
        slices.append(.sharded(first..<min(first + sliceFloats, end)))
      }
    }
    for range in plan.statistics {
      addSharded(upTo: range.lowerBound)
      slices.append(.statistics(range))
      next = range.upperBound
    }
    addSharded(upTo: plan.shardedCount)
    return slices
  }
}

extension TrainingStep {
  /// What phase 2 hands out, in this order: how many parameters a slice has, and whether their gradient is a product.
  package static func slices(of plan: ExecutionPlan) -> [(parameters: Int, isProduct: Bool)] {
    let layers = plan.products.map(\.layer)
    return GradientReducer.slices(plan, layers).map { slice in
      switch slice {
      case .sharded(let parameters), .statistics(let parameters): (parameters.count, false)
      case .weight(let index, let rows): (layers[index].weightRange(rows: rows).count, true)
      case .bias(let index): (layers[index].biasRange.count, false)
      }
    }
  }
}
