import Foundation
import Testing

/// Two processes that want the same folder at the same time: one has it, the other is told who.
@Suite(.serialized) struct FaultLockTests {
  /// HOURGLASS_FAULTS=all tries often.
  private static let tries = ProcessInfo.processInfo.environment["HOURGLASS_FAULTS"] == "all" ? 100 : 6

  private static func words(_ line: String) -> [String] { line.split(separator: " ").map(String.init) }

  private static func train(seed: Int, steps: Int, run: String) -> [String] {
    words("train --model plain.json --data images.npy --batch-size 10 --json --quiet --workers 1")
      + ["--seed", "\(seed)", "--steps", "\(steps)", "--run", run]
  }

  /// Whoever begins second, however little later, is refused, and changes nothing of what the first one makes.
  @Test func ofTwoFreshStartsOneWins() throws {
    try Program.inTemporaryFolder { program in
      let hashes = try (1...2).map { seed in
        try program.run(Self.train(seed: seed, steps: 3, run: "alone\(seed)")).weightsHash
      }
      for attempt in 0..<Self.tries {
        let run = "run\(attempt)"
        let first = try program.start(Self.train(seed: 1, steps: 3, run: run))
        // From at once to about the length of a start.
        usleep(UInt32(attempt * 150_000 / Self.tries))
        let second = try program.start(Self.train(seed: 2, steps: 3, run: run))
        let results = [try first.finish(), try second.finish()]
        let winners = results.indices.filter { results[$0].status == 0 }
        #expect(winners.count == 1, "attempt \(attempt): \(results.map(\.errors))")
        guard let winner = winners.first, winners.count == 1 else { continue }
        let loser = results[1 - winner]
        #expect([Status.failed, .wrongUsage].map(\.rawValue).contains(loser.status), "\(loser.errors)")
        #expect(loser.errors.hasPrefix("hourglass: ") && loser.errors.contains(run), "\(loser.errors)")
        #expect(results[winner].weightsHash == hashes[winner], "attempt \(attempt)")
        let recipe = try #require(program.contents("\(run)/recipe.json"))
        let seed = (try JSONSerialization.jsonObject(with: recipe) as? [String: Any])?["seed"] as? Int
        #expect(seed == winner + 1, "attempt \(attempt): the recipe is the other's")
        let after = try program.run("evaluate --run \(run) --json")
        #expect(after.weightsHash == hashes[winner], "attempt \(attempt): \(after.errors)")
      }
      let left = try FileManager.default.contentsOfDirectory(atPath: program.folder).filter { $0.contains(".tmp") }
      #expect(left.isEmpty)
    }
  }

  @Test func aRunThatTrainsIsNotResumedBesides() throws {
    try Program.inTemporaryFolder { program in
      let running = try program.start(
        Self.train(seed: 1, steps: 100_000_000, run: "run") + ["--checkpoint-every", "3"])
      running.wait { program.contents("run/checkpoints/last.safetensors") != nil }
      for command in ["train --run run --resume", "train --run run --resume --steps 9"] {
        let refused = try program.run(command)
        #expect([Status.failed, .wrongUsage].map(\.rawValue).contains(refused.status), "\(refused.errors)")
        for part in ["\(running.process.processIdentifier)", ProcessInfo.processInfo.hostName] {
          #expect(refused.errors.contains(part), "\(command): \(refused.errors)")
        }
      }
      let looked = try program.run("evaluate --run run --json")
      #expect(looked.status == 0, "whoever only reads may: \(looked.errors)")
      #expect(running.process.isRunning)
      running.send(SIGINT)
      let stopped = try running.finish()
      let steps = try #require(stopped.steps)
      let whole = try program.run(Self.train(seed: 1, steps: steps, run: "whole"))
      #expect(stopped.weightsHash != nil && stopped.weightsHash == whole.weightsHash)
      // The kernel gives the lock back, whatever became of the process.
      let resumed = try program.run("train --run run --resume --max-time 0.001s --json")
      #expect(resumed.status == 0, "\(resumed.errors)")
    }
  }

  @Test func ofTwoResumesOneGoesOn() throws {
    try Program.inTemporaryFolder { program in
      let whole = try program.run(Self.train(seed: 1, steps: 12, run: "whole"))
      for attempt in 0..<Self.tries {
        let run = "run\(attempt)"
        #expect(try program.run(Self.train(seed: 1, steps: 2, run: run)).status == 0)
        let resume = Self.words("train --run \(run) --resume --steps 12 --json --quiet")
        let first = try program.start(resume)
        usleep(UInt32(attempt * 150_000 / Self.tries))
        let results = [try program.run(resume), try first.finish()]
        #expect(results.contains { $0.status == 0 }, "\(results.map(\.errors))")
        for result in results where result.status != 0 {
          #expect([Status.failed, .wrongUsage].map(\.rawValue).contains(result.status), "\(result.errors)")
          #expect(result.errors.contains(run), "\(result.errors)")
        }
        let end = try program.run(resume)
        #expect(whole.weightsHash != nil && end.weightsHash == whole.weightsHash, "\(end.errors)")
      }
    }
  }
}
