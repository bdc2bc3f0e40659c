extension Checkpoint.Progress {
  /// Steps and samples that no run comes to: sums and products of them stay far from the end of integers.
  static let most = 1 << 53

  /// Why no run can stand here, which a file may say; nil where nothing speaks against it. Names are those of the file.
  var refusal: String? {
    // An epoch has at least one step.
    let done = "the \(step) steps done"
    let counts = [
      ("step", step, Self.most, "2^53"), ("epochSamples", epochSamples, Self.most, "2^53"),
      ("samples", samples, Self.most, "2^53"), ("bestEpoch", bestEpoch ?? 0, step, done),
      ("plateauEpoch", plateauEpoch ?? 0, step, done), ("ratePlateau.epoch", ratePlateau?.epoch ?? 0, step, done),
      ("ratePlateau.falls", ratePlateau?.falls ?? 0, step, done), ("dataStep", dataStep ?? 0, step, done),
      ("dataEpoch", dataEpoch ?? 0, step, done), ("dataChanges", dataChanges ?? 0, Self.most, "2^53"),
    ]
    if let (name, count, _, most) = counts.first(where: { $0.1 < 0 || $0.1 > $0.2 }) {
      return "\(name): wanted 0 to \(most), found \(count)"
    }
    let numbers =
      [
        ("epochReconstruction", epochReconstruction), ("epochDivergence", epochDivergence), ("best", best ?? 0),
        ("plateau", plateau ?? 0), ("ratePlateau.best", ratePlateau?.best ?? 0),
      ] + (epochTerms ?? []).map { ("epochTerms", $0) }
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
