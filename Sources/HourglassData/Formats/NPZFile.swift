/// Arrays of NumPy in a zip archive, as `np.savez` and `np.savez_compressed` write them.
///
/// Images and labels are told by the names that Keras, MedMNIST and others use: `x_train` with `y_train`,
/// `train_images` with `train_labels`, likewise for test; or `x`, `images`, `data` with `y`, `labels`, `targets` where
/// there are no splits. A single array that is no vector needs no name.
public enum NPZFile {
  private static let images = ["x", "images", "data"]
  private static let labels = ["y", "labels", "targets"]

  static func read(_ path: String, _ split: Split) throws(DataError) -> (
    images: NPYArray, labels: [Int]?, hasSplits: Bool
  ) {
    let zip = try ZipFile(path)
    let members = zip.members.filter { $0.name.lowercased().hasSuffix(".npy") }
    func find(_ kinds: [String], _ split: Split?) throws(DataError) -> ZipFile.Member? {
      let names = kinds.flatMap { kind in split.map { ["\(kind)_\($0.rawValue)", "\($0.rawValue)_\(kind)"] } ?? [kind] }
      let found = members.filter { names.contains(String($0.name.dropLast(4)).lowercased()) }
      guard found.count < 2 else {
        throw DataError(path: path, reason: "wanted one array of \(kinds[0]), found \(list(found))")
      }
      return found.first
    }
    let ofTrain = try find(images, .train)
    let ofTest = try find(images, .test)
    let hasSplits = ofTrain != nil || ofTest != nil
    var member = hasSplits ? (split == .train ? ofTrain : ofTest) : try find(images, nil)
    if member == nil && !hasSplits {
      var tables: [ZipFile.Member] = []
      for each in members where try !isVector(zip, each) { tables.append(each) }
      if tables.count == 1 { member = tables[0] }
    }
    guard let member else {
      let wanted = hasSplits ? "x_\(split.rawValue) or \(split.rawValue)_images" : "x, images or data"
      throw DataError(path: path, reason: "wanted images in an array \(wanted), found \(list(members))")
    }
    let array = try NPYFile.decode(try zip.contents(member), path: place(path, member))
    guard let numbers = try find(labels, hasSplits ? split : nil) else { return (array, nil, hasSplits) }
    return (
      array, try NPYFile.decodeIntegers(try zip.contents(numbers), path: place(path, numbers)), hasSplits
    )
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
