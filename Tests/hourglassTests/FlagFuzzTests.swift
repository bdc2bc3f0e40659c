import Foundation
import HourglassData
import Testing

/// Command lines drawn over all commands and all flags, as the parser itself describes them, with values that nobody
/// means: the program answers with one of its exit codes and a sentence, within a time, and leaves alone what is there.
///
/// HOURGLASS_FUZZ_FLAGS=COUNT draws as many with another seed (`make fuzz`); HOURGLASS_FUZZ_SEED=SEED repeats one.
@Suite struct FlagFuzzTests {
  private static let environment = ProcessInfo.processInfo.environment
  private static let count = environment["HOURGLASS_FUZZ_FLAGS"].flatMap(Int.init) ?? 150
  static let seeds: [UInt64] = {
    let first = environment["HOURGLASS_FUZZ_FLAGS"] == nil ? 1 : UInt64.random(in: 0..<1 << 32)
    let seed = environment["HOURGLASS_FUZZ_SEED"].flatMap(UInt64.init) ?? first
    return [seed, seed + 1]
  }()

  @Test(arguments: seeds) func noCommandLineTrapsHangsOrHarms(_ seed: UInt64) throws {
    print("fuzz: HOURGLASS_FUZZ_SEED=\(seed)")
    try Program.inTemporaryFolder { program in
      try FuzzedFiles.make(program)
      let help = try program.run("--experimental-dump-help")
      let root = try JSONDecoder().decode(CommandDescription.Root.self, from: Data(help.output.utf8)).command
      let commands = root.leaves(of: [])
      #expect(commands.count > 25 && commands.map(\.flags.count).reduce(0, +) > 500)
      var draws = Draws(state: seed)
      var before = FuzzedFiles.states(program)
      var statuses: [Int32: Int] = [:]
      for _ in 0..<Self.count / Self.seeds.count {
        let command = draws.one(of: commands)
        let line = draws.line(of: command)
        let running = try program.start(line)
        let result = try running.finish()
        statuses[result.status, default: 0] += 1
        let told = "seed \(seed): hourglass \(line) ended with \(result.status): \(result.errors.prefix(300))"
        #expect(running.process.terminationReason == .exit, "\(told)")
        #expect([0, 1, 2, 3, 4, 130].contains(result.status), "\(told)")
        #expect(result.status == 0 || result.errors.contains(/hourglass: .{10}/), "\(told)")
        for text in [result.errors, result.output] {
          #expect(text.unicodeScalars.allSatisfy { $0 == "\n" || $0.properties.generalCategory != .control }, "\(told)")
        }
        try? FileManager.default.removeItem(atPath: running.outputFile)
        try? FileManager.default.removeItem(atPath: running.errorFile)
        let after = FuzzedFiles.states(program)
        for (path, state) in before where after[path] != state {
          #expect(line.contains("--force") && line.contains { $0.hasSuffix(path) }, "changed \(path): \(told)")
        }
        before = after.filter { before[$0.key] != nil }
        #expect(!after.keys.contains { $0.hasSuffix(".tmp") }, "left something half made: \(told)")
      }
      print("fuzz: exit codes \(statuses.sorted { $0.key < $1.key }.map { "\($0.key): \($0.value)" })")
    }
  }
}

/// What `--experimental-dump-help` says of a command.
private struct CommandDescription: Decodable {
  struct Root: Decodable { var command: CommandDescription }

  struct Flag: Decodable {
    var kind: String
    var preferredName: Name?
    var allValues: [String]?

    struct Name: Decodable {
      var name: String
    }
  }

  var commandName: String
  var arguments: [Flag]?
  var subcommands: [CommandDescription]?

  typealias Leaf = (words: [String], flags: [Flag])

  func leaves(of words: [String]) -> [Leaf] {
    guard let subcommands else { return [(words, arguments ?? [])] }
    return subcommands.flatMap { $0.leaves(of: words + [$0.commandName]) }
  }
}

/// Knuth's MMIX generator; its upper bits.
private struct Draws {
  var state: UInt64

  mutating func below(_ bound: Int) -> Int {
    state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
    return Int(state >> 33) % bound
  }

