import CThreads
import FoundationEssentials
import HourglassData

/// The cores that this process may really use.
public enum GrantedCores {
  /// The number of cores: the smaller of the affinity mask and the control group's quota, at least 1.
  public static var count: Int { max(1, min(affinity, quota() ?? affinity)) }

  /// The number of cores in the affinity mask.
  public static var affinity: Int { allowed.count }

  /// The cores in the affinity mask of whoever asks first, which is before any thread is bound.
  package static let allowed: [Int] = {
    let cores = [Int](unsafeUninitializedCapacity: Int(AFFINITY_WORDS * AFFINITY_WORD_BITS)) { buffer, count in
      count = affinity_cores(buffer.baseAddress, buffer.count)
    }
    return cores.isEmpty ? Array(0..<ProcessInfo.processInfo.activeProcessorCount) : cores
  }()

  /// The CPU time that the process's control groups allow, in cores, rounded up; nil where there is no limit.
  static func quota(_ group: ControlGroup = ControlGroup()) -> Int? {
    group.cores.map { max(1, Int(clamping: $0.rounded(.up))) }
  }
}
