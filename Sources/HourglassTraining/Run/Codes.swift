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
  /// - Parameter range: which images; nil for all.
  public func codes(of data: Dataset, _ range: Range<Int>? = nil) throws -> [Float] {
    try data.checkShape(for: plan)
    let range = range ?? 0..<data.count
    var codes: [Float] = []
    codes.reserveCapacity(range.count * codeCount)
    for start in stride(from: range.lowerBound, to: range.upperBound, by: Self.batchSize) {
      codes += encode(try data.images(start..<min(start + Self.batchSize, range.upperBound)))
    }
    return codes
  }
}
