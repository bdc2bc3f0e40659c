import Foundation
import TestSupport
import Testing

private let compiler = (ProcessInfo.processInfo.environment["PATH"] ?? "").split(separator: ":")
  .map { "\($0)/clang" }.first { FileManager.default.isExecutableFile(atPath: $0) }

/// A system that makes few threads, by a library that is loaded in front of the program (Tests/ThreadLimit): a command
/// ends well or with a sentence and code 1, and never waits for a thread that does not come.
@Suite(
  .enabled(if: compiler != nil, "wants clang to build the library"),
  .disabled(if: isSanitized, "a sanitizer makes threads of its own"))
struct ThreadLimitTests {
  private static let source = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    .appending(path: "ThreadLimit/thread_limit.c").path

  private static func build(_ program: Program) throws -> String {
    let library = program.path("thread_limit.so")
    let built = try program.start(["-shared", "-fPIC", "-o", library, source, "-ldl"], executable: compiler ?? "")
      .finish()
    try #require(built.status == 0, "\(built.errors)")
    return library
  }

  private static func run(
    _ arguments: String, _ program: Program, _ variables: [String]
  ) throws -> Program.Result {
    try program.start(
      variables + [Program.executable] + arguments.split(separator: " ").map(String.init), executable: "/usr/bin/env"
    )
    .finish()
  }

  @Test func aSystemOfFewThreadsEndsOrTrains() throws {
    try Program.inTemporaryFolder { program in
      let library = try Self.build(program)
      var trained = 0
      for most in [0, 3, 6, 9, 13, 40] {
        for (workers, threads) in [(4, 1), (2, 4), (1, 8)] {
          let name = "run-\(most)-\(workers)-\(threads)"
          let result = try Self.run(
            "train --model plain.json --data images.npy --batch-size 4 --steps 1 --quiet --run \(name) "
              + "--workers \(workers) --threads \(threads)", program,
            ["LD_PRELOAD=\(library)", "HOURGLASS_MOST_THREADS=\(most)"])
          #expect([0, 1].contains(result.status), "\(name): \(result.status) \(result.errors)")
          if result.status == 0 { trained += 1 } else { #expect(result.errors.contains("the system makes"), "\(name)") }
          #expect((result.status == 0) == FileManager.default.fileExists(atPath: program.path(name)), "\(name)")
        }
      }
      #expect(trained > 2 && trained < 16, "\(trained)")
    }
  }

  /// The environment as scripts leave it: told in one sentence, and trained.
  @Test(
    arguments: [
      "OMP_NUM_THREADS=", "OMP_STACKSIZE=0", "KMP_STACKSIZE=99999999999", "OMP_STACKSIZE=64G", "GOMP_STACKSIZE=0",
      "KMP_FORKJOIN_BARRIER=", "KMP_CPUINFO_FILE=", "KMP_GTID_MODE=", "KMP_STACKOFFSET=99999999999",
      "KMP_FORCE_REDUCTION=x",
    ])
  func nonsenseForTheRuntimeIsToldAndIgnored(_ setting: String) throws {
    try Program.inTemporaryFolder { program in
      let result = try Self.run(
        "train --model plain.json --data images.npy --batch-size 4 --steps 1 --quiet --run r --workers 1 --threads 2",
        program, [setting])
      #expect(result.status == 0, "\(result.status): \(result.errors)")
      let name = setting.prefix { $0 != "=" }
      #expect(result.errors.contains("hourglass: warning: \(name): wanted") != setting.hasSuffix("="))
      #expect(!result.errors.contains("OMP:"), "\(result.errors)")
    }
  }
}
