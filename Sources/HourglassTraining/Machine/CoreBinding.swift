import CThreads
import HourglassKernels
import HourglassModels

/// The way in which the threads of a step are bound to cores. It decides the speed of a run, never its numbers.
public enum CoreBinding: String, Codable, Sendable, CaseIterable {
  /// The system moves threads as it likes.
  case none
  /// Threads sit side by side: thread t of worker w is bound to core w T + t of those that the process may use, with T
  /// threads in a worker.
  case close
  /// Threads stand in the order of `close`, evenly spaced over the cores that the process may use.
  case spread

  /// The core of each of `count` threads, worker after worker; more threads than cores begin again with the first core.
  func places(_ count: Int, on cores: [Int]) -> [Int] {
    (0..<count).map { thread in
      let isSpaced = self == .spread && count <= cores.count
      return cores[isSpaced ? thread * cores.count / count : thread % cores.count]
    }
  }
}

extension ParallelPlan {
  /// The number of threads that the calling thread has for OpenMP teams already, itself among them. They stay with it
  /// until it ends.
  static var threadsOfCaller: Int { thread_team().pointee }

  /// Lets the calling worker found its OpenMP team, which allocates, and binds the team's threads.
  ///
  /// The runtime gives a thread back all cores of the process when it first enters a parallel region, and leaves it
  /// alone afterwards. So each thread binds itself inside the first region.
  func foundTeam(worker: Int) {
    // Idle threads would spin for 200 ms; between two layers microseconds pass, between two batches perhaps seconds.
    if threads > 1 && OpenMPEnvironment().leavesWaiting { thread_set_blocktime(1) }
    thread_team().pointee = max(thread_team().pointee, threads)
    var parallel = hg_parallel(
      size: MemoryLayout<hg_parallel>.size, threads: threads, parallel_for: nil, context: nil)
    guard binding != .none else { return checked(hg_on_each_thread(&parallel, { _, _ in }, nil)) }
    var places = binding.places(workers * threads, on: GrantedCores.allowed)
    places[(worker * threads)...].withUnsafeMutableBufferPointer { own in
      checked(hg_on_each_thread(&parallel, affinity_bind, own.baseAddress))
      // Without OpenMP the calling thread went through the places of all threads.
      affinity_bind(own.baseAddress, 0)
    }
  }
}
