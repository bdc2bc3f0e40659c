import ArgumentParser
import Foundation
import HourglassModels
import HourglassTraining

/// Times Hourglass on the machine at hand.
@main
struct Bench: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "bench",
    abstract: "Measure the machine's limits, single kernels, whole training steps, how these scale, and messages.",
    discussion: """
      Examples:
        bench limits --threads 2
        bench kernels --model conv-vae-28 --peer torch
        bench step --model Benchmarks/Models/inspection-256.json --batch-size 32 --workers 2 --peer torch
        bench scaling --model conv-vae-28 --output scaling
        mpirun -n 2 bench network

      HOURGLASS_ISA chooses the instruction set (\(RunEnvironment.instructionSetNames.joined(separator: ", "))), \
      HOURGLASS_PYTHON the Python of peers.
      """,
    subcommands: [
      LimitsBenchmark.self, KernelBenchmark.self, StepBenchmark.self, ScalingBenchmark.self, NetworkBenchmark.self,
      ExchangeBenchmark.self, ResidentMemory.self, ProcessSlice.self, PageCommand.self,
    ])

  static func main() {
    // An idle OpenMP thread spins for 200 ms unless told otherwise, which would slow the next measurement.
    setenv("KMP_BLOCKTIME", "1", 0)
    // A peer that ended is an error to report, not the end of this program.
    signal(SIGPIPE, SIG_IGN)
    do {
      var command = try parseAsRoot()
      try command.run()
    } catch { exit(withError: error) }
  }
}

/// The model of a name or a file, or all that have a name.
func models(named name: String) throws -> [Autoencoder] {
  if name == "all" { return ModelCatalog.models }
  if let model = ModelCatalog.model(name) { return [model] }
  guard name.hasSuffix(".json"), let data = FileManager.default.contents(atPath: name) else {
    let known = ModelCatalog.models.map(\.name).joined(separator: ", ")
    throw ValidationError("--model: wanted all, one of \(known), or a model file that can be read, found \(name)")
  }
  do { return [try JSONDecoder().decode(Autoencoder.self, from: data)] } catch {
    throw ValidationError("--model: \(name) is not a model: \(error)")
  }
}
