import Foundation
import HourglassData
import HourglassModels
import TestSupport
import Testing

@testable import HourglassAnalysis
@testable import HourglassTraining

/// The numbers of codes, running means and restarts, on images that are features themselves.
@Suite struct VectorQuantizerTests {
  static let shape = ImageShape(3, 2, 4)

  static func model(_ quantizer: VectorQuantizer) -> Autoencoder {
    Autoencoder("quantized", input: shape, likelihood: .squaredError) {
    } latent: {
      quantizer
    } decoder: {
      Conv2D(4, kernel: 1)
    }
  }

  private static func store(_ values: [Float], _ name: String, _ plan: ExecutionPlan, _ flat: FloatBuffer) throws {
    try #require(plan.parameters.first { $0.name == name }).store(values, in: flat.pointer)
  }

  private static func tensor(_ name: String, _ step: TrainingStep) throws -> [Float] {
    try #require(step.plan.parameters.first { $0.name == name }).tensor(in: step.parameters.pointer)
  }

  /// Codes 1 and 3 are equal and nearest to everything near (1, 1); the first counts.
  @Test func theNearestCodeIsTheFirstOfEqualOnes() throws {
    let model = Self.model(VectorQuantizer(4, codebooks: 2))
    let inference = try Inference(model: model, parallel: ParallelPlan(workers: 2, threads: 1))
    let books: [[Float]] = [[0, 0, 1, 1, -1, 0, 1, 1], [5, 5, 0, 0, 0, 0, 1, 0]]
    for (i, book) in books.enumerated() {
      try Self.store(book, "latent.\(i).embedding.weight", inference.plan, inference.parameters)
    }
    let images = RandomStream(seed: 3, .sampling).normal(40 * Self.shape.count).map { ($0 * 4).rounded() / 4 }
    let numbers = inference.codeNumbers(images)
    try #require(numbers.count == images.count / 2)
    var usage = [[0.0, 0, 0, 0], [0, 0, 0, 0]]
    for (place, number) in numbers.enumerated() {
      let (x, book) = (images[2 * place..<2 * place + 2].map(\.self), books[place % 2])
      let distances = (0..<4).map { k in
        (x[0] - book[2 * k]) * (x[0] - book[2 * k]) + (x[1] - book[2 * k + 1]) * (x[1] - book[2 * k + 1])
      }
      // Quarters are exact, so that equal distances are equal.
      #expect(Int(clamping: number) == distances.firstIndex(of: distances.min() ?? 0))
      usage[place % 2][Int(clamping: number)] += 1
    }
    #expect(usage[0][3] == 0 && usage[1][2] == 0 && usage[0][1] > 0 && usage[1][1] > 0)
    let codes = inference.encode(images)
    #expect(codes == inference.codes(ofNumbers: numbers) && codes == inference.encode(codes))

    let data = try Dataset(.floats(images), shape: Self.shape, source: "features")
    let result = try Evaluator(inference, beta: 0.5, seed: 1).evaluate(data)
    let perplexities = usage.map { counts in
      exp(-counts.reduce(0.0) { $0 + ($1 > 0 ? $1 / 240 * log($1 / 240) : 0) })
    }
    #expect(abs((result.perplexity ?? 0) - (perplexities[0] + perplexities[1]) / 2) < 1e-9)
    let distance = zip(images, codes).reduce(0.0) { $0 + Double(($1.0 - $1.1) * ($1.0 - $1.1)) } / 40
    let term = try #require(result.terms?["commitment"])
    #expect(abs(term - 1.25 * distance) < 1e-5 * distance && result.penalty == nil && result.kl == nil)
    #expect(abs(result.loss - (result.reconstruction ?? 0) - 0.5 * term) < 1e-6)

    // Numbers are compressed without loss, whatever their codes.
    let compressed = CompressedCodes(
      try inference.symbols(of: data), .init(numbersBelow: 4, units: inference.symbolCount))
    let file = try compressed.data(model: "quantized", weightsHash: "abc")
    let read = try CompressedCodes(file, units: 12, weightsHash: "abc", path: "f")
    #expect(read.codes(0..<40) == numbers && inference.codes(ofSymbols: read.codes(0..<40)) == codes)
  }

