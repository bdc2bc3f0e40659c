/// The arrangement of the pictures of a folder: in parts for training, validation and test, or as one set.
///
/// In MVTec's layout (Bergmann, Fauser, Sattlegger, Steger, "MVTec AD", CVPR 2019) a folder `ground_truth` beside the
/// parts holds masks, which are no images of the set.
struct PictureTree {
  /// The paths of the pictures from the folder.
  let names: [String]
  /// The parts that the folder has; none where the set is undivided.
  let parts: [Split]
  /// The part of each picture; nil for a picture outside the parts.
  let part: [Split?]
  /// The folder of masks.
  let masks: String?
  private let paths: [[Substring]]

  init(_ names: [String]) {
    self.names = names
    paths = names.map { $0.split(separator: "/") }
    // The folder of the root in which each picture lies; empty for one in the root itself.
    let tops = paths.map { $0.count > 1 ? $0[0].lowercased() : "" }
    let found = Split.allCases.filter { !Set(tops).isDisjoint(with: $0.folders) }
    // A folder `val` or `dev` alone may be a class.
    let parts = found == [.validation] ? [] : found
    self.parts = parts
    part = tops.map { top in parts.first { $0.folders.contains(top) } }
    masks = parts.isEmpty ? nil : zip(tops, paths).first { $0.0 == "ground_truth" }.map { String($0.1[0]) }
  }

  /// Whether a picture lies outside the folders of the parts.
  func isBeside(_ index: Int) -> Bool { !parts.isEmpty && part[index] == nil }

  /// The folders in which a picture lies, without the folder of its part.
  func folders(of index: Int) -> ArraySlice<Substring> { paths[index].dropLast().dropFirst(part[index] == nil ? 0 : 1) }

  /// The names of the folders and files in the root.
  var folders: [String] { Set(paths.map { String($0[0]) }).sorted() }

  /// The pictures that are passed over when a part is taken.
  func inventory(but taken: Split?) -> Inventory {
    func entry(_ reason: String, _ isOfIt: (Int) -> Bool) -> [Inventory.Entry] {
      [Inventory.Entry(reason: reason, names.indices.filter(isOfIt).map { names[$0] })].compactMap(\.self)
    }
    func isMask(_ index: Int) -> Bool { isBeside(index) && paths[index][0].lowercased() == "ground_truth" }
    var inventory = Inventory()
    inventory.parts = parts.filter { $0 != taken }.flatMap { part in
      entry("for \(part.rawValue)") { self.part[$0] == part }
    }
    inventory.parts += entry("masks") { isMask($0) }
    inventory.skipped = entry("beside the folders of the parts") { isBeside($0) && !isMask($0) }
    return inventory
  }
}
