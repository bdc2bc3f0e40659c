import HourglassData
import HourglassModels
import HourglassTraining

/// How well features tell the classes of what they are features of: fitted on a training set, measured on a test set.
///
/// - Linear: multinomial logistic regression without a penalty, p(class) = softmax(W z + b), of the features less their
///   mean and divided by their standard deviation, both over the training set. It is an ordinary run of a model of one
///   dense layer.
/// - Neighbours: the class of most of the k nearest training samples, of equally frequent ones the first.
///
/// Source: Alain & Bengio, "Understanding intermediate layers using linear classifier probes", 2016.
public struct Probe: Sendable {
  /// The part of the test samples whose class the logistic regression finds.
  public let linear: Double
  /// The part of the test samples whose class the neighbours find, by k.
  public let neighbours: [Int: Double]

  static let batchSize = 256
  static let epochs = 50
  /// The steps of the regression on a small set, which takes more epochs.
  static let leastSteps = 4000
  static let learningRate: Float = 0.01
  /// A greater number of labels is taken for another kind of labels than classes.
  static let mostClasses = 1 << 16

  /// Fits on the training set and measures on the test set.
  ///
  /// Errors: no labels; fewer than two classes or more than 2^16; features of two shapes; a k out of its range; a
  /// sample that cannot be read.
  ///
  /// - Parameters:
  ///   - training: features N x D with labels from 0. Classes go by name where there are names.
  ///   - test: the same of other images; a class that the training set lacks is never found.
  ///   - k: numbers of neighbours, each from 1 to the number of training samples.
  ///   - seed: the seed of the start and the order of the regression.
  public init(
    training: Dataset, test: Dataset, k: [Int], metric: Neighbours.Metric = .euclidean, seed: UInt64 = 1
  ) throws {
    guard let names = try training.classNames(), let labels = training.labels, let largest = labels.max(), largest > 0
    else {
      throw DataError(path: training.source, reason: "wanted labels of two or more classes, found fewer")
    }
    guard largest < Self.mostClasses else {
      throw DataError(path: training.source, reason: "wanted labels below \(Self.mostClasses), found \(largest)")
    }
    let test = test.relabelled(by: Array(names[...largest]))
    guard let wanted = test.labels else { throw DataError(path: test.source, reason: "wanted labels, found none") }
    guard test.shape == training.shape else {
      throw DataError(
        path: test.source, reason: "wanted features of \(training.shape) as in \(training.source), found \(test.shape)")
    }
    if let k = k.first(where: { !(1...training.count).contains($0) }) {
      throw DataError(
        path: training.source, reason: "wanted 1 to \(training.count) neighbours of as many samples, found \(k)")
    }
    let length = training.shape.count
    let features = (
      training: try training.images(0..<training.count), test: try test.images(0..<test.count)
    )
    if let most = k.max() {
      let nearest = Neighbours(features.training, length: length, metric: metric).nearest(
        to: features.test, count: most)
      neighbours = Dictionary(
        k.map { ($0, Self.accuracy(nearest, $0, labels, wanted)) }, uniquingKeysWith: { first, _ in first })
    } else {
      neighbours = [:]
    }
    let scaling = Scaling(features.training, length: length)
    linear = try Self.regression(
      try scaling.apply(features.training, of: training), try scaling.apply(features.test, of: test),
      classes: largest + 1, seed: seed
    ).accuracy
  }

  /// The part of the queries whose class is the commonest among their first k neighbours.
  private static func accuracy(
    _ nearest: [[Neighbours.Neighbour]], _ k: Int, _ labels: [Int], _ wanted: [Int]
  ) -> Double {
    let right = zip(nearest, wanted).count { places, label in
      let counts = Dictionary(grouping: places.prefix(k)) { labels[$0.place] }.mapValues(\.count)
      return counts.min { (-$0.value, $0.key) < (-$1.value, $1.key) }?.key == label
    }
    return Double(right) / Double(max(1, wanted.count))
  }

  /// Trains one dense layer on the scaled features.
  ///
  /// Errors: a label beyond the classes.
  ///
  /// - Returns: the mean negative log-likelihood over the training set in nats, and the accuracy on the test set.
  static func regression(
    _ training: Dataset, _ test: Dataset, classes: Int, seed: UInt64
  ) throws -> (loss: Double, accuracy: Double) {
    let model = Autoencoder("linear-probe", input: training.shape, likelihood: .categorical) {
    } latent: {
      Dense(classes)
    } decoder: {
    }
    let batchSize = min(Self.batchSize, training.count)
    let stepsOfEpoch = (training.count + batchSize - 1) / batchSize
    var recipe = Recipe(
      model: model, batchSize: batchSize, seed: seed, optimizer: Optimizer(.adam, learningRate: learningRate),
      epochs: nil, steps: max(leastSteps, epochs * stepsOfEpoch))
    recipe.schedule = .cosine
    let trainer = try Trainer(recipe, parallel: ParallelPlan(shards: recipe.shards), data: training)
    _ = try trainer.run()
    let evaluator = Evaluator(try trainer.inference(), beta: 1, seed: seed)
    return (try evaluator.evaluate(training).loss, 1 - (try evaluator.evaluate(test).errorRate ?? 1))
  }

  /// Takes its mean from each feature and divides it by its standard deviation. A constant becomes 0.
  struct Scaling {
    private var means: [Double]
    private var factors: [Double]

    init(_ features: [Float], length: Int) {
      let count = Double(max(1, features.count / length))
      var (sums, squares) = ([Double](repeating: 0, count: length), [Double](repeating: 0, count: length))
      Self.forEach(features, length) { d, value in sums[d] += value }
      let means = sums.map { $0 / count }
      Self.forEach(features, length) { d, value in squares[d] += (value - means[d]) * (value - means[d]) }
      self.means = means
      factors = squares.map { $0 > 0 ? (count / $0).squareRoot() : 0 }
    }

    private static func forEach(_ features: [Float], _ length: Int, _ body: (Int, Double) -> Void) {
      for start in stride(from: 0, to: features.count, by: length) {
        for d in 0..<length { body(d, Double(features[start + d])) }
      }
    }

    func apply(_ features: [Float], of images: Dataset) throws(DataError) -> Dataset {
      var scaled = features
      for start in stride(from: 0, to: features.count, by: means.count) {
        for d in means.indices { scaled[start + d] = Float((Double(features[start + d]) - means[d]) * factors[d]) }
      }
      return try Dataset(scaled, shape: ImageShape(vector: means.count), of: images, source: images.source)
    }
  }
}
