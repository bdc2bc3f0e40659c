import HourglassData
import HourglassModels

extension Dataset {
  /// Refuses a set that a model cannot be trained on or measured with.
  ///
  /// Errors: those of `checkShape` and `checkLabels`; numbers beyond the likelihood of the model.
  ///
  /// - Parameter isMeasured: whether classes that the model does not know may be there too, and count as errors.
  public func checkTargets(for plan: ExecutionPlan, isMeasured: Bool = false) throws(DataError) {
    try checkShape(for: plan)
    try checkLabels(for: plan, isMeasured: isMeasured)
    if plan.model.likelihood.wantsCounts, form != .builtIn, elements != .float32 {
      throw DataError(
        path: source,
        reason: "the \(plan.model.likelihood.name) likelihood wants counts, found "
          + "\(elements == .uint8 ? "bytes" : "16-bit numbers") as numbers in [0, 1]; --range 0:1 takes them as they "
          + "are"
      )
    }
    guard let demand = plan.model.demandedTargets(plan.values[plan.output].activation),
      range.lowerBound < demand.range.lowerBound || range.upperBound > demand.range.upperBound
    else { return }
    let advice =
      plan.model.likelihood.wantsCounts
      ? "give it counts as they are"
      : rangeAdvice ?? "take a model with a linear output, such as --model \(linearModel)"
    throw DataError(
      path: source, reason: "\(demand.sentence), found \(range.lowerBound) to \(range.upperBound); \(advice)")
  }

  /// The name of a model for images of this shape that may put out any number.
  private var linearModel: String {
    shape.isVector
      ? "\(shape.count)-64-16,linear" : "conv-ae@\(shape.height)x\(shape.width)x\(shape.channels),linear"
  }

  /// Refuses a set whose images a model does not read.
  ///
  /// Errors: images of another shape than the model's input; no image, or more than steps can number.
  public func checkShape(for plan: ExecutionPlan) throws(DataError) {
    guard shape == plan.model.input else {
      throw DataError(
        path: source, reason: "wanted images of \(plan.model.input) for the model \(plan.model.name), found \(shape)")
    }
    guard (1...Int(Int32.max)).contains(count) else {
      throw DataError(path: source, reason: "wanted 1 to \(Int32.max) images, found \(count)")
    }
  }

  /// Refuses a set whose labels a model that learns labels cannot put out.
  ///
  /// Errors: no labels; a class beyond the outputs of the chain; a number that a float does not hold; no image of a
  /// class that the model knows.
  public func checkLabels(for plan: ExecutionPlan, isMeasured: Bool = false) throws(DataError) {
    let model = plan.model
    guard model.likelihood.target == .label else { return }
    guard let labels else {
      throw DataError(
        path: source,
        reason: "wanted a label for each image, which the model \(model.name) with the \(model.likelihood.name) "
          + "likelihood is to learn, found none; take pictures in a folder for each class, IDX files with their "
          + "labels beside them, an NPZ file with labels, or CIFAR-10 records")
    }
    let wanted = plan.labels
    guard let place = labels.firstIndex(where: { !wanted.contains($0) }) else { return }
    if let classes, knownClasses == wanted.count {
      guard !isMeasured || !labels.contains(where: wanted.contains) else { return }
      func list(_ names: ArraySlice<String>) -> String {
        names.prefix(6).joined(separator: ", ") + (names.count > 6 ? " and \(names.count - 6) more" : "")
      }
      throw DataError(
        path: source,
        reason: "wanted images of the classes that the model \(model.name) knows, \(list(classes[..<wanted.count])), "
          + "found \(name(place)) of \(list(classes[wanted.count...]))"
          + (isMeasured ? " and none of those; name classes alike" : "; take these images out, or begin a new run"))
    }
    throw DataError(
      path: source,
      reason: "image \(place): wanted a label of \(wanted.lowerBound) to \(wanted.upperBound - 1) for the model "
        + "\(model.name), found \(labels[place])"
        + (model.likelihood == .categorical
          ? "; its last layer puts out \(wanted.count) logits, and the labels go up to \(labels.max() ?? 0)" : ""))
  }
}

extension ExecutionPlan {
  /// The labels that a model which puts out labels can learn: its classes, or numbers that a float holds exactly.
  var labels: Range<Int> {
    model.likelihood == .categorical ? 0..<outputShape.count : -(1 << 24)..<1 << 24
  }

  /// Stops whoever hands over another vector than one of this plan's parameters.
  func require(_ parameters: FloatBuffer?) {
    guard let parameters else { return }
    precondition(
      parameters.count == parameterCount, "\(parameters.count) floats are not the \(parameterCount) parameters")
  }
}
