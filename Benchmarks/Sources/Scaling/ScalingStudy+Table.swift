extension ScalingStudy {
  /// A table for people, on standard output.
  func show() {
    let (granted, cores) = (machine.grantedCores, machine.cores)
    say("\(machine.processor), \(machine.instructionSet), \(granted) of \(cores) cores granted")
    say(
      "\(model), \(mode.rawValue) scaling, batch size \(batchSize)\(mode == .weak ? " a core" : ""), "
        + "\(repetitions) repetitions")
    let table = Table(
      [
        "workers x threads", "cores", "samples/s", "speed-up", "efficiency", "forward, backward", "products", "sums",
        "update", "waiting", "imbalance", "resident MiB", "  weights",
      ], first: 17)
    let reference = points.first.map { rate($0.seconds, $0.batchSize) }
    for point in points {
      let parts = point.parts
      let step = parts.forwardBackward + parts.products + parts.reduction + parts.update + parts.waiting
      let shares = [parts.forwardBackward, parts.products, parts.reduction, parts.update, parts.waiting]
      table.row(
        ["\(point.workers) x \(point.threads)"]
          + cells(point.cores, rate(point.seconds, point.batchSize), over: reference)
          + shares.map { percent($0 / step) }
          + [percent(parts.imbalance), "\(point.memory.residentBytes >> 20)", isEqual(point) ? "equal" : "DIFFERENT"])
    }
    for peer in peers {
      let reference = peer.points.first.map { rate($0.seconds, $0.batchSize) }
      say(([peer.name] + [peer.allocator].compactMap { $0.map { "allocator of \($0)" } }).joined(separator: ", "))
      for point in peer.points {
        table.row(
          [point.layout ?? ""] + cells(point.cores, rate(point.seconds, point.batchSize), over: reference))
      }
    }
  }

  private func cells(_ cores: Int, _ rate: Double, over reference: Double?) -> [String] {
    let speedUp = rate / (reference ?? rate)
    return ["\(cores)", fixed(rate, 0), fixed(speedUp, 2), percent(speedUp / Double(cores))]
  }

  /// Samples a second.
  private func rate(_ seconds: [Double], _ batchSize: Int) -> Double { Double(batchSize) / Samples(seconds).median }
}
