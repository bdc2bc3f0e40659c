import ArgumentParser
import HourglassTraining

let versionText =
  "hourglass \(RunEnvironment.programVersion) (\(RunEnvironment.instructionSetName), "
  + "OpenMP \(RunEnvironment.hasOpenMP ? "yes" : "no"), Swift \(RunEnvironment.swiftVersion))"

struct Version: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Prints the version, and the instruction set in use.",
    discussion: """
      Example:
        hourglass version
      """)

  func run() { StandardOutput.write(versionText) }
}
