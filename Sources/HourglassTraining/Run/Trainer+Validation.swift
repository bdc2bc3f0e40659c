import HourglassModels

extension Trainer {
  /// Adds to an epoch's metrics the measures of its weights on the validation or, without one, the number of latent
  /// units that are active on a few of the images trained on.
  func evaluate(_ row: inout EpochMetrics) throws {
    guard validation != nil || recipe.model.isVariational || recipe.model.isQuantized else { return }
    let evaluator = Evaluator(try inference(), recipe)
    if let validation {
      let result = try evaluator.evaluate(
        validation, importanceSamples: recipe.importanceSamples, sharedBy: transport)
      (row.validationLoss, row.validationMSE) = (result.negativeLogLikelihood ?? result.loss, result.mse)
      (row.validationErrorRate, row.activeUnits) = (result.errorRate, result.activeUnits)
      row.perplexity = result.perplexity
    } else if recipe.model.isQuantized {
      row.perplexity = try inference().perplexity(data, images: min(data.count, Self.imagesWithoutValidation))
    } else {
      let variances = try evaluator.unitVariances(data, images: min(data.count, Self.imagesWithoutValidation))
      row.activeUnits = variances.count { $0 > Evaluation.activeVariance }
    }
  }

  /// So many images are enough to tell an active unit, and few beside an epoch.
  private static let imagesWithoutValidation = 256
}