  /// Two steps of running means, written down as in the paper's appendix, with restarts where the streams say.
  @Test func runningMeansFollowTheFeaturesAndDeadCodesStartAnew() throws {
    let (codes, decay, samples, positions) = (16, Float(0.75), 8, 6)
    let model = Self.model(VectorQuantizer(codes, decay: decay))
    let data = try TestImages.waves(batchSizes: [samples, samples], shape: Self.shape)
    let step = try startedStep(
      model, batchSize: samples, shards: 2, optimizer: Optimizer(.sgd, learningRate: 0), seed: 11, data: data)
    var table = try Self.tensor("latent.embedding.weight", step).map(Double.init)
    var (sizes, sums) = ([Double](repeating: 0, count: codes), [Double](repeating: 0, count: codes * 4))
    var restarts = 0
    for number in 0..<2 {
      let images = try data.images(number * samples..<(number + 1) * samples).map(Double.init)
      let loss = try step.run(
        step: number, items: ArraySlice((0..<Int32(samples)).map { $0 + Int32(number * samples) }))
      var (counts, totals, distance) = (
        [Double](repeating: 0, count: codes), [Double](repeating: 0, count: codes * 4), 0.0
      )
      for place in 0..<samples * positions {
        let x = images[4 * place..<4 * place + 4].map(\.self)
        let distances = (0..<codes).map { (k: Int) -> Double in
          let differences = (0..<4).map { x[$0] - table[4 * k + $0] }
          return differences.reduce(0) { $0 + $1 * $1 }
        }
        let least = distances.min() ?? 0
        let k = distances.firstIndex(of: least) ?? 0
        counts[k] += 1
        distance += least
        for i in 0..<4 { totals[4 * k + i] += x[i] }
      }
      #expect(abs(loss.terms - 0.25 * distance / Double(samples)) < 1e-5 * distance)
      let d = Double(decay)
      for k in 0..<codes { sizes[k] = d * sizes[k] + (1 - d) * counts[k] }
      for i in sums.indices { sums[i] = d * sums[i] + (1 - d) * totals[i] }
      let all = sizes.reduce(0, +)
      let drawn = RandomStream(seed: 11, .layer, number: 0, step: number, sample: 0).uniform(2 * codes).map(Double.init)
      for k in 0..<codes where sizes[k] < 0.01 * all / Double(codes) {
        restarts += 1
        let sample = Int(clamping: (drawn[k] * Double(samples)).rounded(.down))
        let place = sample * positions + Int(clamping: (drawn[codes + k] * Double(positions)).rounded(.down))
        sizes[k] = -all / Double(codes)
        for i in 0..<4 { sums[4 * k + i] = images[4 * place + i] * all / Double(codes) }
      }
      for k in 0..<codes {
        let isFresh = sizes[k] < 0
        sizes[k] = abs(sizes[k])
        let size = isFresh ? sizes[k] : (sizes[k] + 1e-5) / (all + 1e-5 * Double(codes)) * all
        for i in 0..<4 { table[4 * k + i] = sums[4 * k + i] / size }
      }
      for (name, wanted) in [("embedding.weight", table), ("ema_cluster_size", sizes), ("ema_w", sums)] {
        let found = try Self.tensor("latent.\(name)", step)
        let worst = zip(found, wanted).map { abs(Double($0) - $1) }.max() ?? 1
        #expect(found.count == wanted.count && worst < 1e-5, "step \(number), \(name): \(worst)")
      }
    }
    #expect(restarts > codes / 2 && restarts < 2 * codes)
  }

  /// A run with running means keeps the perplexity of its codes, and more codes are used than at its start.
  @Test func aRunKeepsTermAndPerplexity() throws {
    let model = LayerCases.all.first { $0.name == "vector quantizer, running means" }.map(\.model)
    let data = try TestImages.waves(batchSizes: [64], shape: ImageShape(6, 6, 2))
    let recipe = Recipe(model: try #require(model), batchSize: 16, epochs: 5)
    let trainer = try Trainer(recipe, parallel: ParallelPlan(workers: 2, threads: 1), data: data)
    _ = try trainer.run()
    for row in trainer.metrics.epochs {
      #expect(row.terms?.keys.sorted() == ["commitment"] && row.kl == 0 && row.penalty == nil)
      #expect(abs(row.loss - row.reconstruction - (row.terms?["commitment"] ?? 0)) < 1e-9)
      #expect((1...5).contains(row.perplexity ?? 0))
    }
    #expect((trainer.metrics.epochs.last?.perplexity ?? 0) > 2)
  }
}
