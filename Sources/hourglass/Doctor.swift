import ArgumentParser
import HourglassBase
import HourglassAnalysis
import HourglassModels
import HourglassTraining

struct Doctor: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Shows what the machine grants, and how training would use it by default.",
    discussion: """
      The list has the cores granted by affinity mask and control group, the instruction set, the OpenMP runtime, MPI, \
      the memory, and the workers and threads of the given models, or of each one that has a name, with reasons. The \
      efficiency is the predicted speed-up over the granted cores, as in hourglass inspect --cores; where it is below \
      0.8, the next column says what is predicted to reach that. Warnings end the list; the exit code is 0 all the same.

      Under mpirun or srun the list is that of position 0, with the node and the cores of every process.

      Examples:
        hourglass doctor
        hourglass doctor conv-vae-64 my-model.json
        taskset -c 0-3 hourglass doctor --json
        mpirun -n 2 --bind-to none hourglass doctor conv-vae-64
      """)

  @Argument(help: "The models, as for hourglass train --model. (default: all that have names)")
  var models: [String] = []

  @Flag(help: "Print the result as one JSON object.")
  var json = false

  func run() throws {
    let models = try models.map { try resolveModel($0, flag: "doctor") }
    var (members, refusal): ([Diagnosis.Member]?, String?)
    do throws(ProcessError) {
      try Processes.join()
      members = Processes.members
    } catch {
      guard Launch()?.isFirst ?? true else { return }
      refusal = error.reason
    }
    guard Processes.isFirst else { return }
    var found = try Diagnosis(
      models: models.isEmpty ? ModelCatalog.models : models, processes: members, place: Processes.transport?.place)
    if let refusal { found.warnings.insert(refusal, at: 0) }
    if json { return StandardOutput.write(json: found) }
    func mebibytes(_ bytes: UInt64?) -> String { bytes.map { "\(grouped(Int(clamping: $0 >> 20))) MiB" } ?? "no limit" }
    let cores = found.cores
    var rows = [
      ["version", "\(found.version), built with Swift \(found.swift)"],
      ["processor", found.processor ?? "unknown"],
      ["cores granted", "\(cores.granted)"],
      ["", "\(cores.online) in the machine, \(cores.affinity) by the affinity mask (taskset)"],
      ["", "by the control group's quota: " + (cores.quota.map { decimal($0, 2) } ?? "no limit")],
      ["instruction set", "\(found.instructionSet), \(found.instructionSetReason)"],
      ["OpenMP", found.openMP ? "yes" : "no"],
    ]
    rows += found.openMPLibraries.map { ["", "\(OpenMPRuntime.name($0)): \($0)"] }
    rows += [
      ["MPI", found.mpi ?? "none, so mpirun and srun start no training (make mpi)"]
    ]
    rows += (found.processes ?? []).enumerated().map { index, process in
      [
        index == 0 ? "processes" : "",
        "\(process.name), node \(process.node): \(process.cores) cores by default, of \(process.allowed)",
      ]
    }
    rows += [
      ["memory granted", mebibytes(found.memory.granted)],
      ["", "\(mebibytes(found.memory.physical)) in the machine"],
      ["", "by the control group: \(mebibytes(found.memory.group))"],
      ["", "of addresses (ulimit -v): \(mebibytes(found.memory.addressSpace))"],
    ]
    let variables = found.variables.sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value)" }
    rows.append(["variables", variables.first ?? "none of OMP_*, KMP_*, GOMP_*, HOURGLASS_ISA"])
    rows += variables.dropFirst().map { ["", $0] }
    StandardOutput.write(table: rows)
    let isIdle = found.defaults.contains { $0.sufficient != nil }
    let title = found.processes == nil ? "default of train" : "default of train at position 0"
    let header =
      [title, "batch size", "workers x threads", "efficiency"] + (isIdle ? ["0.8 by"] : [])
      + ["memory", "why"]
    let defaults = found.defaults.map { row in
      [row.model, "\(row.batchSize)", "\(row.workers) x \(row.threads)", row.efficiency.map { decimal($0, 2) } ?? ""]
        + (isIdle ? [row.sufficient?.flags ?? ""] : []) + [mebibytes(UInt64(row.plannedBytes)), row.reason]
    }
    StandardOutput.write("")
    StandardOutput.write(table: [header] + defaults, rightAligned: [1, 2, 3, isIdle ? 5 : 4])
    StandardOutput.write("")
    if found.warnings.isEmpty { StandardOutput.write("no warnings") }
    for warning in found.warnings { StandardOutput.write("warning: \(warning)") }
  }
}
