import Foundation
import HourglassData
import HourglassKernels
import HourglassTraining

/// A test that trains one recipe again and again, divided differently each time, and compares the weights.
public struct Verification: Sendable {
  /// The division of the work of one run: by one plan, or by two where the run is stopped halfway and goes on with the
  /// second from its checkpoint.
  public struct Division: Sendable, Codable, Equatable, CustomStringConvertible {
    public var plan: ParallelPlan
    public var resumed: ParallelPlan?

    public init(_ plan: ParallelPlan, resumed: ParallelPlan? = nil) { (self.plan, self.resumed) = (plan, resumed) }

    /// The division as a text, `3 x 2` for 3 workers of 2 threads.
    public var description: String {
      let parts = [plan, resumed].compactMap(\.self).map { "\($0.workers) x \($0.threads)" }
      return parts.joined(separator: ", resumed ")
    }

    /// Divisions with fewer, as many and more workers than a small machine has cores, with numbers that divide no
    /// minibatch, with threads that split small images unevenly, and with stops.
    public static let all =
      [(1, 1), (2, 1), (3, 1), (5, 1), (8, 1), (1, 2), (1, 3), (2, 2), (3, 2)].map { Division(plan($0, $1)) }
      + [Division(plan(2, 1), resumed: plan(3, 2)), Division(plan(1, 3), resumed: plan(5, 1))]

    private static func plan(_ workers: Int, _ threads: Int) -> ParallelPlan {
      ParallelPlan(workers: workers, threads: threads)
    }
  }

  /// The end of one run.
  public struct Row: Sendable, Equatable {
    public var instructionSet: String
    public var division: Division
    public var weightsHash: String

    public init(instructionSet: String, division: Division, weightsHash: String) {
      (self.instructionSet, self.division, self.weightsHash) = (instructionSet, division, weightsHash)
    }
  }

  /// The model's name.
  public let model: String
  public let rows: [Row]

  public init(model: String, rows: [Row]) { (self.model, self.rows) = (model, rows) }

  /// Whether the row's weights equal those of the first row.
  public func isEqual(_ row: Row) -> Bool { row.weightsHash == rows.first?.weightsHash }

  /// A sentence about the first row whose weights differ from those of the first; nil where all are equal.
  public var difference: String? {
    guard let first = rows.first, let other = rows.first(where: { !isEqual($0) }) else { return nil }
    return "\(model): wanted the weights \(first.weightsHash) of \(first.division) on \(first.instructionSet) in every "
      + "division, found \(other.weightsHash) in \(other.division) on \(other.instructionSet)"
  }

  /// Trains in every division on every instruction set with FMA, or without one on the set in use.
  ///
  /// The instruction set is a property of the process: nothing else may compute meanwhile. It is restored afterwards.
  ///
  /// - Parameters:
  ///   - recipe: a recipe that ends after `steps`.
  ///   - data: the recipe's data.
  ///   - folder: a folder for the checkpoints of the runs that are resumed.
  public init(_ recipe: Recipe, data: Dataset, folder: String) throws {
    let inUse = RunEnvironment.instructionSetName
    defer { _ = hg_isa_select(inUse) }
    let fused = Self.instructionSets.filter { hg_isa_select($0) == nil && hg_isa_has_fma() }
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

  private static let instructionSets = ["avx512", "avx2", "neon"]

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
    _ = try first.run(shouldStop: { first.progress.step >= first.lastStep / 2 })
    let trainer = try Trainer(recipe, parallel: second, run: run, resume: true, data: data)
    _ = try trainer.run()
    return trainer.weightsHash
  }
}
