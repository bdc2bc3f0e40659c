import Foundation
import HourglassData
import HourglassModels
import Testing
import TestSupport

@testable import HourglassAnalysis
@testable import HourglassTraining

/// Documents as what is trained on, and codes as features, against NumPy's and scikit-learn's numbers.
@Suite struct TextTests {
  private static func write(to folder: String) throws {
    for (name, text) in [
      ("vocab.txt", "data\ngraph\nmodel\nnetwork\ntheory\ntraining\nunused\n"),
      ("bow-train.txt", "0 0:1 2:2 3:1\n1 0:3 5:2\n2 1:1 3:1\n0 1:2 2:1 4:1 5:1\n"),
      ("bow-test.txt", "1 0:1 4:2\n0 2:1\n2\n"),
    ] { try text.write(toFile: "\(folder)/\(name)", atomically: true, encoding: .utf8) }
  }

  /// The right singular vectors of numpy.linalg.svd, each with its largest element positive, and its squared singular
  /// values, of the documents weighed by scikit-learn.
  @Test(arguments: [PrincipalComponents.Method.exact, .randomised])
  func semanticAnalysisIsTheSVD(_ method: PrincipalComponents.Method) throws {
    try withTemporaryFolder { folder in
      try Self.write(to: folder)
      let training = try Dataset.open(path: folder, split: .train)
      let found = try PrincipalComponents(training, components: 2, isCentred: false, method: method)
      for (found, wanted) in zip(found.variances, [0.467296089, 0.261099879]) { #expect(abs(found - wanted) < 1e-6) }
      let test = try Dataset.open(path: folder, split: .test)
      let codes = found.coordinates(of: try test.images(0..<3))
      let wanted = [[0.352153455, 0.462434967, 0], [0.187169622, 0.102258531, 0]]
      for (found, wanted) in zip(codes.joined(), wanted.joined()) { #expect(abs(found - wanted) < 1e-5) }
    }
  }

  @Test func aRecipeKeepsTheWeightsOfItsTraining() throws {
    try withTemporaryFolder { folder in
      try Self.write(to: folder)
      let other = folder + "/other.tsv"
      try "1\tdata data\n".write(toFile: other, atomically: true, encoding: .utf8)
      var recipe = Recipe(
        model: .dense([7, 2]), data: DataSource(path: folder), validation: DataSource(path: other, split: .test))
      try recipe.fixTerms()
      let terms = try #require(recipe.data.preparation?.terms)
      #expect(terms.documents == 4 && recipe.validation?.preparation?.terms == terms)
      let read = try JSONDecoder().decode(Recipe.self, from: JSONEncoder().encode(recipe))
      #expect(read.data == recipe.data)
      // Its documents may change: what was counted stays.
      try "0 0:1\n".write(toFile: folder + "/bow-train.txt", atomically: true, encoding: .utf8)
      #expect(try read.data.open(for: read.model, seed: 1).terms == terms)
      var images = Recipe(model: .dense([784, 2]))
      try images.fixTerms()
      #expect(images.data == DataSource())
    }
  }

  /// Features of three classes that overlap, from whole numbers.
  private static func features(_ samples: Range<Int>) throws -> Dataset {
    let values = samples.flatMap { n -> [Float] in
      (0..<3).map { d -> Float in
        let square = n * n * (d + 3)
        let bits = (square + 17 * n * (d + 1) + 5 * d) % 97
        let shift: Double = n % 3 == d ? 0.7 : 0
        return Float(Double(bits) / 97 * 2 - 1 + shift)
      }
    }
    let labels = samples.map { $0 % 3 }
    let shape = ImageShape(vector: 3)
    let images = try Dataset(.bytes(values.map { _ in 0 }), shape: shape, labels: labels, source: "features")
    return try Dataset(values, shape: shape, of: images, source: "features")
  }

  /// LogisticRegression(C=inf) and KNeighborsClassifier of scikit-learn 1.9.1 for the same features.
  @Test func aProbeFindsWhatScikitLearnFinds() throws {
    let (training, test) = (try Self.features(0..<60), try Self.features(60..<90))
    let cases: [(metric: Neighbours.Metric, right: [Int: Double])] = [
      (.euclidean, [1: 13, 5: 13, 20: 15]), (.cosine, [1: 15, 5: 16, 20: 17]),
    ]
    for (metric, right) in cases {
      let found = try Probe(training: training, test: test, k: [1, 5, 20], metric: metric)
      for (k, count) in right { #expect(abs(found.neighbours[k, default: -1] - count / 30) < 1e-12) }
      #expect(abs(found.linear - Double(16) / 30) < 1e-12)
    }
    let scaling = Probe.Scaling(try training.images(0..<60), length: 3)
    let fitted = try Probe.regression(
      try scaling.apply(try training.images(0..<60), of: training),
      try scaling.apply(try test.images(0..<30), of: test), classes: 3, seed: 4)
    #expect(abs(fitted.loss - 0.72777337) < 1e-5, "\(fitted.loss)")
  }

  @Test func featuresWithoutClassesAreRefused() throws {
    let bare = try Dataset(.bytes([0, 1]), shape: ImageShape(vector: 1), source: "bare")
    let one = try Dataset(.bytes([0, 1]), shape: ImageShape(vector: 1), labels: [0, 0], source: "one")
    for set in [bare, one] { #expect(throws: DataError.self) { try Probe(training: set, test: set, k: [1]) } }
    let three = try Self.features(0..<3)
    let two = try Self.features(0..<2)
    let found = try Probe(training: two, test: three, k: [1])
    #expect(found.linear < 0.7 && (found.neighbours[1] ?? 1) < 0.7, "a class that was not learned is never found")
  }
}
