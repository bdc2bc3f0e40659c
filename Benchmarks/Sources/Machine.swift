import Foundation

/// The machine at hand, as the kernel of Linux describes it.
struct Machine {
  /// The bytes of the caches that hold data, nearest first, as a core sees them.
  let caches: [Int]
  /// The processor's name as the maker spells it, with family and model, because clouds hide it behind a general name.
  let processor: String

  static let current = Machine()

  private init() {
    let folder = "/sys/devices/system/cpu/cpu0/cache"
    func read(_ path: String) -> String? {
      (try? String(contentsOfFile: path, encoding: .utf8))?.trimmingCharacters(in: .whitespacesAndNewlines)
    }
    let indices = ((try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []).filter {
      $0.hasPrefix("index")
    }
    let found = indices.sorted().compactMap { index -> Int? in
      guard read("\(folder)/\(index)/type") != "Instruction", let size = read("\(folder)/\(index)/size") else {
        return nil
      }
      return Self.bytes(size)
    }
    // Most processors of the last ten years have at least these.
    caches = found.count >= 2 ? found : [32 << 10, 512 << 10, 8 << 20]

    let lines = (read("/proc/cpuinfo") ?? "").split(separator: "\n").map(String.init)
    func field(_ name: String) -> String? {
      lines.first { $0.hasPrefix(name + "\t") || $0.hasPrefix(name + " :") }?.split(separator: ":").last?
        .trimmingCharacters(in: .whitespaces)
    }
    let numbers = [field("cpu family"), field("model"), field("CPU part")].compactMap { $0 }
    processor = ([field("model name") ?? "processor"] + numbers).joined(separator: " ")
  }

  /// The processor's name as the name of a file.
  var slug: String { Self.slug(processor) }

  static func slug(_ name: String) -> String {
    let plain = name.lowercased().replacingOccurrences(of: "(r)", with: "").replacingOccurrences(of: "(tm)", with: "")
    return plain.split { !$0.isASCII || !($0.isLetter || $0.isNumber) }.joined(separator: "-")
  }

  /// The bytes of a text such as `48K` or `105M`; nil for any other text.
  static func bytes(_ size: String) -> Int? {
    let units: [Character: Int] = ["K": 1 << 10, "M": 1 << 20, "G": 1 << 30]
    guard let last = size.last, let unit = units[last] else { return Int(size) }
    return Int(size.dropLast()).map { $0 * unit }
  }
}
