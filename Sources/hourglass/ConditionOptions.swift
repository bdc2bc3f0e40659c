import ArgumentParser
import HourglassModels
import HourglassTraining

/// The class that a model with conditions is told.
struct ConditionOptions: ParsableArguments {
  @Option(name: .customLong("class"), help: "The class that a model with conditions is told, by its name or number.")
  var className: String?

  /// The label of the class; nil where none was named.
  ///
  /// Errors: a model that is told no class; a class that it does not know.
  func label(_ loaded: LoadedRun) throws -> Int? {
    guard let className else { return nil }
    guard let classes = loaded.model.conditionClasses else {
      throw ValidationError(
        "--class \(className): wanted a model that is told a class (a layer Condition), found \(loaded.model.name)")
    }
    let names = (loaded.recipe.classes ?? []).prefix(classes)
    if let label = names.firstIndex(of: className) { return label }
    if let label = Int(className), (0..<classes).contains(label) { return label }
    let list = names.prefix(12).joined(separator: ", ") + (names.count > 12 ? ", ..." : "")
    throw ValidationError(
      "--class: wanted \(names.isEmpty ? "" : "one of \(list), or ")a number of 0 to \(classes - 1), found \(className)"
    )
  }

  /// That label for each of a range of codes.
  static func labels(_ label: Int?, _ codes: Range<Int>) -> ArraySlice<Int>? {
    label.map { ArraySlice(repeatElement($0, count: codes.count)) }
  }
}
