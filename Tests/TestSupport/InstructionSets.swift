import HourglassKernels
import HourglassTraining

/// The instruction sets of this machine that fuse multiply and add, the widest first: all must give the same bits.
public let fusedInstructionSets: [String] = {
  let before = RunEnvironment.instructionSetName
  defer { _ = hg_isa_select(before) }
  return RunEnvironment.instructionSetNames.filter { hg_isa_select($0) == nil && hg_isa_has_fma() }
}()
