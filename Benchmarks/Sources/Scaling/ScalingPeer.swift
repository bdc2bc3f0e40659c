import ArgumentParser

/// The peers of a scaling study.
enum ScalingPeers: String, CaseIterable, ExpressibleByArgument {
  case torch

  /// Starts one process for threads, and one that has several processes of one thread.
  ///
  /// Errors: `BenchError` where Python, PyTorch or gloo is missing.
  func start(cores: [Int]) throws -> [ScalingPeer] {
    [
      ScalingPeer(try .python("train_torch.py", ["--serve"]), .threads),
      ScalingPeer(try .python("train_torch_ddp.py", ["--processes"] + cores.map(String.init)), .processes),
    ]
  }
}

/// One way of another framework to use several cores, in a process that lives as long as the study.
final class ScalingPeer {
  enum Way {
    case threads
    /// Several processes, each with one thread and its share of the minibatch; gradients are averaged over gloo.
    case processes
  }

  private let process: PeerProcess
  private let way: Way

  init(_ process: PeerProcess, _ way: Way) { (self.process, self.way) = (process, way) }

  /// The name of the peer, such as "PyTorch 2.13.0, threads".
  var name: String {
    let version = process.greeting.framework.split(separator: "+")[0].replacing("torch-", with: "PyTorch ")
    return version + (way == .threads ? ", threads" : ", DDP with gloo")
  }
  var allocator: String? { process.greeting.allocator }

  /// The numbers of cores of the design; each process must have a sample.
  func cores(_ design: ScalingDesign) -> [Int] {
    design.cores.filter { way == .threads || $0 <= design.batchSize(cores: $0) }
  }

  fileprivate func ask(_ design: ScalingDesign, cores: Int) throws -> [String: [Double]] {
    let layouts = 2.0
    let question = StepPeer.Question(
      model: design.model, batchSize: design.batchSize(cores: cores), seconds: design.seconds / layouts,
      threads: way == .threads ? cores : nil, processes: way == .processes ? cores : nil)
    return try process.ask(question, [String: [Double]].self)
  }
}

/// A peer on a number of cores.
struct PeerTrial {
  let peer: ScalingPeer
  let cores: Int

  var title: String { "\(peer.name) on \(cores)" }

  /// The seconds of the steps of a slice, for each memory layout.
  func ask(_ design: ScalingDesign) throws -> [String: [Double]] { try peer.ask(design, cores: cores) }

  /// The peer's point in the study.
  ///
  /// - Parameter medians: the medians of the repetitions for each layout; the faster layout counts.
  func point(_ design: ScalingDesign, _ medians: [String: [Double]]) -> ScalingStudy.PeerPoint {
    let best = medians.min { Samples($0.value).median < Samples($1.value).median }
    return ScalingStudy.PeerPoint(
      cores: cores, batchSize: design.batchSize(cores: cores), seconds: best?.value ?? [], layout: best?.key)
  }
}
