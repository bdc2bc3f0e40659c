import Foundation

/// The memory that this process may really use.
public enum GrantedMemory {
  /// The smallest of the machine's memory, the control group's limit and the limit of the address space.
  public static var bytes: UInt64 { [physical, group, addressSpace].compactMap(\.self).min() ?? physical }

  /// Bytes that the decoded images of one set may take where nobody says: a third, for there may be a second set to
  /// validate with.
  public static var forImages: Int { Int(bytes / 3) }

  static var physical: UInt64 { ProcessInfo.processInfo.physicalMemory }

  static var group: UInt64? { ControlGroup().memory }

  /// What `ulimit -v` says, nil without a limit.
  static var addressSpace: UInt64? {
    // RLIM_INFINITY, which Swift cannot import, is the largest number.
    var limit = rlimit()
    guard getrlimit(__rlimit_resource_t(RLIMIT_AS.rawValue), &limit) == 0, limit.rlim_cur != .max else { return nil }
    return UInt64(limit.rlim_cur)
  }
}
