import FoundationEssentials
import HourglassData

/// What is peculiar to a run that several processes train together. They take every decision alike, since all of them
/// have all weights and losses; only time and signals are known to one alone.
extension Trainer {
  /// The facts that must be the same in every process, by their names.
  static func facts(_ recipe: Recipe, _ data: Origin.Images, _ validation: Origin.Images?) -> [String: String] {
    func text(_ images: Origin.Images?) -> String {
      guard let images else { return "none" }
      return "\(images.count) of \(images.shape)" + (images.digest.map { " with the digest \($0.prefix(16))" } ?? "")
    }
    var facts = Origin.fields(JSONText.line(Origin.withoutPaths(recipe)))
    facts["images"] = text(data)
    facts["validation images"] = text(validation)
    return facts.merging(RunEnvironment.sharedFacts) { $1 }
  }

  /// Takes all that a step goes on from, and how far the run is, from position 0.
  func startFromFirst(_ transport: any Transport) {
    if transport.place.isFirstOfNode {
      let vectors = [training.parameters] + training.moments.map(\.values) + [training.average].compactMap(\.self)
      for vector in vectors { transport.copyFromFirst(vector.elements) }
      if let chains = training.chains { transport.copyFromFirst(chains) }
    }
    let mine = Standing(progress: progress, saved: saved, dataHasChanged: dataHasChanged)
    let told = transport.gather(transport.place.isFirst ? JSONText.line(mine) : "")[0]
    guard let standing = try? JSONDecoder().decode(Standing.self, from: Data(told.utf8)) else {
      return transport.endAll("\(transport.place.name): the progress of position 0 cannot be read", status: 1)
    }
    (progress, saved, dataHasChanged) = (standing.progress, standing.saved, standing.dataHasChanged)
  }

  /// Where a run stands when its session begins.
  private struct Standing: Codable {
    var progress: Checkpoint.Progress
    var saved: Checkpoint.Progress?
    var dataHasChanged: Bool
  }

  /// Whether the run is to end before the next step. Where processes train together, a process tells in a step that it
  /// wants to stop, and all end after that step.
  func stopIsWanted(_ shouldStop: () -> Bool) -> Bool {
    guard transport != nil else { return shouldStop() }
    if training.stopIsWanted { return true }
    training.wantsStop = shouldStop()
    return false
  }
}
