import HourglassData
import HourglassKernels
import HourglassTraining

/// Trains one recipe again and again, divided differently each time, and compares the weights by their hashes.
public struct Verification: Sendable {
  /// How the work of one run is divided: by one plan, or by two where the run is stopped halfway and goes on with the
  /// second plan from its checkpoint.
  public struct Division: Sendable, Codable, Equatable, CustomStringConvertible {
    /// The workers and threads that the run begins with.
    public var plan: ParallelPlan
    /// The workers and threads that it goes on with; nil for a run that is not stopped.
    public var resumed: ParallelPlan?
    /// The processes, each of which has such a plan; nil for one that no launcher started.
    public var processes: Int?
    /// Whether each process is a node of its own, to which others send messages, and shares no memory with them.
    public var areNodes: Bool

    public init(_ plan: ParallelPlan, resumed: ParallelPlan? = nil, processes: Int? = nil, areNodes: Bool = false) {
      (self.plan, self.resumed, self.processes, self.areNodes) = (plan, resumed, processes, areNodes)
    }

    /// `3 x 2` for 3 workers with 2 threads each, `4 x 3 x 2` for 4 processes of them.
    public var description: String {
      let parts = [plan, resumed].compactMap(\.self).map { "\($0.workers) x \($0.threads)" }
      return (processes.map { "\($0) x " } ?? "") + parts.joined(separator: ", resumed ") + (areNodes ? ", nodes" : "")
    }

    /// Divisions of all kinds: fewer, as many and more workers than a small machine has cores, numbers that divide no
    /// minibatch, threads that split small images unevenly, and stops.
    public static let all =
      [(1, 1), (2, 1), (3, 1), (5, 1), (8, 1), (1, 2), (1, 3), (2, 2), (3, 2)].map { Division(plan($0, $1)) }
      + [Division(plan(2, 1), resumed: plan(3, 2)), Division(plan(1, 3), resumed: plan(5, 1))]

    /// Divisions among so many processes: on one node, and each on a node of its own.
    public static func all(processes: Int) -> [Division] {
      [(1, 1), (2, 1), (1, 2), (2, 2)].flatMap { workers, threads in
        [false, true].map { Division(plan(workers, threads), processes: processes, areNodes: $0) }
      }
    }

    private static func plan(_ workers: Int, _ threads: Int) -> ParallelPlan {
      ParallelPlan(workers: workers, threads: threads)
    }
  }

  /// The instruction set and the division of one run, and the weights that it ended with.
  public struct Row: Sendable, Equatable {
    public var instructionSet: String
    public var division: Division
    public var weightsHash: String

    public init(instructionSet: String, division: Division, weightsHash: String) {
      (self.instructionSet, self.division, self.weightsHash) = (instructionSet, division, weightsHash)
    }
  }

  /// The name of the model.
  public let model: String
  /// A row for each run, in the order in which they ran.
  public let rows: [Row]

  public init(model: String, rows: [Row]) { (self.model, self.rows) = (model, rows) }

  /// Whether the weights of a row are those of the first row.
  public func isEqual(_ row: Row) -> Bool { row.weightsHash == rows.first?.weightsHash }

  /// A sentence about the first row whose weights are not those of the first; nil when all are the same.
  public var difference: String? {
    guard let first = rows.first, let other = rows.first(where: { !isEqual($0) }) else { return nil }
    return "\(model): wanted the weights \(first.weightsHash) of \(first.division) on \(first.instructionSet) in every "
      + "division, found \(other.weightsHash) in \(other.division) on \(other.instructionSet)"
  }

  /// Trains in every division on every instruction set with FMA, or on the set in use where there is none with FMA.
  ///
  /// The instruction set is a property of the process, so nothing else may compute meanwhile. Afterwards it is what it
  /// was.
  ///
  /// Errors: those of training.
  ///
  /// - Parameters:
  ///   - recipe: a recipe that ends after `steps`.
  ///   - data: the recipe's data.
  ///   - folder: where checkpoints of the runs that are resumed may lie.
  public init(_ recipe: Recipe, data: Dataset, folder: String) throws {
    let inUse = RunEnvironment.instructionSetName
    defer { _ = hg_isa_select(inUse) }
    let fused = RunEnvironment.instructionSetNames.filter { hg_isa_select($0) == nil && hg_isa_has_fma() }
    var rows: [Row] = []
    for name in fused.isEmpty ? [inUse] : fused {
      _ = hg_isa_select(name)
      for (index, division) in Division.all.enumerated() {
        let hash = try Self.train(recipe, division, data, folder: "\(folder)/\(name)-\(index)")
        rows.append(Row(instructionSet: name, division: division, weightsHash: hash))
      }
    }
    self.init(model: recipe.model.name, rows: rows)
  }

  private static func train(
    _ recipe: Recipe, _ division: Division, _ data: Dataset, folder: String
  ) throws -> String {
    guard let second = division.resumed else {
      let trainer = try Trainer(recipe, parallel: division.plan, data: data)
      _ = try trainer.run()
      return trainer.weightsHash
    }
    let run = try RunFolder.create(folder, recipe: recipe)
    let first = try Trainer(recipe, parallel: division.plan, run: run, data: data)
    _ = try first.run(shouldStop: first.progress.step >= first.lastStep / 2)
    let trainer = try Trainer(recipe, parallel: second, run: run, resume: true, data: data)
    _ = try trainer.run()
    return trainer.weightsHash
  }
}
