import Foundation
import FoundationXML
import HourglassData
import HourglassModels
import Testing
import TestSupport

@testable import HourglassAnalysis
@testable import HourglassTraining

@Suite struct ReportTests {
  /// Points a u + b v + c with u and v at right angles and (a, b) uncorrelated, in 40 dimensions: more than the
  /// directions that are iterated.
  @Test func principalComponentsOfAPlaneAreThePlane() {
    let (length, count) = (40, 64)
    let turn = 2 * Double.pi
    // Waves of whole periods are at right angles and of length sqrt(20).
    let scale = 1 / Double(20).squareRoot()
    let u: [Double] = (0..<length).map { scale * sin(turn * 3 * Double($0) / 40) }
    let v: [Double] = (0..<length).map { scale * cos(turn * 5 * Double($0) / 40) }
    let a: [Double] = (0..<count).map { 5 * cos(turn * Double($0) / 64) }
    let b: [Double] = (0..<count).map { 2 * sin(turn * Double($0) / 64) }
    var points: [Float] = []
    for n in 0..<count { for d in 0..<length { points.append(Float(a[n] * u[d] + b[n] * v[d] + 7)) } }
    let found = PrincipalComponents(points, length: length, components: 2)
    // Points are rounded to floats near 7, so each leaves the plane by less than 2^-21.
    for (direction, wanted) in zip(found.directions, [u, v]) {
      #expect(abs(abs(Self.dot(direction, wanted)) - 1) < 1e-6)
    }
    // Variances 25 / 2 and 4 / 2.
    #expect(abs(found.shares[0] - 25.0 / 29) < 1e-6)
    #expect(abs(found.shares[1] - 4.0 / 29) < 1e-6)
    for (x, wanted) in zip(found.coordinates(of: points)[0], a) { #expect(abs(abs(x) - abs(wanted)) < 1e-5) }
  }

  private static func dot(_ x: [Double], _ y: [Double]) -> Double {
    zip(x, y).reduce(0) { sum, pair in sum + pair.0 * pair.1 }
  }

  /// For any points: directions of length 1 at right angles, coordinates that do not correlate, and no other direction
  /// with more variance than the first.
  @Test(arguments: [2, 3, 12, 30]) func principalComponentsAreOrthogonalAndLargest(_ length: Int) {
    let scales = (0..<length).map { 1 + Float($0 % 5) / 8 }
    let points = RandomStream(seed: 5, .sampling).normal(500 * length).enumerated().map { index, value in
      value * scales[index % length]
    }
    let found = PrincipalComponents(points, length: length, components: 2)
    for i in 0..<2 {
      for j in 0..<2 {
        #expect(abs(Self.dot(found.directions[i], found.directions[j]) - (i == j ? 1 : 0)) < 1e-12)
      }
    }
    let coordinates = found.coordinates(of: points)
    let (x, y) = (coordinates[0], coordinates[1])
    #expect(abs(Self.dot(x, y)) < 1e-4 * Self.dot(x, x), "coordinates correlate")
    #expect(found.shares[0] >= found.shares[1])
    let means = (0..<length).map { d in (0..<500).reduce(0.0) { $0 + Double(points[$1 * length + d]) } / 500 }
    for d in 0..<length {
      let variance = (0..<500).reduce(0.0) { $0 + pow(Double(points[$1 * length + d]) - means[d], 2) }
      #expect(variance <= Self.dot(x, x) * (1 + 1e-12), "unit \(d) varies more than the first component")
    }
  }

  @Test func pointsThatDoNotVaryHaveNoComponents() {
    for points in [[Float](repeating: 3, count: 30), [Float](repeating: .nan, count: 30)] {
      let found = PrincipalComponents(points, length: 3, components: 2)
      #expect(found.shares == [0, 0] && found.directions == [[0, 0, 0], [0, 0, 0]])
    }
    let line = PrincipalComponents([0, 0, 1, 1, 2, 2], length: 2, components: 2)
    #expect(abs(line.shares[0] - 1) < 1e-12 && abs(line.shares[1]) < 1e-12)
  }

  @Test(arguments: [[0.5], [1, 1, 1], [0, 1e-9, 3], (0..<1000).map { Double($0 * $0) }, [.nan, 2, .infinity, 4]])
  func aHistogramCountsEveryFiniteValueWhereItLies(_ values: [Double]) {
    let found = Histogram(values)
    let finite = values.filter(\.isFinite)
    #expect(found.counts.reduce(0, +) == finite.count)
    #expect(found.counts.count <= 102 && found.counts.first ?? 1 > 0 && found.counts.last ?? 1 > 0)
    for (middle, count) in zip(found.middles, found.counts) {
      // Ends are products of a width that is no power of two: a value there may be counted on either side.
      let slack = 1e-9 * max(abs(middle), found.width)
      #expect(finite.count { abs($0 - middle) < found.width / 2 - slack } <= count)
      #expect(finite.count { abs($0 - middle) <= found.width / 2 + slack } >= count)
    }
  }

  @Test func bestTypicalAndWorstFollowTheEvaluatorsErrors() throws {
    let errors = [5, .nan, 1, 4, 2, 2, 9, 0, 3, 8, 7, 6, 11, 10, 12].map { $0 as Double }
    let ranks = Findings.ranks(errors).map(\.images)
    #expect(ranks[0] == [7, 2, 4, 5, 8, 3, 0, 11, 10, 9])
    #expect(ranks[1] == [4, 5, 8, 3, 0, 11, 10, 9, 6, 13])
    #expect(ranks[2] == [1, 14, 12, 13, 6, 9, 10, 11, 0, 3])

    let model = TinyModels.variational
    let data = try TestImages.waves(batchSizes: [300], shape: model.input)
    let inference = try EvaluatorTests.inference(model, EvaluatorTests.one)
    let found = try Findings(ReportImages(data), inference, beta: 1, seed: 4)
    var wanted: [Double] = []
    _ = try Evaluator(inference, beta: 1, seed: 4).evaluate(data) {
      wanted.append(Double($0.measurement.image?.squaredError ?? .nan))
    }
    #expect(found.errors == wanted)
    let sorted = wanted.sorted()
    #expect(found.bands.map(\.title) == ["best", "typical", "worst"])
    #expect(found.bands[0].images.map(\.error) == Array(sorted.prefix(10)))
    #expect(found.bands[2].images.map(\.error) == sorted.suffix(10).reversed())
    #expect(found.bands[1].images.map(\.error) == Array(sorted[145..<155]))
    let worst = try #require(found.bands[2].images.first)
    #expect(worst.name == data.name(try #require(wanted.firstIndex(of: worst.error))))
  }

  /// The divergence that the kernel sums over units, image by image.
  @Test func theUnitsDivergencesAddUpToTheEvaluators() throws {
    let model = TinyModels.variational
    let data = try TestImages.waves(batchSizes: [300], shape: model.input)
    let inference = try EvaluatorTests.inference(model, EvaluatorTests.one)
    let units = try LatentUnits(data, inference, seed: 4)
    let kl = try #require(try Evaluator(inference, beta: 1, seed: 4).evaluate(data).kl)
    let divergences = try #require(units.divergences)
    // Floats of a sum of 3, each a sum of 4 terms.
    #expect(divergences.count == 3 && abs(divergences.reduce(0, +) - kl) < 32 * 0x1p-24 * (kl + 1))
  }

  /// A unit that varies but tells next to nothing is not counted with those that tell something.
  @Test func unitsThatTellLittleAreToldApart() throws {
    let units = LatentUnits(variances: [0.9, 0.02, 0.001, 0.5], divergences: [1.2, 0.02, 0, 0.11])
    #expect(units.kinds == [.informative, .faint, .inactive, .informative])
    #expect(
      units.sentence == "2 of 4 latent units tell more than 0.1 nats of an image, 1 is barely alive, 1 is inactive.")
    let plain = LatentUnits(variances: [0.9], divergences: nil)
    #expect(plain.kinds == nil && plain.sentence == nil)
  }

