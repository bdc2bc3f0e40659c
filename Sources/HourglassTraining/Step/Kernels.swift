import HourglassKernels
import HourglassModels

/// The loops over the flat vector that training needs from C.
package enum Kernels {
  /// Ordered sum of a run of parameters over the shards, which may go on from the sum that is there.
  static func sumShards(
    _ gradients: FloatBuffer, shards: Int, stride: Int, parameters: Range<Int>, accumulate: Bool,
    into sum: UnsafeMutablePointer<Float>
  ) {
    let at = parameters.lowerBound
    checked(hg_sum_shards(parameters.count, shards, stride, gradients.pointer + at, accumulate, sum + at))
  }

  /// average = decay average + (1 - decay) values.
  static func movingAverage(
    of values: UnsafePointer<Float>, _ count: Int, decay: Float, into average: UnsafeMutablePointer<Float>
  ) {
    checked(hg_moving_average(count, decay, values, average))
  }

  /// Moves running statistics a tenth of the way to `sum` / `divisor`, as a descent: w -= 0.1 (w - sum / divisor). The
  /// tenth is PyTorch's momentum.
  static func average(
    _ sum: UnsafePointer<Float>, divisor: Int, into statistics: FloatBuffer, _ range: Range<Int>
  ) {
    var options = hg_sgd_options(
      size: MemoryLayout<hg_sgd_options>.size, gradient_scale: -1 / Float(divisor), learning_rate: 0.1, momentum: 0,
      weight_decay: 1, nesterov: false)
    let at = range.lowerBound
    checked(hg_sgd(&options, range.count, sum + at, statistics.pointer + at, nil))
  }

  /// Sum of squares in double.
  package static func sumOfSquares(_ values: UnsafePointer<Float>, _ count: Int) -> Double {
    hg_sum_of_squares(count, values)
  }

  /// The first infinite or NaN element, if any.
  static func firstNonfinite(_ values: UnsafePointer<Float>, _ count: Int) -> Int? {
    let index = hg_first_nonfinite(count, values)
    return index < 0 ? nil : index
  }
}
