import FoundationEssentials

/// What the control group of this process, and those above it, allow it to use (Linux `cgroups(7)`).
///
/// In version 1 of control groups a file lies below the folder of its controller, in version 2 below the root.
public struct ControlGroup {
  private let root: String
  /// The lines of the process's membership: controllers, none in version 2, and the path of the group.
  private let groups: [(controllers: [Substring], path: String)]

  /// Reads the groups of this process; tests name other files than the system's.
  public init(root: String = "/sys/fs/cgroup", membership: String = "/proc/self/cgroup") {
    self.root = root
    let lines = ((try? String(contentsOfFile: membership, encoding: .utf8)) ?? "").split(separator: "\n")
    groups = lines.compactMap { line in
      let fields = line.split(separator: ":", maxSplits: 2, omittingEmptySubsequences: false)
      return fields.count == 3 ? (fields[1].split(separator: ","), String(fields[2])) : nil
    }
  }

  /// The smallest limit of CPU time, in cores (`cpu.max`; in version 1 `cpu.cfs_quota_us`); nil without a limit.
  public var cores: Double? {
    folders("cpu").compactMap { folder, isUnified in
      let words = isUnified ? words(folder, "cpu.max") : words(folder, "cpu.cfs_quota_us", "cpu.cfs_period_us")
      guard words.count == 2, let quota = Double(words[0]), let period = Double(words[1]), quota > 0, period > 0
      else { return nil }
      return quota / period
    }.min()
  }

  /// The smallest limit of memory, in bytes (`memory.max`; in version 1 `memory.limit_in_bytes`); nil without a limit.
  public var memory: UInt64? {
    folders("memory").compactMap { folder, isUnified in
      let limit = words(folder, isUnified ? "memory.max" : "memory.limit_in_bytes").first.flatMap { UInt64($0) }
      // Version 1 says the largest whole number of pages where there is no limit.
      return limit.flatMap { $0 > 0 && $0 < 1 << 62 ? $0 : nil }
    }.min()
  }

  /// The folders of the process's groups under this controller and of all groups above them.
  private func folders(_ controller: Substring) -> [(folder: String, isUnified: Bool)] {
    groups.flatMap { controllers, path -> [(folder: String, isUnified: Bool)] in
      guard controllers.isEmpty || controllers.contains(controller) else { return [] }
      let top = controllers.isEmpty ? root : "\(root)/\(controller)"
      var (path, folders) = (path, [(folder: top + path, isUnified: controllers.isEmpty)])
      while path.count > 1, let slash = path.lastIndex(of: "/") {
        path = slash == path.startIndex ? "/" : String(path[..<slash])
        folders.append((top + path, controllers.isEmpty))
      }
      return folders
    }
  }

  private func words(_ folder: String, _ names: String...) -> [Substring] {
    names.flatMap { name in
      ((try? String(contentsOfFile: "\(folder)/\(name)", encoding: .utf8)) ?? "").split(whereSeparator: \.isWhitespace)
    }
  }
}
