import Foundation
import FoundationXML
import TestSupport
import Testing

@testable import bench

@Suite struct ScalingReportTests {
  @Test("speed-up and efficiency refer to the first point", arguments: ScalingStudy.Mode.allCases)
  func rows(mode: ScalingStudy.Mode) throws {
    let report = try (mode == .strong ? ScalingFixture.strong : ScalingFixture.weak).get()
    for (point, row) in zip(report.study.points, report.points) {
      #expect(abs(row.samplesPerSecond.value * row.seconds.value - Double(point.batchSize)) < 1e-9)
      #expect(abs(row.speedup.value / Double(point.cores) - row.efficiency.value) < 1e-9)
      #expect(row.speedup.low <= row.speedup.value && row.speedup.value <= row.speedup.high)
      let wanted = 1 / ScalingFixture.time(Double(point.workers))
      if point.threads == 1 { #expect(abs(row.speedup.value / wanted - 1) < 0.02) }
    }
    #expect(report.points[0].speedup == Interval(value: 1, low: 1, high: 1))
    #expect(report.peers.map(\.cores) == [1, 2, 4, 8, 16, 1, 2, 4, 8, 16])
    #expect(report.peers[5].speedup.value == 1 && report.peers[4].speedup.value < report.peers[9].speedup.value)
    #expect(abs((report.peers[0].ratio?.value ?? 0) - 1.3) < 0.02)
  }

  @Test("a study of all sizes is written whole, and no file but the pictures is referred to", arguments: [1, 2, 4, 16])
  func files(most: Int) throws {
    try withTemporaryFolder { folder in
      let study = ScalingFixture.study(most == 4 ? .weak : .strong, most: most, hasPeers: most != 2)
      let report = try ScalingReport(study)
      try report.write(to: "\(folder)/new/study")
      func text(_ name: String) throws -> String {
        try String(contentsOfFile: "\(folder)/new/study/\(name)", encoding: .utf8)
      }
      let pictures = report.pictures.map { "\($0.name).svg" }
      let files = try FileManager.default.contentsOfDirectory(atPath: "\(folder)/new/study")
      #expect(Set(files) == Set(pictures + ["index.html", "points.csv", "study.json", "study.md"]))

      for name in pictures + ["index.html"] {
        let content = try text(name)
        let parser = XMLParser(data: Data(content.utf8))
        #expect(parser.parse(), "\(name): \(parser.parserError?.localizedDescription ?? "")")
        let plain = content.replacingOccurrences(of: "xmlns=\"http://www.w3.org/2000/svg\"", with: "")
        for word in ["http", "src=", "href=", "<script", "<link", "@import", "url("] {
          #expect(!plain.contains(word), "\(name) contains \(word)")
        }
        #expect(!content.contains(try Regex("[\\s\",](-?inf|-?nan)[\\s\",]")), "\(name)")
      }
      let page = try text("index.html")
      #expect(page.components(separatedBy: "<svg").count - 1 == pictures.count)
      #expect(page.contains("Example 16-Core &lt;Processor&gt; &amp; Co") && page.contains("00c0ffee"))
      #expect(page.contains("prefers-color-scheme: dark") && page.contains("@media print"))
      #expect(page.contains("bench scaling --model conv-vae-28 --mode \(study.mode.rawValue)"))
      let markdown = try text("study.md")
      for picture in pictures { #expect(markdown.contains("](\(picture))")) }
    }
  }

  @Test("study.json holds the study, and each figure with its bounds under a name that stays")
  func shape() throws {
    let study = ScalingFixture.study()
    let text = try json(ScalingFixture.strong.get())
    let object = try #require(try JSONSerialization.jsonObject(with: Data(text.utf8)) as? [String: Any])
    #expect(Set(object.keys) == ["study", "points", "peers", "fits", "simulation"])
    let part = try #require(object["study"])
    let again = try JSONDecoder().decode(ScalingStudy.self, from: JSONSerialization.data(withJSONObject: part))
    #expect(
      again.points.map(\.seconds) == study.points.map(\.seconds) && again.machine.processor == study.machine.processor)
    let row = try #require((object["points"] as? [[String: Any]])?.last)
    #expect(
      Set(row.keys) == [
        "workers", "threads", "seconds", "samplesPerSecond", "speedup", "efficiency", "hasSameBits", "processorShare",
        "withheld",
      ])
    #expect(Set((row["speedup"] as? [String: Any] ?? [:]).keys) == ["value", "low", "high"])
    let simulation = try #require(object["simulation"] as? [String: Any])
    #expect(Set(simulation.keys) == ["model", "assumptions", "checks", "scenarios"])
  }

