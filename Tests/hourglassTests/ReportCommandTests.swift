import Foundation
import Testing

/// A run on one page.
@Suite struct ReportCommandTests {
  @Test func trainAndReportWriteAPage() throws {
    try Program.inTemporaryFolder { program in
      let trained = try program.train("--epochs 2", run: "run")
      #expect(trained.status == Status.done.rawValue && program.contents("run/report.html") != nil)
      try FileManager.default.removeItem(atPath: program.path("run/report.html"))
      let result = try program.run("report --run run --json")
      #expect(result.status == Status.done.rawValue && result.errors.isEmpty, "\(result.errors)")
      let object = try #require(result.objects.last)
      let evaluation = try #require(object["evaluation"] as? [String: Any])
      #expect(evaluation["weightsHash"] as? String == trained.weightsHash && object["step"] as? Int == 10)
      #expect(object["report"] as? String == "run/report.html" && object["missing"] == nil)
      let page = String(decoding: try #require(program.contents("run/report.html")), as: UTF8.self)
      #expect(page.contains("20 images that the model was trained on"), "a file has no test split")
      #expect(page.contains("From the left: images.npy, the images "))
      #expect(!page.contains(program.folder), "no folders of the machine")
      let details = try #require(object["details"] as? [String: Any])
      let worst = (details["images"] as? [String: Any])?["worst"] as? [[String: Any]]
      #expect(worst?.count == 10 && (worst?.first?["name"] as? String)?.hasPrefix("images.npy[") == true)
      #expect((details["units"] as? [[String: Any]])?.count == 3 && object["runs"] == nil)
      #expect(try program.train("--epochs 3 --seed 4", run: "second").status == Status.done.rawValue)
      let compared = try program.run("report --run run --beside second --output both.html --json")
      let runs = try #require(compared.objects.last?["runs"] as? [[String: Any]], "\(compared.errors)")
      #expect(runs.map { $0["run"] as? String } == ["run", "second"] && runs.map { $0["epochs"] as? Int } == [2, 3])
      #expect(
        program.contents("both.html").map { String(decoding: $0, as: UTF8.self) }?.contains("<td>seed</td>") == true)
      #expect(try program.run("report --run run --output other.html --data images.npy --limit 7").status == 0)
      let other = String(decoding: try #require(program.contents("other.html")), as: UTF8.self)
      #expect(other.contains("Errors of 7 images"))
    }
  }

  @Test func aPageIsWrittenWithoutImagesAndWithoutACheckpoint() throws {
    try Program.inTemporaryFolder { program in
      #expect(try program.train("--epochs 1", run: "run").status == Status.done.rawValue)
      try FileManager.default.removeItem(atPath: program.path("images.npy"))
      let gone = try program.run("report --run run --json")
      #expect(gone.status == Status.done.rawValue && gone.errors.contains("images.npy"), "\(gone.errors)")
      #expect((gone.objects.last?["missing"] as? String)?.contains("images.npy") == true)
      #expect(gone.objects.last?["evaluation"] == nil)
      try FileManager.default.removeItem(atPath: program.path("run/checkpoints"))
      let early = try program.run("report --run run")
      #expect(early.status == Status.done.rawValue && early.errors.contains("no checkpoint yet"), "\(early.errors)")
      #expect(early.output == "run/report.html\n")
    }
  }
}
