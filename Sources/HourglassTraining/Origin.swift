import Foundation
import HourglassData
import HourglassModels

/// What the weights of a checkpoint come from: the recipe they were trained by, and what there was of its data.
///
/// A run that goes on must be the run that it was: another seed, batch size or set of images would give weights that no
/// recipe gives.
public struct Origin: Codable, Sendable, Equatable {
  /// A set of images, as far as it is remembered.
  public struct Images: Codable, Sendable, Equatable {
    public var count: Int
    public var shape: ImageShape

    init(_ data: Dataset) { (count, shape) = (data.count, data.shape) }
  }

  /// A recipe as JSON, without what may change between sessions.
  private let recipe: String
  private let data: Images
  private let validation: Images?

  init(_ recipe: Recipe, data: Dataset, validation: Dataset?) {
    (self.recipe, self.data) = (Self.json(recipe), Images(data))
    self.validation = validation.map { Images($0) }
  }

  /// Refuses to go on with another recipe or other data.
  ///
  /// - Parameters:
  ///   - now: what would be trained by and on.
  ///   - run: whose recipe.json the error is about.
  func check(against now: Origin, run: RunFolder) throws(DataError) {
    for (name, wanted, found) in [("data", data, now.data), ("validation", validation, now.validation)] {
      // A validation that came or went is a difference of the recipes.
      guard let wanted, let found, wanted != found else { continue }
      throw DataError(
        path: run.path,
        reason:
          "\(name): wanted the \(wanted.count) images of \(wanted.shape) that the run was trained on so far, found "
          + "\(found.count) of \(found.shape); bring them back, or begin a new run with --start-from \(run.path)")
    }
    // Both as this version of the program writes recipes.
    let before = try JSONFile.decode(
      Recipe.self, from: recipe.utf8, path: run.path, what: "its checkpoint has a recipe of another version")
    let (wanted, found) = (Self.fields(Self.json(before)), Self.fields(now.recipe))
    let names = Set(wanted.keys).union(found.keys).sorted()
    guard let name = names.first(where: { wanted[$0] != found[$0] }) else { return }
    throw DataError(
      path: run.file("recipe.json"),
      reason: "\(name): wanted \(wanted[name] ?? "none"), by which the run was trained so far, found "
        + "\(found[name] ?? "none"); put it back, or begin a new run with --config and --start-from \(run.path)")
  }

  /// A recipe without its end, which may be put off, and without paths, for data may be moved.
  private static func json(_ recipe: Recipe) -> String {
    var recipe = recipe
    // A cosine leads to its end.
    if recipe.schedule != .cosine { (recipe.epochs, recipe.steps) = (nil, nil) }
    (recipe.patience, recipe.minDelta, recipe.start) = (nil, nil, nil)
    (recipe.data.path, recipe.data.codes, recipe.data.inputs) = (nil, nil, nil)
    recipe.validation?.path = nil
    recipe.validation?.inputs = nil
    recipe.validation?.codes = nil
    return EpochMetrics.json(recipe)
  }

  /// All values of a JSON text as they would be printed, by the names that lead to them.
  private static func fields(_ json: String) -> [String: String] {
    var fields: [String: String] = [:]
    func add(_ value: Any, _ name: String) {
      switch value {
      case let object as [String: Any]:
        for (key, value) in object { add(value, name.isEmpty ? key : "\(name).\(key)") }
      case let list as [Any]: for (place, value) in list.enumerated() { add(value, "\(name).\(place)") }
      default: fields[name] = "\(value)"
      }
    }
    if let object = try? JSONSerialization.jsonObject(with: Data(json.utf8)) { add(object, "") }
    return fields
  }
}
