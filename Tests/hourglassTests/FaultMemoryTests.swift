import Foundation
import HourglassData
import TestSupport
import Testing

/// With little memory a command says no before it begins, with both numbers, or runs through; the kernel never ends it.
///
/// HOURGLASS_FAULTS=memory or all tries ten models and all commands.
@Suite(.serialized, .disabled(if: isSanitized, "a sanitizer takes memory of its own")) struct FaultMemoryTests {
  private static let isWhole =
    ["all", "memory"].contains(ProcessInfo.processInfo.environment["HOURGLASS_FAULTS"] ?? "")

  /// Models, with batches that take far more than the program itself.
  private static let models = [
    ("784-200-20", 512), ("conv-ae-28", 256), ("conv-vae-28", 128), ("conv-ae-32", 128), ("conv-vae-64", 32),
    ("deep-ae", 128), ("conv-tied-ae-28", 128), ("sparse-ae", 128), ("contractive-ae", 64), ("conv-wae-28", 128),
    ("rbm-500", 256), ("dense-vae", 512),
  ]

  @Test(arguments: isWhole ? models : Array(models.prefix(2)))
  func trainingSaysNoOrRunsThrough(_ model: String, _ batch: Int) throws {
    try Program.inTemporaryFolder { program in
      let train = "train --model \(model) --limit \(batch) --batch-size \(batch) --steps 2 --checkpoint-every 1 --quiet"
      let plan = try program.run("\(train) --dry-run --json")
      let planned = try #require(plan.objects.last?["plannedBytes"] as? Int, "\(plan.errors)")
      let parts = Self.isWhole ? [0.4, 0.7, 0.9, 1.0, 1.05, 1.2, 1.5, 2, 3, 4] : [0.7, 1.2]
      for (number, part) in parts.enumerated() {
        let bytes = Int(clamping: Double(planned) * part)
        for limit in MemoryLimit.all(bytes) {
          let run = "run-\(number)-\(limit.name)"
          let used = try limit.run(program, "\(train) --json --run \(run)")
          try Self.expectNoOrDone(used, limit, "\(model), planned \(planned >> 20) MiB")
          // What was refused leaves nothing.
          if used.result.status != 0 { #expect(!FileManager.default.fileExists(atPath: program.path(run))) }
        }
      }
    }
  }

  /// Commands on 4000 images of 48 KiB, so that 188 MiB of floats go in or come out.
  @Test(.enabled(if: isWhole)) func commandsSayNoOrRunThrough() throws {
    try Program.inTemporaryFolder { program in
      try Self.writeImages(program, count: 4000)
      for command in [
        "train --model 64x64x3-2 --data images-64.npy --limit 64 --steps 1 --quiet --run run",
        "encode --run run --data images-64.npy --output codes.npy",
        "compress --run run --data images-64.npy --output codes.hgc",
      ] { #expect(try program.run(command).status == 0, "\(command)") }
      for command in [
        "train --model 64x64x3-2 --data images-64.npy --epochs 1 --quiet --run RUN",
        "train --config run/recipe.json --validation images-64.npy --quiet --run RUN",
        "pca --components 2 --data images-64.npy --method randomised --run RUN", "data images-64.npy",
        "data images-64.npy --export OUT.npy", "data images-64.npy --resize 96x96 --export OUT.npy",
        "encode --run run --data images-64.npy --output OUT.npy", "decode --run run --input codes.npy --output OUT.npy",
        "decode --run run --input codes.npy --output OUT.png", "evaluate --run run --data images-64.npy",
        "evaluate --run run --data images-64.npy --per-sample OUT.csv", "report --run run --data images-64.npy",
        "reconstruct --run run --data images-64.npy --output OUT.npy",
        "denoise --run run --data images-64.npy --corrupt mask:0.5 --output OUT.npy",
        "score --run run --data images-64.npy --output OUT.csv",
        "search --run run --data images-64.npy --output OUT.csv",
        "compress --run run --data images-64.npy --output OUT.hgc",
        "decompress --run run --input codes.hgc --output OUT.npy", "export --run run --format onnx --output OUT",
        "interpolate --run run --data images-64.npy --stops 1000 --output OUT.npy",
      ] {
        for mebibytes in [64, 100, 150, 200, 300, 400, 600] {
          for limit in MemoryLimit.all(mebibytes << 20) {
            let name = UUID().uuidString
            let own = command.replacingOccurrences(of: "OUT", with: "out-\(name)").replacingOccurrences(
              of: "RUN", with: "run-\(name)")
            try Self.expectNoOrDone(try limit.run(program, own), limit, command)
            for path in try FileManager.default.contentsOfDirectory(atPath: program.folder) where path.contains(name) {
              try FileManager.default.removeItem(atPath: program.path(path))
            }
          }
        }
      }
    }
  }

  private static func expectNoOrDone(_ used: MemoryLimit.Used, _ limit: MemoryLimit, _ what: String) throws {
    let peak = used.peak.map { ", at most \($0 >> 20) MiB resident" } ?? ""
    let end = used.result.isSignalled ? "signal \(used.result.status)" : "exit \(used.result.status)"
    let found = "\(what): \(limit): \(end)\(peak): \(used.result.errors.suffix(300))"
    if isWhole { print("memory: \(found)") }
    guard !used.result.isSignalled, [0, 2, 3].contains(used.result.status) else {
      Issue.record("\(found)")
      return
    }
    guard used.result.status != 0 else { return }
    let numbers = used.result.errors.matches(of: #/\d[\d,.]* (bytes|[KMGT]iB)/#).count
    #expect(numbers >= 2, "\(found)")
  }

  /// Bytes N,64,64,3, each image another piece of the same noise.
  private static func writeImages(_ program: Program, count: Int) throws {
    let size = 64 * 64 * 3
    var (state, noise) = (UInt64(1), [UInt8]())
    for _ in 0..<(size + 8192) {
      state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
      noise.append(UInt8(truncatingIfNeeded: state >> 40))
    }
    var header = "{'descr': '|u1', 'fortran_order': False, 'shape': (\(count), 64, 64, 3), }"
    header += String(repeating: " ", count: 117 - header.count) + "\n"
    var data = Data([0x93]) + Data("NUMPY".utf8) + Data([1, 0, 118, 0]) + Data(header.utf8)
    for n in 0..<count { data += noise[(n * 37 % 8192)...].prefix(size) }
    try data.write(to: URL(fileURLWithPath: program.path("images-64.npy")))
  }
}

/// Memory that a process may use.
private enum MemoryLimit: CustomStringConvertible {
  /// A limit of addresses, as `ulimit -v` sets it.
  case addresses(Int)
  /// A limit of resident pages, in a control group below this folder.
  case group(Int, folder: String)

  /// All kinds that the machine lets us set. What the program maps before it begins lies beyond a limit of addresses.
  static func all(_ bytes: Int) -> [MemoryLimit] {
    [.addresses(bytes + program)] + (groups.map { [.group(max(bytes, 32 << 20), folder: $0)] } ?? [])
  }

  /// Addresses that libraries and the stacks of a few threads take.
  private static let program = 300 << 20

  var name: String {
    switch self {
    case .addresses: "addresses"
    case .group: "group"
    }
  }

  var description: String {
    switch self {
    case .addresses(let bytes): "\(bytes >> 20) MiB of addresses"
    case .group(let bytes, _): "\(bytes >> 20) MiB in a control group"
    }
  }

  struct Used {
    var result: Program.Result
    /// Most bytes resident at once, as far as they were seen.
    var peak: Int?
  }

  func run(_ program: Program, _ command: String) throws -> Used {
    var (script, cleanUp) = ("exec \"$0\" \"$@\"", {})
    switch self {
    case .addresses(let bytes): script = "ulimit -v \(bytes >> 10); \(script)"
    case .group(let bytes, let folder):
      let group = "\(folder)/hourglass-test-\(UUID().uuidString)"
      guard mkdir(group, 0o755) == 0 else { throw CocoaError(.fileWriteNoPermission) }
      cleanUp = { rmdir(group) }
      for name in Self.files where FileManager.default.fileExists(atPath: "\(group)/\(name)") {
        try Data("\(bytes)".utf8).write(to: URL(fileURLWithPath: "\(group)/\(name)"))
      }
      script = "echo $$ > '\(group)/cgroup.procs'; \(script)"
    }
    defer { cleanUp() }
    let running = try program.start(
      ["-c", script, Program.executable] + command.split(separator: " ").map(String.init), executable: "/bin/sh")
    var peak: Int?
    running.wait {
      peak = Self.peak(running.process.processIdentifier) ?? peak
      return false
    }
    return Used(result: try running.finish(), peak: peak)
  }

  /// Version 2 and version 1.
  private static let files = ["memory.max", "memory.swap.max", "memory.limit_in_bytes"]

  /// The folder below which this process may make control groups with a limit of memory.
  private static let groups: String? = {
    let lines = ((try? String(contentsOfFile: "/proc/self/cgroup", encoding: .utf8)) ?? "").split(separator: "\n")
    let folders = lines.compactMap { line -> String? in
      let fields = line.split(separator: ":", maxSplits: 2, omittingEmptySubsequences: false)
      guard fields.count == 3, fields[1].isEmpty || fields[1] == "memory" else { return nil }
      return "/sys/fs/cgroup/\(fields[1])\(fields[2])"
    }
    return folders.first { folder in
      let group = "\(folder)/hourglass-test-\(getpid())"
      guard mkdir(group, 0o755) == 0 else { return false }
      defer { rmdir(group) }
      return files.contains { access("\(group)/\($0)", W_OK) == 0 }
    }
  }()

  /// VmHWM of a process.
  private static func peak(_ process: Int32) -> Int? {
    let text = (try? String(contentsOfFile: "/proc/\(process)/status", encoding: .utf8)) ?? ""
    return text.firstMatch(of: #/VmHWM:\s+(\d+) kB/#).flatMap { Int($0.1) }.map { $0 << 10 }
  }
}
