import Foundation
import HourglassData
import HourglassModels
import HourglassTraining
import TestSupport
import Testing

/// Real images, from the folder that HOURGLASS_DATA names.
@Suite struct RealDataTests {
  static let data = ProcessInfo.processInfo.environment["HOURGLASS_DATA"]
  static let fashion = data.map { $0 + "/fashion-mnist" }

  /// Thirty steps beat the best that knows no image: the loss of always answering with the mean image is the variance
  /// of the data, the smallest of all constant answers.
  @Test(
    .enabled(
      if: fashion.map { FileManager.default.fileExists(atPath: $0) } ?? false,
      "HOURGLASS_DATA names no folder with fashion-mnist"))
  func thirtyStepsBeatTheMeanImage() throws {
    let images = try Dataset.open(path: #require(Self.fashion), split: .train)
    #expect(images.count == 60_000 && images.shape == ImageShape(28, 28, 1))
    let (batchSize, steps) = (32, 30)
    let training = try startedStep(
      convAE28, batchSize: batchSize, parallel: ParallelPlan(workers: 2, threads: 1), data: images)
    var losses: [Double] = []
    for step in 0..<steps {
      losses.append(
        try training.run(step: step, items: ArraySlice(Int32(step * batchSize)..<Int32((step + 1) * batchSize))).total)
    }
    // sum over pixels of E[x^2] - E[x]^2, over the images trained on
    let count = steps * batchSize
    var (sum, squares) = ([Double](repeating: 0, count: 784), 0.0)
    for n in 0..<count {
      for (i, pixel) in try images.image(n).enumerated() {
        sum[i] += Double(pixel)
        squares += Double(pixel) * Double(pixel)
      }
    }
    let variance = squares / Double(count) - sum.reduce(0) { $0 + ($1 / Double(count)) * ($1 / Double(count)) }
    let last = losses.suffix(5).reduce(0, +) / 5
    #expect(last < variance, "loss \(losses[0]) -> \(last), mean image \(variance)")
  }
}
