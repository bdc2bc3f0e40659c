import Foundation
import HourglassModels
import TestSupport
import Testing

@testable import HourglassTraining

/// Threads stay on the cores that they are bound to, whatever the OpenMP runtime does.
@Suite(.serialized) struct BindingTests {
  @Test(
    arguments: [
      (.close, 4, [0, 1, 2, 3, 4, 5, 6, 7], [0, 1, 2, 3]),
      (.spread, 4, [0, 1, 2, 3, 4, 5, 6, 7], [0, 2, 4, 6]),
      (.spread, 3, [0, 1, 2, 3, 4, 5, 6, 7], [0, 2, 5]),
      (.spread, 4, [2, 3, 6, 7], [2, 3, 6, 7]),
      // More threads than cores begin again.
      (.close, 5, [2, 5, 7], [2, 5, 7, 2, 5]),
      (.spread, 5, [2, 5, 7], [2, 5, 7, 2, 5]),
      (.close, 2, [3], [3, 3]),
    ] as [(CoreBinding, Int, [Int], [Int])])
  func placesAreTakenFromTheCores(_ binding: CoreBinding, _ threads: Int, _ cores: [Int], _ wanted: [Int]) {
    #expect(binding.places(threads, on: cores) == wanted)
  }

  /// All on `count` cores of up to 128: no core twice while there are enough, and none that is not granted.
  @Test(arguments: [CoreBinding.close, .spread]) func noCoreIsTakenTwiceWhileThereAreEnough(_ binding: CoreBinding) {
    for count in 1...128 {
      let cores = (0..<count).map { 3 * $0 + 1 }
      for threads in 1...count {
        let places = binding.places(threads, on: cores)
        #expect(Set(places).count == threads && places.allSatisfy(cores.contains) && places == places.sorted())
      }
    }
  }

  /// Each in a process of its own: a runtime gives the threads of a team that is gone to the next one.
  @Test(arguments: CoreBinding.allCases, [(1, 1), (2, 1), (1, 2), (2, 2), (3, 2)])
  func threadsStayOnTheirCores(_ binding: CoreBinding, _ division: (Int, Int)) async {
    let parallel = ParallelPlan(workers: division.0, threads: division.1, binding: binding)
    await #expect(processExitsWith: .success) { [parallel = parallel as ParallelPlan] in
      try checkPlaces(parallel)
    }
  }
}

/// Expects the threads of a step where they were bound to, after steps and after the founding of other teams.
private func checkPlaces(_ parallel: ParallelPlan) throws {
  let model = TinyModels.variational
  let data = try TestImages.waves(batchSizes: [20, 20], shape: model.input)
  let (cores, granted) = (GrantedCores.allowed, GrantedCores.count)
  let training = try startedStep(model, batchSize: 20, shards: 5, parallel: parallel, data: data)
  try training.run(batchSizes: [20, 20])
  let inference = try Inference(model: model, parallel: parallel, parameters: training.parameters)
  _ = try inference.encode(data.images(0..<20))
  try training.run(batchSizes: [20, 20])

  let (threads, tasks) = (parallel.threads, try tasksOfProcess())
  let places = parallel.binding.places(parallel.workers * threads, on: cores)
    .map { parallel.binding == .none ? cores : [$0] }
  // Threads of OpenMP bear the name of the worker that founded their team. Two teams are alive, the step's and the
  // inference's; the caller is worker 0 of both.
  for worker in 0..<parallel.workers {
    let own = places[(worker * threads)..<((worker + 1) * threads)]
    let name = worker == 0 ? "the caller" : "hourglass-\(worker)"
    let found = tasks.filter { worker == 0 ? $0.isCaller : $0.name == name }.map(\.cores)
    let wanted = worker == 0 ? own.prefix(1) : own + own
    #expect(found.sorted { $0[0] < $1[0] } == wanted.sorted { $0[0] < $1[0] }, "\(name): \(found)")
  }
  #expect(GrantedCores.count == granted && GrantedCores.allowed == cores, "bound threads grant fewer cores")
  withExtendedLifetime((training, inference)) {}
}

private struct Task {
  var name: String
  /// The thread that asks.
  var isCaller: Bool
  var cores: [Int]
}

/// What the system says of each thread; see proc(5).
private func tasksOfProcess() throws -> [Task] {
  let folder = "/proc/self/task"
  let caller = try FileManager.default.destinationOfSymbolicLink(atPath: "/proc/thread-self")
  return try FileManager.default.contentsOfDirectory(atPath: folder).map { id in
    let lines = try String(contentsOfFile: "\(folder)/\(id)/status", encoding: .utf8).split(separator: "\n")
    func field(_ name: String) -> String {
      let line = lines.first { $0.hasPrefix(name + ":") }
      return line.map { $0.dropFirst(name.count + 1).trimmingCharacters(in: .whitespaces) } ?? ""
    }
    // 0-3,8
    let cores = field("Cpus_allowed_list").split(separator: ",").flatMap { range -> [Int] in
      let ends = range.split(separator: "-").compactMap { Int($0) }
      return Array(ends[0]...(ends.last ?? ends[0]))
    }
    return Task(name: field("Name"), isCaller: caller.hasSuffix("/\(id)"), cores: cores)
  }
}
