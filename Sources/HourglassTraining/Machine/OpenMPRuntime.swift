import FoundationEssentials
import Glibc

/// The OpenMP runtime libraries of a process.
public enum OpenMPRuntime {
  /// The paths of the OpenMP runtimes among the files that a process has mapped, each once, in the order of their
  /// addresses.
  ///
  /// - Parameter maps: the mapped files as `/proc/self/maps` lists them.
  public static func libraries(maps: String) -> [String] {
    var found: [String] = []
    for line in maps.split(separator: "\n") {
      guard let path = line.firstIndex(of: "/").map({ String(line[$0...]) }), !found.contains(path) else { continue }
      let name = URL(fileURLWithPath: path).lastPathComponent
      if ["libomp", "libgomp", "libiomp"].contains(where: name.hasPrefix) { found.append(path) }
    }
    return found
  }

  /// The paths of the OpenMP runtimes that this process has loaded.
  public static var libraries: [String] {
    // The file says that it is empty, and hands out a page at a time, so it is read to its end.
    let file = open("/proc/self/maps", O_RDONLY | O_CLOEXEC)
    guard file >= 0 else { return [] }
    defer { close(file) }
    var maps: [UInt8] = []
    while true {
      let part = [UInt8](unsafeUninitializedCapacity: 1 << 16) { room, count in
        count = max(0, read(file, room.baseAddress, room.count))
      }
      guard !part.isEmpty else { return libraries(maps: String(decoding: maps, as: UTF8.self)) }
      maps += part
    }
  }

  /// The name of a library's file. It does not tell its version, but the folder of LLVM's may.
  public static func name(_ library: String) -> String {
    let parts = URL(fileURLWithPath: library).pathComponents
    let llvm = parts.first { $0.hasPrefix("llvm-") }
    return (parts.last ?? library) + (llvm.map { " of LLVM \($0.dropFirst("llvm-".count))" } ?? "")
  }
}
