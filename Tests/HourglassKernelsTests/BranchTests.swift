import HourglassKernels
import TestSupport
import Testing

extension KernelTests {
  /// Where branches part and meet: sums of small integers are exact, and what is copied is.
  @Suite struct BranchTests {
    static let activations = [HG_ACTIVATION_LINEAR, HG_ACTIVATION_RELU]

    @Test("every instruction set and division equals the definition", arguments: [0, 1, 15, 16, 17, 250])
    func exact(_ count: Int) {
      var generator = SplitMix64(seed: 5)
      let (x, first, second) = (
        Floats.integers(count, &generator), Floats.integers(count, &generator), Floats.integers(count, &generator)
      )
      for activation in Self.activations {
        let (wantedFork, wantedJoin) = (Floats(count: count), Floats(count: count))
        hg_reference_fork_backward(activation, count, x.pointer, first.pointer, second.pointer, wantedFork.pointer)
        hg_reference_join_forward(activation, count, first.pointer, second.pointer, wantedJoin.pointer)
        withEachInstructionSet { name in
          for division in Division.all {
            var parallel = division.parallel
            let (dx, y) = (Floats(count: count), Floats(count: count))
            hg_fork_backward(activation, count, x.pointer, first.pointer, second.pointer, dx.pointer, &parallel)
            hg_join_forward(activation, count, first.pointer, second.pointer, y.pointer, &parallel)
            #expect(difference(dx, wantedFork) == nil, "fork, \(name), \(division)")
            #expect(difference(y, wantedJoin) == nil, "join, \(name), \(division)")
            #expect(dx.isIntact && y.isIntact)
            // In the place of an operand.
            dx.pointer.update(from: first.pointer, count: count)
            hg_fork_backward(activation, count, x.pointer, dx.pointer, second.pointer, dx.pointer, &parallel)
            #expect(difference(dx, wantedFork) == nil)
          }
        }
      }
    }

    @Test("a concatenation and its way back are each other's adjoint", arguments: [(3, 5, 2), (7, 1, 16), (1, 33, 4)])
    func adjoint(_ positions: Int, _ channels: Int, _ skipChannels: Int) {
      var generator = SplitMix64(seed: 6)
      let (a, b) = (positions * channels, positions * skipChannels)
      let (x, skip) = (Floats.integers(a, &generator), Floats.integers(b, &generator))
      let dy = Floats.integers(a + b, &generator)
      let (wanted, wantedX, wantedSkip) = (Floats(count: a + b), Floats(count: a), Floats(count: b))
      hg_reference_concat_forward(positions, channels, skipChannels, x.pointer, skip.pointer, wanted.pointer)
      hg_reference_concat_backward(
        positions, channels, skipChannels, dy.pointer, wantedX.pointer, wantedSkip.pointer)
      #expect(inner(wanted, dy) == inner(x, wantedX) + inner(skip, wantedSkip))
      for division in Division.all {
        var parallel = division.parallel
        let (y, dx, dskip) = (Floats(count: a + b), Floats(count: a), Floats(count: b))
        hg_concat_forward(positions, channels, skipChannels, x.pointer, skip.pointer, y.pointer, &parallel)
        hg_concat_backward(positions, channels, skipChannels, dy.pointer, dx.pointer, dskip.pointer, &parallel)
        #expect(difference(y, wanted, bits: true) == nil && difference(dx, wantedX, bits: true) == nil)
        #expect(difference(dskip, wantedSkip, bits: true) == nil && y.isIntact && dx.isIntact && dskip.isIntact)
        // Nobody wants one of them.
        let alone = Floats(count: b)
        hg_concat_backward(positions, channels, skipChannels, dy.pointer, nil, alone.pointer, &parallel)
        #expect(difference(alone, wantedSkip, bits: true) == nil)
      }
    }

    @Test("what cannot be is refused with a sentence") func refused() {
      var parallel = Division.all[0].parallel
      #expect(text(hg_join_forward(HG_ACTIVATION_RELU, -1, nil, nil, nil, &parallel)) == "a count is negative")
      #expect(
        text(hg_join_forward(HG_ACTIVATION_RELU, 1, nil, nil, nil, &parallel))
          == "an input, output or scratch that the call needs is NULL")
      #expect(
        text(hg_fork_backward(hg_activation(rawValue: 99), 0, nil, nil, nil, nil, &parallel))
          == "there is no such activation")
      #expect(text(hg_concat_backward(0, 1, 1, nil, nil, nil, &parallel)) == nil)
      #expect(text(hg_concat_forward(-1, 1, 1, nil, nil, nil, &parallel)) == "a count is negative")
    }
  }
}
