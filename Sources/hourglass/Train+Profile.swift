import HourglassTraining

extension Train {
  /// Saves the profile in the folder of the run and prints it, as a table or as a line of `--json`.
  func show(_ profile: StepProfile, in run: RunFolder) throws {
    try run.save(profile)
    if json { return StandardOutput.write(json: profile) }
    StandardOutput.write(profile.summary)
    StandardOutput.write(table: profile.table, rightAligned: Set(2..<8))
    StandardOutput.write("")
    if let advice = profile.advice(recipe: run.file("recipe.json")) { StandardOutput.write(advice) }
  }
}
