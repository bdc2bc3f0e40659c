import HourglassBase

/// Documents as counts of the terms that occur in them. As an image a document is a vector of length 1 with a number
/// for each term of the vocabulary, or the zero vector where it has none of the terms:
///
///     x[j] = (1 + ln count[j]) (ln((1 + N) / (1 + df[j])) + 1), 0 where count[j] = 0; then x / |x|
///
/// with N documents counted for the statistics and df[j] of them with term j.
///
/// Sources: Salton & Buckley, "Term-weighting approaches in automatic text retrieval", 1988; scikit-learn's
/// `TfidfVectorizer(sublinear_tf=True)`, with the same numbers.
struct TermCounts: ImageSource {
  let terms: [String]
  let names: ItemNames
  /// The terms that occur in the documents, one document after the other, and how often each does.
  private(set) var places: [Int32] = []
  private(set) var counts: [Int32] = []
  /// The place in `places` where each document begins, and the end of the last.
  private(set) var starts = [0]
  /// The statistics that weigh the terms.
  private(set) var statistics: TermStatistics?
  private var weights: [Double]

  /// - Parameter path: the file of the documents.
  /// - Parameter documents: the number of documents to make room for.
  /// - Parameter occurrences: the number of terms in all documents to make room for.
  init(terms: [String], path: String, documents: Int, occurrences: Int) {
    (self.terms, weights) = (terms, Array(repeating: 1, count: terms.count))
    names = ItemNames(array: path)
    places.reserveCapacity(occurrences)
    counts.reserveCapacity(occurrences)
    starts.reserveCapacity(documents + 1)
  }

  var count: Int { starts.count - 1 }

  /// Adds a term that occurs `count` times in the last document, which is not ended yet. Each term is added once.
  mutating func append(place: Int, count: Int) {
    places.append(Int32(clamping: place))
    counts.append(Int32(clamping: count))
  }

  mutating func endDocument() { starts.append(places.count) }

  /// The statistics over some documents: in how many of them each term occurs.
  func statistics(of documents: [Int]) -> TermStatistics {
    var frequencies = [Int](repeating: 0, count: terms.count)
    for document in documents { for place in range(document) { frequencies[Int(places[place])] += 1 } }
    return TermStatistics(documents: documents.count, terms: terms, frequencies: frequencies)
  }

  /// The documents weighed by the statistics of their vocabulary.
  func weighed(by statistics: TermStatistics) -> TermCounts {
    precondition(statistics.terms.count == terms.count, "\(statistics.terms.count) terms for \(terms.count)")
    var weighed = self
    (weighed.statistics, weighed.weights) = (statistics, statistics.weights)
    return weighed
  }

  private func range(_ document: Int) -> Range<Int> { starts[document]..<starts[document + 1] }

  func image(_ index: Int) -> Image {
    let range = range(index)
    let values = range.map { (1 + Double(counts[$0]).naturalLogarithm) * weights[Int(places[$0])] }
    let length = values.reduce(0) { $0 + $1 * $1 }.squareRoot()
    var vector = [Float](repeating: 0, count: terms.count)
    for (place, value) in zip(range, values) { vector[Int(places[place])] = Float(value / length) }
    return Image(shape: ImageShape(vector: terms.count), elements: .floats(vector))
  }
}
