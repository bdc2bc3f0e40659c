/// The account of a place where a set of images was opened: what was read, skipped and left out of all that lies there.
public struct Inventory: Codable, Sendable, Equatable {
  /// Files, or images, with one fate for one reason.
  public struct Entry: Codable, Sendable, Equatable {
    /// The reason, such as "hidden".
    public var reason: String
    public var count: Int
    /// The names of the first few, at most `mostNamed`.
    public var names: [String]

    public init(reason: String, count: Int, names: [String]) {
      (self.reason, self.count, self.names) = (
        reason, count, names.prefix(Inventory.mostNamed).map { printablePath($0) }
      )
    }

    /// The entry as people read it: `3 hidden (.a, .b, .c)`.
    public var text: String {
      "\(count) \(reason) (\(names.joined(separator: ", "))\(count > names.count ? ", ..." : ""))"
    }

    /// An entry for a list of files; nil where it is empty.
    init?(reason: String, _ all: [String]) {
      guard !all.isEmpty else { return nil }
      self.init(reason: reason, count: all.count, names: all)
    }
  }

  /// How many images of the set were read.
  public var read = 0
  /// The images of the set's other parts.
  public var parts: [Entry] = []
  /// Files that are no images by rule, such as hidden ones, or lie beside the folders of the set's parts.
  public var skipped: [Entry] = []
  /// Images that could not be read and were left out, because `Preparation.skipsBad` allows it.
  public var leftOut: [Entry] = []
  /// Facts that a person should know about images that were read.
  public var notes: [Entry] = []

  /// How many names an entry lists.
  public static let mostNamed = 3

  /// Whether there is nothing to tell beside the numbers of images.
  public var isPlain: Bool { skipped.isEmpty && leftOut.isEmpty && notes.isEmpty }

  private var fates: [(name: String, entries: [Entry])] {
    [("elsewhere", parts), ("skipped", skipped), ("left out", leftOut), ("note", notes)]
  }

  /// A row for each entry: what became of the files, and which they are.
  public var rows: [[String]] { fates.flatMap { fate in fate.entries.map { [fate.name, $0.text] } } }

  /// The whole inventory in one line.
  public var line: String {
    let parts = fates.filter { !$0.entries.isEmpty }
      .map { "\($0.name): \($0.entries.map(\.text).joined(separator: ", "))" }
    return (["\(read) read"] + parts).joined(separator: "; ")
  }
}
