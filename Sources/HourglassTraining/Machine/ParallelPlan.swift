/// The division of the work. It decides the speed of a run, never its numbers.
public struct ParallelPlan: Sendable, Codable, Equatable {
  /// The replicas that run at once, each on a thread of its own.
  public var workers: Int
  /// The OpenMP threads inside each worker.
  public var threads: Int
  /// How threads are bound to cores. The caller of a bound step is its first worker and stays bound.
  public var binding: CoreBinding

  /// More workers or threads than any machine has cores. Much beyond it the system refuses to start them.
  public static let most = 1024
  /// A plan with more threads than this, all workers together, is refused.
  static let mostInAll = 4096

  /// A division in numbers of at least 1.
  public init(workers: Int, threads: Int, binding: CoreBinding = .none) {
    precondition(workers >= 1 && threads >= 1, "\(workers) workers x \(threads) threads can do no work")
    (self.workers, self.threads, self.binding) = (workers, threads, binding)
  }

  /// Chooses what the caller leaves open, within the cores that are granted. Where the caller says nothing, the
  /// environment decides.
  public init(
    workers: Int? = nil, threads: Int? = nil, shards: Int, cores: Int = GrantedCores.count,
    environment: OpenMPEnvironment = OpenMPEnvironment()
  ) {
    let cores = min(cores, environment.threadLimit ?? cores, Self.mostInAll)
    switch (workers, threads ?? environment.threads) {
    case (let workers?, let threads?): self.init(workers: workers, threads: threads)
    case (let workers?, nil): self.init(workers: workers, threads: max(1, cores / workers))
    case (nil, let threads?): self.init(workers: max(1, min(shards, cores / threads)), threads: threads)
    case (nil, nil):
      let plans = (1...max(1, cores)).map { Self(workers: max(1, min(shards, cores / $0)), threads: $0) }
      self = plans.min { $0.duration(shards: shards) < $1.duration(shards: shards) } ?? plans[0]
    }
  }

  /// Refuses a division that no machine runs, which a file may hold and a caller may have set.
  func check() throws(ThreadError) {
    let possible = 1...Self.most
    guard possible.contains(workers), possible.contains(threads), workers * threads <= Self.mostInAll else {
      throw ThreadError(
        reason:
          "wanted 1 to \(Self.most) workers of 1 to \(Self.most) threads, at most \(Self.mostInAll) in all, found "
          + "\(workers) x \(threads)")
    }
  }

  /// The nearest division that `check` may let pass, for estimates.
  var possible: ParallelPlan {
    ParallelPlan(workers: min(max(workers, 1), Self.most), threads: min(max(threads, 1), Self.most), binding: binding)
  }

  /// The estimated duration of phase 1, in units of a shard on one thread. Workers take shards in rounds, and a part of
  /// a shard's work gains nothing from threads (Amdahl 1967).
  ///
  /// Workers come first, because they wait for each other twice a step, and threads twice a layer.
  private func duration(shards: Int) -> Double {
    let rounds = (shards + workers - 1) / workers
    return Double(rounds) * (StepModel.unthreaded + (1 - StepModel.unthreaded) / Double(threads))
  }
}