  @Test func theWorstConfusionsAreThoseOfMostImages() throws {
    var evaluation = Evaluation()
    #expect(evaluation.worstConfusions.isEmpty)
    evaluation.classes = (0..<30).map { "class \($0)" }
    // A label 0 ... 28 is taken for the next class as often as its number says; the last has no column of its own.
    evaluation.confusion = (0..<30).map { row in (0..<29).map { $0 == row ? 70 : $0 == row + 1 ? row : 0 } }
    evaluation.confusion?[29][3] = 100
    let worst = evaluation.worstConfusions
    #expect(worst.map(\.images) == [100] + (19...27).reversed())
    #expect(worst[0].label == "class 29" && worst[0].takenFor == "class 3" && worst[0].share == 1)
    #expect(worst[1].label == "class 27" && worst[1].takenFor == "class 28" && worst[1].share == 27.0 / 97)
    let picture = ConfusionPicture(counts: try #require(evaluation.confusion)).svg()
    #expect(XMLParser(data: Data(picture.utf8)).parse())
    let cells = picture.split(separator: "\n").filter { $0.contains("fill-opacity") }.joined()
    #expect(cells.filter { $0 == "M" }.count == 29 + 27 + 1)
  }

  static let classifier = Autoencoder("classes", input: ImageShape(vector: 6), likelihood: .categorical) {
  } latent: {
    Dense(3, activation: .tanh)
  } decoder: {
    Dense(4)
  }

  @Test func aClassifierIsCalledOneAndShowsItsConfusions() throws {
    try withTemporaryFolder { folder in
      let pixels = TestImages.waves(step: 0, samples: 40, shape: Self.classifier.input)
      let data = try Dataset(
        .floats(pixels), shape: Self.classifier.input, labels: (0..<40).map { $0 % 4 }, source: "\(folder)/waves")
      var recipe = Recipe(model: Self.classifier, data: DataSource(path: "\(folder)/waves"), batchSize: 16, epochs: 2)
      recipe.validation = DataSource(path: "\(folder)/others")
      let run = try RunFolder.create("\(folder)/run", recipe: recipe)
      let arguments = ["train", "--data", "\(folder)/waves", "--run=\(folder)/run"]
      try run.append(RunEnvironment(parallel: ParallelPlan(workers: 1, threads: 1), arguments: arguments))
      let trainer = try Trainer(
        recipe, parallel: ParallelPlan(workers: 1, threads: 1), run: run, data: data, validation: data)
      _ = try trainer.run()
      try trainer.writePictures(to: run)
      let page = try String(contentsOfFile: run.report, encoding: .utf8)
      #expect(XMLParser(data: Data(page.utf8)).parse())
      for part in [
        "A classifier for images", "<h2>Labels</h2>", "Most often wrong", "class=\"table matrix\"",
        "classes: error rate",
        "classes: loss of the steps", "classes: learning rate", "hourglass train --data waves --run=run",
      ] { #expect(page.contains(part), "\(part)") }
      #expect(!page.contains(folder) && !page.contains("/tmp"), "no folder of the machine")
    }
  }

  @Test func runsStandBesideEachOther() throws {
    try withTemporaryFolder { folder in
      let data = try TestImages.waves(batchSizes: [40], shape: TinyModels.autoencoder.input)
      let runs = try [("a", 0.001, 2), ("b", 0.01, 3), ("below/a", 0.001, 2)].map { name, rate, epochs in
        let optimizer = Optimizer(.adam, learningRate: Float(rate))
        let recipe = Recipe(model: TinyModels.autoencoder, batchSize: 16, optimizer: optimizer, epochs: epochs)
        let run = try RunFolder.create("\(folder)/\(name)", recipe: recipe)
        let trainer = try Trainer(recipe, parallel: ParallelPlan(workers: 1, threads: 1), run: run, data: data)
        _ = try trainer.run()
        return (run, recipe, trainer.metrics.epochs)
      }
      var report = try RunReport(runs[0].0, runs[0].1)
      #expect(try report.outcomes == nil && !report.page.contains("Beside other runs"))
      report.others = try runs.dropFirst().map { try RunReport($0.0, $0.1) }
      let outcomes = try #require(report.outcomes)
      #expect(outcomes.map(\.run) == ["a", "b", "a (2)"] && outcomes.map(\.epochs) == [2, 3, 2])
      #expect(outcomes.map(\.loss) == runs.map { $0.2.last?.loss } && outcomes[0].loss == outcomes[2].loss)
      try Self.check(report.page, isVariational: false)
      let page = try report.page
      #expect(page.contains("<h2>Beside other runs</h2>") && page.contains("<td>epochs</td><td>2</td><td>3</td>"))
      #expect(
        page.contains("optimizer, learning rate</td><td>0.001</td><td>0.01</td>")
          && !page.contains("<td>seed</td><td>1</td><td>1"))
    }
  }

  @Test func aSpreadTakesImagesAndLabelsEvenly() throws {
    let all = try Dataset(
      .bytes((0..<10).map { UInt8($0) }), shape: ImageShape(vector: 1), labels: Array(20..<30), source: "ten")
    let some = all.spread(4)
    #expect(some.labels == [20, 22, 25, 27] && some.count == 4)
    #expect(try some.images(0..<4) == [0, 2, 5, 7].map { Float($0) / 255 })
    #expect(all.spread(10).count == 10 && all.spread(11).labels == all.labels)
  }

  struct Page: CustomTestStringConvertible, Sendable {
    var title: String
    var model: Autoencoder
    var isLabelled = false
    var epochs = 2
    var testDescription: String { title }
  }

  static let vectors = Autoencoder("vectors", input: ImageShape(vector: 5), likelihood: .squaredError) {
  } latent: {
    Dense(1)
  } decoder: {
    Dense(5)
  }

  static let pages = [
    Page(title: "autoencoder", model: TinyModels.autoencoder),
    Page(title: "variational, with classes", model: TinyModels.variational, isLabelled: true),
    Page(title: "one epoch", model: TinyModels.variational, epochs: 1),
    Page(title: "vectors of one unit", model: vectors, epochs: 1),
  ]

  @Test(arguments: pages) func aPageHasAllSectionsAndNeedsNothingElse(_ page: Page) throws {
    try withTemporaryFolder { folder in
      let model = page.model
      let pixels = TestImages.waves(step: 0, samples: 40, shape: model.input)
      let labels = page.isLabelled ? (0..<40).map { $0 % 7 } : nil
      let data = try Dataset(.floats(pixels), shape: model.input, labels: labels, source: "<waves> & \"more\"")
      let recipe = Recipe(model: model, batchSize: 16, epochs: page.epochs)
      let parallel = ParallelPlan(workers: 2, threads: 1)
      let run = try RunFolder.create("\(folder)/run & <co>", recipe: recipe)
      try run.append(RunEnvironment(parallel: parallel, arguments: ["train", "--run", "<here>"]))
      let trainer = try Trainer(recipe, parallel: parallel, run: run, data: data, validation: data)
      _ = try trainer.run()
      try trainer.writePictures(to: run)
      let text = try String(contentsOfFile: run.report, encoding: .utf8)
      try Self.check(text, isVariational: model.isVariational)
      let isShown = Pictures.refusal(of: model.input) == nil
      let pictures = isShown ? 3 + (model.isVariational ? 2 : 1) : 0
      #expect(text.components(separatedBy: "<img ").count - 1 == pictures)
      #expect(text.contains("Errors of 40 images") && text.contains("The last step"))
      #expect(text.contains("2 x 1") && text.contains("run &amp; &lt;co&gt;"))
      #expect(text.contains("class=\"label\"") == page.isLabelled)
      #expect(try RunReport.evaluated(run, recipe, data)?.samples == 40)
    }
  }

  @Test func whatIsMissingIsNamedAndTheRestIsShown() throws {
    try withTemporaryFolder { folder in
      let recipe = Recipe(model: TinyModels.variational, batchSize: 16)
      let run = try RunFolder.create("\(folder)/run", recipe: recipe)
      var report = try RunReport(run, recipe)
      try Self.check(report.page, isVariational: true)
      for part in ["no metrics yet", "no checkpoint yet", "environment.json"] {
        #expect(try report.page.contains(part))
      }

      let gone = DataError(path: "gone", reason: "nothing <there>")
      let inference = try EvaluatorTests.inference(recipe.model, EvaluatorTests.one)
      #expect(report.look(at: .failure(gone), with: inference) == gone)
      try Self.check(report.page, isVariational: true)
      #expect(try report.page.contains("gone: nothing &lt;there&gt;") && report.evaluation == nil)
      #expect(try report.page.components(separatedBy: "<img ").count - 1 == 1, "samples need no images")

      // Images that fail in the middle of their work are no different.
      let broken = Dataset(count: 9, shape: recipe.model.input, source: "broken") { index, image throws(DataError) in
        guard index < 5 else { throw gone }
        for i in 0..<64 { image[i] = 0 }
      }
      #expect(report.look(at: .success(ReportImages(broken)), with: inference) == gone)
    }
  }

  static func check(_ page: String, isVariational: Bool) throws {
    let parser = XMLParser(data: Data(page.utf8))
    #expect(parser.parse(), "\(parser.parserError?.localizedDescription ?? "") in line \(parser.lineNumber)")
    let plain = page.replacingOccurrences(of: "xmlns=\"http://www.w3.org/2000/svg\"", with: "")
      .replacingOccurrences(of: "src=\"data:image/png;base64,", with: "")
    for word in ["http", "src=", "href=", "<script", "<link", "@import", "url("] {
      #expect(!plain.contains(word), "\(word)")
    }
    #expect(!plain.contains(try Regex("[\\s\",](-?inf|-?nan)[\\s\",]")))
    let generation = isVariational ? "Samples and latent traversals" : "Between codes"
    for title in ["Learning", "Reconstructions", generation, "Codes", "Recipe", "Machine", "Per-layer time", "Memory"] {
      #expect(page.contains("<h2>\(title)</h2>"), "\(title)")
    }
    #expect(page.contains("prefers-color-scheme: dark") && page.contains("@media print"))
  }
}

extension RunReport {
  /// What the report of a run's last checkpoint finds.
  fileprivate static func evaluated(_ run: RunFolder, _ recipe: Recipe, _ data: Dataset) throws -> Evaluation? {
    let inference = try Inference(model: recipe.model, parallel: ParallelPlan(workers: 1, threads: 1))
    try run.read(.last).restore(
      parameters: inference.parameters, plan: inference.plan, path: run.checkpoint(.last))
    var report = try RunReport(run, recipe)
    report.look(at: .success(ReportImages(data)), with: inference)
    return report.evaluation
  }
}
