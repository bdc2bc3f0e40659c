import ArgumentParser
import Foundation
import HourglassKernels
import HourglassModels
import HourglassTraining

/// Single passes of single layers.
struct KernelBenchmark: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "kernels", abstract: "Time single passes of layers, each verified against its definition first.",
    discussion: """
      A case is a pass of a layer of a model, such as conv-vae-28/encoder.1/backward-filter, or a problem in one line:
      sizes, operation (conv, convt, winograd conv, winograd convt, dense, pool), pass.

      Examples:
        bench kernels --model conv-ae-32 --batch-size 32
        bench kernels conv-vae-28/encoder.1 backward-filter
        bench kernels "n32 c32 h14 w14 k64 r4 s4 u2 v2 pad1 conv backward-filter" --peer torch
        bench kernels "n128 i3136 o256 dense forward" "n32 c32 h28 w28 r2 s2 u2 v2 pool backward"
        bench kernels --threads 2 --peer one-thread
        bench kernels --drawn 200 --peer torch
        bench kernels --nets --peer torch --threads 2
        bench kernels --drawn 25 --families faces odd --seed 7
        bench kernels --compare Benchmarks/Baselines

      Columns: median time of a call and its 10th to 90th percentile; GFLOP/s with padding counted; share of the peak of
      multiply-adds measured in this run; share of what multiply-adds and memory allow, when every byte moves once; with
      --peer the peer's time in its better layout, and how many times longer that is. The last table has geometric means
      for each kind of pass, and for each model or family.

      --drawn takes layers that nobody tuned for, in turn from the families \
      \(NetFamily.nets.map(\.rawValue).joined(separator: ", ")); \
      odd, which has any geometry that convolutions can have, is drawn where --families names it.
      """)

  @Argument(help: "The cases to measure: parts of their names, or problems.") var cases: [String] = []
  @Option(help: "The model whose cases are measured: a name, a model file, or all.") var model = "all"
  @Option(help: "How many samples a model's cases have.") var batchSize = 32
  @Option(help: "Measure this many drawn layers in place of a model's cases.") var drawn: Int?
  @Flag(help: "Measure layers with dilation or groups of public nets in place of a model's cases.") var nets = false
  @Option(parsing: .upToNextOption, help: "The families of nets that layers are drawn from.")
  var families = NetFamily.nets
  @Option(help: "The seed of the drawn layers.") var seed: UInt64 = 1
  @Option(help: "How many OpenMP threads compute.") var threads = 1
  @Option(help: "How many seconds each case and side is measured.") var seconds = 0.2
  @Option(help: "Measure in turn with torch, onednn, ourselves on one thread (one-thread) or with AVX2 (avx2).")
  var peer: Peer?
  @Option(help: "Draw the roofline with the cases below it into this SVG file.") var roofline: String?
  @Option(help: "Save the times of this processor in this folder.") var save: String?
  @Option(help: "Compare with the times saved in this folder; exit with 1 where a case is slower by a tenth.")
  var compare: String?
  @Flag(help: "Print one JSON object for each case, then one for the comparison.") var json = false

  func validate() throws {
    try checkThreads(threads)
    if drawn != nil && !cases.isEmpty {
      throw ValidationError("--drawn: wanted no cases beside it, found \(cases[0])")
    }
    if drawn != nil && nets { throw ValidationError("--drawn: wanted no --nets beside it") }
    if let drawn, drawn < 1 { throw ValidationError("--drawn: wanted at least 1, found \(drawn)") }
  }

  func run() throws {
    let cases = try chosenCases()
    let limits = Limits(threads: threads)
    let meter = PeakMeter(isa: limits.isa, threads: threads)
    let before = try compare.map { try Baseline(path: Baseline.path(limits, in: $0)) }
    let opponent = try peer.map { try Opponent($0, threads: threads) }
    let report = KernelReport(limits, opponent, wanted: drawn == nil ? nil : KernelCase.wantedOfDrawn, json: json)
    for testCase in cases {
      let run = KernelRun(testCase.problem, threads: threads)
      if let wrong = run.verify() {
        throw WrongResult(description: "\(testCase.name) (\(testCase.problem)), \(run.isa): \(wrong)")
      }
      try report.add(KernelResult(testCase, run, limits, meter, opponent, seconds: seconds), testCase)
    }
    try report.finish()
    if let roofline { try report.picture.svg().write(toFile: roofline, atomically: true, encoding: .utf8) }
    if let save { try report.baseline.save(to: Baseline.path(limits, in: save)) }
    if let before { try hold(report.baseline, against: before) }
  }

  private func hold(_ now: Baseline, against before: Baseline) throws {
    let slower = before.slower(now)
    let head = "slower than saved by more than \(percent(Baseline.tolerance - 1)), both relative to the peak"
    if slower.isEmpty { return say("no case is \(head)") }
    throw Slower(
      description: (["\(head):"] + slower.map { "  \(fixed($0.ratio, 2))  \($0.name)" }).joined(separator: "\n"))
  }

  private func chosenCases() throws -> [KernelCase] {
    let problems = try cases.filter { $0.contains(" ") }.map { KernelCase(name: $0, problem: try Problem($0)) }
    let parts = cases.filter { !$0.contains(" ") }
    if let drawn { return KernelCase.drawn(drawn, of: families, seed: seed) }
    if !problems.isEmpty && parts.isEmpty { return problems }
    let all =
      try nets
      ? PublicNets.cases() : models(named: model).flatMap { try KernelCase.cases(of: $0, samples: batchSize) }
    let chosen = all.filter { one in parts.isEmpty || parts.contains { one.name.contains($0) } }
    guard !chosen.isEmpty else {
      let which = nets ? "--nets" : "--model \(model)"
      throw ValidationError("no case of \(which) has a name with \(parts.joined(separator: " or "))")
    }
    return problems + chosen.distinct
  }
}

/// The error for cases that cost more than their baseline.
struct Slower: Error, CustomStringConvertible { let description: String }

/// The error for a kernel that does not agree with its definition.
struct WrongResult: Error, CustomStringConvertible { let description: String }
