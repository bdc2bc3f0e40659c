import HourglassData
import HourglassModels

extension Dataset {
  /// Refuses a set with what a model cannot learn to put out: see `checkLabels`, and numbers beyond its likelihood.
  public func checkTargets(for plan: ExecutionPlan) throws(DataError) {
    try checkLabels(for: plan)
    if let refusal = plan.model.likelihood.refusal(ofTargets: range) { throw DataError(path: source, reason: refusal) }
  }

  /// Refuses a set whose labels a model that learns labels cannot put out.
  ///
  /// Errors: no labels; a class beyond the outputs of the chain; a number that a float does not hold.
  public func checkLabels(for plan: ExecutionPlan) throws(DataError) {
    let model = plan.model
    guard model.likelihood.target == .label else { return }
    guard let labels else {
      throw DataError(
        path: source,
        reason: "wanted a label for each image, which the model \(model.name) with the \(model.likelihood.name) "
          + "likelihood is to learn, found none; take pictures in a folder for each class, IDX files with their "
          + "labels beside them, an NPZ file with labels, or CIFAR-10 records")
    }
    let classes = plan.boundaries[plan.layers.count].shape.count
    let wanted = model.likelihood == .categorical ? 0..<classes : -(1 << 24)..<1 << 24
    guard let place = labels.firstIndex(where: { !wanted.contains($0) }) else { return }
    throw DataError(
      path: source,
      reason: "image \(place): wanted a label of \(wanted.lowerBound) to \(wanted.upperBound - 1) for the model "
        + "\(model.name), found \(labels[place])"
        + (model.likelihood == .categorical
          ? "; its last layer puts out \(classes) logits, and the labels go up to \(labels.max() ?? 0)" : ""))
  }
}
