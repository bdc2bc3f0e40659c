import Foundation
import Synchronization
import TestSupport
import Testing

/// Every command that writes, killed before and hindered at its operations on files: nothing is lost, nothing is half
/// there, nothing is wrong in silence.
///
/// A few dozen cases are drawn, the same in every run. HOURGLASS_FAULTS=all tries all of them (`make stress`). Words
/// choose among them: HOURGLASS_FAULTS="train", "resume reads", "pca writes kill", "import writes EIO 17", "pca writes
/// ENOSPC+ 3".
@Suite(.serialized, .enabled(if: FaultShim.isSupported)) struct FaultInjectionTests {
  private static let wanted: [String] =
    (ProcessInfo.processInfo.environment["HOURGLASS_FAULTS"] ?? "").split(separator: " ").map(String.init)

  /// What is tried at each operation of a kind.
  private static let faults: [Fault] =
    ["kill", "torn", "short", "EINTR", "EIO", "ENOSPC", "EACCES"].map { Fault(kind: .writes, what: $0) }
    + ["ENOSPC", "EROFS"].map { Fault(kind: .writes, what: $0, isSticky: true) }
    + ["short", "EINTR", "EIO", "ESTALE", "EACCES"].map { Fault(kind: .reads, what: $0) }
    + ["EIO"].map { Fault(kind: .reads, what: $0, isSticky: true) }

  @Test func everyCommandSurvivesEveryFault() throws {
    let words = Self.wanted
    let isSample = words.isEmpty
    let kinds = Self.faults.map(\.kind).filter { words.contains($0.rawValue) }
    let whats = Self.faults.map(\.name).filter(words.contains)
    let places = words.compactMap { Int($0) }
    let faults = Self.faults.filter {
      (kinds.isEmpty || kinds.contains($0.kind)) && (whats.isEmpty || whats.contains($0.name))
    }
    let named = FaultScenario.all.filter { words.contains($0.name) }
    var scenarios = named.isEmpty ? FaultScenario.all : named
    var chance = Chance()
    if isSample { scenarios = Array(scenarios.shuffled(using: &chance).prefix(10)) }
    try withTemporaryFolder { folder in
      let runner = try FaultRunner(folder)
      var total = Count()
      for scenario in scenarios {
        let expected = try runner.expected(scenario)
        var cases = expected.cases(of: faults)
        if !places.isEmpty { cases = cases.filter { places.contains($0.at) } }
        if isSample {
          // A kill, and three others.
          let drawn = faults.prefix(1) + faults.dropFirst().shuffled(using: &chance).prefix(3)
          cases = drawn.compactMap { fault in
            cases.filter { $0.kind == fault.kind && $0.name == fault.name }.randomElement(using: &chance)
          }
        }
        var count = Self.attempt(runner, scenario, cases, expected)
        count.operations = expected.operations.count
        total.add(count)
        print("faults: \(scenario.name): \(count)")
        fflush(nil)
      }
      print("faults: \(scenarios.count) commands: \(total)")
    }
  }

  /// Knuth's MMIX generator; its upper bits, twice.
  private struct Chance: RandomNumberGenerator {
    private var state: UInt64 = 16

    mutating func next() -> UInt64 {
      let halves = (0..<2).map { _ in
        state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
        return state >> 32
      }
      return halves[0] << 32 | halves[1]
    }
  }

  /// How often something was done, and how often it was not survived.
  private struct Count: CustomStringConvertible {
    var (operations, kills, failures, faults) = (0, 0, 0, 0)

    var description: String {
      "\(operations) operations, \(kills) kills, \(failures) failures injected, \(faults) faults"
    }

    mutating func add(_ other: Count) {
      operations += other.operations
      kills += other.kills
      failures += other.failures
      faults += other.faults
    }
  }

  /// Tries the cases, two at a time.
  private static func attempt(
    _ runner: FaultRunner, _ scenario: FaultScenario, _ cases: [Fault], _ expected: FaultRunner.Expected
  ) -> Count {
    let state = Mutex((next: 0, count: Count()))
    DispatchQueue.concurrentPerform(iterations: 2) { _ in
      while let fault = state.withLock({ state -> Fault? in
        guard state.next < cases.count else { return nil }
        defer { state.next += 1 }
        return cases[state.next]
      }) {
        var problems: [String]
        do { problems = try runner.problems(of: scenario, fault, expected) } catch {
          problems = ["\(scenario.name) \(fault): \(error)"]
        }
        state.withLock {
          if fault.endsByKill { $0.count.kills += 1 } else { $0.count.failures += 1 }
          if !problems.isEmpty { $0.count.faults += 1 }
        }
        for problem in problems {
          print("faults: FAULT \(problem)")
          Issue.record("\(problem)")
        }
      }
    }
    return state.withLock { $0.count }
  }
}
