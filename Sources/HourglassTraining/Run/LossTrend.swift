import HourglassData
import HourglassModels

/// The signs in finite losses that a run goes wrong.
enum LossTrend {
  /// A loss has exploded that lies further above the best one than so many times the size of that one.
  static let explosion = 1000.0
  /// A loss stands still that changes by less than this part of itself, from the least to the largest of so many epochs
  /// and the one before them.
  static let leastChange = 1e-4
  static let epochs = 10
  /// A loss is still where it began that is nearer to the first epoch's than this part of that.
  private static let nearFirst = 0.01

  /// A sentence where the loss of the last epoch has exploded, and grows or was never small in an epoch.
  ///
  /// - Parameter first: the loss of the first step, where this session has taken it.
  static func explosion(_ epochs: [EpochMetrics], first: Double?, recipe: Recipe) -> String? {
    let earlier = epochs.dropLast().map(\.loss)
    guard let last = epochs.last, let best = (earlier + [first].compactMap(\.self)).min(),
      last.loss - best > explosion * max(abs(best), .leastNormalMagnitude), last.loss >= earlier.last ?? best
    else { return nil }
    let rate = "--learning-rate \(text(Double(recipe.optimizer.learningRate) / 10))"
    let norm = "--clip-norm \(text(recipe.clipNorm.map { Double($0) / 10 } ?? 1))"
    return
      "exploded loss: epoch \(last.epoch) has a loss of \(text(last.loss)) after one of \(text(best)); begin a new "
      + "run with \(rate), or with \(norm)"
  }

  /// Whether the losses of the last epochs hardly differ.
  static func isFlat(_ epochs: [EpochMetrics]) -> Bool {
    let recent = epochs.suffix(Self.epochs + 1).map(\.loss)
    guard recent.count > Self.epochs, let least = recent.min(), let most = recent.max() else { return false }
    return most - least <= leastChange * max(abs(least), abs(most))
  }

  /// A sentence where the loss does not move although nothing was learned.
  ///
  /// - Parameter isConstant: whether the model puts out one and the same whatever it reads. It is asked where the loss
  ///   has left its first value.
  static func stall(
    _ epochs: [EpochMetrics], recipe: Recipe, isConstant: () throws -> Bool
  ) rethrows -> String? {
    guard isFlat(epochs), let first = epochs.first, let last = epochs.last else { return nil }
    let isNear = abs(last.loss - first.loss) <= nearFirst * abs(first.loss)
    guard try isNear || isConstant() else { return nil }
    let usual = Optimizer.defaultLearningRate(recipe.optimizer.kind)
    let rate = recipe.optimizer.learningRate
    let other = rate < usual / 10 ? min(rate * 100, usual) : rate / 10
    return "stalled loss: it has been \(text(last.loss)) for \(Self.epochs) epochs, "
      + (isNear ? "near the \(text(first.loss)) of the first" : "and the model puts out the same for every image")
      + "; begin a new run with --learning-rate \(text(Double(other))), or with another --seed"
  }

  private static func text(_ loss: Double) -> String { significant(loss, 5) }
}

extension Trainer {
  /// Sentences about the epoch that a person should know; nil where nothing is new.
  func warnings(after row: EpochMetrics) throws -> [String]? {
    let rows = metrics.epochs + [row]
    let units = training.plan.codeShape.count
    let all = [
      PosteriorCollapse.warning(after: row, units: units, recipe: recipe, stepsPerEpoch: stepsPerEpoch),
      LossTrend.explosion(rows, first: firstLoss, recipe: recipe),
      try LossTrend.stall(rows, recipe: recipe, isConstant: putsOutOneImage),
    ]
    let new = all.enumerated().filter { $1 != nil && warned.insert($0).inserted }.compactMap(\.element)
    return new.isEmpty ? nil : new
  }

  /// Whether the outputs for a few images differ by next to nothing beside the differences of these images.
  private func putsOutOneImage() throws -> Bool {
    guard recipe.model.likelihood.target == .image else { return false }
    let some = data.spread(16)
    let images = try some.images(0..<some.count)
    func spread(_ values: [Float]) -> Double {
      let (count, size) = (values.count / data.shape.count, data.shape.count)
      return (0..<size).reduce(0) { sum, i in
        let pixel = (0..<count).map { Double(values[$0 * size + i]) }
        let mean = pixel.reduce(0, +) / Double(count)
        return pixel.reduce(sum) { $0 + ($1 - mean) * ($1 - mean) }
      }
    }
    let (wanted, found) = (spread(images), spread(try inference().reconstruct(images, labels: some.labels?[...])))
    return wanted > 0 && found < 1e-4 * wanted
  }
}
