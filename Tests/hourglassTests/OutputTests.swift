import Foundation
import HourglassData
import Testing

/// What commands write: never over what must stay, never half, never numbers that are none.
@Suite struct OutputTests {
  /// A run `run`, a run `plane` of 2 units, `codes.npy` and `codes.hgc` of them.
  private static func prepare(_ program: Program) throws {
    for line in [
      "train --model tiny.json --data images.npy --batch-size 4 --steps 3 --run run",
      "pca --components 2 --data images.npy --run plane", "encode --run run --output codes.npy",
      "compress --run plane --output codes.hgc",
    ] {
      let result = try program.run(line)
      #expect(result.status == Status.done.rawValue, "\(line): \(result.errors)")
    }
  }

  /// All files of a folder, with their numbers and contents.
  private static func files(_ program: Program) throws -> [String: [Data]] {
    var files: [String: [Data]] = [:]
    for case let name as String in FileManager.default.enumerator(atPath: program.folder) ?? .init() {
      guard !name.hasSuffix(".out"), !name.hasSuffix(".err") else { continue }
      let attributes = try FileManager.default.attributesOfItem(atPath: program.path(name))
      guard attributes[.type] as? FileAttributeType == .typeRegular else { continue }
      files[name] = [Data("\(attributes[.systemFileNumber] ?? 0)".utf8), program.contents(name) ?? Data()]
    }
    return files
  }

  /// Commands with an output that somebody names, and a name for it.
  private static let commands = [
    "decode --run run --input codes.npy --output a.npy", "decode --run run --input codes.npy --output a.png",
    "denoise --run run --corrupt mask:0.5 --output a.npy", "encode --run run --output a.npy",
    "evaluate --run run --per-sample a.csv", "compress --run plane --output a.hgc",
    "compress --run plane --curve a.svg", "decompress --run plane --input codes.hgc --output a.png",
    "export --run run --format npy --output a", "grid --run plane --side 2 --output a.npy",
    "interpolate --run run --output a.png", "reconstruct --run run --output a.npy", "report --run run --output a.html",
    "sample --run run --count 3 --output a.npy", "score --run run --output a.csv",
    "search --run run --k 2 --output a.csv", "search --run run --k 2 --picture a.png", "data images.npy --export a.npy",
  ]

  private static func output(of line: String) -> (name: String, format: String) {
    let name = line.split(separator: " ").last.map(String.init) ?? ""
    return (name == "a" ? "a/weights.npz" : name, name.split(separator: ".").dropFirst().first.map(String.init) ?? "")
  }

  /// Each command writes a new file, refuses it the second time, and replaces it when it is told to.
  @Test func anOutputThatExistsIsReplacedOnlyByForce() throws {
    try Program.inTemporaryFolder { program in
      try Self.prepare(program)
      for line in Self.commands {
        let (name, _) = Self.output(of: line)
        try? FileManager.default.removeItem(atPath: program.path(name))
        #expect(try program.run(line).status == Status.done.rawValue, "\(line)")
        try program.write("mine", to: name)
        let refused = try program.run(line)
        #expect(refused.status == Status.wrongUsage.rawValue && refused.output.isEmpty, "\(line): \(refused.errors)")
        #expect(refused.errors.contains(name) && refused.errors.contains("--force"), "\(line): \(refused.errors)")
        #expect(program.contents(name) == Data("mine".utf8), "\(line)")
        let forced = try program.run("\(line) --force")
        #expect(forced.status == Status.done.rawValue, "\(line): \(forced.errors)")
        #expect(program.contents(name).map { $0 != Data("mine".utf8) } == true, "\(line)")
      }
    }
  }