  @Test("all rows of points.csv have the same columns, ours and the peers'")
  func csv() throws {
    let study = ScalingFixture.study()
    let report = try ScalingFixture.strong.get()
    // A comma in a peer's name is no column.
    let rows = report.csv.replacing("\"PyTorch 2.13.0, threads\"", with: "A").replacing(
      "\"PyTorch 2.13.0, DDP with gloo\"", with: "B"
    ).split(separator: "\n").map { $0.split(separator: ",", omittingEmptySubsequences: false) }
    #expect(rows.count == 1 + study.points.count + 10 && Set(rows.map(\.count)).count == 1)
    let place = try #require(rows[0].firstIndex(of: "efficiency_high"))
    #expect(rows[1 + study.points.count - 1][place] == "\(report.points[study.points.count - 1].efficiency.high)")
    #expect(rows[2][0] == "Hourglass" && rows[rows.count - 1][0] == "B")
  }

  @Test("weights that differ are named in the summary and in the table")
  func bits() throws {
    var study = ScalingFixture.study()
    #expect(try ScalingFixture.strong.get().summary.joined().contains("to the bit: hash 00c0ffee00c0ffee"))
    study.points[3].weightsHash = "bad"
    let report = try ScalingReport(study)
    #expect(report.bitsSentence.contains("depend on the division") && report.bitsSentence.contains("bad"))
    #expect(report.results.rows.map { $0.last == "NO" } == study.points.indices.map { $0 == 3 })
  }

  @Test("the tables for a terminal have all points and peers, and lines of equal width")
  func lines() throws {
    let report = try ScalingFixture.strong.get()
    let tables = report.lines.split(separator: "", omittingEmptySubsequences: false)
    #expect(tables.map(\.count) == [2, 1 + report.points.count, 1 + report.points.count, 1 + report.peers.count])
    for table in tables.dropFirst() { #expect(Set(table.map(\.count)).count == 1) }
    #expect(report.lines.allSatisfy { $0.count <= 130 })
  }

  /// On two cores of which others had a quarter, a step of 100 ms of processor time on each takes 100 / 0.75 ms.
  @Test("a busy machine is told before all else, and the headline's interval reaches to what was withheld")
  func busyMachine() throws {
    var study = ScalingFixture.study(most: 2, deviation: 0, hasPeers: false)
    let quiet = try ScalingReport(study)
    #expect(quiet.banner == nil && quiet.headline(of: quiet.best) == quiet.best.speedup)
    #expect(quiet.summary.joined().contains("Simulated") && !quiet.page.contains("class=\"banner\""))
    let place = try #require(study.points.firstIndex { $0.workers == 2 })
    let wanted = quiet.points[place].speedup.value
    let step = study.points[place].parts.step
    study.points[place].processorSeconds = study.points[place].seconds.map { _ in 2 * step }
    study.points[place].seconds = study.points[place].seconds.map { $0 / 0.75 }
    study.points[place].parts.forwardBackward += step / 0.75 - step
    let busy = try ScalingReport(study)
    #expect(abs(busy.points[place].processorShare - 0.75) < 1e-9 && busy.points[place].speedup.value < 0.76 * wanted)
    let headline = busy.headline(of: busy.points[place])
    #expect(headline.value == busy.points[place].speedup.value && abs(headline.high - wanted) < 1e-9 * wanted)
    let banner = try #require(busy.banner)
    #expect(banner.contains("2 workers the steps had 75 %") && busy.lines.first == banner)
    #expect(busy.page.contains("class=\"banner\"") && busy.markdown.contains("**\(banner)**"))
    #expect(!busy.summary.joined().contains("Simulated"))
    // Points without a core for each thread wait for cores on a quiet machine too.
    study.machine.grantedCores = 1
    #expect(try ScalingReport(study).banner == nil)
  }

  @Test("points with more workers than granted cores are shown, but nothing is fitted to them or checked with them")
  func beyondCores() throws {
    var study = ScalingFixture.study(most: 8, hasPeers: false)
    study.machine.grantedCores = 4
    let report = try ScalingReport(study)
    #expect(report.fits.karpFlatt.map(\.workers) == [2, 4] && report.simulation?.checks.map(\.workers) == [1, 2, 4])
    #expect(report.results.rows.count == study.points.count && report.lawTexts[0].contains("a granted core"))
    study.machine.grantedCores = 1
    #expect(try ScalingReport(study).simulation == nil)
  }

  @Test("a study of a model without a name is refused by its name")
  func unknownModel() {
    var study = ScalingFixture.study()
    study.model = "mine"
    #expect { try ScalingReport(study) } throws: { "\($0)".contains("mine") && "\($0)".contains("conv-vae-28") }
  }

  @Test("significant digits")
  func digits() {
    #expect([0.012345, 1.2345, 12.345, 1234.5, 0].map(significant) == ["0.0123", "1.23", "12.3", "1234", "0"])
  }
}
