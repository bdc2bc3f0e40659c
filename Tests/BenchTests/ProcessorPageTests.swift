import Foundation
import Testing

@testable import bench

struct ProcessorPageTests {
  private static let spread = #"{"median":50,"p10":50,"p90":50}"#
  private static let limits =
    #"{"processor":"P (R) 26 2","isa":"avx2","threads":1,"multiplyAdd":\#(spread),"tile":\#(spread),"levels":[]}"#

  private static func summary(_ ratio: Double?) -> String {
    func group(_ name: String) -> String {
      let compared = ratio.map { #","ratio":\#($0),"least":\#($0 / 2)"# } ?? ""
      return #"{"name":"\#(name)","cases":9,"peakShare":0.875,"below":3\#(compared)}"#
    }
    let groups = ["all", "forward", "backward-data", "backward-filter", "faces"].map(group).joined(separator: ",")
    return #"{"against":"torch-2","peak":254.4,"wanted":0.95,"worst":[],"groups":[\#(groups)]}"#
  }

  private static func step(_ model: String) -> String {
    #"{"model":"\#(model)","batchSize":128,"workers":2,"threads":1,"isa":"avx2","samplesPerSecond":1234,"#
      + #""samplesPerSecondP10":1,"samplesPerSecondP90":1,"gflops":1,"peakShare":0.5}"#
  }

  private static func page(in folder: String, ratio: Double?) throws -> ProcessorPage {
    let files = [
      "limits": limits, "passes": #"{"any":"case"}"# + "\n" + summary(ratio), "drawn": summary(ratio),
      "steps": step("m") + "\n" + step("n"), "held-out": step("h"),
    ]
    for (name, text) in files {
      try (text + "\n").write(toFile: "\(folder)/\(name).json", atomically: true, encoding: .utf8)
    }
    return ProcessorPage(columns: [try ProcessorPage.Column(folder: folder)])
  }

  private static func withPage(ratio: Double?, _ body: (ProcessorPage) throws -> Void) throws {
    let folder = FileManager.default.temporaryDirectory.appending(path: UUID().uuidString).path
    try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(atPath: folder) }
    try body(try page(in: folder, ratio: ratio))
  }

  @Test("a table names the processor and has what was measured, and nothing of a peer that was not there")
  func text() throws {
    try Self.withPage(ratio: 1.5) { page in
      #expect(page.slug == "p-26-2")
      #expect(page.text.hasPrefix("| P (R) 26 2, against torch-2 | avx2 |\n| --- | --- |\n"))
      for row in [
        "| multiply-adds from registers, one core | 254 GFLOP/s |",
        "| share of the peak: all, filter gradients | 88 %, 88 % |", "| ratio: faces | 1.50 |",
        "| ratio: forward, data gradients, filter gradients | 1.50, 1.50, 1.50 |", "| n | 1234, 50 %, - |",
        "| the least ratio; how many below 0.95 | 0.75; 3 |",
      ] {
        #expect(page.text.contains(row + "\n"), "\(row)")
      }
      let columns = page.text.split(separator: "\n").map { $0.count { $0 == "|" } }
      #expect(columns.allSatisfy { $0 == 3 })
    }
    try Self.withPage(ratio: nil) { page in #expect(!page.text.contains("ratio:")) }
  }

  @Test("a table takes the place of the one before it, and comes at the end where there was none")
  func inserted() throws {
    try Self.withPage(ratio: 1.5) { page in
      let once = page.inserted(into: "# Title\n", as: "a.md")
      #expect(once == "# Title\n\n<!-- a.md -->\n\n\(page.text)\n<!-- end -->\n")
      #expect(page.inserted(into: once, as: "a.md") == once)
      let both = page.inserted(into: once + "more\n", as: "b.md")
      #expect(both.hasPrefix(once + "more\n") && page.inserted(into: both, as: "a.md") == both)
    }
  }

  @Test("the tables in the documents are those of the results")
  func documents() throws {
    let text = try String(contentsOfFile: "Docs/performance.md", encoding: .utf8)
    for part in text.components(separatedBy: "<!-- Benchmarks/Results/").dropFirst() {
      let file = try #require(part.components(separatedBy: " -->").first)
      let table = try String(contentsOfFile: "Benchmarks/Results/\(file)", encoding: .utf8)
      #expect(part.contains(" -->\n\n\(table)\n<!-- end -->"), "\(file)")
    }
  }
}
