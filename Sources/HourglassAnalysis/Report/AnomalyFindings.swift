import HourglassData
import HourglassModels
import HourglassTraining

/// The pictures that score as unusual by the threshold that a run keeps.
struct AnomalyFindings {
  let threshold: ScoreThreshold
  let source: String
  /// The scores of the pictures looked at.
  let scores: AnomalyScores
  /// Whether each picture is an anomaly, where masks or the normal class tell.
  let truth: [Bool]?
  /// The pictures with the highest scores, the highest first.
  let highest: [Shown]
  /// The number that has the brightest colour in all maps.
  let scale: Float

  struct Shown {
    let name: String
    let score: Double
    /// The picture, what is expected of it, and the map; nil where pictures of this shape cannot be shown.
    let picture: PNGImage?
  }

  /// The number of pictures that are shown.
  private static let most = 12
  /// A set of more images than this is looked at by an even choice of so many.
  private static let mostImages = 4096
  /// The pixels along the longer side of a picture that is shown.
  private static let side = 256

  /// Errors: an image cannot be read.
  init(_ threshold: ScoreThreshold, _ images: ReportImages, _ recipe: Recipe, _ inference: Inference) throws {
    let all = try Self.data(threshold, images, recipe)
    let data = all.tiling == nil ? all.spread(Self.mostImages) : all
    let found = try inference.scores(of: data, by: threshold.by, samples: threshold.samples, seed: recipe.seed)
      .ofPictures(data)
    let ranks = found.scores.indices.sorted { (-found.scores[$0], $0) < (-found.scores[$1], $1) }.prefix(Self.most)
    let canShow = Pictures.refusal(of: data.shape) == nil
    var (maker, scale) = (AnomalyMaps(.error), AnomalyMaps.Scale())
    var shown: [Int: (picture: ExpectedPicture, map: [Float])] = [:]
    var marks: [Bool] = []
    try inference.eachPicture(of: data) { picture in
      let map = maker.map(picture)
      scale.add(map.map { $0.isFinite ? $0 : 0 })
      if canShow, ranks.contains(picture.index) { shown[picture.index] = picture.reduced(map, to: Self.side) }
      if let mask = try data.mask(data.images(ofPicture: picture.index).lowerBound) {
        marks.append(mask.contains(true))
      }
    }
    let high = scale.high(exceededBy: AnomalyMaps.Scale.exceeding)
    highest = try ranks.map { index in
      Shown(
        name: data.pictureName(index), score: found.scores[index],
        picture: try shown[index].map { try Pictures.triptych($0.picture, map: $0.map, high: high) })
    }
    truth = data.hasMasks ? marks : try threshold.normalClass.map { try data.isAnomaly(normalClass: $0) }
    (self.threshold, source, scores, self.scale) = (threshold, data.source, found, high)
  }

  /// The images that are scored: those of a person's choice; else the test split, with classes that were not trained
  /// on; else the images that the rest of the report shows.
  private static func data(
    _ threshold: ScoreThreshold, _ images: ReportImages, _ recipe: Recipe
  ) throws(DataError) -> Dataset {
    guard !images.areChosen else { return images.data }
    var test = recipe.data
    test.split = .test
    if threshold.normalClass != nil { test.preparation?.labels = nil }
    if let found = try? test.open(for: recipe.model, seed: recipe.seed), found.isSplit { return found }
    return images.data
  }
}

extension ExpectedPicture {
  /// The picture with at most so many pixels along its longer side, each the mean over a square of pixels, and its map,
  /// of which the greatest number of each square is taken.
  func reduced(_ map: [Float], to most: Int) -> (picture: ExpectedPicture, map: [Float]) {
    let factor = (max(shape.height, shape.width) + most - 1) / most
    guard factor > 1 else { return (self, map) }
    let small = ImageShape(
      (shape.height + factor - 1) / factor, (shape.width + factor - 1) / factor, shape.channels)
    func squares(_ body: (Range<Int>, Range<Int>) -> Void) {
      for y in 0..<small.height {
        for x in 0..<small.width {
          body(
            y * factor..<min(shape.height, (y + 1) * factor), x * factor..<min(shape.width, (x + 1) * factor))
        }
      }
    }
    func means(_ image: ArraySlice<Float>) -> ArraySlice<Float> {
      var result: [Float] = []
      squares { rows, columns in
        for c in 0..<shape.channels {
          var sum: Float = 0
          for y in rows {
            for x in columns { sum += image[image.startIndex + (y * shape.width + x) * shape.channels + c] }
          }
          result.append(sum / Float(rows.count * columns.count))
        }
      }
      return result[...]
    }
    var greatest: [Float] = []
    squares { rows, columns in
      greatest.append(rows.reduce(0) { most, y in columns.reduce(most) { max($0, map[y * shape.width + $1]) } })
    }
    return (ExpectedPicture(index: index, shape: small, image: means(image), expected: means(expected)), greatest)
  }
}
