import HourglassData
import HourglassModels

extension TrainingStep {
  /// Puts the mean of the codes of all images, as the weights stand before the first step, into a model's `Centre`,
  /// unless the run starts from another one's.
  ///
  /// Cost: encodes each image once. Errors: an image cannot be read.
  func startCentre(_ recipe: Recipe, on data: Dataset, after starts: [Start.Result]) throws {
    guard let centre = plan.uses.first(where: { $0.layer is PlannedCentre })?.parameters.first,
      !starts.contains(where: { $0.taken.contains(centre.name) })
    else { return }
    let inference = try Inference(recipe, parallel: parallel, parameters: parameters)
    var sums = [Double](repeating: 0, count: inference.codeCount)
    for start in stride(from: 0, to: data.count, by: Inference.batchSize) {
      let range = start..<min(start + Inference.batchSize, data.count)
      let codes = inference.encode(try data.inputs(range), labels: data.labels?[range])
      for (place, value) in codes.enumerated() { sums[place % sums.count] += Double(value) }
    }
    let mean = sums.map { $0 / Double(data.count) }
    centre.store(Centre.centre(ofMean: mean), in: parameters.pointer)
  }
}
