import ArgumentParser
import FoundationEssentials
import Glibc
import HourglassAnalysis
import HourglassData
import HourglassTraining

@main
struct Hourglass: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "hourglass",
    abstract: "Trains convolutional autoencoders on CPUs, and looks at what they learned.",
    discussion: """
      Example:
        hourglass train --model conv-vae-28 --epochs 5 --run runs/first
        hourglass evaluate --run runs/first

      Completion in a shell: source <(hourglass --generate-completion-script bash), or zsh, or fish.

      Exit codes: 0 done; 1 failed, for example a full disk, or weights that differ in verify; 2 wrong usage, also an \
      unknown model name or flags that contradict a run; 3 bad data, in images, model files, codes or checkpoints; \
      4 diverged, the loss became infinite or not a number; 130 interrupted, with a checkpoint.
      """,
    version: versionText,
    subcommands: [
      Train.self, Pretrain.self, Finetune.self, Evaluate.self, Report.self, Reconstruct.self, Encode.self, Decode.self,
      Sample.self, PCA.self, Score.self, Search.self, ProbeCommand.self, Compress.self, Decompress.self, Denoise.self,
      Grid.self, Interpolate.self, Export.self, Import.self, Inspect.self, Models.self, Verify.self, DataCommand.self,
      Doctor.self, Version.self,
    ])

  /// What the program was called with; names of files need not be UTF-8.
  private static var arguments: [String] {
    (1..<max(1, Int(CommandLine.argc))).compactMap { CommandLine.unsafeArgv[$0].map { pathText($0) } }
  }

  static func main() {
    // A file that is opened must not take the place of a stream that the caller closed.
    for stream in STDIN_FILENO...STDERR_FILENO where fcntl(stream, F_GETFD) < 0 { _ = open("/dev/null", O_RDONLY) }
    GrantedMemory.spareAddresses()
    // A file beyond `ulimit -f` is then an error like a full disk.
    signal(SIGXFSZ, SIG_IGN)
    var status = ExitStatus.done
    do {
      var command = try parseAsRoot(joiningNegatives(arguments))
      try Processes.join(for: command)
      // The doctor lists it among its own.
      if !(command is Doctor) {
        for warning in [Diagnosis.instructionSetWarning(), OpenMPEnvironment.clean()].compactMap(\.self) {
          StandardError.write("hourglass: warning: \(warning)")
        }
        try ThreadError.checkSystem()
      }
      try command.run()
    } catch { status = Processes.status(reporting: error) }
    if let refusal = StandardOutput.refusal {
      StandardError.write("hourglass: \(refusal)")
      if status == .done { status = .failed }
    }
    Glibc.exit(Processes.leave(status).rawValue)
  }

  /// `--beta -1` as `--beta=-1`, for the parser takes -1 as a flag.
  static func joiningNegatives(_ arguments: some Sequence<String>) -> [String] {
    var joined: [String] = []
    for argument in arguments {
      let isNegative = argument.firstMatch(of: /^-(\.?[0-9]|inf|nan)/) != nil
      if isNegative, let flag = joined.last, flag.hasPrefix("--"), flag.count > 2, !flag.contains("=") {
        joined[joined.count - 1] = "\(flag)=\(argument)"
      } else {
        joined.append(argument)
      }
    }
    return joined
  }
}
