import HourglassModels
import HourglassTraining

extension StepModel {
  /// Calibrates with the points 1 x 1 and 2 x 1 of a study; nil where one of them is missing.
  ///
  /// Parts are means over steps, scaled to the median step, which is to be predicted. With forward and backward F,
  /// waiting W and imbalance I, a sample takes (F - preparation) / samples, the caller alone W(1), and a wake-up half
  /// of W(2) - W(1) - I F(2), because a step has two of them.
  init?(_ study: ScalingStudy, model: Autoencoder) throws {
    func point(_ workers: Int) -> ScalingStudy.Point? {
      study.points.first { $0.workers == workers && $0.threads == 1 && study.isGranted($0) }
    }
    guard let one = point(1), let two = point(2), let triad = study.machine.bandwidth.first, triad > 0 else {
      return nil
    }
    let plan = try ExecutionPlan(model, batchSize: one.batchSize, shards: one.shards)
    let (bandwidth, preparedBytes) = (triad * 1e9, 2 * Self.floatBytes * Double(plan.preparedFloats))
    let preparation = preparedBytes / bandwidth
    func rates(_ point: ScalingStudy.Point, _ parts: ScalingStudy.Parts) throws -> Rates {
      let plan = try ExecutionPlan(model, batchSize: point.batchSize, shards: point.shards)
      let (samples, workers) = (Double(point.batchSize), Double(point.workers))
      let slices = TrainingStep.slices(of: plan, workers: point.workers)
      let products = slices.reduce(0.0) { $0 + ($1.rows > 0 ? Double($1.parameters) : 0) }
      let sums = slices.reduce(0.0) { $0 + ($1.rows > 0 ? 0 : Double($1.parameters)) }
      // As many multiply-adds of slices of many rows would take as long.
      let multiplyAdds = slices.reduce(0.0) {
        $0 + ($1.rows > 0 ? Double($1.parameters) * (1 + Self.fewRows / Double($1.rows)) : 0)
      }
      return Rates(
        sample: workers * (parts.forwardBackward - preparation) / samples,
        product: products > 0 ? workers * parts.products / (multiplyAdds * samples) : 0,
        sum: workers * parts.reduction / (sums * Double(plan.shards + 1)),
        update: workers * parts.update / (products + sums))
    }
    let (lone, both) = (one.medianParts, two.medianParts)
    let serial = max(0, lone.waiting)
    let waking = max(0, both.waiting - serial - both.imbalance * both.forwardBackward) / 2
    let signal = min(waking, Self.mostSignal)
    self.init(
      alone: try rates(one, lone), together: try rates(two, both), fewRows: Self.fewRows, unthreaded: Self.unthreaded,
      serial: serial,
      preparedBytes: preparedBytes, latency: waking - signal, signal: signal,
      spread: both.imbalance / Self.quantile(1, of: 2), bandwidth: bandwidth, ceiling: Self.ceiling(study.machine),
      lastCache: Double(study.machine.caches.last ?? 0))
  }

  /// The most seconds of a system call that wakes a thread; the rest of a measured wake-up is the way to the other
  /// core.
  static let mostSignal = 3e-6
  /// Whether all measured cores together get distinctly less than each of them alone.
  static func isSaturated(_ machine: MachineBlock) -> Bool {
    guard let one = machine.bandwidth.first, let all = machine.bandwidth.last else { return false }
    return all < 0.8 * one * Double(machine.grantedCores)
  }

  private static func ceiling(_ machine: MachineBlock) -> Double {
    let measured = (machine.bandwidth.max() ?? 0) * 1e9
    return isSaturated(machine) ? measured : max(measured, assumedCeiling)
  }
}

extension ScalingStudy.Point {
  /// The parts of the mean step, scaled to the median step.
  fileprivate var medianParts: ScalingStudy.Parts {
    let scale = Samples(seconds).median / parts.step
    return ScalingStudy.Parts(
      forwardBackward: scale * parts.forwardBackward, products: scale * parts.products,
      reduction: scale * parts.reduction, update: scale * parts.update, waiting: scale * parts.waiting,
      imbalance: parts.imbalance)
  }
}
