/// Starts parameters as PyTorch does: uniform within ±1/sqrt(fan-in), weights and biases alike.
///
/// Element i of tensor number j, both in the order of files, is (2u - 1) / sqrt(fan-in) with u the value i of the
/// random stream (seed, initialization, step: j), so that a start depends on the seed and the model alone. Tensors of
/// normalisations start from constants instead, and count all the same.
public enum Initializer {
  /// Writes the start of all parameters into the flat vector of a plan.
  public static func fill(_ flat: FloatBuffer, plan: ExecutionPlan, seed: UInt64) {
    precondition(flat.count == plan.parameterCount, "\(flat.count) floats are not \(plan.parameterCount) parameters")
    for (j, parameter) in plan.parameters.enumerated() {
      if let start = parameter.start {
        parameter.store([Float](repeating: start, count: parameter.count), in: flat.pointer)
        continue
      }
      let bound = Float(1 / Double(parameter.fanIn).squareRoot())
      let values = RandomStream(seed: seed, .initialization, step: j).uniform(parameter.count)
      parameter.store(values.map { (2 * $0 - 1) * bound }, in: flat.pointer)
    }
  }
}
