import HourglassModels
import Testing

@testable import bench

struct DrawnProblemTests {
  @Test("drawn layers are the same for a seed, whichever families are drawn beside", arguments: NetFamily.allCases)
  func deterministic(_ family: NetFamily) {
    func drawn(_ families: [NetFamily], seed: UInt64) -> [Problem] {
      KernelCase.drawn(12 * families.count, of: families, seed: seed).filter { $0.family == family.rawValue }
        .map(\.problem)
    }
    let problems = drawn([family], seed: 1)
    #expect(problems.count == 12 && problems == drawn(NetFamily.allCases, seed: 1))
    #expect(problems != drawn([family], seed: 2))
  }

  @Test("drawn layers can be, are within bounds of work and of what nets have, and are of all passes alike")
  func sensible() throws {
    let cases = KernelCase.drawn(25 * NetFamily.nets.count, of: NetFamily.nets, seed: 1)
    #expect(Set(cases.map(\.name)).count == cases.count)
    for testCase in cases {
      let problem = testCase.problem
      #expect(try Problem(problem.description) == problem)
      #expect((4e6...4e9).contains(problem.flops) && problem.bytes <= 512 * 1024 * 1024, "\(problem)")
      #expect(
        (8...128).contains(problem.samples) && max(problem.input.width, problem.output.width) <= 512, "\(problem)")
      #expect(max(problem.kernel.height, problem.kernel.width) <= 11, "\(problem)")
      #expect(max(problem.input.channels, problem.outputChannels) <= 1024, "\(problem)")
    }
    let convolutions = cases.map(\.problem).filter { $0.operation != .dense }
    let counts = Dictionary(grouping: convolutions, by: \.pass).mapValues(\.count)
    #expect(counts.count == 3 && counts.values.allSatisfy { $0 >= 55 }, "\(counts)")
    // First layers, last layers, and images of which no side is padded as the other.
    #expect(convolutions.contains { $0.operation == .conv && $0.input.channels <= 3 && $0.pass == .backwardFilter })
    #expect(convolutions.contains { $0.outputChannels <= 3 })
    #expect(convolutions.contains { $0.description.contains(" p") && $0.operation == .convt })
    #expect(!convolutions.contains { $0.operation == .conv && $0.input.channels <= 3 && $0.pass == .backwardData })
  }
}
