import CThreads
import Foundation

/// The cores that this process may really use.
public enum GrantedCores {
  /// The smaller of the affinity mask and the cgroup's quota, at least 1.
  public static var count: Int { max(1, min(affinity, quota() ?? affinity)) }

  /// Cores of the affinity mask alone.
  public static var affinity: Int { allowed.count }

  /// The cores of the affinity mask of whoever asks first, which is before any thread is bound.
  static let allowed: [Int] = {
    let cores = [Int](unsafeUninitializedCapacity: Int(AFFINITY_WORDS * AFFINITY_WORD_BITS)) { buffer, count in
      count = affinity_cores(buffer.baseAddress, buffer.count)
    }
    return cores.isEmpty ? Array(0..<ProcessInfo.processInfo.activeProcessorCount) : cores
  }()

  /// Cores by CPU time that the process's cgroup and those above it allow, rounded up; nil where there is no limit.
  /// Understands version 2 (`cpu.max`) and version 1 (`cpu.cfs_quota_us`) below `root`.
  static func quota(root: String = "/sys/fs/cgroup", membership: String = "/proc/self/cgroup") -> Int? {
    let lines = ((try? String(contentsOfFile: membership, encoding: .utf8)) ?? "").split(separator: "\n")
    var limits: [Double] = []
    for line in lines {
      let fields = line.split(separator: ":", maxSplits: 2, omittingEmptySubsequences: false)
      guard fields.count == 3 else { continue }
      let controllers = fields[1].split(separator: ",")
      var path = String(fields[2])
      while true {
        if controllers.isEmpty {
          limits.append(contentsOf: ratio(root + path + "/cpu.max"))
        } else if controllers.contains("cpu") {
          limits.append(contentsOf: ratio(root + "/cpu" + path + "/cpu.cfs_quota_us", over: "cpu.cfs_period_us"))
        }
        guard path.count > 1, let slash = path.lastIndex(of: "/") else { break }
        path = slash == path.startIndex ? "/" : String(path[..<slash])
      }
    }
    return limits.min().map { max(1, Int($0.rounded(.up))) }
  }

  /// Quota over period, from one file of two words or from two files; empty where unlimited or unreadable.
  private static func ratio(_ file: String, over second: String? = nil) -> [Double] {
    guard let text = try? String(contentsOfFile: file, encoding: .utf8) else { return [] }
    var words = text.split(whereSeparator: \.isWhitespace).map(String.init)
    if let second {
      let folder = (file as NSString).deletingLastPathComponent
      words += [((try? String(contentsOfFile: folder + "/" + second, encoding: .utf8)) ?? "").trimmed]
    }
    guard words.count == 2, let quota = Double(words[0]), let period = Double(words[1]), quota > 0, period > 0 else {
      return []
    }
    return [quota / period]
  }
}

extension String {
  fileprivate var trimmed: String { trimmingCharacters(in: .whitespacesAndNewlines) }
}
