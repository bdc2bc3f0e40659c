import ArgumentParser
import Foundation
import HourglassBase
import HourglassData
import HourglassTraining

/// What pretrain and finetune have in common: stages, and then the whole model.
struct StagedTraining {
  var session: SessionOptions
  var division: DivisionOptions

  /// The line of `--json` that begins a stage.
  private struct StageLine: Encodable {
    var event = "stage"
    var stage: Int
    var stages: Int
    var model: String
    var samples: Int
    var run: String
  }

  /// Begins a run, which is removed again where not even its first stage can begin. Position 0 makes it.
  func begin(_ make: () throws -> StagedRun) throws {
    let staged = try shared(make)
    do { try train(staged) } catch {
      guard Processes.isFirst else { throw error }
      // The first failure is told, not a failure to take the run away.
      let hasBegun = try? !staged.stages.allSatisfy { try $0.run.sessions().isEmpty }
      if hasBegun == false { try? staged.run.discard() }
      throw error
    }
  }

  /// Goes on with a run. A flag must not contradict its recipe.
  func resume(_ flags: RecipeFlags) throws { try train(shared { try opened(flags) }) }

  /// The run of position 0, in all processes.
  private func shared(_ make: () throws -> StagedRun) throws -> StagedRun {
    let mine = try Processes.together { Processes.isFirst ? try make() : nil }
    let recipes = mine.map { JSONText.line([$0.recipe] + $0.stages.map(\.recipe)) }
    let told = Processes.fromFirst(recipes ?? "")
    if let mine { return mine }
    return StagedRun(
      "", following: try JSONFile.decode([Recipe].self, from: told.utf8, path: "position 0", what: "no recipes"))
  }

  private func opened(_ flags: RecipeFlags) throws -> StagedRun {
    let staged = try StagedRun.open(session.folder ?? "")
    try flags.check(against: staged.recipe, path: staged.run.path)
    if flags.settings.epochs != nil || flags.settings.steps != nil || flags.settings.patience != nil {
      throw ValidationError(
        "--epochs, --steps, --patience: wanted none with --resume, for stages keep their recipes, found one; once the "
          + "stages are done, hourglass train --run \(staged.run.path) --resume goes on with more of them")
    }
    return staged
  }

  private func train(_ staged: StagedRun) throws {
    SignalHandling.install()
    Processes.transport?.watch(limit: session.stallLimit?.seconds)
    let deadline = session.maxTime.map { ContinuousClock.now + .seconds($0.seconds) }
    let isOver = { deadline.map { ContinuousClock.now >= $0 } ?? false }
    let parallel = division.plan(shards: staged.recipe.shards)
    let progress = Progress(isQuiet: session.quiet)
    /// Trains one of the runs to its end, or until somebody wants it to stop.
    func run(_ trainer: Trainer, in run: RunFolder, told line: String) throws -> Trainer.End {
      progress.note("\(line): \(trainer.recipe.model.name) on \(trainer.data.count) of \(trainer.data.source)")
      if Processes.isFirst { try run.append(RunEnvironment(parallel)) }
      list(about: trainer, run, progress)
      defer { progress.clear() }
      return try trainer.run(
        checkpointEvery: session.checkpointEvery,
        shouldStop: { SignalHandling.stopIsWanted || isOver() }
      ) { event in
        progress.show(event, of: trainer.recipe)
        if session.json, case .epoch(let metrics) = event { StandardOutput.write(json: metrics) }
      }
    }

    for (index, stage) in staged.stages.enumerated() {
      let trainer = try stage.trainer(
        parallel: parallel, acceptsChangedData: session.acceptChangedData, memory: session.memoryForImages,
        transport: Processes.transport)
      let line = StageLine(
        stage: index + 1, stages: staged.stages.count, model: stage.recipe.model.name, samples: trainer.data.count,
        run: stage.run.path)
      if session.json { StandardOutput.write(json: line) }
      let end = try run(trainer, in: stage.run, told: "stage \(line.stage) of \(line.stages)")
      if end == .interrupted { return try stop(trainer, stage.run, staged, isOver: isOver()) }
    }
    let trainer = try staged.trainer(
      parallel: parallel, acceptsChangedData: session.acceptChangedData, memory: session.memoryForImages,
      transport: Processes.transport)
    guard staged.isFinetuning else {
      list(about: trainer, staged.run, progress)
      return session.report("pretrained", trainer, staged.run, goOn: "hourglass finetune --from \(staged.run.path)")
    }
    let end = try run(trainer, in: staged.run, told: "all layers")
    if end == .interrupted { return try stop(trainer, staged.run, staged, isOver: isOver()) }
    try trainer.keepTraining(in: staged.run)
    guard Processes.isFirst else { return }
    try trainer.writePictures(to: staged.run)
    session.report(end.rawValue, trainer, staged.run, goOn: nil)
  }

  private func stop(_ trainer: Trainer, _ run: RunFolder, _ staged: StagedRun, isOver: Bool) throws {
    guard Processes.isFirst else { return }
    // A signal may have come to another process alone.
    let isInterrupted = SignalHandling.stopIsWanted || !isOver
    session.report(
      isInterrupted ? Trainer.End.interrupted.rawValue : "outOfTime", trainer, run,
      goOn: "hourglass \(staged.isFinetuning ? "finetune" : "pretrain") --run \(staged.run.path) --resume")
    if isInterrupted { throw ExitStatusError(status: .interrupted) }
  }
}