  mutating func one<T>(of values: [T]) -> T { values[below(values.count)] }

  /// A line that the command would take, but for one to three flags.
  mutating func line(of command: CommandDescription.Leaf) -> [String] {
    let usual = FuzzedFiles.usual[command.words.joined(separator: " ")] ?? ""
    var words = usual.split(separator: " ").map { $0 == "NEW" ? "new-\(state)" : String($0) }
    for _ in 0...max(0, below(4) - 1) {
      guard let flag = command.flags.isEmpty ? nil : one(of: command.flags) else { break }
      let name = flag.preferredName.map { "--\($0.name)" }
      if let name, let place = words.firstIndex(of: name) {
        words.removeSubrange(place..<min(words.count, place + (flag.kind == "flag" ? 1 : 2)))
      }
      // More steps than verify has time for are no fault.
      if command.words == ["verify"], name == "--steps" { continue }
      switch flag.kind {
      case "flag": words.append(name ?? "")
      case "option": words.append("\(name ?? "")=\(value(flag))")
      default: words = [value(flag)] + words.dropFirst()
      }
    }
    return command.words + words
  }

  private mutating func value(_ flag: CommandDescription.Flag) -> String {
    if let values = flag.allValues, below(2) == 0 { return one(of: values) }
    return one(of: one(of: [Self.numbers, Self.texts, FuzzedFiles.paths, Self.forms]))
  }

  private static let numbers = [
    "0", "1", "2", "3", "4", "7", "300", "4096", "-1", "-0.0", "0.5", "1.5", "1e-320", "1e30", "1e308", "1e999", "nan",
    "-nan", "inf", "-inf",
    "2147483648", "9223372036854775807", "-9223372036854775808", "9223372036854775808", "18446744073709551615",
    "99999999999999999999999999", "0x10", "+5", " 5", "5 ", "1_000", "\u{663}", "1,2", "1,,2", "1,9223372036854775807",
  ]

  private static let texts = [
    "", " ", "é", "\u{1b}[31mred\u{7}", "a\nhourglass: forged", "\r", "\u{202e}abc", "\u{85}", "\u{9b}31m", "\u{2028}",
    String(repeating: "long", count: 2000), "%s%n%d", "--", "-", "~", "\\", "'", "\"", "{}", "[]", "null",
  ]

  private static let forms = [
    "8x8", "4x4", "1x1", "0x0", "-1x5", "65536x65536", "65537x1", "8x", "x", "gaussian:1e38", "gaussian:1", "mask:0.5",
    "mask:1", "salt-pepper:0", "multiplicative:inf", "flip", "shift:65536", "flip,shift:1", "0.1s", "0s", "-1s",
    "99999999999999999999d", "1e300d", "512M", "1K", "1e300T", "-1G", "cd:1", "pcd:1", "cd:0",
    "cd:99999999999999999999",
    "2epochs", "1099511627777epochs", "epochs", "nhw", "nchw", "conv-ae-28", "64-8-2", "64-2,tied", "1-0",
    "9999999999-1",
  ]
}

/// What lies in the folder that lines are tried in.
private enum FuzzedFiles {
  /// A line of each command that does what it says; NEW is a name that is not there.
  static let usual = [
    "train": "--model tiny.json --data images.npy --batch-size 4 --epochs 1 --max-time 1s --run NEW",
    "pretrain": "--model tiny.json --data images.npy --batch-size 4 --epochs 1 --max-time 1s --run NEW",
    "finetune": "--from taken --data set --batch-size 4 --epochs 1 --max-time 1s --run NEW",
    "import": "--weights weights.npz --model tiny.json --run NEW", "pca": "--components 2 --data images.npy --run NEW",
    "evaluate": "--run run --data images.npy", "report": "--run run", "reconstruct": "--run run",
    "encode": "--run run --input images.npy", "decode": "--run run --input codes.npy", "sample": "--run run",
    "score": "--run run --data set", "search": "--run run --k 2", "probe": "--run run --data set --k 1",
    "compress": "--run run", "decompress": "--run run --input codes.hgc",
    "denoise": "--run run --corrupt mask:0.5", "grid": "--run plane --side 3", "interpolate": "--run run",
    "export": "--run run --format npy", "inspect": "tiny.json",
    "verify": "--model tiny.json --data images.npy --steps 1 --batch-size 4", "data describe": "images.npy",
    "data synthesize": "--output NEW --size 8x8 --count 3",
  ]

