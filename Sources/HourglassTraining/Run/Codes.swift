import HourglassData
import HourglassModels

extension DataSource {
  /// The codes that a run's model makes of the images. The images may be codes of a run below in turn.
  ///
  /// The codes of all images are held in memory, a float for each unit.
  ///
  /// Errors: the run or the images cannot be read; the codes have another shape than the model reads, or are too many
  /// for memory.
  func openCodes(
    by path: String, for model: Autoencoder, seed: UInt64, memory: Int, parallel: ParallelPlan?
  ) throws(DataError) -> Dataset {
    let (run, recipe) = try RunFolder.open(path)
    var below = self
    below.codes = recipe.data.codes
    let images = try below.open(for: recipe.model, seed: seed, memory: memory, parallel: parallel)
    do {
      let parallel = parallel ?? ParallelPlan(shards: ExecutionPlan.defaultShards(batchSize: Inference.batchSize))
      let inference = try Inference(recipe, parallel: parallel)
      let shape = inference.plan.codeShape
      guard shape == model.input else {
        throw DataError(
          path: path,
          reason: "wanted codes of \(model.input) for the model \(model.name), found \(shape) of \(recipe.model.name)")
      }
      try GrantedMemory.require(
        4 * images.count * shape.count, for: path, "hold \(images.count) codes of \(shape)",
        advice: "take fewer images with --limit")
      try run.read(.last).restore(parameters: inference.parameters, plan: inference.plan, path: run.checkpoint(.last))
      return try Dataset(
        try inference.codes(of: images), shape: shape, of: images, source: "codes by \(path) of \(images.source)")
    } catch {
      throw error as? DataError ?? DataError(path: path, reason: "\(error)")
    }
  }
}

extension Inference {
  /// The codes of a data set's images, N x Z, read a batch at a time.
  ///
  /// Errors: the images have another shape than the model's input, or cannot be read.
  ///
  /// - Parameters:
  ///   - range: which images; nil for all.
  ///   - transport: of the processes that share the work, see `SharedBatches`; nil for one process.
  public func codes(
    of data: Dataset, _ range: Range<Int>? = nil, sharedBy transport: (any Transport)? = nil
  ) throws -> [Float] {
    var batches = try batchesOfCodes(of: data, range, sharedBy: transport)
    var codes: [Float] = []
    codes.reserveCapacity((range?.count ?? data.count) * codeCount)
    while let (_, some) = try batches.next() { codes += some }
    return codes
  }

  /// The codes of a data set's images a batch at a time. Errors: the images have another shape than the model's input.
  public func batchesOfCodes(
    of data: Dataset, _ range: Range<Int>? = nil, sharedBy transport: (any Transport)? = nil
  ) throws -> SharedBatches<Float> {
    try data.checkShape(for: plan)
    return SharedBatches(data, range, sharedBy: transport) { batch in
      self.encode(try data.images(batch), labels: data.labels?[batch.images])
    }
  }
}
