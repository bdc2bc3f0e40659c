import Foundation
import Testing

/// Runs commands with faults in copies of a prepared folder, and says what is not as promised.
struct FaultRunner: Sendable {
  /// Holds the prepared folder `base`, and a folder for each case that runs.
  let root: String

  init(_ root: String) throws {
    // Calls that go by an open file know its path without links.
    self.root = URL(fileURLWithPath: root).resolvingSymlinksInPath().path
    let base = Program(folder: "\(self.root)/base", streams: self.root)
    try FileManager.default.createDirectory(atPath: base.folder, withIntermediateDirectories: true)
    try base.writeFixtures()
    try FaultScenario.prepare(base)
  }

  /// What a command does and leaves when nothing happens to it.
  struct Expected: Sendable {
    /// The operations on files. Each kind is numbered by itself.
    var operations: [FaultShim.Operation]
    var output: String
    /// Before the command, after it, and after what goes on with its run.
    var before: FolderState
    var after: FolderState
    var end: FolderState
    var weightsHash: String?

    /// Each of these faults at each operation that it concerns.
    func cases(of faults: [Fault]) -> [Fault] {
      operations.flatMap { operation in
        faults.filter { $0.kind == operation.kind && $0.concerns(operation) }.map {
          var fault = $0
          fault.at = operation.number
          return fault
        }
      }
    }
  }

  func expected(_ scenario: FaultScenario) throws -> Expected {
    try inFolder(of: scenario) { site in
      let before = FolderState(site.program.folder)
      var made = try site.run(scenario.command, Fault(kind: .all, what: "none"))
      var count: [Fault.Kind: Int] = [:]
      for index in made.operations.indices {
        count[made.operations[index].kind, default: 0] += 1
        made.operations[index].number = count[made.operations[index].kind] ?? 0
      }
      #expect(made.result.status == 0, "\(scenario.name): \(made.result.errors)")
      let after = FolderState(site.program.folder)
      #expect(after.damaged.isEmpty, "\(scenario.name): \(after.damaged)")
      var (end, hash) = (after, made.result.weightsHash)
      if let goesOn = scenario.goesOn {
        let ended = try site.run(goesOn)
        #expect(ended.status == 0, "\(scenario.name): \(ended.errors)")
        (end, hash) = (FolderState(site.program.folder), ended.weightsHash)
      }
      return Expected(
        operations: made.operations, output: FolderState.withoutTimes(made.result.output), before: before, after: after,
        end: end, weightsHash: hash)
    }
  }

  /// What is not as promised when this happens to a command; empty when all is well.
  func problems(of scenario: FaultScenario, _ fault: Fault, _ expected: Expected) throws -> [String] {
    try inFolder(of: scenario) { site in
      let (result, operations) = try site.run(scenario.command, fault)
      let hits = operations.filter(\.isFault)
      let after = FolderState(site.program.folder, whole: expected.after)
      var problems: [String] = []
      if !hits.isEmpty { problems += judge(result, fault, hits, expected, site, scenario.makes) }
      if result.status == 0, !result.isSignalled {
        problems += after.differences(from: expected.after).filter { !fault.leaves($0) }.map { "exit 0, but \($0)" }
      }
      problems += after.damaged.filter { expected.before.damaged[$0.key] == nil }.map { "\($0) is not whole: \($1)" }
      problems += lost(scenario, after, expected).map { "\($0) is neither as before nor new" }
      problems += try recover(scenario, fault, site, after, expected)
      guard !problems.isEmpty else { return [] }
      let place = hits.first.map { "\($0.call) \(site.relative($0.path))" } ?? "no operation"
      let more = problems.count > 4 ? ["and \(problems.count - 3) more"] : []
      return (problems.prefix(more.isEmpty ? 4 : 3) + more).map { "\(scenario.name) \(fault) (\(place)): \($0)" }
    }
  }

  /// How a command ended that met a fault.
  private func judge(
    _ result: Program.Result, _ fault: Fault, _ hits: [FaultShim.Operation], _ expected: Expected, _ site: Site,
    _ makes: [String]
  ) -> [String] {
    if fault.endsByKill {
      return result.isSignalled && result.status == SIGKILL ? [] : ["ended with \(result.status), was not killed"]
    }
    if result.isSignalled { return ["ended by signal \(result.status)\(result.status == SIGKILL ? ", hung" : "")"] }
    if result.status == 0 {
      return FolderState.withoutTimes(result.output) == expected.output ? [] : ["exit 0 with another output"]
    }
    if fault.isHarmless { return ["exit \(result.status): \(result.errors)"] }
    let allowed: [Status] = fault.kind == .writes ? [.failed] : [.failed, .badData]
    guard allowed.contains(where: { $0.rawValue == result.status }) else {
      return ["exit \(result.status): \(result.errors)"]
    }
    let sentences = result.errors.split(separator: "\n").filter { $0.hasPrefix("hourglass: ") }
    let failures = sentences.filter { !$0.contains("warning: ") && !$0.contains("left out: ") }
    guard failures.count == 1 || fault.isSticky && !failures.isEmpty else {
      return ["\(failures.count) sentences: \(result.errors)"]
    }
    // Where several operations fail it names one of them, or what it was about to make.
    return (hits.flatMap { site.names(of: $0.path) } + makes).contains(where: failures[0].contains)
      ? [] : ["the sentence does not name \(hits.map { site.relative($0.path) }): \(failures[0])"]
  }

