import Foundation
import HourglassModels
import Testing

@testable import HourglassData

@Suite struct TextFileTests {
  private static let vocabulary = "data\ngraph\nmodel\nnetwork\ntheory\ntraining\nunused\n"
  private static let trainingTexts = """
    0\tx1\tModel: data\tmodel network
    1\tx2\tdata Training;\ttraining data\\network data
    2\tx3\tnetwork\tA graph\r
    0\tx4\tgraph, GRAPH!\tmodel theory (training)
    """
  private static let testTexts = "1\tx5\ttheory theory\tdata unknown\n0\tx6\t\tmodel\n2\tx7\tnothing\there\n"
  private static let trainingCounts = "0 0:1 2:2 3:1\n1 0:3 5:2\n2 1:1 3:1\r\n0 1:2 2:1 4:1 5:1"
  private static let testCounts = "1 0:1 4:2\n0 2:1\n2\n"

  /// TfidfVectorizer(sublinear_tf=True) of scikit-learn 1.9.1 for the same documents.
  private static let training: [[Float]] = [
    [0.453294655, 0, 0.767494567, 0.453294655, 0, 0, 0], [0.778282923, 0, 0, 0, 0, 0.627913762, 0],
    [0, 0.707106781, 0, 0.707106781, 0, 0, 0], [0, 0.665361176, 0.392973029, 0, 0.498436458, 0.392973029, 0],
  ]
  private static let test: [[Float]] = [
    [0.422127393, 0, 0, 0, 0.906536521, 0, 0], [0, 0, 1, 0, 0, 0, 0], [0, 0, 0, 0, 0, 0, 0],
  ]
  private static let weights = [
    1.510825624, 1.510825624, 1.510825624, 1.510825624, 1.916290732, 1.510825624, 2.609437912,
  ]

  private static func folder(_ files: [String: String]) throws -> TemporaryFolder {
    let folder = try TemporaryFolder()
    for (name, text) in files { _ = try folder.file(name, Array(text.utf8)) }
    return folder
  }

  private static let counts = [
    "vocab.txt": vocabulary, "bow-train.txt": trainingCounts, "bow-test.txt": testCounts, "categories.txt": "a\nb\nc\n",
  ]
  private static let texts = ["vocab.txt": vocabulary, "train.tsv": trainingTexts, "test.tsv": testTexts]

