import Foundation
import HourglassModels
import TestSupport
import Testing

@testable import HourglassTraining

/// Between the steps of a slow data source the workers and their OpenMP threads sleep.
///
/// In a process of its own, so that its time is that of the test alone. The runtime's own default is to spin for 200
/// ms.
@Suite(.disabled(if: isSanitized, "a sanitizer has threads of its own")) struct IdleTests {
  @Test(.enabled(if: OpenMPEnvironment().leavesWaiting, "the environment says how threads wait"))
  func idleThreadsSleep() async {
    await #expect(processExitsWith: .success) {
      let model = TinyModels.variational
      let data = try TestImages.waves(batchSizes: [20], shape: model.input)
      let training = try startedStep(
        model, batchSize: 20, shards: 5, parallel: ParallelPlan(workers: 4, threads: 2), data: data)
      let idle = try (0..<3).map { step in
        _ = try training.run(step: step, items: ArraySlice(0..<20))
        let before = processSeconds()
        usleep(300_000)
        return processSeconds() - before
      }
      #expect(idle.allSatisfy { $0 < 0.25 * 0.3 }, "\(idle) s of 0.3 s idle")
      withExtendedLifetime(training) {}
    }
  }
}

/// Time of all threads of this process on all cores.
private func processSeconds() -> Double {
  var time = timespec()
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time)
  return Double(time.tv_sec) + Double(time.tv_nsec) * 1e-9
}
