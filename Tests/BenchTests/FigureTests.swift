import Foundation
import HourglassData
import HourglassKernels
import HourglassModels
import Testing

@testable import bench

struct FigureTests {
  @Test("the median and the percentiles of measured values")
  func spread() {
    let spread = Spread(Samples((1...11).map(Double.init).shuffled()), scale: 2)
    #expect(spread.median == 12 && spread.p10 == 4 && spread.p90 == 20)
  }

  @Test("the geometric mean of a ratio and its inverse is one")
  func geometricMean() {
    #expect([4.0, 0.25].geometricMean == 1)
    #expect(abs([2.0, 8].geometricMean - 4) < 1e-12)
  }

  @Test("a call is timed at least once, and at least for a millisecond")
  func timing() {
    var calls = 0
    let times = Timing.samples(seconds: 0) { calls += 1 }
    #expect(times.count == 1 && calls > 1)
    #expect(times[0] * Double(calls) >= 0.999e-3)
  }

  /// Levels of 1000 B at 100 GB/s, 10 000 B at 10 GB/s, memory at 1 GB/s.
  private func limits() throws -> Limits {
    func spread(_ value: Double) -> String { "{\"median\":\(value),\"p10\":\(value),\"p90\":\(value)}" }
    func level(_ name: String, _ capacity: Int?, _ rate: Double) -> String {
      let known = capacity.map { "\"capacity\":\($0)," } ?? ""
      return "{\"name\":\"\(name)\",\(known)\"bytes\":1,\"read\":\(spread(rate)),\"triad\":\(spread(rate / 2))}"
    }
    let levels = [level("L1", 1000, 100), level("L2", 10_000, 10), level("memory", nil, 1)].joined(separator: ",")
    let text = """
      {"processor":"P","isa":"avx2","threads":2,"multiplyAdd":\(spread(50)),"tile":\(spread(40)),"levels":[\(levels)]}
      """
    return try JSONDecoder().decode(Limits.self, from: Data(text.utf8))
  }

  @Test("bytes come from the nearest level as far as that holds them")
  func moving() throws {
    let limits = try limits()
    #expect(abs(limits.seconds(moving: 500) - 500 / 100e9) < 1e-18)
    // Two threads have two caches of each kind.
    #expect(abs(limits.seconds(moving: 12_000) - (2000 / 100e9 + 10_000 / 10e9)) < 1e-15)
    #expect(abs(limits.seconds(moving: 23_000) - (2000 / 100e9 + 20_000 / 10e9 + 1000 / 1e9)) < 1e-15)
  }

  private func result(_ name: String, _ problem: Problem, us: Double, ratio: Double, theirs: Double = 400)
    throws -> Summary.Measured
  {
    func spread(_ value: Double) -> Spread { Spread(Samples([value * 1e-6])) }
    let comparison = KernelResult.Comparison(peer: "torch", layout: "nchw", seconds: spread(theirs), ratio: ratio)
    let result = KernelResult(
      name: name, problem: problem.description, isa: "avx2", threads: 1, seconds: spread(us), gflops: 1, peak: 100,
      peakShare: 0.5, gigabytesPerSecond: 1, limitShare: 0.5, comparison: comparison)
    return (KernelCase(name: name, problem: problem, family: name == "a" ? "wide" : "narrow"), result)
  }

  @Test("a summary has the means of all, of thin layers, of each pass and each family, and the worst first")
  func summary() throws {
    let wide = try Problem("n1 c32 h8 w8 k32 r3 s3 conv backward-data")
    let thin = try Problem("n1 c1 h8 w8 k32 r3 s3 conv forward")
    let results = [
      try result("a", wide, us: 1, ratio: 0.5), try result("b", thin, us: 1, ratio: 8, theirs: 100),
      try result("c", thin, us: 1, ratio: 2),
    ]
    let summary = Summary(results, .torch, wanted: 0.9)
    let groups = summary.groups
    #expect(groups.map(\.name) == ["all", "thin layers", "forward", "backward-data", "wide", "narrow"])
    #expect(groups.map(\.cases) == [3, 2, 2, 1, 1, 2] && groups.map(\.below) == [1, 0, 0, 1, 1, 0])
    #expect(groups.map(\.least) == [0.5, 2, 2, 0.5, 0.5, 2])
    for (group, mean) in zip(groups, [2, 4, 4, 0.5, 0.5, 4]) {
      #expect(abs((group.ratio ?? 0) - mean) < 1e-12 && abs((group.peakShare ?? 0) - 0.5) < 1e-12)
    }
    #expect(summary.worst.map(\.name) == ["a", "c", "b"])
    // The gain of threads counts only where one thread takes over 300 us.
    #expect(Summary(results, .oneThread, wanted: 1.85).worst.map(\.name) == ["a", "c"])
    #expect(Summary(results, nil, wanted: 0).groups.allSatisfy { $0.ratio == nil && $0.below == 0 })
  }

  @Test("a result says in JSON what it is, in which units")
  func shape() throws {
    let text = try json(try result("a", Problem(Problem.example), us: 1, ratio: 2).result)
    let object = try #require(try JSONSerialization.jsonObject(with: Data(text.utf8)) as? [String: Any])
    #expect(
      Set(object.keys) == [
        "name", "problem", "isa", "threads", "seconds", "gflops", "peak", "peakShare", "gigabytesPerSecond",
        "limitShare", "comparison",
      ])
    #expect((object["seconds"] as? [String: Double])?.keys.sorted() == ["median", "p10", "p90"])
  }

  @Test("a case is slower when it costs a tenth more of what the machine could do meanwhile")
  func baseline() throws {
    let limits = try limits()
    let problem = try Problem(Problem.example)
    func baseline(us: Double, peak: Double) throws -> Baseline {
      var result = try result("a", problem, us: us, ratio: 1).result
      result.peak = peak
      return Baseline(limits, [result])
    }
    let before = try baseline(us: 100, peak: 100)
    #expect(before.slower(try baseline(us: 105, peak: 100)).isEmpty)
    #expect(before.slower(try baseline(us: 120, peak: 100)).map(\.name) == ["a"])
    // A slower clock is no slower kernel.
    #expect(before.slower(try baseline(us: 120, peak: 84)).isEmpty)
    #expect(Baseline.path(limits, in: "folder") == "folder/p-avx2-2.json")
  }

  @Test("a processor's name makes a file's name")
  func slug() {
    #expect(Machine.slug("AMD EPYC(TM) 9R45 26 2") == "amd-epyc-9r45-26-2")
    #expect(Machine.bytes("48K") == 49_152 && Machine.bytes("105M") == 110_100_480 && Machine.bytes("x") == nil)
  }

  @Test("every factor of ten is equally long on a logarithmic axis")
  func axis() {
    let axis = Axis(decades: [1, 100], from: 0, to: 100)
    #expect(axis.low == 1 && axis.place(1) == 0)
    #expect(abs(axis.place(100) - 2 * axis.place(10)) < 1e-9)
    #expect(axis.ticks == [1, 2, 5, 10, 20, 50, 100])
  }

  @Test("the picture has a mark for each case, below the roof of each level")
  func picture() throws {
    let one = try result("a<b", Problem(Problem.example), us: 1000, ratio: 1)
    let picture = RooflinePicture(
      limits: try limits(), peak: 50, dots: [RooflinePicture.Dot(one.testCase.problem, one.result)])
    let svg = picture.svg()
    #expect(svg.contains("a&lt;b") && svg.contains("memory 1 GB/s"))
    #expect(svg.components(separatedBy: "class=\"roof\"").count - 1 == 4)
  }
}
