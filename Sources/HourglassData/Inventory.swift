/// What became of everything that lies where a set of images was opened.
public struct Inventory: Codable, Sendable, Equatable {
  /// Files, or images, with one fate for one reason.
  public struct Entry: Codable, Sendable, Equatable {
    public var reason: String
    public var count: Int
    /// The first of them.
    public var names: [String]

    public init(reason: String, count: Int, names: [String]) {
      (self.reason, self.count, self.names) = (
        reason, count, names.prefix(Inventory.mostNamed).map { printablePath($0) }
      )
    }

    /// For people: `3 hidden (.a, .b, .c)`.
    public var text: String {
      "\(count) \(reason) (\(names.joined(separator: ", "))\(count > names.count ? ", ..." : ""))"
    }

    /// All of some files; nil for none.
    init?(reason: String, _ all: [String]) {
      guard !all.isEmpty else { return nil }
      self.init(reason: reason, count: all.count, names: all)
    }
  }

  /// Images of the set.
  public var read = 0
  /// Images of the set's other parts.
  public var parts: [Entry] = []
  /// Files that are no images by rule, such as hidden ones, or lie beside the folders of the set's parts.
  public var skipped: [Entry] = []
  /// Images that could not be read and were left out because somebody allowed it.
  public var leftOut: [Entry] = []
  /// What a person should know of images that were read.
  public var notes: [Entry] = []

  /// Names that stand for all with one fate.
  public static let mostNamed = 3

  /// Whether there is anything to tell beside the numbers of images.
  public var isPlain: Bool { skipped.isEmpty && leftOut.isEmpty && notes.isEmpty }

  private var fates: [(name: String, entries: [Entry])] {
    [("elsewhere", parts), ("skipped", skipped), ("left out", leftOut), ("note", notes)]
  }

  /// A row for each entry: what became of the files, and which they are.
  public var rows: [[String]] { fates.flatMap { fate in fate.entries.map { [fate.name, $0.text] } } }

  /// All of it in one line.
  public var line: String {
    let parts = fates.filter { !$0.entries.isEmpty }
      .map { "\($0.name): \($0.entries.map(\.text).joined(separator: ", "))" }
    return (["\(read) read"] + parts).joined(separator: "; ")
  }
}