  /// No flag makes a command write over an input, a part of a run or what is no file, also through links.
  @Test func inputsRunsAndDevicesAreNeverReplaced() throws {
    try Program.inTemporaryFolder { program in
      try Self.prepare(program)
      for split in ["pictures", "linked"] {
        try FileManager.default.createDirectory(atPath: program.path(split), withIntermediateDirectories: true)
      }
      let grey = PNGImage(width: 8, height: 8, channels: 1, pixels: (0..<64).map { UInt8($0) })
      try grey.write(to: program.path("pictures/a.png"))
      #expect(link(program.path("images.npy"), program.path("hard.npy")) == 0)
      for (name, target) in [
        ("soft.npy", "images.npy"), ("linked/one.npy", "../run/checkpoints/last.safetensors"),
        ("inside", "run/checkpoints"),
        ("soft.png", "pictures/a.png"), ("nowhere.npy", "gone.npy"),
      ] { #expect(symlink(target, program.path(name)) == 0) }
      #expect(mkfifo(program.path("fifo.npy"), 0o600) == 0)
      let before = try Self.files(program)
      let refusals = [
        ("encode --run run --output images.npy", "is read"), ("encode --run run --output hard.npy", "is read"),
        ("encode --run run --output soft.npy", "is read"),
        ("encode --run run --input codes.npy --output codes.npy", "is read"),
        ("decode --run run --input codes.npy --output codes.npy", "is read"),
        ("decode --run run --input codes.npy --output ./images.npy", "is read"),
        ("decompress --run plane --input codes.npy --output codes.npy", "is read"),
        ("data images.npy --export images.npy", "is read"),
        ("reconstruct --run run --data pictures --output pictures/a.png", "is read"),
        ("reconstruct --run run --data pictures --output soft.png", "is read"),
        ("evaluate --run run --per-sample images.npy", "is read"),
        ("search --run run --database codes.hgc --output b.csv --picture soft.png --data pictures", "is read"),
        ("compress --run plane --output run/checkpoints/last.safetensors", "part of a run"),
        ("compress --run plane --output run/checkpoints/new", "part of a run"),
        ("compress --run plane --output inside/new", "part of a run"),
        ("compress --run plane --output plane/recipe.json", "part of a run"),
        ("encode --run run --output linked/one.npy", "part of a run"),
        ("export --run run --format npy --output run", "part of a run"),
        ("export --run run --format npy --output inside", "part of a run"),
        ("evaluate --run run --per-sample run/metrics.csv", "part of a run"),
        ("encode --run run --output fifo.npy", "a pipe"), ("compress --run plane --output /dev/full", "a device"),
        ("compress --run plane --output pictures", "a folder"),
        ("encode --run run --output nowhere.npy", "leads nowhere"),
        ("data synthesize --count 1 --output pictures", "not there yet"),
        ("compress --run plane --curve b.svg --output b.hgc", "--curve"),
      ]
      for (line, sentence) in refusals {
        for force in line.hasPrefix("data synthesize") ? [""] : ["", " --force"] {
          let refused = try program.run(line + force)
          #expect(refused.status == Status.wrongUsage.rawValue, "\(line)\(force): \(refused.errors)")
          #expect(refused.errors.contains(sentence) || force.isEmpty, "\(line)\(force): \(refused.errors)")
        }
      }
      for command in ["compress --run plane", "export --run run --format npy", "data synthesize"] {
        let refused = try program.run(command.split(separator: " ").map(String.init) + ["--output", ""])
        #expect(
          refused.status == Status.wrongUsage.rawValue && refused.errors.contains("an empty"), "\(refused.errors)")
      }
      let search = ["search", "--run", "run", "--k", "2", "--output", "s.csv", "--picture", "s.csv/../s.png"]
      #expect(try program.run(search).status == Status.failed.rawValue)
      #expect(try Self.files(program) == before)
    }
  }

  /// One file cannot hold two results, whatever it is called.
  @Test func twoOutputsAreTwoFiles() throws {
    try Program.inTemporaryFolder { program in
      try Self.prepare(program)
      try program.write("", to: "one.csv")
      #expect(symlink("one.csv", program.path("two.png")) == 0)
      let refused = try program.run("search --run run --k 2 --output one.csv --picture two.png --force")
      #expect(refused.status == Status.wrongUsage.rawValue && refused.errors.contains("wanted two files"))
      #expect(program.contents("one.csv")?.isEmpty == true)
    }
  }

  /// A folder where nothing can be written is told before the work begins; what is half written is taken away.
  @Test func whatCannotBeWrittenFails() throws {
    try Program.inTemporaryFolder { program in
      try Self.prepare(program)
      for line in Self.commands where !line.hasPrefix("export") {
        let (name, _) = Self.output(of: line)
        for place in ["missing/\(name)", "images.npy/\(name)"] {
          let result = try program.run(line.replacing(name, with: place))
          #expect(result.status == Status.failed.rawValue, "\(place): \(line): \(result.errors)")
          #expect(result.errors.contains(place) && result.output.isEmpty, "\(line): \(result.errors)")
        }
      }
      for line in ["export --run run --format onnx --output images.npy/a", "data synthesize --output images.npy/a"] {
        #expect(try program.run(line).status == Status.failed.rawValue, "\(line)")
      }
      let verify = "TMPDIR=\(program.path("missing")) exec \"$0\" verify --model tiny.json --data images.npy"
      let refused = try program.start(["-c", verify, Program.executable], executable: "/bin/sh").finish()
      #expect(refused.status == Status.failed.rawValue && refused.errors.contains("TMPDIR"), "\(refused.errors)")
      #expect(!FileManager.default.fileExists(atPath: program.path("missing")))
      let limited = "ulimit -f 10; exec \"$0\" sample --run run --count 1000 --output a.npy"
      let full = try program.start(["-c", limited, Program.executable], executable: "/bin/sh").finish()
      #expect(full.status == Status.failed.rawValue && full.errors.contains("a.npy"), "\(full.errors)")
      let left = try FileManager.default.contentsOfDirectory(atPath: program.folder).filter { $0.contains("a.npy") }
      #expect(left.isEmpty, "\(left)")
    }
  }

