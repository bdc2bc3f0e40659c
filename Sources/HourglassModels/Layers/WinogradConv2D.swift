import HourglassKernels

/// A convolution of 3 x 3 with stride 1 in Winograd's form: a quarter of the multiply-adds, for a larger rounding error
/// (`hourglass_kernels.h` has its bound). The same bits for any workers, threads and instruction set with FMA, but not
/// those of the direct form.
///
/// Source: Lavin & Gray, "Fast algorithms for convolutional neural networks", CVPR 2016.
struct PlannedWinogradConv2D: PlannedConvolution {
  let name: String
  let window: Window
  let activation: Activation
  var parameterOffset = 0

  var kind: String { "\(Conv2D.kind), \(Conv2D.Algorithm.winograd.rawValue)" }
  var hasFilter: Bool { true }
  var input: ImageShape { window.large }
  var output: ImageShape { window.small }

  var preparedGatherCount: Int {
    var geometry = window.geometry(samples: 0)
    return Planner.aligned(hg_winograd_prepared_gather_count(&geometry))
  }

  var preparedCount: Int {
    var geometry = window.geometry(samples: 0)
    return preparedGatherCount + Planner.aligned(hg_winograd_prepared_scatter_count(&geometry))
  }

  func scratchCount(samples: Int, threads: Int) -> Int {
    var geometry = window.geometry(samples: samples)
    var parallel = Planner.parallel(threads: threads)
    return hg_winograd_scratch(&geometry, &parallel)
  }

  func prepare(_ pass: Pass) {
    var geometry = window.geometry(samples: 0)
    let filter = pass.parameters + parameterOffset
    pass.withParallel { parallel in
      checked(hg_winograd_prepare_gather(&geometry, filter, pass.prepared, parallel))
      if pass.dx != nil {
        checked(hg_winograd_prepare_scatter(&geometry, filter, pass.prepared + preparedGatherCount, parallel))
      }
    }
  }

  func forward(_ pass: Pass) {
    var geometry = window.geometry(samples: pass.samples)
    let bias = pass.parameters + parameterOffset + biasOffset
    pass.withParallel {
      checked(
        hg_winograd_forward(&geometry, pass.x, pass.prepared, bias, activation.kernel, pass.y, pass.scratch, $0))
    }
  }

  func backwardParameters(_ pass: Pass) {
    guard let dy = pass.dy, let gradients = pass.gradients else { return }
    var geometry = window.geometry(samples: pass.samples)
    let gradient = gradients + parameterOffset
    pass.withParallel {
      checked(
        hg_winograd_backward_filter(
          &geometry, pass.x, dy, pass.accumulate, gradient, gradient + biasOffset, pass.scratch, $0))
    }
  }

  func backward(_ pass: Pass) {
    guard let dy = pass.dy, let dx = pass.dx else { return }
    var geometry = window.geometry(samples: pass.samples)
    pass.withParallel {
      checked(
        hg_winograd_backward_data(
          &geometry, dy, pass.prepared + preparedGatherCount, pass.inputActivation.kernel, pass.x, dx, pass.scratch, $0
        ))
    }
  }

  func addNodes(to graph: inout ONNXBuilder) { addConvolution(to: &graph) }
}
