import Foundation
import HourglassBase
import HourglassData
import HourglassModels
import Testing

@testable import HourglassTraining

/// Every flag that is a setting of a recipe: from the command line to recipe.json, by `--config` to the same again, and
/// repeated with `--resume`. A new setting without a value here fails.
@Suite struct SettingFlagTests {
  /// Settings that no flag says.
  private static let withoutFlag: Set = ["classes"]

  /// Command lines that go together, with values that are no defaults.
  private static let lines = [
    """
    --model tiny.json --data images.npy --augment flip --corrupt mask:0.5 --batch-size 8 --accumulate 2 --shards 2 \
    --seed 18446744073709551615 --epochs 2 --steps 3 --patience 4 --min-delta 0.1 --monitor training \
    --overfit-batches 2 --optimizer sgd --learning-rate 0.003 --momentum 0.7 --nesterov --weight-decay 0.01 \
    --weight-l1 0.001 --beta1 0.8 --beta2 0.99 --epsilon 0.001 --clip-norm 1.1 --ema 0.9 --beta 0.3 --free-bits 0.1 \
    --warmup 2 --beta-warmup 2epochs --schedule cosine --initializer normal:0.05
    """,
    "--model tiny.json --data images.npy --capacity 3.5 --capacity-warmup 2 --decoder-weight-decay 0.1 --steps 3 "
      + "--batch-size 8",
    "--model tiny.json --data images.npy --importance-samples 3 --start-from 0 --steps 1 --batch-size 8 "
      + "--clip-value 0.5",
    "--model 8x8x1-12-10,sigmoid,categorical --limit 32 --label-smoothing 0.2 --steps 1",
  ]

  private static func pairs(_ line: String) -> [(flag: String, value: String)] {
    let words = line.split(separator: " ").map(String.init)
    return words.indices.filter { words[$0].hasPrefix("--") }.map { place in
      let next = place + 1 < words.count ? words[place + 1] : "--"
      return (words[place], next.hasPrefix("--") ? "true" : next)
    }
  }

  @Test func everyFlagGoesToTheRecipeAndBack() throws {
    try Program.inTemporaryFolder { program in
      var seen: Set<String> = []
      for (index, line) in Self.lines.enumerated() {
        let first = try program.run("train --quiet --run \(index) \(line)")
        #expect(first.status == Status.done.rawValue, "\(first.errors)")
        let contents = try #require(program.contents("\(index)/recipe.json"))
        let recipe = try JSONDecoder().decode(Recipe.self, from: contents)
        for (flag, value) in Self.pairs(line) where !["--model", "--data", "--limit"].contains(flag) {
          let setting = try #require(Setting.all.first { $0.flag == flag }, "\(flag)")
          seen.insert(setting.name)
          let text = setting.name == "start" ? recipe.start?.first?.path : setting.value(recipe)?.text
          #expect(setting.name == "start" ? text?.hasSuffix("/" + value) == true : text == value, "\(flag)")
        }
        let again = try program.run("train --config \(index)/recipe.json --quiet --run again-\(index)")
        #expect(again.status == Status.done.rawValue, "\(again.errors)")
        #expect(program.contents("again-\(index)/recipe.json") == contents)
        // A run that goes on is made with all of these flags, and with no other value of any of them.
        let resumed = try program.run("train --run \(index) --resume --quiet \(line)")
        #expect(resumed.status == Status.done.rawValue, "\(resumed.errors)")
        #expect(program.contents("\(index)/recipe.json") == contents)
      }
      #expect(seen.union(Self.withoutFlag) == Set(Setting.all.map(\.name)))
      // A setting without a flag has none, and every other one has the flag that the table says.
      let help = try program.run("train --help").output
      for setting in Setting.all {
        #expect(help.contains("\(setting.flag) ") == !Self.withoutFlag.contains(setting.name), "\(setting.flag)")
      }
    }
  }

  /// Stages of other likelihoods are trained without what the whole model alone can have.
  @Test func aStageKeepsTheSettingsThatItsModelCanHave() throws {
    try Program.inTemporaryFolder { program in
      let model = "8x8x1-12-10,sigmoid,categorical"
      let result = try program.run(
        "pretrain --model \(model) --limit 32 --epochs 1 --ema 0.5 --label-smoothing 0.2 --quiet --run run")
      #expect(result.status == Status.done.rawValue, "\(result.errors)")
      let recipes = try ["run/recipe.json", "run/stages/1/recipe.json"].map {
        try JSONDecoder().decode(Recipe.self, from: try #require(program.contents($0)))
      }
      #expect(recipes.map(\.labelSmoothing) == [0.2, nil] && recipes.map(\.ema) == [0.5, 0.5])
    }
  }

  /// An algorithm is no setting beside the model: it stands in the layers of the model, as inspect writes them.
  @Test func anAlgorithmIsWrittenIntoTheModel() throws {
    try Program.inTemporaryFolder { program in
      let train = "train --model conv-ae-32 --batch-size 2 --limit 4 --quiet --algorithm winograd --run run"
      let first = try program.run("\(train) --steps 1")
      #expect(first.status == Status.done.rawValue, "\(first.errors)")
      let recipe = try JSONDecoder().decode(Recipe.self, from: try #require(program.contents("run/recipe.json")))
      let preset = try #require(ModelCatalog.model("conv-ae-32"))
      #expect(JSONText.line(recipe.model) == JSONText.line(try preset.using(.winograd)))
      #expect(JSONText.line(recipe.model) != JSONText.line(preset))
      let resumed = try program.run("\(train) --resume --steps 2 --json")
      #expect(resumed.steps == 2, "\(resumed.errors)")
      let refused = try program.run("train --run run --resume --steps 3 --algorithm direct")
      #expect(refused.status == Status.wrongUsage.rawValue)
      #expect(
        refused.errors.contains("--algorithm: wanted the algorithms with which the run run was made, found direct"))
    }
  }
}
