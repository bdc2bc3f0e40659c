import Glibc
import HourglassData
import HourglassModels
import HourglassTraining

extension Pictures {
  /// Three panels side by side, enlarged as in `ImageGrid`: a picture, what the model makes of it, and a map of where
  /// they differ.
  ///
  /// Errors: memory is not granted for it.
  ///
  /// - Parameters:
  ///   - map: a number for each pixel of the picture, H x W.
  ///   - high: the number that has the brightest colour.
  public static func triptych(
    _ picture: ExpectedPicture, map: [Float], high: Float
  ) throws(DataError) -> PNGImage {
    let (shape, gap) = (picture.shape, ImageGrid.gap)
    let zoom = max(1, 128 / max(shape.height, shape.width))
    let (width, height) = (3 * zoom * shape.width + 2 * gap, zoom * shape.height)
    try GrantedMemory.require(
      (6 * height).timesClamping(width), for: "a map of \(shape)", "draw it", advice: "take --map-format npy or png16")
    var pixels = [UInt8](repeating: 255, count: 3 * width * height)
    func draw(_ panel: Int, _ color: (Int) -> (UInt8, UInt8, UInt8)) {
      for y in 0..<height {
        var place = 3 * (y * width + panel * (zoom * shape.width + gap))
        for x in 0..<zoom * shape.width {
          (pixels[place], pixels[place + 1], pixels[place + 2]) = color(y / zoom * shape.width + x / zoom)
          place += 3
        }
      }
    }
    for (panel, image) in [picture.image, picture.expected].enumerated() {
      draw(panel) { pixel in
        let (first, step) = (image.startIndex + pixel * shape.channels, shape.channels / 3)
        return (
          ImageGrid.byte(image[first]), ImageGrid.byte(image[first + step]), ImageGrid.byte(image[first + 2 * step])
        )
      }
    }
    draw(2) { HeatColors.color(of: map[$0], high: high) }
    return PNGImage(width: width, height: height, channels: 3, pixels: pixels)
  }

  /// A grid of decoded draws from the prior; where the decoder is told the class, a column for each.
  ///
  /// Errors: memory is not granted for it.
  public func samples(count: Int? = nil, columns: Int? = nil) throws(DataError) -> PNGImage {
    let columns = columns ?? inference.columnsOfSamples
    let count = count ?? 8 * columns
    let codes = inference.standardNormalCodes(count, seed: seed)
    return try grid(inference.decode(codes, labels: inference.classesInTurn(0..<count)), columns: columns)
  }

  private func grid(_ images: [Float], columns: Int) throws(DataError) -> PNGImage {
    try Self.grid(images, shape: shape, columns: columns, isBare: isBare)
  }

  /// A row for each of the most active latent units: the code of the first image, decoded, while that unit goes from -3
  /// to 3.
  ///
  /// Errors: images of another shape than the model's input, or that cannot be read.
  public func traversals(_ data: Dataset, most: Int = 10) throws -> PNGImage {
    let images = min(Self.mostImagesForVariance, data.count)
    let variances = try Evaluator(inference, beta: 1, seed: seed).unitVariances(data, images: images)
    let ranked = variances.indices.sorted { (-variances[$0], $0) < (-variances[$1], $1) }
    let active = variances.count { $0 > Evaluation.activeVariance }
    let label = data.labels?[0..<1]
    let base = inference.encode(try data.images(0..<1), labels: label)
    let codes = ranked.prefix(min(most, max(1, active))).flatMap { unit in
      (0..<Self.stops).flatMap { stop in
        var code = base
        code[unit] = 6 * Float(stop) / Float(Self.stops - 1) - 3
        return code
      }
    }
    let labels = label.map { ArraySlice(repeatElement($0[0], count: codes.count / base.count)) }
    return try grid(inference.decode(codes, labels: labels), columns: Self.stops)
  }

  /// A row for each pair of images: their codes, decoded, and codes at equal steps on the straight line between them.
  /// A decoder that is told the class is told that of the first.
  ///
  /// Errors: images of another shape than the model's input, or that cannot be read.
  public func interpolations(_ data: Dataset, most: Int = 10) throws -> PNGImage {
    try data.checkShape(for: inference.plan)
    let pairs = max(1, min(most, data.count / 2))
    let width = inference.codeCount
    let range = 0..<min(2 * pairs, data.count)
    let ends = Self.pieces(inference.encode(try data.images(range), labels: data.labels?[range]), width)
    let codes = (0..<pairs).flatMap { pair in
      let (from, to) = (ends[2 * pair % ends.count], ends[(2 * pair + 1) % ends.count])
      return (0..<Self.stops).flatMap { stop in
        let weight = Float(stop) / Float(Self.stops - 1)
        return zip(from, to).map { $0 + weight * ($1 - $0) }
      }
    }
    let labels = data.labels.map { labels in
      (0..<pairs).flatMap { repeatElement(labels[2 * $0 % ends.count], count: Self.stops) }[...]
    }
    return try grid(inference.decode(codes, labels: labels), columns: Self.stops)
  }

