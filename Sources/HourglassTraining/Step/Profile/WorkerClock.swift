import Dispatch
import HourglassModels

/// Where one worker's time goes while steps are profiled: a sum of nanoseconds for each layer and pass, planned with
/// all other memory, so that timing allocates nothing.
///
/// A lap adds the time since the lap before to its place, so that each call of a layer costs one look at the clock.
struct WorkerClock: Sendable {
  /// What a layer does.
  enum LayerPass: Int, CaseIterable { case forward, backward, gradient }
  /// What belongs to no layer.
  enum Work: Int, CaseIterable { case input, preparation, likelihood, sums, updates, exchange }

  /// The start of the lap, then the sums: of `Work`, then of each layer's passes.
  private let nanoseconds: AlignedBuffer<UInt64>

  init(layers: Int) {
    nanoseconds = AlignedBuffer(count: 1 + Work.allCases.count + layers * LayerPass.allCases.count)
  }

  func start() { nanoseconds.pointer[0] = DispatchTime.now().uptimeNanoseconds }
  func lap(_ work: Work) { lap(Self.place(work)) }
  /// Adds nanoseconds that are part of no lap.
  func add(_ time: UInt64, to work: Work) { nanoseconds.pointer[Self.place(work)] += time }
  func lap(_ pass: LayerPass, layer: Int) { lap(Self.place(pass, layer)) }

  func time(_ work: Work) -> UInt64 { nanoseconds[Self.place(work)] }
  func time(_ pass: LayerPass, layer: Int) -> UInt64 { nanoseconds[Self.place(pass, layer)] }
  var total: UInt64 { nanoseconds.elements.dropFirst().reduce(0, +) }
  func clear() { nanoseconds.clear() }

  private func lap(_ place: Int) {
    let now = DispatchTime.now().uptimeNanoseconds
    nanoseconds.pointer[place] += now - nanoseconds.pointer[0]
    nanoseconds.pointer[0] = now
  }

  private static func place(_ work: Work) -> Int { 1 + work.rawValue }
  private static func place(_ pass: LayerPass, _ layer: Int) -> Int {
    1 + Work.allCases.count + layer * LayerPass.allCases.count + pass.rawValue
  }
}
