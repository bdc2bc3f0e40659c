import Foundation
import HourglassKernels
import Testing

extension KernelTests {
  @Test("A visit reaches each thread's number once, with OpenMP each on a thread of its own")
  static func visits() {
    for division in Division.all {
      var parallel = division.parallel
      var counts = [UInt](repeating: 0, count: parallel.threads)
      var threads = counts
      counts.withUnsafeMutableBufferPointer { counts in
        threads.withUnsafeMutableBufferPointer { threads in
          var both = (counts.baseAddress!, threads.baseAddress!)
          hg_on_each_thread(
            &parallel,
            { argument, thread in
              let (counts, threads) = argument!.load(
                as: (UnsafeMutablePointer<UInt>, UnsafeMutablePointer<UInt>).self)
              counts[thread] += 1
              threads[thread] = UInt(pthread_self())
            }, &both)
        }
      }
      #expect(counts.allSatisfy { $0 == 1 }, "\(division)")
      if parallel.parallel_for == nil && hg_has_openmp() {
        #expect(Set(threads).count == threads.count && threads[0] == UInt(pthread_self()), "\(division)")
      }
    }
  }
}
