import Foundation

/// What OpenMP's environment variables ask for.
public struct OpenMPEnvironment: Sendable, Equatable {
  /// OMP_NUM_THREADS, of a list the first number: threads of a worker.
  public let threads: Int?
  /// OMP_THREAD_LIMIT: threads of all workers together.
  public let threadLimit: Int?
  /// Variables whose values say nothing sensible and are ignored, and a sentence about them, nil where there are none.
  public let ignored: [String]
  public let warning: String?

  /// True where nothing is said about how idle threads wait.
  public let leavesWaiting: Bool

  public init(_ environment: [String: String] = ProcessInfo.processInfo.environment) {
    var (ignored, found): ([String], [String]) = ([], [])
    func count(_ name: String, _ text: (String) -> Substring) -> Int? {
      guard let value = environment[name], !value.isEmpty else { return nil }
      let count = Int(text(value).trimmingCharacters(in: .whitespaces))
      if let count, (1...ParallelPlan.most).contains(count) { return count }
      ignored.append(name)
      found.append("\(name): wanted 1 to \(ParallelPlan.most) threads, found \(value)")
      return nil
    }
    threads = count("OMP_NUM_THREADS") { $0.prefix { $0 != "," } }
    threadLimit = count("OMP_THREAD_LIMIT") { $0[...] }
    self.ignored = ignored
    leavesWaiting = environment["KMP_BLOCKTIME"] == nil && environment["OMP_WAIT_POLICY"] == nil
    warning = found.isEmpty ? nil : found.joined(separator: "; ") + "; ignored"
  }
}
