import Foundation
@testable import HourglassData
import HourglassModels
import Testing

#if canImport(FoundationXML)
  import FoundationXML
#endif

@Suite struct PNGImageTests {
  @Test func pixelsComeBack() throws {
    let folder = try TemporaryFolder()
    for (width, height, channels) in [(1, 1, 1), (5, 3, 1), (7, 4, 3), (300, 2, 3)] {
      let pixels = (0..<width * height * channels).map { UInt8(truncatingIfNeeded: $0 * 37 + $0 / 11) }
      let image = PNGImage(width: width, height: height, channels: channels, pixels: pixels)
      let path = try folder.file("a.png", [UInt8](image.encoded()))
      let wanted = Image(shape: ImageShape(height, width, channels), elements: .bytes(pixels))
      #expect(try PictureFiles.decode(path) == wanted)
    }
  }

  @Test func brokenFilesAreRefused() throws {
    let folder = try TemporaryFolder()
    let good = try PNGImage(width: 40, height: 40, channels: 1, pixels: (0..<1600).map { UInt8($0 % 251) }).encoded()
    for length in [8, 20, good.count / 2] {
      let path = try folder.file("a.png", [UInt8](good.prefix(length)))
      expectRefusal(path, "wanted a PNG image") { try PictureFiles.decode(path) }
    }
    var altered = good
    altered[16] = 0x7f  // a width of two thousand millions
    altered.replaceSubrange(29..<33, with: bigEndian(checksum(altered[12..<29])))
    let path = try folder.file("a.png", [UInt8](altered))
    expectRefusal(path, "found only") { try PictureFiles.decode(path) }
  }

  @Test(.enabled(if: realData != nil, withoutRealData))
  func aHeaderThatClaimsTooMuchIsRefused() throws {
    let path = realData! + "/awkward-files/png/bad_claims_100000x100000.png"
    expectRefusal(path, "100000 x 100000", "found only 11207 bytes") { try PictureFiles.decode(path) }
  }
}

@Suite struct ImageGridTests {
  @Test func imagesLieWhereTheyShould() throws {
    let shape = ImageShape(2, 3, 1)
    let first: [Float] = [0, 0.2, 0.4, 0.6, 0.8, 1]
    let second: [Float] = [-1, 2, .nan, .infinity, -.infinity, 0.5]
    let grid = ImageGrid(shape: shape, rows: [[first, second], [second]], rowsPerGroup: 2, zoom: 3)
    let image = try grid.image()
    #expect(image.width == 2 * 12 + 2 * 9 + 2 && image.height == 2 * 12 + 2 * 6 + 2)
    // Counted from the definition: margin 12, cells of 9 x 6, gaps of 2; all else white.
    var wanted = [UInt8](repeating: 255, count: image.pixels.count)
    let bytes: [[UInt8]] = [[0, 51, 102, 153, 204, 255], [0, 255, 0, 255, 0, 128]]
    for (row, column, which) in [(0, 0, 0), (0, 1, 1), (1, 0, 1)] {
      for y in 0..<6 {
        for x in 0..<9 {
          wanted[(12 + row * 8 + y) * image.width + 12 + column * 11 + x] = bytes[which][y / 3 * 3 + x / 3]
        }
      }
    }
    #expect(image.pixels == wanted)
  }

  @Test func groupsOfRowsStandApart() throws {
    let row = [[Float](repeating: 0, count: 3)]
    let shape = ImageShape(1, 1, 3)
    let grid = ImageGrid(shape: shape, rows: [row, row, row, row], rowsPerGroup: 2, zoom: 1)
    #expect(try grid.image().height == 24 + 4 + 2 + 10 + 2)
    #expect(try ImageGrid(shape: shape, rows: []).image().width == 25)
    #expect(ImageGrid(shape: ImageShape(28, 28, 1), rows: []).zoom == 4)
    #expect(ImageGrid(shape: ImageShape(200, 100, 1), rows: []).zoom == 1)
  }
}

@Suite struct SVGPlotTests {
  @Test func theTextIsXMLWithALineForEachSeries() {
    let plot = SVGPlot(
      title: "loss < 3 & falling", xLabel: "step", yLabel: "nats",
      series: [
        .init(name: "train", x: [0, 1, 2, 3, 4], y: [5, 4, .nan, 2, 1]), .init(name: "validation", x: [2], y: [3]),
      ])
    let reader = ElementCounter()
    let parser = XMLParser(data: Data(plot.svg().utf8))
    parser.delegate = reader
    #expect(parser.parse())
    // The line is interrupted at the value that is no number; a point alone is a circle.
    #expect(reader.counts["polyline"] == 2 && reader.counts["circle"] == 1 && reader.counts["script"] == nil)
    #expect(plot.svg().contains("prefers-color-scheme: dark") && !plot.svg().lowercased().contains("nan"))
  }

