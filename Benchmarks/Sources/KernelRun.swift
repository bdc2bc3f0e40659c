import HourglassKernels
import HourglassModels

/// One pass as the training step calls it: operands in memory, weights prepared, ready to be called again and again.
///
/// The pass has a bias but no activation, which peers have in a call of its own. Preparing the weights is not part of
/// the call, because a step does it once for all its samples.
final class KernelRun {
  let operands: Operands
  let results: Results
  let isa: String
  let threads: Int
  private let scratch: FloatBuffer
  private let prepared: FloatBuffer

  /// A run with the instruction set in use.
  init(_ problem: Problem, threads: Int) {
    self.threads = threads
    isa = Limits.isaInUse
    operands = Operands(problem)
    results = Results(problem, samples: problem.samples)
    var parallel = Planner.parallel(threads: threads)
    if problem.operation == .dense {
      var geometry = problem.dense(samples: problem.samples)
      prepared = FloatBuffer(count: 0)
      scratch = FloatBuffer(
        count: max(
          hg_dense_forward_scratch(&geometry, &parallel), hg_dense_backward_data_scratch(&geometry, &parallel),
          hg_dense_backward_weight_scratch(&geometry, &parallel)))
    } else if problem.operation == .pool {
      (prepared, scratch) = (FloatBuffer(count: 0), FloatBuffer(count: 0))
    } else {
      var geometry = problem.geometry(samples: problem.samples)
      scratch = FloatBuffer(
        count: max(
          hg_conv2d_forward_scratch(&geometry, &parallel), hg_conv2d_backward_data_scratch(&geometry, &parallel),
          hg_conv2d_backward_filter_scratch(&geometry, &parallel)))
      let isGather = (problem.operation == .conv) == (problem.pass == .forward)
      if isGather {
        prepared = FloatBuffer(count: hg_conv2d_prepared_gather_count(&geometry))
        hg_conv2d_prepare_gather(&geometry, operands.filter.pointer, gatherFilter, &parallel)
      } else {
        prepared = FloatBuffer(count: hg_conv2d_prepared_scatter_count(&geometry))
        hg_conv2d_prepare_scatter(&geometry, operands.filter.pointer, scatterFilter, &parallel)
      }
    }
  }

  /// The prepared filter, of which a pass reads the one form or the other.
  private var gatherFilter: UnsafeMutablePointer<hg_gather_filter> {
    UnsafeMutableRawPointer(prepared.pointer).assumingMemoryBound(to: hg_gather_filter.self)
  }
  private var scatterFilter: UnsafeMutablePointer<hg_scatter_filter> {
    UnsafeMutableRawPointer(prepared.pointer).assumingMemoryBound(to: hg_scatter_filter.self)
  }

  /// The times of calls in seconds, measured for `seconds`.
  func samples(seconds: Double) -> [Double] {
    let before = Limits.isaInUse
    _ = hg_isa_select(isa)
    defer { _ = hg_isa_select(before) }
    return Timing.samples(seconds: seconds) { call() }
  }

  func call() {
    var parallel = Planner.parallel(threads: threads)
    let problem = operands.problem
    switch problem.operation {
    case .conv, .convt:
      var geometry = problem.geometry(samples: problem.samples)
      if problem.operation == .conv { conv(&geometry, &parallel) } else { convt(&geometry, &parallel) }
    case .dense:
      var geometry = problem.dense(samples: problem.samples)
      dense(&geometry, &parallel)
    case .pool:
      var geometry = problem.geometry(samples: problem.samples)
      if problem.pass == .forward {
        hg_max_pool2d_forward(
          &geometry, operands.x.pointer, results.main.pointer, results.switches.pointer, &parallel)
      } else {
        hg_max_pool2d_backward(
          &geometry, operands.dy.pointer, operands.switches.pointer, HG_ACTIVATION_LINEAR, nil, results.main.pointer,
          &parallel)
      }
    }
  }

  private func conv(_ geometry: inout hg_geometry2d, _ parallel: inout hg_parallel) {
    let (x, dy, main) = (operands.x.pointer, operands.dy.pointer, results.main.pointer)
    let linear = HG_ACTIVATION_LINEAR
    let (bias, scratch) = (operands.bias.pointer, scratch.pointer)
    switch operands.problem.pass {
    case .forward: hg_conv2d_forward(&geometry, x, gatherFilter, bias, linear, main, scratch, &parallel)
    case .backwardData: hg_conv2d_backward_data(&geometry, dy, scatterFilter, linear, nil, main, scratch, &parallel)
    default: hg_conv2d_backward_filter(&geometry, x, dy, false, main, results.bias.pointer, scratch, &parallel)
    }
  }

  private func convt(_ geometry: inout hg_geometry2d, _ parallel: inout hg_parallel) {
    let (x, dy, main) = (operands.x.pointer, operands.dy.pointer, results.main.pointer)
    let linear = HG_ACTIVATION_LINEAR
    let (bias, scratch) = (operands.bias.pointer, scratch.pointer)
    switch operands.problem.pass {
    case .forward: hg_conv2d_transpose_forward(&geometry, x, scatterFilter, bias, linear, main, scratch, &parallel)
    case .backwardData:
      hg_conv2d_transpose_backward_data(&geometry, dy, gatherFilter, linear, nil, main, scratch, &parallel)
    default:
      hg_conv2d_transpose_backward_filter(&geometry, x, dy, false, main, results.bias.pointer, scratch, &parallel)
    }
  }

  private func dense(_ geometry: inout hg_dense, _ parallel: inout hg_parallel) {
    let (x, dy, main, weight) = (
      operands.x.pointer, operands.dy.pointer, results.main.pointer, operands.filter.pointer
    )
    switch operands.problem.pass {
    case .forward:
      hg_dense_forward(
        &geometry, x, weight, operands.bias.pointer, HG_ACTIVATION_LINEAR, main, scratch.pointer, &parallel)
    case .backwardData:
      hg_dense_backward_data(&geometry, dy, weight, HG_ACTIVATION_LINEAR, nil, main, scratch.pointer, &parallel)
    default:
      hg_dense_backward_weight(&geometry, 0, geometry.inputs, x, dy, false, main, scratch.pointer, &parallel)
      hg_dense_backward_bias(&geometry, dy, false, results.bias.pointer, nil)
    }
  }
}