  /// Numbers that are none are not written, and what was there stays.
  @Test func whatIsNotFiniteIsNotWritten() throws {
    try Program.inTemporaryFolder { program in
      let linear = """
        {"name": "linear", "input": [8, 8, 1], "likelihood": "squaredError", "encoder": [],
         "latent": {"layer": "Dense", "units": 2},
         "decoder": [{"layer": "Dense", "units": 64}, {"layer": "Dense", "units": 64}, {"layer": "Dense", "units": 64},
                     {"layer": "Reshape", "shape": [8, 8, 1]}]}
        """
      try program.write(linear, to: "linear.json")
      let trained = try program.run("train --model linear.json --data images.npy --batch-size 4 --steps 1 --run run")
      #expect(trained.status == Status.done.rawValue, "\(trained.errors)")
      let codes = [Float](repeating: 0, count: 600) + [3.4e38, 3.4e38, -3.4e38, 3.4e38]
      try NPYFile.write(codes, shape: [302, 2], to: program.path("codes.npy"))
      try program.write("mine", to: "a.npy")
      for output in ["--output a.npy --force", "--output b.png --count 302", "--count 302"] {
        let result = try program.run("decode --run run --input codes.npy \(output)")
        #expect(result.status == Status.diverged.rawValue, "\(output): \(result.errors)")
        #expect(result.errors.contains("number 30") && result.output.isEmpty, "\(output): \(result.errors)")
      }
      #expect(program.contents("a.npy") == Data("mine".utf8) && program.contents("b.png") == nil)
      #expect(program.contents("run/pictures/decode.png") == nil)
      let damage = try program.run("denoise --run run --corrupt gaussian:1e38 --json")
      #expect(damage.status == Status.wrongUsage.rawValue && damage.output.isEmpty && damage.errors.contains("1e38"))
    }
  }

  /// Results go to the file batch by batch: 300,000 images of 77 MB take no more memory than a few.
  @Test func resultsAreNeverAllInMemory() throws {
    try Program.inTemporaryFolder { program in
      try Self.prepare(program)
      func peak(_ count: Int) throws -> Int {
        let line = "sample --run run --count \(count) --output \(count).npy"
        let running = try program.start(line.split(separator: " ").map(String.init))
        var most = 0
        running.wait {
          let status = try? String(contentsOfFile: "/proc/\(running.process.processIdentifier)/status", encoding: .utf8)
          let peak = status?.firstMatch(of: /VmHWM:\s*(\d+) kB/).flatMap { Int($0.1) }
          most = max(most, peak ?? 0)
          return false
        }
        #expect(try running.finish().status == Status.done.rawValue)
        return most
      }
      let (few, many) = (try peak(3000), try peak(300_000))
      #expect(few > 0 && many < few + 30_000, "\(many) KiB, \(few) KiB of 3000")
      #expect(try program.run("sample --run run --count 16777217 --output b.npy").status == Status.wrongUsage.rawValue)
    }
  }

  /// A set is there whole or not at all.
  @Test func aSetThatIsHalfMadeIsNoSet() throws {
    try Program.inTemporaryFolder { program in
      let line = ["data", "synthesize", "--output", "set", "--size", "64x64", "--count", "100000"]
      let running = try program.start(line)
      running.wait {
        let names = (try? FileManager.default.contentsOfDirectory(atPath: program.folder)) ?? []
        return names.contains { $0.hasPrefix(".set") }
      }
      running.send(SIGKILL)
      #expect(try running.finish().status == SIGKILL)
      #expect(try program.run("data set").status == Status.badData.rawValue)
      let large = try program.run("data synthesize --output set --size 65536x65536")
      #expect(large.status == Status.badData.rawValue && large.errors.contains("memory"), "\(large.errors)")
      #expect(!FileManager.default.fileExists(atPath: program.path("set")))
    }
  }
}
