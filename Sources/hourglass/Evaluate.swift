import ArgumentParser
import Foundation
import HourglassData
import HourglassTraining

struct Evaluate: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Measures how well a trained model reconstructs a data set.",
    discussion: """
      Losses are means over images: in nats, or in squared error summed over pixels; of a variational model with one \
      sample of the code for each image.

      Example:
        hourglass evaluate --run runs/first --json
      """)

  @OptionGroup var trained: RunOptions

  @Option(help: ArgumentHelp("\(DataFlags.forms) (default: the run's data)", valueName: "path"))
  var data: String?

  @Option(help: "Which images of a folder, or of the built-in images.")
  var split: Split = .test

  @OptionGroup var images: DataFlags

  @Option(help: ArgumentHelp("Also write a row for each image.", valueName: "file.csv"))
  var perSample: String?

  @Flag(help: "Print one JSON object.")
  var json = false

  func run() throws {
    let loaded = try trained.load()
    let images = try loaded.images(at: data, split, self.images)
    let evaluator = Evaluator(loaded.inference, beta: loaded.recipe.beta, seed: loaded.recipe.seed)
    let label = images.labels == nil ? "" : "label,"
    let divergence = loaded.model.penalty == nil ? "kl" : "penalty"
    var rows = ["index,\(label)reconstruction,\(divergence),mse,ssim"]
    let result = try evaluator.evaluate(images) { sample in
      guard perSample != nil else { return }
      let label = images.labels.map { "\($0[sample.index])," } ?? ""
      let its = sample.measurement
      let values = [its.reconstruction, its.divergence, its.squaredError, its.similarity]
      rows.append("\(sample.index),\(label)" + values.map { "\($0)" }.joined(separator: ","))
    }
    if let perSample { try writing { try AtomicFile.write(rows.map { $0 + "\n" }.joined(), to: perSample) } }
    guard result.loss.isFinite else {
      throw ExitStatusError(
        status: .diverged, description: "\(images.source): the loss is \(result.loss); the model is of no use")
    }
    if json { StandardOutput.write(EpochMetrics.json(result)) } else { write(result, loaded, images) }
  }

  private func write(_ result: Evaluation, _ loaded: LoadedRun, _ data: Dataset) {
    let unit = loaded.model.likelihood == .bernoulli ? "nats per image" : "squared error per image"
    func row(_ name: String, _ value: Double?, _ unit: String) -> [[String]] {
      value.map { [[name, decimal($0), unit]] } ?? []
    }
    StandardOutput.write("\(loaded.model.name), step \(loaded.step), on \(data.source)\n")
    var rows = [["samples", grouped(result.samples), ""]]
    rows += row("loss", result.loss, unit)
    rows += row("reconstruction", result.reconstruction, unit)
    rows += row("KL", result.kl, "nats per image")
    rows += row("negative ELBO", result.negativeELBO, unit)
    rows += row("penalty", result.penalty, "")
    if let sparsity = result.sparsity {
      let threshold = "beyond \(Sparsity.threshold)"
      rows += [["active fraction of units", decimal(sparsity.activeFraction, 4), threshold]]
      let frequencies = sparsity.frequencies.sorted()
      rows += row("frequency of the median unit", frequencies[frequencies.count / 2], "of images")
      rows += row("mean activity", sparsity.meanActivity, "")
      rows += [["dead units", "\(sparsity.deadUnits)", "of \(frequencies.count)"]]
    }
    rows += result.activeUnits.map { [["active units", "\($0)", "of \(loaded.inference.codeCount)"]] } ?? []
    rows += [["mean squared error", decimal(result.mse, 6), "per pixel"]]
    rows += row("PSNR", result.psnr, "dB")
    rows += row("SSIM", result.ssim, "")
    rows += [["weights", result.weightsHash, ""]]
    StandardOutput.write(table: rows, rightAligned: [1])
  }
}
