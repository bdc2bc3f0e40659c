import Foundation
import HourglassData
import Testing

#if canImport(FoundationXML)
  import FoundationXML
#endif

/// Standard output and standard error: what is lost is told, and nothing from outside gives a terminal orders.
@Suite struct StreamTests {
  /// Runs a command in a shell that gives it its streams, as in `"$0" models >/dev/full`.
  private static func run(_ program: Program, _ shell: String) throws -> Program.Result {
    try program.start(["-c", shell, Program.executable], executable: "/bin/sh").finish()
  }

  /// Every command that prints tells of a standard output that is full, or closed, and fails.
  @Test func resultsThatAreLostAreTold() throws {
    try Program.inTemporaryFolder { program in
      #expect(try program.train("--steps 3", run: "run").status == Status.done.rawValue)
      for line in [
        "inspect tiny.json --json", "inspect tiny.json", "evaluate --run run --json", "evaluate --run run", "models",
        "doctor --json", "version", "--version", "--help", "train --help", "data images.npy", "encode --run run",
        "denoise --run run --corrupt mask:0.5 --json", "score --run run --json", "export --run run --format npy",
        "report --run run", "--generate-completion-script bash",
      ] {
        for stream in [">/dev/full", ">&-"] {
          let result = try Self.run(program, "exec \"$0\" \(line) \(stream)")
          #expect(result.status == Status.failed.rawValue, "\(line) \(stream): \(result.errors)")
          #expect(result.errors.contains("hourglass: standard output: "), "\(line) \(stream): \(result.errors)")
        }
      }
      // A reader that has enough ends the others quietly.
      let early = try Self.run(program, "\"$0\" --generate-completion-script bash | head -1")
      #expect(early.status == 0 && early.errors.isEmpty, "\(early.errors)")
    }
  }

  /// Training outlives a standard output that is full, and goes to its end.
  @Test func trainingGoesOnWithoutAStandardOutput() throws {
    try Program.inTemporaryFolder { program in
      let line = "train --model tiny.json --data images.npy --batch-size 4 --epochs 2 --json --quiet"
      let whole = try program.run("\(line) --run whole")
      for (stream, run) in [(">/dev/full", "full"), (">&-", "closed")] {
        let result = try Self.run(program, "exec \"$0\" \(line) --run \(run) \(stream)")
        #expect(
          result.status == Status.failed.rawValue && result.errors.contains("standard output"), "\(result.errors)")
        let again = try program.run("train --run \(run) --resume --json --quiet")
        #expect(whole.weightsHash != nil && again.weightsHash == whole.weightsHash, "\(again.errors)")
      }
      // Nobody misses messages.
      for stream in ["2>/dev/full", "2>&-", "<&-"] {
        let result = try Self.run(program, "exec \"$0\" inspect tiny.json \(stream)")
        #expect(result.status == Status.done.rawValue && result.output.contains("tiny"), "\(stream)")
      }
    }
  }

  private static let endless =
    "train --model tiny.json --data images.npy --batch-size 4 --json --quiet --steps 100000000"

  /// A reader that goes away stops training with a checkpoint; the signal that comes with every line does not count as
  /// the second one, which would end it at once.
  @Test func aClosedPipeStopsTrainingWithACheckpoint() throws {
    try Program.inTemporaryFolder { program in
      let result = try Self.run(program, "{ \"$0\" \(Self.endless) --run run; echo $? >status; } | head -1")
      #expect(result.output.hasPrefix("{\"activeUnits\""), "\(result.errors)")
      #expect(program.contents("status") == Data("130\n".utf8), "\(result.errors)")
      #expect(program.contents("run/checkpoints/last.safetensors") != nil)
      #expect(try program.run("evaluate --run run --json").status == Status.done.rawValue)
    }
  }

  /// A terminal that closes stops training, but not under nohup.
  @Test func aClosedTerminalStopsTrainingUnlessItIsToGoOn() throws {
    try Program.inTemporaryFolder { program in
      for (trap, run, status) in [("", "run", Status.interrupted), ("trap '' HUP; ", "kept", .done)] {
        let line = "\(trap)exec \"$0\" \(Self.endless) --max-time 3s --run \(run)"
        let running = try program.start(["-c", line, Program.executable], executable: "/bin/sh")
        running.wait { program.contents("\(run)/checkpoints/last.safetensors") != nil }
        running.send(SIGHUP)
        let result = try running.finish()
        #expect(result.status == status.rawValue, "\(trap): \(result.errors)")
        #expect(result.objects.last?["event"] as? String == (status == .done ? "outOfTime" : "interrupted"))
      }
    }
  }

  /// Names from outside that a terminal would obey, that end lines, or that turn them around.
  private static let evil = "a\u{1b}[31m\u{7}\nhourglass: forged\r\u{9b}2J\u{202e}\u{2028}\u{7f}b"
  private static let tamed = "a\\u001b[31m\\u0007\\u000ahourglass: forged\\u000d\\u009b2J\\u202e\\u2028\\u007fb"

  private static func isTame(_ text: String) -> Bool {
    text.unicodeScalars.allSatisfy {
      $0 == "\n" || ![.control, .lineSeparator].contains($0.properties.generalCategory) && !$0.properties.isBidiControl
    }
  }

  @Test func namesFromOutsideForgeNoLines() throws {
    try Program.inTemporaryFolder { program in
      let model = String(decoding: try #require(program.contents("tiny.json")), as: UTF8.self)
      let name = String(decoding: try JSONEncoder().encode(Self.evil), as: UTF8.self)
      try program.write(model.replacing("\"tiny\"", with: name), to: "evil.json")
      for kind in ["one", Self.evil] {
        let folder = program.path("photos/\(kind)")
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        try PNGImage(width: 8, height: 8, channels: 1, pixels: (0..<64).map { UInt8($0) }).write(to: "\(folder)/1.png")
      }
      let train = ["train", "--model", "evil.json", "--data", "photos", "--batch-size", "2", "--steps", "2"]
      for arguments in [
        train + ["--run", Self.evil], train + ["--run", "other", "--json"], ["data", "photos"],
        ["data", "photos", "--json"],
        ["inspect", "evil.json"], ["inspect", "evil.json", "--json"], ["evaluate", "--run", Self.evil],
        ["report", "--run", Self.evil, "--json"], ["inspect", Self.evil], ["evaluate", "--run", "x\(Self.evil)"],
        ["data", "\(Self.evil).npy"], ["train", "--\(Self.evil)"],
        ["train", "--model", "evil.json", "--steps", Self.evil],
        ["encode", "--run", Self.evil, "--output", "\(Self.evil).npy"], [Self.evil],
      ] {
        let result = try program.run(arguments)
        #expect(
          Self.isTame(result.output) && Self.isTame(result.errors), "\(arguments): \(result.output)\(result.errors)")
        #expect(!(result.output + result.errors).split(separator: "\n").contains { $0.hasPrefix("hourglass: forged") })
      }
      let table = try program.run("data photos")
      #expect(table.output.contains("  1 one                "), "\(table.output)")
      #expect(table.output.contains("  0 \(Self.tamed)  1\n"), "\(table.output)")
      // JSON reads the escapes as the name.
      #expect(try program.run("inspect evil.json --json").output.contains("forged"))
      let report = try program.run(["report", "--run", Self.evil, "--json"])
      #expect(report.objects.last?["report"] as? String == "\(Self.evil)/report.html", "\(report.errors)")
      for product in ["pictures/loss.svg", "report.html"] {
        let data = try #require(program.contents("\(Self.evil)/\(product)"))
        #expect(XMLParser(data: data).parse(), "\(product)")
      }
    }
  }
}
