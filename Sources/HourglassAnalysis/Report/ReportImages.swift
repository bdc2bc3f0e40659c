import HourglassData
import HourglassTraining

/// The images that show what a model learned.
public struct ReportImages {
  /// The images.
  public let data: Dataset
  /// What a sentence calls them, as `validation images`.
  public let name: String
  /// Whether a person chose them.
  let areChosen: Bool

  /// The images that a person chose.
  public init(_ data: Dataset) { (self.data, name, areChosen) = (data, "images of \(data.source)", true) }

  /// The images that a report shows where nobody chose: those that the model was not trained on, which are the
  /// validation images or the test split, where there are any; else those that it was trained on.
  ///
  /// - Parameters:
  ///   - training: the training set of the recipe, where it is open already.
  ///   - validation: the validation set of the recipe, where it is open already.
  /// - Throws: no such set can be opened.
  public init(_ recipe: Recipe, training: Dataset? = nil, validation: Dataset? = nil) throws(DataError) {
    func open(_ source: DataSource) throws(DataError) -> Dataset {
      try recipe.open(source)
    }
    areChosen = false
    var test = recipe.data
    test.split = .test
    if let validation {
      (data, name) = (validation, "validation images")
    } else if let source = recipe.validation {
      (data, name) = (try open(source), "validation images")
    } else if recipe.data.split == .train, let found = try? open(test), found.isSplit {
      (data, name) = (found, "images of the test split")
    } else if let training {
      (data, name) = (training, "images that the model was trained on")
    } else {
      (data, name) = (try open(recipe.data), "images that the model was trained on")
    }
  }
}
