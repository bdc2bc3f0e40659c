/// Arrays of NumPy in a zip archive, as `np.savez` and `np.savez_compressed` write them.
///
/// Images and labels are known by the names that Keras, MedMNIST and others use: `x_train` with `y_train`,
/// `train_images` with `train_labels`, likewise for validation (also `valid`, `val`, `dev`) and test; or `x`, `images`,
/// `data` with `y`, `labels`, `targets` where there are no splits. A single array that is no vector needs no name, nor
/// do its labels in `np.savez(images, labels)`.
public enum NPZFile {
  static let images = ["x", "images", "data"]
  private static let labels = ["y", "labels", "targets"]

  /// The arrays that were found in an archive.
  struct Contents {
    var images: NPYArray
    var labels: Labels?
    var hasSplits: Bool
    /// The names of arrays that are neither images nor labels of a part of the set.
    var unread: [String]
  }

  /// Reads the images of a part of the set.
  ///
  /// - Parameter readsLabels: whether labels are wanted too.
  static func read(_ path: String, _ asked: Split, readsLabels: Bool) throws(DataError) -> Contents {
    let zip = try ZipFile(path)
    let parts = parts(of: zip, images)
    let (hasSplits, split) = (!parts.isEmpty, asked.taken(from: parts))
    var member: ZipFile.Member?
    if !hasSplits || split != nil { member = try only(zip, images, split) }
    var shapes: [String: [Int]] = [:]
    for each in arrays(zip) {
      shapes[each.name] = try? NPYFile.raw(try zip.contents(each), path: place(path, each)).shape
    }
    func axes(_ member: ZipFile.Member) -> Int { shapes[member.name, default: []].count { $0 != 1 } }
    if member == nil && !hasSplits {
      let tables = [3, 2].lazy.map { least in arrays(zip).filter { axes($0) >= least } }.first { !$0.isEmpty } ?? []
      if tables.count == 1 { member = tables[0] }
    }
    guard let member else {
      let wanted = hasSplits ? "x_\(asked.rawValue) or \(asked.rawValue)_images" : "x, images or data"
      throw DataError(path: path, reason: "wanted images in an array \(wanted), found \(list(arrays(zip)))")
    }
    let array = try NPYFile.decode(try zip.contents(member), path: place(path, member))
    var numbers = try only(zip, labels, split)
    if numbers == nil, !hasSplits {
      // np.savez(images, labels) writes labels as the one other array with a row for each image.
      let rows = arrays(zip).filter {
        $0.name != member.name && axes($0) < 3 && shapes[$0.name]?.first == array.shape[0]
      }
      if rows.count == 1, rows[0].name.hasPrefix("arr_") { numbers = rows[0] }
    }
    let used = [member.name, numbers?.name]
    let ofParts = Split.allCases.flatMap { members(zip, images + labels, $0) }.map(\.name)
    let unread = arrays(zip).map(\.name).filter { !used.contains($0) && !ofParts.contains($0) }
    return Contents(
      images: array,
      labels: readsLabels ? try numbers.map { (member) throws(DataError) in try decode(zip, member) } : nil,
      hasSplits: hasSplits, unread: unread.map { String($0.dropLast(4)) })
  }

  /// Reads an archive of labels alone: the labels of a part, an array with a name of labels, or the only array.
  static func labels(_ path: String, _ asked: Split) throws(DataError) -> Labels {
    let zip = try ZipFile(path)
    let parts = parts(of: zip, labels)
    let split = asked.taken(from: parts)
    let all = arrays(zip)
    let found = parts.isEmpty || split != nil ? try only(zip, labels, split) : nil
    guard let member = found ?? (all.count == 1 ? all[0] : nil) else {
      throw DataError(path: path, reason: "wanted labels in an array y, labels or targets, found \(list(all))")
    }
    return try decode(zip, member)
  }

  private static func decode(_ zip: ZipFile, _ member: ZipFile.Member) throws(DataError) -> Labels {
    try Labels(npy: try zip.contents(member), path: place(zip.path, member))
  }

  /// The one array that has a name of a kind; nil where there is none.
  private static func only(
    _ zip: ZipFile, _ kinds: [String], _ split: Split?
  ) throws(DataError) -> ZipFile.Member? {
    let found = members(zip, kinds, split)
    guard found.count < 2 else {
      throw DataError(path: zip.path, reason: "wanted one array of \(kinds[0]), found \(list(found))")
    }
    return found.first
  }

  /// The parts that the images of an archive are divided into; none where they are undivided.
  static func parts(of zip: ZipFile, _ kinds: [String] = images) -> [Split] {
    let parts = Split.allCases.filter { !members(zip, kinds, $0).isEmpty }
    // Names of validation alone may mean anything.
    return parts == [.validation] ? [] : parts
  }

  private static func arrays(_ zip: ZipFile) -> [ZipFile.Member] {
    zip.members.filter { $0.name.lowercased().hasSuffix(".npy") }
  }

  /// The arrays with a name of some kinds, for a part of the set.
  private static func members(_ zip: ZipFile, _ kinds: [String], _ split: Split?) -> [ZipFile.Member] {
    let names = kinds.flatMap { kind in split.map { $0.names.flatMap { ["\(kind)_\($0)", "\($0)_\(kind)"] } } ?? [kind]
    }
    return arrays(zip).filter { names.contains(String($0.name.dropLast(4)).lowercased()) }
  }

  /// All arrays of an archive as named tensors of 32-bit floats.
  public static func tensors(_ path: String) throws(DataError) -> [SafeTensors.Tensor] {
    let zip = try ZipFile(path)
    var tensors: [SafeTensors.Tensor] = []
    var names: Set<String> = []
    for member in zip.members {
      guard member.name.hasSuffix(".npy") else {
        throw DataError(path: path, reason: "wanted arrays alone, as np.savez writes them, found \(member.name)")
      }
      let name = String(member.name.dropLast(4))
      guard names.insert(name).inserted else {
        throw DataError(path: path, reason: "two arrays have the name \(name)")
      }
      let array = try NPYFile.decodeFloats(try zip.contents(member), path: place(path, member))
      tensors.append(SafeTensors.Tensor(name: name, shape: array.shape, values: array.floats))
    }
    return tensors
  }

  /// Writes named tensors as `np.savez` does, for `np.load`.
  public static func write(_ tensors: [SafeTensors.Tensor], to path: String) throws(DataError) {
    let members = tensors.map { (name: "\($0.name).npy", contents: NPYFile.encoded($0.values, shape: $0.shape)) }
    try AtomicFile.write(try ZipFile.archive(members, path: path), to: path)
  }

  private static func place(_ path: String, _ member: ZipFile.Member) -> String { "\(path)/\(member.name)" }

  private static func list(_ members: [ZipFile.Member]) -> String {
    members.isEmpty ? "no array" : members.map { String($0.name.dropLast(4)) }.joined(separator: ", ")
  }
}
