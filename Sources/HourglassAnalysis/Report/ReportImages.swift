import HourglassData
import HourglassTraining

/// The images that show what a model learned.
public struct ReportImages {
  public let data: Dataset
  /// The words by which a sentence names the images.
  public let name: String
  /// Whether a person chose the images.
  let areChosen: Bool

  /// The images of a person's choice.
  public init(_ data: Dataset) { (self.data, name, areChosen) = (data, "images of \(data.source)", true) }

  /// Images that the model was not trained on, where there are any: the validation images, or else the test split; else
  /// the images that it was trained on.
  ///
  /// - Parameters training, validation: the recipe's images, where they are open already.
  /// - Throws: no images can be opened.
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