  static let paths = [
    "missing", "missing/a.npy", "images.npy", "codes.npy", "codes.hgc", "weights.npz", "tiny.json", "set", "taken",
    "empty", "folder.npy", "fifo", "fifo.npy", "fifo.png", "fifo.json", "/dev/full", "/dev/null", "/dev/zero",
    "closed.npy",
    "nothing.npy", "nothing.json", "nothing.hgc", "loop", "nowhere.npy", "plane/checkpoints/last.safetensors",
    "plane/recipe.json", "plane/new.npy", "plane/checkpoints/new.npy", "link/new.png", "missing/a.png",
    "images.npy/a.csv",
    "new.npy", "new.png", "new.csv", "new.svg", "new.html", "new\n.png", "new\u{1b}.csv",
    String(repeating: "n", count: 300) + ".npy",
  ]

  static func make(_ program: Program) throws {
    for (split, count) in [("train", 12), ("t10k", 6)] {
      try FileManager.default.createDirectory(atPath: program.path("set"), withIntermediateDirectories: true)
      let pixels = (0..<64 * count).map { UInt8($0 * 37 % 251) }
      try Data([0, 0, 8, 3, 0, 0, 0, UInt8(count), 0, 0, 0, 8, 0, 0, 0, 8] + pixels).write(
        to: URL(fileURLWithPath: program.path("set/\(split)-images-idx3-ubyte")))
      try Data([0, 0, 8, 1, 0, 0, 0, UInt8(count)] + (0..<count).map { UInt8($0 % 2) }).write(
        to: URL(fileURLWithPath: program.path("set/\(split)-labels-idx1-ubyte")))
    }
    for name in ["nothing.npy", "nothing.json", "nothing.hgc", "closed.npy"] { try program.write("", to: name) }
    chmod(program.path("closed.npy"), 0)
    for name in ["empty", "folder.npy"] {
      try FileManager.default.createDirectory(atPath: program.path(name), withIntermediateDirectories: true)
    }
    for name in ["fifo", "fifo.npy", "fifo.png", "fifo.json"] { mkfifo(program.path(name), 0o600) }
    for (name, target) in [("loop", "loop"), ("nowhere.npy", "gone"), ("link", "plane/checkpoints")] {
      symlink(target, program.path(name))
    }
    for line in [
      "train --model tiny.json --data images.npy --batch-size 4 --steps 3 --run run",
      "train --model tiny.json --data images.npy --batch-size 4 --steps 1 --run taken",
      "pca --components 2 --data images.npy --run plane", "encode --run run --output codes.npy",
      "compress --run run --output codes.hgc", "export --run run --format npy --output .",
    ] {
      let result = try program.run(line)
      #expect(result.status == 0, "\(line): \(result.errors)")
    }
  }

  /// Number, size and time of all files that lines may not change; products and the run that may go on are not of them.
  static func states(_ program: Program) -> [String: [Int]] {
    var states: [String: [Int]] = [:]
    for name in FileManager.default.enumerator(atPath: program.folder)?.compactMap({ $0 as? String }) ?? [] {
      var status = stat()
      let isProduct = name.contains("/pictures/") || name.contains("/export/") || name.hasPrefix("taken/")
      let isOfOneLine = name.hasPrefix("new") || name.hasSuffix(".out") || name.hasSuffix(".err")
      guard !isProduct, !isOfOneLine, !["run/codes.npy", "run/codes.hgc", "run/report.html"].contains(name),
        lstat(program.path(name), &status) == 0, status.st_mode & S_IFMT != S_IFDIR
      else { continue }
      states[name] = [Int(status.st_ino), Int(status.st_size), status.st_mtim.tv_sec, status.st_mtim.tv_nsec]
    }
    return states
  }
}
