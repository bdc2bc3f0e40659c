import HourglassKernels
import HourglassModels
import HourglassTraining

/// Products of matrices that lie in memory row after row. The kernels of dense layers compute them on as many threads
/// as a single worker has, or on one where the system does not make as many. Each element is one chain of multiply-adds
/// in the order of its depth, so the number of threads changes no bit.
enum MatrixProducts {
  private static let threads: Int = {
    let wanted = min(ParallelPlan(workers: 1, shards: 1).threads, ParallelPlan.most)
    return (try? SystemThread.check(wanted - 1)) == nil ? 1 : wanted
  }()

  /// X W + b, rows x outputs, where x is rows x inputs and w inputs x outputs.
  static func product(
    _ x: UnsafePointer<Float>, rows: Int, _ w: UnsafePointer<Float>, bias: UnsafePointer<Float>? = nil, inputs: Int,
    outputs: Int
  ) -> [Float] {
    var geometry = geometry(rows, inputs, outputs)
    var parallel = Planner.parallel(threads: threads)
    var scratch = [Float](repeating: 0, count: hg_dense_forward_scratch(&geometry, &parallel))
    return [Float](unsafeUninitializedCapacity: rows * outputs) { y, initialized in
      checked(
        hg_dense_forward(&geometry, x, w, bias, HG_ACTIVATION_LINEAR, y.baseAddress, &scratch, &parallel))
      initialized = rows * outputs
    }
  }

  /// X^T Y, inputs x outputs: the sum over rows of the products of x, rows x inputs, and y, rows x outputs.
  static func crossProduct(
    _ x: UnsafePointer<Float>, _ y: UnsafePointer<Float>, rows: Int, inputs: Int, outputs: Int
  ) -> [Float] {
    var geometry = geometry(rows, inputs, outputs)
    var parallel = Planner.parallel(threads: threads)
    var scratch = [Float](repeating: 0, count: hg_dense_backward_weight_scratch(&geometry, &parallel))
    return [Float](unsafeUninitializedCapacity: inputs * outputs) { sum, initialized in
      checked(
        hg_dense_backward_weight(&geometry, 0, inputs, x, y, false, sum.baseAddress, &scratch, &parallel))
      initialized = inputs * outputs
    }
  }

  private static func geometry(_ rows: Int, _ inputs: Int, _ outputs: Int) -> hg_dense {
    hg_dense(size: MemoryLayout<hg_dense>.size, samples: rows, inputs: inputs, outputs: outputs)
  }
}
