/// Arrays of NumPy in a zip archive, as `np.savez` and `np.savez_compressed` write them.
///
/// Images and labels are told by the names that Keras, MedMNIST and others use: `x_train` with `y_train`,
/// `train_images` with `train_labels`, likewise for validation (also `valid`, `val`, `dev`) and test; or `x`, `images`,
/// `data` with `y`, `labels`, `targets` where there are no splits. A single array that is no vector needs no name.
public enum NPZFile {
  private static let images = ["x", "images", "data"]
  private static let labels = ["y", "labels", "targets"]

  static func read(_ path: String, _ asked: Split) throws(DataError) -> (
    images: NPYArray, labels: [Int]?, hasSplits: Bool
  ) {
    let zip = try ZipFile(path)
    func find(_ kinds: [String], _ split: Split?) throws(DataError) -> ZipFile.Member? {
      let found = members(zip, kinds, split)
      guard found.count < 2 else {
        throw DataError(path: path, reason: "wanted one array of \(kinds[0]), found \(list(found))")
      }
      return found.first
    }
    let parts = parts(of: zip)
    let (hasSplits, split) = (!parts.isEmpty, asked.taken(from: parts))
    var member =
      hasSplits ? try split.flatMap { (split) throws(DataError) in try find(images, split) } : try find(images, nil)
    if member == nil && !hasSplits {
      var tables: [ZipFile.Member] = []
      for each in arrays(zip) where try !isVector(zip, each) { tables.append(each) }
      if tables.count == 1 { member = tables[0] }
    }
    guard let member else {
      let wanted = hasSplits ? "x_\(asked.rawValue) or \(asked.rawValue)_images" : "x, images or data"
      throw DataError(path: path, reason: "wanted images in an array \(wanted), found \(list(arrays(zip)))")
    }
    let array = try NPYFile.decode(try zip.contents(member), path: place(path, member))
    guard let numbers = try find(labels, split) else { return (array, nil, hasSplits) }
    return (
      array, try NPYFile.decodeIntegers(try zip.contents(numbers), path: place(path, numbers)), hasSplits
    )
  }

  /// The parts that the images of an archive are divided into; none where they are one set.
  static func parts(of zip: ZipFile) -> [Split] {
    let parts = Split.allCases.filter { !members(zip, images, $0).isEmpty }
    // What is called so alone may be anything.
    return parts == [.validation] ? [] : parts
  }

  private static func arrays(_ zip: ZipFile) -> [ZipFile.Member] {
    zip.members.filter { $0.name.lowercased().hasSuffix(".npy") }
  }

  /// Arrays of some names, for a part of the set.
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

  private static func isVector(_ zip: ZipFile, _ member: ZipFile.Member) throws(DataError) -> Bool {
    let path = place(zip.path, member)
    return try NPYFile.shape(of: try zip.contents(member), path: path).count < 2
  }

  private static func place(_ path: String, _ member: ZipFile.Member) -> String { "\(path)/\(member.name)" }

  private static func list(_ members: [ZipFile.Member]) -> String {
    members.isEmpty ? "no array" : members.map { String($0.name.dropLast(4)) }.joined(separator: ", ")
  }
}
