import ArgumentParser
import Foundation
import HourglassData
import HourglassModels
import TestSupport
import Testing

@testable import hourglass

/// What help texts and shells tell.
@Suite struct HelpTests {
  private static var commands: [any ParsableCommand.Type] { [Hourglass.self] + Hourglass.configuration.subcommands }

  /// The commands that a help text shows, each on one line.
  private static func examples(_ command: any ParsableCommand.Type) -> [String] {
    let text = command.configuration.discussion.replacing(/\\\n\s*/, with: " ")
    let lines = text.split(separator: "\n").drop { !$0.contains(/^Examples?:$/) }
    return lines.dropFirst().prefix { $0.hasPrefix("  ") }.map { $0.trimmingCharacters(in: .whitespaces) }
  }

  @Test func examplesCanBePasted() throws {
    let examples = Self.commands.map(Self.examples)
    for (command, examples) in zip(Self.commands, examples) {
      #expect(!examples.isEmpty, "\(command) shows no example")
    }
    for example in examples.joined() where example != "xdg-open runs/first/report.html" {
      let words = example.split(separator: " ").drop { $0 != "hourglass" }.dropFirst().map(String.init)
      #expect(!words.isEmpty, "\(example)")
      let line = words.prefix { $0 != ">" && $0 != "|" }
      #expect(throws: Never.self, "\(example)") { try Hourglass.parseAsRoot(Hourglass.joiningNegatives(line)) }
    }
  }

  @Test func finetuneOffersNoModelOfItsOwn() {
    let help = Finetune.helpMessage(columns: 200)
    #expect(help.contains("--head-epochs") && help.contains("--validation"))
    for flag in ["--model", "--start-from"] { #expect(!help.contains("\(flag) <"), "\(flag)") }
    #expect(!Import.helpMessage(columns: 200).contains("--start-from"))
  }

  /// Runs, models and files are named by texts, of which a shell otherwise knows nothing.
  @Test func shellsKnowWhatTextsMean() throws {
    let tool = try JSONSerialization.jsonObject(with: Data(Hourglass._dumpHelp().utf8)) as? [String: Any]
    let root = try #require(tool?["command"] as? [String: Any])
    var texts = 0
    for command in try #require(root["subcommands"] as? [[String: Any]]) {
      for argument in command["arguments"] as? [[String: Any]] ?? [] where argument["kind"] as? String == "option" {
        let names = (argument["names"] as? [[String: Any]])?.compactMap { $0["name"] as? String } ?? []
        guard let name = names.first, ["run", "model", "data", "output", "from", "beside", "weights"].contains(name)
        else {
          continue
        }
        texts += 1
        let isKnown = argument["completionKind"] != nil || argument["allValues"] != nil
        #expect(isKnown, "\(command["commandName"] ?? "") --\(name)")
      }
    }
    #expect(texts > 40)
  }

  @Test func shellsCompleteModelsAndRuns() throws {
    try Program.inTemporaryFolder { program in
      let trained = try program.run("train --model tiny.json --steps 1 --run runs/first")
      #expect(trained.status == 0, "\(trained.errors)")
      func complete(_ command: String, _ flag: String, _ begun: String) throws -> Set<String> {
        let result = try program.run([
          "---completion", command, "--", flag, "3", "\(begun.count)", "hourglass", command, flag, begun,
        ])
        #expect(result.status == 0 && result.errors.isEmpty)
        return Set(result.output.split(separator: "\n").map(String.init))
      }
      for (command, flag, begun, wanted): (String, String, String, Set<String>) in [
        ("train", "--model", "conv-vae-2", ["conv-vae-28"]), ("train", "--model", "t", ["tiny.json"]),
        ("evaluate", "--run", "", ["runs/first"]), ("evaluate", "--run", "runs/f", ["runs/first"]),
        ("inspect", "positional@0", "p", ["plain.json"]),
      ] {
        let found = try complete(command, flag, begun)
        #expect(found == wanted, "\(command) \(flag) \(begun)")
      }
    }
  }
}