  /// The images of a row: an odd number, so that the middle of a traversal is zero.
  static let stops = 11
  /// So many images are enough to rank units by variance.
  private static let mostImagesForVariance = 2048

  /// The loss against the epochs done, as SVG.
  ///
  /// - Parameters:
  ///   - epochs: the rows of the metrics.
  ///   - partial: how far the epoch at hand is and its loss so far, where there is one.
  public static func lossCurve(
    _ model: Autoencoder, epochs: [EpochMetrics], partial: (epoch: Double, loss: Double)? = nil
  ) -> String {
    let x = epochs.map { Double($0.epoch) }
    var series = [
      SVGPlot.Series(
        name: "training", x: x + (partial.map { [$0.epoch] } ?? []),
        y: epochs.map(\.loss) + (partial.map { [$0.loss] } ?? []))
    ]
    if epochs.contains(where: { $0.validationLoss != nil }) {
      series.append(SVGPlot.Series(name: "validation", x: x, y: epochs.map { $0.validationLoss ?? .nan }))
    }
    var plot = SVGPlot(
      title: "\(model.name): loss", xLabel: "epoch", yLabel: model.likelihood.unit, series: series)
    plot.leastXStep = 1
    return plot.svg()
  }
}

extension Inference {
  /// The images of a row of samples: one of each class where the decoder is told it, as long as a row is not too wide.
  public var columnsOfSamples: Int {
    plan.conditionClasses.map { min($0, Self.mostColumns) } ?? Pictures.columns
  }
  private static let mostColumns = 64

  /// A class for each of some images, one after the other in turn; nil where nobody is told the class.
  public func classesInTurn(_ images: Range<Int>) -> ArraySlice<Int>? {
    plan.conditionClasses.map { classes in images.map { $0 % classes }[...] }
  }

  /// Codes drawn from the standard normal prior, N x Z, from number `first` on. Code n depends on the seed and n alone.
  public func standardNormalCodes(_ count: Int, from first: Int = 0, seed: UInt64) -> [Float] {
    let codes = FloatBuffer(count: count.timesClamping(codeCount))
    for n in 0..<count {
      RandomStream(seed: seed, .sampling, sample: first + n).fillNormal(codes.pointer + n * codeCount, codeCount)
    }
    return codes.array
  }
}

extension Trainer {
  /// Writes what shows the model as it is now: loss.svg, report.html and, where images can be shown,
  /// reconstructions.png. Where codes can be decoded alone there are also samples.png, for a latent with a prior, and
  /// traversals.png for a variational model, interpolations.png for another.
  ///
  /// Errors: an image cannot be read; a file cannot be written.
  public func writePictures(to run: RunFolder) throws {
    try AtomicFile.write(
      Pictures.lossCurve(recipe.model, epochs: metrics.epochs, partial: partialEpoch), to: run.picture("loss.svg"))
    let inference = try inference()
    let shown = try ReportImages(recipe, training: data, validation: validation)
    if Pictures.refusal(of: recipe.model) == nil {
      let pictures = Pictures(inference, seed: recipe.seed)
      try pictures.reconstructions(shown.data).write(to: run.picture("reconstructions.png"))
      if inference.plan.decodingRefusal == nil, recipe.model.hasPrior {
        try pictures.samples().write(to: run.picture("samples.png"))
      }
      if inference.plan.decodingRefusal != nil {
        // Codes cannot be decoded alone.
      } else if recipe.model.isVariational {
        try pictures.traversals(shown.data).write(to: run.picture("traversals.png"))
      } else {
        try pictures.interpolations(shown.data).write(to: run.picture("interpolations.png"))
      }
    }
    var report = try RunReport(run, recipe)
    report.progress = progress
    report.workerTimes = training.times
    report.look(at: .success(shown), with: inference)
    try AtomicFile.write(report.page, to: run.report)
  }

  private var partialEpoch: (epoch: Double, loss: Double)? {
    guard progress.epochSamples > 0 else { return nil }
    let sum = progress.epochReconstruction + Double(recipe.beta) * progress.epochDivergence
    let epochs =
      Double(progress.dataEpoch ?? 0) + Double(progress.step - (progress.dataStep ?? 0)) / Double(stepsPerEpoch)
    return (epochs, sum / Double(progress.epochSamples))
  }
}
