import HourglassKernels
import HourglassModels

/// The loops over the flat vector that training needs from C.
package enum Kernels {
  /// Ordered sum over the shards of `count` parameters, which may go on from what is there.
  static func sumShards(
    _ gradients: UnsafePointer<Float>, shards: Int, stride: Int, count: Int, accumulate: Bool,
    into sum: UnsafeMutablePointer<Float>
  ) {
    checked(hg_sum_shards(count, shards, stride, gradients, accumulate, sum, nil))
  }

  /// average = decay average + (1 - decay) values.
  static func movingAverage(
    of values: UnsafePointer<Float>, _ count: Int, decay: Float, into average: UnsafeMutablePointer<Float>
  ) {
    checked(hg_moving_average(count, decay, values, average, nil))
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