  private static func expect(_ data: Dataset, _ wanted: [[Float]], labels: [Int]) throws {
    #expect(data.shape == ImageShape(vector: 7) && data.labels == labels)
    for (found, wanted) in zip(try data.images(0..<data.count), wanted.joined()) { #expect(abs(found - wanted) < 1e-7) }
  }

  @Test(arguments: [counts, texts]) func documentsAreWeighedAsScikitLearnDoes(_ files: [String: String]) throws {
    let folder = try Self.folder(files)
    let training = try Dataset.open(path: folder.path, split: .train)
    try Self.expect(training, Self.training, labels: [0, 1, 2, 0])
    let test = try Dataset.open(path: folder.path, split: .test)
    try Self.expect(test, Self.test, labels: [1, 0, 2])
    #expect(
      training.isSplit && training.terms == test.terms
        && training.classes == (files["categories.txt"] == nil ? nil : ["a", "b", "c"]))
    for (found, wanted) in zip(try #require(test.terms).weights, Self.weights) { #expect(abs(found - wanted) < 1e-8) }
  }

  @Test func whatWasCountedServesOtherTexts() throws {
    let folder = try Self.folder(Self.counts)
    var preparation = Preparation()
    preparation.terms = try Dataset.open(path: folder.path, split: .train).terms
    let data = try JSONEncoder().encode(preparation)
    #expect(
      String(decoding: data, as: UTF8.self).contains(
        "\"4 data:2 graph:2 model:2 network:2 theory:1 training:2 unused:0\""))
    let read = try JSONDecoder().decode(Preparation.self, from: data)
    #expect(read == preparation)
    // Without a vocabulary beside them, and with other documents that would count otherwise.
    let others = try Self.folder(["new.tsv": Self.testTexts, "bow-train.txt": Self.testCounts])
    let texts = try Dataset.open(path: others.path + "/new.tsv", split: .train, preparation: read)
    try Self.expect(texts, Self.test, labels: [1, 0, 2])
    let counts = try Dataset.open(path: others.path + "/bow-train.txt", split: .train, preparation: read)
    try Self.expect(counts, Self.test, labels: [1, 0, 2])
    let path = try others.file("vocab.txt", Array("graph\ndata\n".utf8))
    expectRefusal(path, "wanted the vocabulary", "7 terms", "another of 2") {
      try Dataset.open(path: others.path + "/bow-train.txt", split: .train, preparation: read)
    }
    for text in ["0 a:1", "4", "4 a", "4 a:5", "4 a:-1", "4 :1", "4 a:1 a:2", "x a:1"] {
      #expect(throws: DecodingError.self) {
        try JSONDecoder().decode([TermStatistics].self, from: JSONEncoder().encode([text]))
      }
    }
  }

  /// The weights come of what is not held out, whichever part is read.
  @Test func whatIsHeldOutIsNotCounted() throws {
    let folder = try Self.folder(["vocab.txt": Self.vocabulary, "all.txt": Self.trainingCounts])
    var preparation = Preparation()
    preparation.holdout = 0.25
    let parts = try [Split.train, .test].map {
      try Dataset.open(path: folder.path + "/all.txt", split: $0, preparation: preparation)
    }
    #expect(parts.map(\.count) == [3, 1] && parts[0].terms == parts[1].terms && parts[0].terms?.documents == 3)
    let image = try parts[1].image(0)
    let held = image.indices.filter { image[$0] > 0 }
    for (term, frequency) in try #require(parts[0].terms).frequencies.enumerated() {
      let inAll = [2, 2, 2, 2, 1, 2, 0][term]
      #expect(frequency == inAll - (held.contains(term) ? 1 : 0))
    }
  }

  @Test(arguments: [
    ("a.txt", "", "a document a line, found none"), ("a.txt", "0 1:1\n\n", "line 2: wanted a label"),
    ("a.txt", "-1 1:1", "line 1: wanted a label"), ("a.txt", "99999999999 1:1", "wanted a label"),
    ("a.txt", "0 7:1", "terms 0 to 6 of the vocabulary, found 7"),
    ("a.txt", "0 1:1\n0 1:0", "line 2: wanted term:count"),
    ("a.txt", "0 1", "wanted term:count, both numbers"), ("a.txt", "0 1:1.5", "found \"1:1.5\""),
    ("a.txt", "0 1:99999999999", "wanted term:count"), ("a.txt", "0 2:1 1:1", "rising order, found 1 after 2"),
    ("a.txt", "0 2:1 2:1", "rising order, found 2 after 2"), ("a.txt", "0 :1", "wanted term:count"),
    ("a.tsv", "0 data", "2 or more columns with tabs between, found 1"),
    ("a.tsv", "0\tdata\n1\tx\tdata", "line 2: wanted 2 columns with tabs between, found 3"),
    ("a.tsv", "data\tgraph", "wanted a label, a number from 0, in front, found \"data\""), ("a.tsv", "\n", "found 1"),
  ]) func brokenFilesAreRefused(_ name: String, _ text: String, _ fragment: String) throws {
    let folder = try Self.folder(["vocab.txt": Self.vocabulary])
    let path = try folder.file(name, Array(text.utf8))
    expectRefusal(path, fragment) { try Dataset.open(path: path, split: .train) }
  }

  @Test func brokenVocabulariesAreRefused() throws {
    let folder = try Self.folder(["a.txt": "0 0:1"])
    expectRefusal(folder.path + "/a.txt", "vocab.txt, found none") {
      try Dataset.open(path: folder.path + "/a.txt", split: .train)
    }
    for (text, fragment) in [
      ("", "wanted a term a line, found none"), ("a\n\nb", "line 2: wanted one term"), ("a b", "found \"a b\""),
      ("a\nb\na\n", "line 3: wanted each term once, found a again"),
    ] {
      let path = try folder.file("vocab.txt", Array(text.utf8))
      expectRefusal(path, fragment) { try Dataset.open(path: folder.path + "/a.txt", split: .train) }
    }
    let only = try Self.folder(["vocab.txt": Self.vocabulary, "bow-test.txt": Self.testCounts])
    expectRefusal(only.path, "bow-train.txt or bow-train.txt.gz, found none") {
      try Dataset.open(path: only.path, split: .train)
    }
    _ = try only.file("a.png", [0])
    expectRefusal(only.path, "pictures (1, first a.png), term counts (1") {
      try Dataset.open(path: only.path, split: .test)
    }
  }

  /// Two programs made counts of the same texts.
  @Test(.enabled(if: realData != nil, withoutRealData)) func abstractsAreCountedAsTheirCountsSay() throws {
    let path = try #require(realData) + "/arxiv-abstracts"
    let counts = try Dataset.open(path: path, split: .test)
    var preparation = Preparation()
    preparation.terms = counts.terms
    let texts = try Dataset.open(path: path + "/test.tsv.gz", split: .test, preparation: preparation)
    #expect(counts.count == 2880 && counts.shape.count == 5000 && counts.terms?.documents == 11_520)
    #expect(counts.labels == texts.labels && counts.classes?.count == 24)
    for index in stride(from: 0, to: 2880, by: 7) { #expect(try counts.image(index) == texts.image(index)) }
  }
}
