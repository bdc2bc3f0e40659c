extension Checkpoint.Progress {
  /// Steps and samples that no run comes to: sums and products of them stay far from the end of integers.
  static let most = 1 << 53

  /// Why no run can stand here, which a file may say; nil where nothing speaks against it. Names are those of the file.
  var refusal: String? {
    let counts = [("step", step), ("epochSamples", epochSamples), ("samples", samples)]
    if let (name, count) = counts.first(where: { !(0...Self.most).contains($0.1) }) {
      return "\(name): wanted 0 to 2^53, found \(count)"
    }
    // An epoch has at least one step.
    let epochs = [("bestEpoch", bestEpoch ?? 0), ("plateauEpoch", plateauEpoch ?? 0)]
    if let (name, epoch) = epochs.first(where: { !(0...step).contains($0.1) }) {
      return "\(name): wanted 0 to the \(step) steps done, found \(epoch)"
    }
    let changes = [("dataStep", dataStep ?? 0), ("dataEpoch", dataEpoch ?? 0)]
    if let (name, count) = changes.first(where: { !(0...step).contains($0.1) }) {
      return "\(name): wanted 0 to the \(step) steps done, found \(count)"
    }
    guard (0...Self.most).contains(dataChanges ?? 0) else {
      return "dataChanges: wanted 0 to 2^53, found \(dataChanges ?? 0)"
    }
    let numbers = [
      ("epochReconstruction", epochReconstruction), ("epochDivergence", epochDivergence), ("best", best ?? 0),
      ("plateau", plateau ?? 0),
    ]
    if let (name, number) = numbers.first(where: { !$0.1.isFinite }) {
      return "\(name): wanted a finite number, found \(number)"
    }
    guard seconds >= 0, seconds <= Double(Self.most) else {
      return "seconds: wanted 0 to 2^53, found \(seconds)"
    }
    return nil
  }
}

extension EpochMetrics {
  /// Why no run has such an epoch, which a file may say; nil where nothing speaks against it.
  var refusal: String? {
    let counts = [("epoch", epoch), ("step", step), ("activeUnits", activeUnits ?? 0)]
    return counts.first { !(0...Checkpoint.Progress.most).contains($0.1) }.map { name, count in
      "\(name): wanted 0 to 2^53, found \(count)"
    }
  }
}
