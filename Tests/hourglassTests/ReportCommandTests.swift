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
