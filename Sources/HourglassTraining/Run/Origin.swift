import HourglassData
import HourglassModels

/// The origin of a checkpoint's weights: the recipe they were trained by, and the data as it was.
///
/// A run that goes on must be the run that it was: another seed, batch size or set of images would give weights that no
/// recipe gives.
public struct Origin: Codable, Sendable, Equatable {
  /// The facts about a set of images that are remembered.
  public struct Images: Codable, Sendable, Equatable {
    /// The number of images.
    public var count: Int
    /// The shape of an image.
    public var shape: ImageShape
    /// The digest of the set's `DataTable`; nil for images in no file, and in files of earlier versions.
    public var digest: String?

    init(_ data: Dataset, _ table: DataTable?) { (count, shape, digest) = (data.count, data.shape, table?.digest) }

    fileprivate func isOther(than other: Images) -> Bool {
      (count, shape) != (other.count, other.shape) || (digest != nil && other.digest != nil && digest != other.digest)
    }
  }

  /// The recipe as JSON, without what may change between sessions.
  private let recipe: String
  let data: Images
  private let validation: Images?

  init(_ recipe: Recipe, data: Images, validation: Images?) {
    (self.recipe, self.data, self.validation) = (Self.json(recipe), data, validation)
  }

  /// Refuses to go on with another recipe or, unless it is wanted, other data.
  ///
  /// - Parameters:
  ///   - now: what would be trained by and on.
  ///   - run: the run whose recipe.json the error is about.
  ///   - changes: what has changed in the data of a name, for people to read.
  /// - Returns: which data has changed.
  func check(
    against now: Origin, run: RunFolder, acceptsChangedData: Bool,
    changes: (TrainingData.Name) throws(DataError) -> String?
  ) throws(DataError) -> Set<TrainingData.Name> {
    var changed: Set<TrainingData.Name> = []
    for (name, wanted, found) in [
      (TrainingData.Name.data, data, now.data), (.validation, validation, now.validation),
    ] {
      // A validation that came or went is a difference of the recipes.
      guard let wanted, let found, wanted.isOther(than: found) else { continue }
      changed.insert(name)
      guard !acceptsChangedData || wanted.shape != found.shape else { continue }
      let what = try changes(name).map { ": \($0)" } ?? ""
      throw DataError(
        path: run.path,
        reason:
          "\(name): wanted the \(wanted.count) images of \(wanted.shape) that the run was trained on so far, found "
          + "\(found.count) of \(found.shape)\(what); bring them back, go on with --accept-changed-data, or begin a "
          + "new run with --start-from \(run.path)")
    }
    // Both recipes are compared as this version of the program writes them.
    let before = try JSONFile.decode(
      Recipe.self, from: recipe.utf8, path: run.path, what: "its checkpoint has a recipe of another version")
    let (wanted, found) = (Self.fields(Self.json(before)), Self.fields(now.recipe))
    let names = Set(wanted.keys).union(found.keys).sorted()
    guard let name = names.first(where: { wanted[$0] != found[$0] }) else { return changed }
    throw DataError(
      path: run.file("recipe.json"),
      reason: "\(name): wanted \(wanted[name] ?? "none"), by which the run was trained so far, found "
        + "\(found[name] ?? "none"); put it back, or begin a new run with --config and --start-from \(run.path)")
  }

  /// A recipe without its end, which may be put off, and without paths, because data may be moved.
  private static func json(_ recipe: Recipe) -> String {
    var recipe = recipe
    // Some schedules depend on the end, so that stays.
    if recipe.schedule?.leadsToEnd != true { (recipe.epochs, recipe.steps) = (nil, nil) }
    (recipe.patience, recipe.minDelta) = (nil, nil)
    return JSONText.line(withoutPaths(recipe))
  }

  /// A recipe without where its data and its start lie, which may be moved and differ between machines.
  static func withoutPaths(_ recipe: Recipe) -> Recipe {
    var recipe = recipe
    recipe.start = nil
    (recipe.data.path, recipe.data.codes, recipe.data.inputs) = (nil, nil, nil)
    recipe.validation?.path = nil
    recipe.validation?.inputs = nil
    recipe.validation?.codes = nil
    return recipe
  }

  /// All values of a JSON text as they would be printed, by the names that lead to them.
  static func fields(_ json: String) -> [String: String] {
    var fields: [String: String] = [:]
    func add(_ value: JSONValue, _ name: String) {
      switch value {
      case .object(let object):
        for (key, value) in object { add(value, name.isEmpty ? key : "\(name).\(key)") }
      case .list(let list): for (place, value) in list.enumerated() { add(value, "\(name).\(place)") }
      case .number(let text), .text(let text): fields[name] = text
      case .bool(let truth): fields[name] = "\(truth)"
      case .null: fields[name] = "none"
      }
    }
    if let object = try? JSONParser.parse(Array(json.utf8)) { add(object, "") }
    return fields
  }
}