  /// Files that were there before and are neither as they were nor as the command makes them. Those of a run that goes
  /// on change on the way.
  private func lost(_ scenario: FaultScenario, _ now: FolderState, _ expected: Expected) -> [String] {
    expected.before.contents.filter { path, old in
      let isReplaced = expected.end.contents[path] != old
      guard now.contents[path] != old else { return false }
      return isReplaced ? scenario.goesOn == nil && now.contents[path] != expected.end.contents[path] : true
    }.keys.sorted()
  }

  /// Goes on as the documentation says, and compares with what nothing happened to.
  private func recover(
    _ scenario: FaultScenario, _ fault: Fault, _ site: Site, _ state: FolderState, _ expected: Expected
  ) throws -> [String] {
    let before = expected.before
    var problems: [String] = []
    var last = Program.Result(status: -1, output: "", errors: "")
    let isThere = scenario.makes.first.map { state.contents[$0] != nil } ?? false
    if let goesOn = scenario.goesOn, isThere {
      last = try site.run(goesOn)
      // A run that never had a checkpoint may be begun again.
      if last.status != 0,
        state.contents.keys.contains(where: { $0.hasSuffix(".safetensors") && !Self.has($0, before) })
      {
        return ["cannot go on: exit \(last.status): \(last.errors)"]
      }
    }
    if last.status != 0 {
      let made = scenario.goesOn == nil ? scenario.makes : []
      for path in made where before.contents[path] == nil && state.contents[path] != nil {
        problems += state.differences(from: expected.after).filter { $0.hasPrefix(path) }.map { "half there: \($0)" }
        try FileManager.default.removeItem(atPath: site.program.path(path))
      }
      let refusal = last.errors
      last = try site.run(scenario.command)
      guard last.status == 0 else {
        return problems + ["cannot be repeated: exit \(last.status): \(last.errors) \(refusal)"]
      }
      if FolderState.withoutTimes(last.output) != expected.output { problems.append("repeated, with another output") }
      if let goesOn = scenario.goesOn { last = try site.run(goesOn) }
    }
    if last.status != 0 { problems.append("cannot go on: exit \(last.status): \(last.errors)") }
    if last.weightsHash != expected.weightsHash {
      problems.append("ends with \(last.weightsHash ?? "no weights"), wanted \(expected.weightsHash ?? "none")")
    }
    let end = FolderState(site.program.folder, whole: expected.end)
    problems += end.damaged.map { "in the end \($0) is not whole: \($1)" }
    problems += end.differences(from: expected.end).filter { !fault.leaves($0) }.map { "in the end \($0)" }
    for (path, known) in before.sessions where !(end.sessions[path] ?? []).starts(with: known) {
      problems.append("in the end \(path) has lost sessions")
    }
    return problems
  }

  private static func has(_ path: String, _ state: FolderState) -> Bool { state.contents[path] != nil }

  /// A folder of its own for a case.
  struct Site {
    let program: Program
    var log: String { "\(program.streams ?? "")/operations" }

    func run(_ command: String) throws -> Program.Result {
      try program.start(
        command.split(separator: " ").map(String.init), environment: FaultScenario.environment.merging(temporary) { $1 }
      ).finish()
    }

    func run(_ command: String, _ fault: Fault) throws -> (result: Program.Result, operations: [FaultShim.Operation]) {
      let environment = FaultScenario.environment.merging(temporary) { $1 }
        .merging(fault.environment(folder: program.folder, log: log)) { $1 }
      let result = try program.start(
        command.split(separator: " ").map(String.init), environment: environment
      ).finish()
      return (result, FaultShim.operations(in: log))
    }

    /// `verify` trains in the folder for temporary files.
    private var temporary: [String: String] { ["TMPDIR": program.path("tmp")] }

    /// Without the folder of the case; empty for that itself.
    func relative(_ path: String) -> String {
      path == program.folder ? "" : path.replacingOccurrences(of: program.folder + "/", with: "")
    }

    /// What a sentence may call a file: by its name, without what makes a name temporary, or by a folder around it.
    func names(of path: String) -> [String] {
      let parts = relative(path).split(separator: "/").filter { $0 != "." }
      // The folder of the case is where its commands run.
      guard !parts.isEmpty else { return ["hourglass: .:", program.folder] }
      return parts.map { $0.hasPrefix(".") && $0.hasSuffix(".tmp") ? String($0.dropFirst().dropLast(4)) : String($0) }
    }
  }

  private func inFolder<R>(of scenario: FaultScenario, _ body: (Site) throws -> R) throws -> R {
    let own = "\(root)/\(UUID().uuidString)"
    let site = Site(program: Program(folder: "\(own)/site", streams: own))
    try FileManager.default.createDirectory(
      atPath: site.program.path("tmp"), withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(atPath: own) }
    for name in scenario.uses {
      try FileManager.default.copyItem(atPath: "\(root)/base/\(name)", toPath: site.program.path(name))
    }
    return try body(site)
  }
}

extension Fault {
  /// Whether what is in the folder for temporary files is left to whoever clears that: by a process that is killed, or
  /// on a disk that lets nothing be removed any more.
  fileprivate func leaves(_ difference: String) -> Bool {
    (endsByKill || isSticky) && difference.hasPrefix("tmp/")
  }
}
