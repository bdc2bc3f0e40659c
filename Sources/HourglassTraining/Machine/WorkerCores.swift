import CThreads
import Synchronization

/// Keeps workers off each other's cores, without binding them.
///
/// Where another process keeps a core busy, Linux lets two workers share another core and leaves it at that: each has
/// half a core, and so has the process. So a worker that finds itself on the core of an earlier worker moves to a core
/// without one; the system may move it on afterwards.
final class WorkerCores: Sendable {
  /// The core on which a worker last saw itself.
  private final class Place: Sendable {
    let core = Atomic<Int>(-1)
  }

  private let places: [Place]
  /// The cores to choose from; empty where the choice is left to the system.
  private let cores: [Int]

  init(_ parallel: ParallelPlan) {
    places = (0..<parallel.workers).map { _ in Place() }
    // Bound workers stay where they are, and threads of a worker run on cores that are not known here.
    let isFree = parallel.binding == .none && parallel.threads == 1
    cores = isFree && parallel.workers <= GrantedCores.allowed.count ? GrantedCores.allowed : []
  }

  /// Moves the calling worker to a core of its own where it finds itself on the core of a worker before it. A worker
  /// calls this every millisecond or so, for the system moves threads while they compute.
  ///
  /// Cost: a look at the places of the workers before it, and three system calls where it has to move.
  func keepApart(_ worker: Int) {
    if cores.isEmpty { return }
    var core = Int(affinity_core())
    if isTaken(core, upTo: worker), let free = cores.first(where: { !isTaken($0, upTo: places.count) }) {
      affinity_move(free)
      core = free
    }
    places[worker].core.store(core, ordering: .relaxed)
  }

  private func isTaken(_ core: Int, upTo end: Int) -> Bool {
    places[..<end].contains { $0.core.load(ordering: .relaxed) == core }
  }
}