  @Test func seriesWithoutValuesOrRangeAreDrawn() {
    for y in [[], [.nan, .infinity], [2, 2], [0], [-1e300, 1e300]] as [[Double]] {
      let series = SVGPlot.Series(name: "a", x: y.indices.map(Double.init), y: y)
      let text = SVGPlot(title: "", xLabel: "", yLabel: "", series: [series]).svg()
      #expect(text.hasSuffix("</svg>\n") && !text.contains("nan") && !text.contains("inf,"))
    }
  }

  @Test func measuredPointsStandInTheirIntervals() {
    let series = SVGPlot.Series(
      name: "a", x: [1, 2, 4, 0], y: [1, 2, 3.5, 1], style: .marks, intervals: [1...1, 1.5...2.5, 3...4, 1...1])
    var plot = SVGPlot(title: "", xLabel: "", yLabel: "", series: [series])
    (plot.xScale, plot.yScale) = (.doublings, .doublings)
    let text = plot.svg()
    // Three points, of which each has a bar with two ends; what has no logarithm is left out.
    #expect(text.components(separatedBy: "class=\"bar s0\"").count - 1 == 9)
    #expect(text.components(separatedBy: "<circle").count - 1 == 3 + 1)
    // The second's ends are as far apart as log2(2.5 / 1.5) of the two doublings from top (72) to bottom (292).
    let ends = text.split(separator: "\n").filter { $0.contains("class=\"bar s0\"") }.dropFirst(4).prefix(2)
    let heights = ends.compactMap { line in line.split(separator: "\"").dropLast().last.flatMap { Double($0) } }
    #expect(heights.count == 2 && abs(heights[0] - heights[1] - 220 * log2(2.5 / 1.5) / 2) < 0.2)
  }

  @Test(arguments: [1.0, 40]) func equalAxesKeepDistances(_ height: Double) throws {
    var plot = SVGPlot(
      title: "", xLabel: "", yLabel: "",
      series: [.init(name: "a", x: [-2, 3, -2], y: [0, 0, height], style: .dots)])
    plot.hasEqualAxes = true
    let places = plot.svg().matches(of: /<circle cx="([0-9.]+)" cy="([0-9.]+)" r="2"/).compactMap { match in
      Double(match.output.1).flatMap { x in Double(match.output.2).map { (x, $0) } }
    }
    try #require(places.count == 3)
    let (across, up) = (places[1].0 - places[0].0, places[0].1 - places[2].1)
    #expect(abs(across / 5 - up / height) < 0.05 * across / 5 && across < 366 && up < 220)
  }

  @Test func everyDoublingIsEquallyLong() {
    let axis = Axis(doublings: [0.995, 11], from: 0, to: 100, widened: true)
    #expect(axis.ticks == [1, 2, 4, 8, 16] && axis.low == 1 && axis.high == 16)
    #expect(abs(axis.place(8) - 75) < 1e-9 && !axis.holds(0) && !axis.holds(-1) && axis.holds(3))
    #expect(Axis(doublings: [1, 12], from: 0, to: 100, widened: false).ticks == [1, 2, 4, 8])
    #expect(Axis(doublings: [4, 4], from: 0, to: 100, widened: true).place(4).rounded() == 50)
    #expect(Axis(doublings: [], from: 0, to: 100, widened: true).ticks == [1, 2])
  }

  @Test func ticksAreRoundAndCoverTheValues() {
    for (low, high) in [(0.0, 1.0), (242.6, 310), (-3, 7), (0.0083, 0.0085), (1, 60_000), (-1e-5, 2e-5), (0, 0.3)] {
      let axis = Axis([low, high], from: 0, to: 100, ticks: 6, widened: true)
      #expect(axis.ticks.count >= 3 && axis.ticks.count <= 9)
      #expect(axis.ticks.first! <= low + 1e-9 * (high - low) && axis.ticks.last! >= high - 1e-9 * (high - low))
      #expect(abs(axis.place(axis.ticks.first!)) < 1e-9 && abs(axis.place(axis.ticks.last!) - 100) < 1e-9)
      // A label says its tick to a hundredth of the distance between ticks.
      let step = axis.ticks[1] - axis.ticks[0]
      for tick in axis.ticks { #expect(abs(Double(axis.label(tick))! - tick) < step / 100, "\(tick)") }
    }
  }
}

private final class ElementCounter: NSObject, XMLParserDelegate {
  var counts: [String: Int] = [:]

  func parser(
    _ parser: XMLParser, didStartElement name: String, namespaceURI: String?, qualifiedName: String?,
    attributes: [String: String]
  ) {
    counts[name, default: 0] += 1
  }
}
