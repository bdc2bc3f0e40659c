import Glibc
import HourglassData
import HourglassModels

/// How often the codes of a VectorQuantizer are used, in each codebook.
struct CodeUsage {
  private var counts: [[Int]]

  /// No code was seen yet; nil for a model without codes that have numbers.
  init?(_ plan: ExecutionPlan) {
    guard let quantizer = plan.model.latent as? VectorQuantizer else { return nil }
    counts = Array(repeating: Array(repeating: 0, count: quantizer.codes), count: quantizer.codebooks)
  }

  /// Adds the codes of images, by `Inference.codeNumbers`.
  mutating func add(_ numbers: [Float]) {
    for (place, number) in numbers.enumerated() { counts[place % counts.count][Int(clamping: number)] += 1 }
  }

  /// e to the entropy of the codes, mean over the codebooks.
  var perplexity: Double {
    counts.reduce(0.0) { sum, codes in
      let all = Double(max(1, codes.reduce(0, +)))
      let parts = codes.filter { $0 > 0 }.map { Double($0) / all }
      return sum + exp(-parts.reduce(0.0) { $0 + $1 * log($1) }) / Double(counts.count)
    }
  }
}

extension Inference {
  /// The perplexity of the codes of the first images of a set, see `Evaluation.perplexity`; nil for a model without
  /// codes that have numbers.
  ///
  /// Errors: the images have another shape than the model's input, or cannot be read.
  func perplexity(_ data: Dataset, images: Int) throws -> Double? {
    try data.checkShape(for: plan)
    var usage = CodeUsage(plan)
    for start in stride(from: 0, to: images, by: Self.batchSize) {
      let range = start..<min(start + Self.batchSize, images)
      usage?.add(codeNumbers(try data.images(range), labels: data.labels?[range]))
    }
    return usage?.perplexity
  }
}
