import HourglassData
import HourglassModels

/// The identity of a set of parameters: the first 16 hex digits of SHA-256 over the tensors' bytes, in the order and
/// shapes of files.
public enum WeightsHash {
  /// The hash of a flat vector.
  public static func of(_ parameters: FloatBuffer, plan: ExecutionPlan) -> String {
    plan.require(parameters)
    var hash = SHA256()
    for parameter in plan.parameters {
      parameter.tensor(in: parameters.pointer).withUnsafeBytes { hash.update($0) }
    }
    return String(hash.hexDigits().prefix(16))
  }
}
