import ArgumentParser
import FoundationEssentials
import Glibc
import HourglassData
import HourglassModels
import HourglassTraining

struct Evaluate: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Measures how well a trained model reconstructs a data set, or tells its labels.",
    discussion: """
      Losses are means over images, in nats or in squared error summed over pixels; a variational model takes one \
      sample of the code for each image. A model that puts out classes is also measured by its error rate and its \
      confusion matrix, with a row for each label and a column for each likeliest class. Classes go by name; a class \
      that the model does not know has a row of its own, and its images count as errors.

      Example:
        hourglass evaluate --run runs/first --json
      """)

  @OptionGroup var trained: RunOptions

  @Option(help: ArgumentHelp("\(DataFlags.forms) (default: the run's data)", valueName: "path"), completion: .images)
  var data: String?

  @Option(help: "The part of the set whose images are measured.")
  var split: Split = .test

  @OptionGroup var images: DataFlags

  @Option(
    help: ArgumentHelp(
      "Measure also the importance-weighted bound of -log p(image) of a variational model, from this many draws of "
        + "each code.",
      valueName: "draws"))
  var importanceSamples: Int?

  @Option(
    help: ArgumentHelp("Write also the losses of each image, a row each, into this file.", valueName: "file.csv"),
    completion: .file(extensions: ["csv"]))
  var perSample: String?

  @OptionGroup var replacing: ReplacementOptions

  @Flag(help: "Print the result as one JSON object.")
  var json = false

  func validate() throws { try requirePositive("--importance-samples", importanceSamples, most: 1 << 24) }

  func run() throws {
    // Position 0 writes.
    let file = perSample.flatMap { Processes.isFirst ? OutputFile(flag: "--per-sample", $0, or: $0) : nil }
    let (loaded, images) = try Processes.together {
      let loaded = try trained.load()
      if importanceSamples != nil, let refusal = loaded.model.importanceRefusal {
        throw ValidationError("--importance-samples: \(refusal)")
      }
      try replacing.check([file].compactMap(\.self), reading: loaded.inputs + [data])
      let images = try loaded.images(at: data, split, self.images)
      // A row takes about a hundred letters beside the name.
      if file != nil {
        try GrantedMemory.require(
          images.count.timesClamping(256), for: images.source, "hold \(images.count) rows",
          advice: "take fewer images with --limit")
      }
      return (loaded, images)
    }
    try Processes.requireEqual(loaded, images)
    let evaluator = Evaluator(loaded.inference, loaded.recipe)
    let target = loaded.model.likelihood.target
    let columns =
      [target == .image ? "reconstruction" : "loss"] + termColumns(loaded.model)
      + (target == .image ? ["mse", "ssim"] : target == .label ? ["prediction"] : [])
    var rows = [(images.identityColumns + columns).joined(separator: ",")]
    let result = try evaluator.evaluate(
      images, importanceSamples: importanceSamples, sharedBy: Processes.transport
    ) { sample in
      guard file != nil else { return }
      let its = sample.measurement
      let terms = its.terms.isEmpty ? [0] : its.terms
      let losses = ([its.reconstruction] + terms).map { sample.isKnown ? "\($0)" : "" }
      let others = [its.image?.squaredError, its.image?.similarity].compactMap { $0.map { "\($0)" } }
      let prediction = its.prediction.map { value in
        loaded.model.likelihood == .categorical ? csvCell(images.nameOfClass(Int(clamping: value))) : "\(value)"
      }
      rows.append(
        (images.identity(sample.index) + losses + others + [prediction].compactMap(\.self))
          .joined(separator: ","))
    }
    guard result.loss.isFinite else {
      throw ExitStatusError(
        status: .diverged,
        description: "\(images.source): wanted a finite loss, found \(result.loss); the model is of no use")
    }
    if let file { try AtomicFile.write(rows.map { $0 + "\n" }.joined(), to: file.path) }
    if json { StandardOutput.write(json: result) } else { write(result, loaded, images) }
  }

  /// The columns of the terms beside the reconstruction: `kl` where there is none, and `penalty` for the only one.
  private func termColumns(_ model: Autoencoder) -> [String] {
    model.terms.count > 1 || model.isQuantized
      ? model.terms.map(\.key) : [model.penalties.isEmpty ? LossTerm.kl.key : "penalty"]
  }

  private func write(_ result: Evaluation, _ loaded: LoadedRun, _ data: Dataset) {
    let unit = loaded.model.likelihood.unit
    func row(_ name: String, _ value: Double?, _ unit: String) -> [[String]] {
      value.map { [[name, decimal($0), unit]] } ?? []
    }
    StandardOutput.write("\(loaded.model.name), step \(loaded.step), on \(data.source)")
    StandardOutput.write("")
    var rows = [["samples", grouped(result.samples), ""]]
    rows += row("loss", result.loss, unit)
    rows += row("reconstruction", result.reconstruction, unit)
    rows += row("KL divergence", result.kl, "nats per image")
    rows += row("negative ELBO", result.negativeELBO, unit)
    rows += row("negative log-likelihood", result.negativeLogLikelihood, unit)
    rows += result.importanceSamples.map { [["importance samples", grouped($0), "per image"]] } ?? []
    for term in loaded.model.terms where term != .kl {
      rows += row(term.name, result.terms?[term.key] ?? result.penalty, "")
    }
    rows += row("perplexity", result.perplexity, "of \((loaded.model.latent as? VectorQuantizer)?.codes ?? 0) codes")
    if let sparsity = result.sparsity {
      let threshold = "beyond \(Sparsity.threshold)"
      rows += [["active fraction of units", decimal(sparsity.activeFraction, 4), threshold]]
      let frequencies = sparsity.frequencies.sorted()
      rows += row("frequency of the median unit", frequencies[frequencies.count / 2], "of images")
      rows += row("mean activity", sparsity.meanActivity, "")
      rows += [["dead units", "\(sparsity.deadUnits)", "of \(frequencies.count)"]]
    }
    rows +=
      result.activeUnits.map {
        let rule = "of \(loaded.inference.codeCount), whose mean varies by more than \(Evaluation.activeVariance)"
        return [["active units", "\($0)", rule]]
      } ?? []
    rows += result.mse.map { [["mean squared error", decimal($0, 6), "per pixel"]] } ?? []
    rows += row("PSNR", result.psnr, "dB")
    rows += row("SSIM", result.ssim, "")
    rows += row("error rate", result.errorRate.map { 100 * $0 }, "%")
    rows += [["weights", result.weightsHash, ""]]
    StandardOutput.write(table: rows, rightAligned: [1])
    guard let confusion = result.confusion else { return }
    let names = result.classes ?? []
    StandardOutput.write("")
    StandardOutput.write("label (rows) and likeliest class (columns)")
    StandardOutput.write(
      table: [[""] + names.prefix(confusion[0].count)] + zip(names, confusion).map { [$0] + $1.map(grouped) },
      rightAligned: Set(1...confusion[0].count))
  }
}
