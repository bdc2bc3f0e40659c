import ArgumentParser

/// The peers of a scaling study.
enum ScalingPeers: String, CaseIterable, ExpressibleByArgument {
  case torch

  /// Starts one process for threads, one that has several processes of one thread, and where the study has processes of
  /// its own as many by mpirun, which meet by a file in the folder.
  ///
  /// Errors: `BenchError` where Python, PyTorch, gloo or mpirun is missing.
  func start(_ design: ScalingDesign, folder: String) throws -> [ScalingPeer] {
    func processes(_ counts: [Int]) -> [String] { ["--processes"] + counts.map(String.init) }
    let script = "train_torch_ddp.py"
    let peers = [
      ScalingPeer(try .python("train_torch.py", ["--serve"]), .threads),
      ScalingPeer(try .python(script, processes(design.cores)), .processes),
    ]
    let counts = design.processes.map(\.processes).filter { $0 > 1 }
    guard let most = counts.max(), let workers = design.processes.first?.parallel.workers else { return peers }
    let arguments = processes(counts) + ["--threads", "\(workers)", "--store", "\(folder)/store"]
    return peers + [ScalingPeer(try .python(script, arguments, processes: most), .launched)]
  }
}

/// One way of another framework to use several cores, in a process that lives as long as the study.
final class ScalingPeer {
  enum Way {
    case threads
    /// Several processes, each with one thread and its share of the minibatch; gradients are averaged over gloo.
    case processes
    /// Several processes that mpirun has started, with as many threads as the processes of the study have workers.
    case launched
  }

  private let process: PeerProcess
  private let way: Way

  init(_ process: PeerProcess, _ way: Way) { (self.process, self.way) = (process, way) }

  /// The name of the peer, such as "PyTorch 2.13.0, threads".
  var name: String {
    let version = process.greeting.framework.split(separator: "+")[0].replacing("torch-", with: "PyTorch ")
    let names: [Way: String] = [.threads: "threads", .processes: "DDP with gloo", .launched: "DDP with gloo by mpirun"]
    return "\(version), \(names[way] ?? "")"
  }
  var allocator: String? { process.greeting.allocator }

  /// The trials of the design; each process must have a sample.
  func trials(_ design: ScalingDesign) -> [PeerTrial] {
    guard way != .launched else {
      return design.processes.filter { $0.processes > 1 && $0.processes <= $0.plan.batchSize }.map {
        PeerTrial(peer: self, cores: $0.cores, processes: $0.processes)
      }
    }
    return design.cores.filter { way == .threads || $0 <= design.batchSize(cores: $0) }.map {
      PeerTrial(peer: self, cores: $0)
    }
  }

  fileprivate func ask(_ design: ScalingDesign, _ trial: PeerTrial) throws -> [String: [Double]] {
    let layouts = 2.0
    let question = StepPeer.Question(
      model: design.model, batchSize: design.batchSize(cores: trial.cores), seconds: design.seconds / layouts,
      threads: way == .threads ? trial.cores : nil,
      processes: way == .threads ? nil : trial.processes ?? trial.cores)
    return try process.ask(question, [String: [Double]].self)
  }
}

/// A peer on a number of cores.
struct PeerTrial {
  let peer: ScalingPeer
  let cores: Int
  /// How many processes mpirun has started; nil where it has not.
  var processes: Int? = nil

  var title: String { "\(peer.name) on \(cores)" }

  /// The seconds of the steps of a slice, for each memory layout.
  func ask(_ design: ScalingDesign) throws -> [String: [Double]] { try peer.ask(design, self) }

  /// The peer's point in the study.
  ///
  /// - Parameter medians: the medians of the repetitions for each layout; the faster layout counts.
  func point(_ design: ScalingDesign, _ medians: [String: [Double]]) -> ScalingStudy.PeerPoint {
    let best = medians.min { Samples($0.value).median < Samples($1.value).median }
    return ScalingStudy.PeerPoint(
      cores: cores, processes: processes, batchSize: design.batchSize(cores: cores), seconds: best?.value ?? [],
      layout: best?.key)
  }
}
