/// Where the arrays of a plan lie: each in the smallest memory that holds it from the moment at which it is written to
/// the moment at which it is read last, beside all others that live at a moment of it.
///
/// With L uses, use i goes forward at moment i, the likelihood is evaluated at L, use i goes back at 2L - i, and sums
/// over the minibatch come at 2L + 1. Uses of one granularity that follow one another are a segment. A segment takes
/// the samples of a group in one piece, or goes through all its uses with one chunk after the other; the last segment
/// goes forward, through the likelihood and back with each. Such a run of moments is a stage.
///
///     an array that lives                       lies in the memory of
///     within one stage that goes by chunks      the chunk
///     in several stages of phase 1              the group: until the last chunk of a stage is through, and from the
///                                               first on
///     until the sums                            the minibatch
struct Lifetimes {
  struct Lifetime {
    let array: Read.Source
    /// Floats of one sample.
    let count: Int
    var first: Int
    var last: Int
    fileprivate(set) var place = Place.none
  }

  /// Runs of uses of one granularity, and whether they go by chunks.
  let segments: [Range<Int>]
  private let goesByChunks: [Bool]
  private let hasWayBack: Bool
  private var uses: Int { segments.last?.upperBound ?? 0 }

  private(set) var all: [Lifetime] = []
  private var indices: [Read.Source: Int] = [:]
  private var shared: [Read.Source: Read.Source] = [:]
  private var noted: Set<Read.Source> = []
  /// Floats of each memory.
  private(set) var floats: [Place.Memory: Int] = [.batch: 0, .group: 0, .chunk: 0]

  init(segments: [Range<Int>], goesByChunks: [Bool], hasWayBack: Bool) {
    (self.segments, self.goesByChunks, self.hasWayBack) = (segments, goesByChunks, hasWayBack)
  }

  // MARK: Moments

  /// The image is put into its place before all uses.
  static let start = -1
  var likelihood: Int { uses }
  func backward(_ use: Int) -> Int { 2 * uses - use }
  var sums: Int { 2 * uses + 1 }

  /// The moments of a stage that goes by chunks, by one of them.
  private func stage(_ moment: Int) -> ClosedRange<Int>? {
    let use = moment > uses ? 2 * uses - moment : min(moment, uses - 1)
    guard (0..<(hasWayBack ? sums : uses)).contains(moment), let i = segments.firstIndex(where: { $0.contains(use) }),
      goesByChunks[i]
    else { return nil }
    let (first, last) = (segments[i].lowerBound, segments[i].upperBound - 1)
    if hasWayBack, last == uses - 1 { return first...backward(first) }
    return moment < uses ? first...last : backward(last)...backward(first)
  }

  // MARK: Arrays

  /// Puts one array in the place of another, with which it lives from now on.
  mutating func share(_ array: Read.Source, with other: Read.Source) { shared[array] = owner(of: other) }

  /// The array in whose place another lies.
  private func owner(of array: Read.Source) -> Read.Source {
    var array = array
    while let other = shared[array] { array = other }
    return array
  }

  /// Notes that an array is written or read at a moment.
  mutating func note(_ array: Read.Source, count: Int, at moment: Int) {
    noted.insert(array)
    let array = owner(of: array)
    guard let i = indices[array] else {
      indices[array] = all.count
      return all.append(Lifetime(array: array, count: count, first: moment, last: moment))
    }
    (all[i].first, all[i].last) = (min(all[i].first, moment), max(all[i].last, moment))
  }

  /// The place of an array; nil where nobody writes or reads it.
  func place(of array: Read.Source) -> Place? {
    noted.contains(array) ? indices[owner(of: array)].map { all[$0].place } : nil
  }

  /// Lengthens the lives of all arrays that are written before a use and read by it or after it.
  mutating func keep(across use: Int, until moment: Int) {
    for i in all.indices where all[i].first < use && all[i].last >= use { all[i].last = moment }
  }

  /// Gives each array its place: the largest first, each at the lowest offset at which it overlaps no other that lives
  /// with it.
  mutating func place() {
    var placed: [Place.Memory: [(alive: ClosedRange<Int>, place: Place)]] = [:]
    let order = all.indices.sorted { (all[$1].count, all[$0].first, $0) < (all[$0].count, all[$1].first, $1) }
    for i in order {
      let (memory, alive) = memory(of: all[i])
      var offset = 0
      let others = placed[memory, default: []].filter { $0.alive.overlaps(alive) }.map(\.place)
      for other in others.sorted(by: { $0.offset < $1.offset }) where other.offset < offset + all[i].count {
        offset = max(offset, Planner.aligned(other.offset + other.count))
      }
      all[i].place = Place(memory: memory, offset: offset, count: all[i].count)
      placed[memory, default: []].append((alive, all[i].place))
      floats[memory] = max(floats[memory] ?? 0, Planner.aligned(offset + all[i].count))
    }
  }

  /// The memory of an array, and the moments at which its place there is taken.
  func memory(of array: Lifetime) -> (memory: Place.Memory, alive: ClosedRange<Int>) {
    if hasWayBack, array.last >= sums { return (.batch, Self.start...sums) }
    let (first, last) = (stage(array.first), stage(array.last))
    if let first, first == last { return (.chunk, array.first...array.last) }
    return (.group, (first?.lowerBound ?? array.first)...(last?.upperBound ?? array.last))
  }
}
