import Foundation
@testable import HourglassData
import HourglassModels
import TestSupport

/// What the program promises to tell its caller.
enum Status: Int32 {
  case done = 0
  case failed = 1
  case wrongUsage = 2
  case badData = 3
  case diverged = 4
  case interrupted = 130
}

/// The built program, run as a process in a folder of its own that holds a tiny model and some images.
///
///     tiny.json     a variational model of 8 x 8 images with a code of 3
///     plain.json    a plain autoencoder of the same images with a code of 2
///     images.npy    20 images
struct Program {
  let folder: String
  /// Where files stand that hold what processes print; nil for the folder itself.
  var streams: String?

  static func inTemporaryFolder<R>(_ body: (Program) throws -> R) throws -> R {
    try withTemporaryFolder { folder in
      let program = Program(folder: folder)
      try program.writeFixtures()
      return try body(program)
    }
  }

  /// Writes the models and the images.
  func writeFixtures() throws {
    try write(Self.tinyModel, to: "tiny.json")
    try write(Self.plainModel, to: "plain.json")
    let shape = ImageShape(8, 8, 1)
    try NPYFile.write(TestImages.waves(step: 0, samples: 20, shape: shape), shape: [20, 8, 8], to: path("images.npy"))
  }

  /// What a process left behind.
  struct Result {
    /// What it told its caller, or the number of the signal that ended it.
    var status: Int32
    var isSignalled = false
    var output: String
    var errors: String

    /// The lines of standard output as JSON objects; those that are none are missing.
    var objects: [[String: Any]] {
      output.split(separator: "\n").compactMap {
        (try? JSONSerialization.jsonObject(with: Data($0.utf8))) as? [String: Any]
      }
    }

    var weightsHash: String? { objects.last?["weightsHash"] as? String }
    var steps: Int? { objects.last?["steps"] as? Int }
  }

  /// A process that runs.
  struct Running {
    let process: Process
    let outputFile: String
    let errorFile: String

    var errors: String { (try? String(contentsOfFile: errorFile, encoding: .utf8)) ?? "" }

    /// Waits, at most a minute, until something is so.
    func wait(until isSo: () -> Bool) {
      for _ in 0..<12_000 where process.isRunning && !isSo() { usleep(5_000) }
    }

    func send(_ signal: Int32) { kill(process.processIdentifier, signal) }

    /// What it left behind once it ended; it is killed after a minute.
    func finish() throws -> Result {
      wait { false }
      if process.isRunning { send(SIGKILL) }
      process.waitUntilExit()
      return Result(
        status: process.terminationStatus, isSignalled: process.terminationReason == .uncaughtSignal,
        output: try String(contentsOfFile: outputFile, encoding: .utf8), errors: errors)
    }
  }

  /// The program lies beside the tests' own executable, or is what HOURGLASS_PROGRAM names.
  static var executable: String {
    if let named = ProcessInfo.processInfo.environment["HOURGLASS_PROGRAM"] { return named }
    let tests = URL(fileURLWithPath: "/proc/self/exe").resolvingSymlinksInPath()
    return tests.deletingLastPathComponent().appending(path: "hourglass").path
  }

  func path(_ name: String) -> String { "\(folder)/\(name)" }

  func write(_ text: String, to name: String) throws {
    try text.write(toFile: path(name), atomically: true, encoding: .utf8)
  }

  func contents(_ name: String) -> Data? { FileManager.default.contents(atPath: path(name)) }

  func picture(_ name: String) throws -> PNGImage {
    let image = try PictureFiles.decode(path(name))
    guard case .bytes(let pixels) = image.elements else { throw DataError(path: name, reason: "not of 8 bits") }
    return PNGImage(
      width: image.shape.width, height: image.shape.height, channels: image.shape.channels, pixels: pixels)
  }

  /// - Parameter environment: what the process finds in its environment beside what the tests have there.
  func start(
    _ arguments: [String], executable: String = Program.executable, environment: [String: String] = [:]
  ) throws -> Running {
    let process = Process()
    let name = "\(streams ?? folder)/\(UUID().uuidString)"
    let running = Running(process: process, outputFile: "\(name).out", errorFile: "\(name).err")
    for file in [running.outputFile, running.errorFile] { try Data().write(to: URL(fileURLWithPath: file)) }
    if !environment.isEmpty {
      process.environment = ProcessInfo.processInfo.environment.merging(environment) { $1 }
    }
    process.executableURL = URL(fileURLWithPath: executable)
    process.arguments = arguments
    process.currentDirectoryURL = URL(fileURLWithPath: folder)
    process.standardOutput = FileHandle(forWritingAtPath: running.outputFile)
    process.standardError = FileHandle(forWritingAtPath: running.errorFile)
    process.standardInput = FileHandle.nullDevice
    try process.run()
    return running
  }

  func run(_ arguments: [String], environment: [String: String] = [:]) throws -> Result {
    try start(arguments, environment: environment).finish()
  }

  func run(_ arguments: String) throws -> Result { try run(arguments.split(separator: " ").map(String.init)) }

  /// Trains the tiny model on the images, four to a batch, with JSON results.
  func train(_ arguments: String, run name: String) throws -> Result {
    try run("train --model tiny.json --data images.npy --batch-size 4 --json --run \(name) \(arguments)")
  }

  private static let tinyModel = """
    {"name": "tiny", "input": [8, 8, 1], "likelihood": "bernoulli",
     "encoder": [{"layer": "GaussianNoise", "deviation": 0.1},
                 {"layer": "Conv2D", "filters": 4, "kernel": 4, "stride": 2, "activation": "relu"},
                 {"layer": "Dropout", "rate": 0.1}],
     "latent": {"layer": "GaussianLatent", "units": 3},
     "decoder": [{"layer": "Dense", "units": 64, "activation": "relu"}, {"layer": "Reshape", "shape": [4, 4, 4]},
                 {"layer": "ConvTranspose2D", "filters": 1, "kernel": 4, "stride": 2}]}
    """

  private static let plainModel = """
    {"name": "plain", "input": [8, 8, 1], "likelihood": "squaredError",
     "encoder": [], "latent": {"layer": "Dense", "units": 2},
     "decoder": [{"layer": "Dense", "units": 64, "activation": "sigmoid"}, {"layer": "Reshape", "shape": [8, 8, 1]}]}
    """
}
