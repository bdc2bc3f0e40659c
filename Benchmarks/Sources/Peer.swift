import ArgumentParser
import Foundation
import HourglassTraining

/// A peer that Hourglass is measured against, in turn.
enum Peer: String, CaseIterable, ExpressibleByArgument {
  case torch, onednn
  /// Hourglass itself on one thread: the ratio is the gain of the threads.
  case oneThread = "one-thread"
  /// Hourglass itself with AVX2: the ratio is its share of its peak over the share in use of its own.
  case avx2

  /// The wanted ratio; cases below it are listed.
  func wanted(threads: Int) -> Double {
    switch self {
    case .torch, .onednn: 0.95
    case .oneThread: 0.925 * Double(threads)
    case .avx2: 0.85
    }
  }
}

/// The reason why something cannot be measured, such as a missing peer or baseline.
struct BenchError: Error, CustomStringConvertible {
  let description: String
  init(_ description: String) { self.description = description }
}

/// A program that answers each line of its standard input by a line of JSON; it lives as long as this value.
final class PeerProcess {
  /// The first line that the program writes, which says what it is.
  struct Greeting: Codable {
    var framework: String
    /// The allocator of that process; glibc maps large arrays afresh at every call.
    var allocator: String?
    /// The instruction set that it may use.
    var isa: String?

    var title: String {
      framework + (isa.map { " (\($0))" } ?? "") + (allocator.map { " with the allocator of \($0)" } ?? "")
    }
  }

  let greeting: Greeting
  private let process = Process()
  private let input = Pipe()
  private let output = Pipe()
  private var buffer = Data()

  init(_ command: [String], environment: [String: String] = [:]) throws {
    process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
    process.arguments = command
    process.environment = ProcessInfo.processInfo.environment.merging(environment) { $1 }
    (process.standardInput, process.standardOutput) = (input, output)
    try process.run()
    guard let line = Self.line(output, &buffer), let greeting = try? JSONDecoder().decode(Greeting.self, from: line)
    else { throw BenchError("the peer did not start: \(command.joined(separator: " "))") }
    self.greeting = greeting
  }

  /// The program ends with its input; a launcher would leave processes behind that nobody waits for.
  deinit {
    try? input.fileHandleForWriting.close()
    process.waitUntilExit()
  }

  private struct Refusal: Decodable { var error: String? }

  /// Asks a question and reads the answer.
  ///
  /// Errors: `BenchError` when the process ended, or with its complaint.
  func ask<Answer: Decodable>(_ question: some Encodable, _ answer: Answer.Type) throws -> Answer {
    try input.fileHandleForWriting.write(contentsOf: Data((try json(question) + "\n").utf8))
    guard let line = Self.line(output, &buffer) else { throw BenchError("\(greeting.framework) ended") }
    if let refusal = try? JSONDecoder().decode(Refusal.self, from: line).error {
      throw BenchError("\(greeting.framework): \(refusal)")
    }
    return try JSONDecoder().decode(Answer.self, from: line)
  }

  /// The next line; nil at the end.
  private static func line(_ pipe: Pipe, _ buffer: inout Data) -> Data? {
    while true {
      if let end = buffer.firstIndex(of: UInt8(ascii: "\n")) {
        defer { buffer = Data(buffer[(end + 1)...]) }
        return Data(buffer[..<end])
      }
      let more = pipe.fileHandleForReading.availableData
      if more.isEmpty { return nil }
      buffer += more
    }
  }

  private static let scripts = "Benchmarks/Peers"

  /// The environment that holds PyTorch to the instruction set of Hourglass where the user chose AVX2, so that the
  /// comparison is that of a machine without AVX-512.
  private static var heldToAVX2: [String: String] {
    Limits.isaInUse == "avx2"
      ? ["ATEN_CPU_CAPABILITY": "avx2", "ONEDNN_MAX_CPU_ISA": "AVX2", "MKL_ENABLE_INSTRUCTIONS": "AVX2"] : [:]
  }

  /// The command of a script of Benchmarks/Peers in the Python that HOURGLASS_PYTHON names.
  static func python(command script: String, _ arguments: [String]) throws -> [String] {
    let path = "\(scripts)/\(script)"
    guard FileManager.default.fileExists(atPath: path) else {
      throw BenchError("wanted the folder \(scripts) here: run bench in the root of the repository")
    }
    return [ProcessInfo.processInfo.environment["HOURGLASS_PYTHON"] ?? "python3", path] + arguments
  }

  /// Starts a script of Benchmarks/Peers in Python, with tcmalloc preloaded where it is found; by mpirun where it is to
  /// be in several processes, of which the first answers.
  static func python(_ script: String, _ arguments: [String], processes: Int? = nil) throws -> PeerProcess {
    var (command, environment) = (try python(command: script, arguments), preload.merging(heldToAVX2) { $1 })
    if let processes {
      command = Launcher.command(processes, command)
      environment.merge(Launch.ofManyProcesses) { $1 }
    }
    do {
      return try PeerProcess(command, environment: environment)
    } catch {
      throw BenchError("\(error); install its framework with pip, or name a Python that has it in HOURGLASS_PYTHON")
    }
  }

  /// Starts the program of Benchmarks/Peers that runs oneDNN's kernels.
  static func onednn(threads: Int) throws -> PeerProcess {
    let program = ".build/kernels_onednn"
    guard FileManager.default.isExecutableFile(atPath: program) else {
      throw BenchError("wanted \(program) here: build it with make \(program) DNNL_ROOT=folder-of-oneDNN")
    }
    return try PeerProcess([program, "\(threads)"])
  }

  /// The environment that preloads the better allocator for PyTorch, unless the user chose one.
  private static var preload: [String: String] {
    if ProcessInfo.processInfo.environment["LD_PRELOAD"] != nil { return [:] }
    let folders = [
      "/usr/lib/x86_64-linux-gnu", "/usr/lib/aarch64-linux-gnu", "/usr/lib64", "/usr/lib", "/usr/local/lib",
    ]
    let files = folders.flatMap { folder in
      ["libtcmalloc_minimal.so.4", "libtcmalloc.so.4"].map { "\(folder)/\($0)" }
    }
    return files.first { FileManager.default.fileExists(atPath: $0) }.map { ["LD_PRELOAD": $0] } ?? [:]
  }
}
