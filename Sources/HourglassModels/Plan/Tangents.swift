/// The derivative of a code in one direction v of the image: v is the image's tangent, what the layers make of it is
/// the tangent of their outputs, and that of the code is J v with J the code's Jacobian:
///
///     t[0] = v,   t[l+1] = a'(s[l]) (W[l] t[l])
///
/// A function f of J v has derivatives in all weights, which the way back collects. With q[l] the derivative in t[l]:
///
///     u[l] = a'(s[l]) q[l+1],   dW[l] += t[l] u[l]^T,   q[l] = W[l]^T u[l],   ds[l] += a''(s[l]) (W[l] t[l]) q[l+1]
///
/// where the last is the one way by which f reaches the sums, and from there goes back with their other errors. Where
/// branches meet or part, tangents and their errors are added as values and errors are.
///
/// Sources: Pearlmutter, "Fast exact multiplication by the Hessian", Neural Computation 1994; Griewank & Walther,
/// "Evaluating derivatives", 2008.
extension PlannedLayer {
  /// `tangents.y` from `tangents.x`, with the activation that made `y`.
  public func forward(tangents: Pass, y: UnsafePointer<Float>) {
    forwardTangent(tangents)
    guard activation != .linear else { return }
    activation.backward(
      count: tangents.samples * output.count, y: y, dy: tangents.y, dx: tangents.y, threads: tangents.threads)
  }
}

extension Pass {
  /// Draws the direction of each sample's image, +1 or -1 in each of `count` elements, so that the mean of |J v|^2 over
  /// all directions is the squared Frobenius norm of J.
  ///
  /// Source: Hutchinson, "A stochastic estimator of the trace of the influence matrix for Laplacian smoothing
  /// splines", Communications in Statistics 1989.
  public func drawDirections(count: Int) {
    guard let tangent else { return }
    for sample in 0..<samples {
      guard let stream = noise.direction(sample: firstSample + sample) else { return }
      let direction = tangent + sample * count
      stream.fillUniform(direction, count)
      for i in 0..<count { direction[i] = direction[i] < 0.5 ? -1 : 1 }
    }
  }

  /// Ends the way back through a layer, when the errors of a value that it reads and of the value's tangent are in
  /// place: the one gets the part of the other that goes through the slope of the activation, and the other its slope.
  ///
  ///     dx += a''(s) (W t) q,   q = a'(s) q,   with a''(s) (W t) = (a''(s) / a'(s)) t
  ///
  /// - Parameters:
  ///   - x: the value, N x count.
  ///   - dx: the error of the value.
  ///   - activation: the one that made the value.
  ///   - t: the tangent, of the same size.
  ///   - q: the error of the tangent.
  ///   - count: floats of one sample; as many floats of scratch hold the slopes.
  public func joinTangents(
    _ x: UnsafePointer<Float>, _ activation: Activation, _ dx: UnsafeMutablePointer<Float>?, _ t: UnsafePointer<Float>?,
    _ q: UnsafeMutablePointer<Float>?, count: Int
  ) {
    guard let dx, let t, let q else { return }
    guard activation.isCurved else {
      guard activation != .linear else { return }
      return activation.backward(count: samples * count, y: x, dy: q, dx: q, threads: threads)
    }
    for first in stride(from: 0, to: samples * count, by: count) {
      scratch.update(repeating: 1, count: count)
      activation.backward(count: count, y: x + first, dy: scratch, dx: scratch, threads: threads)
      for i in 0..<count {
        let error = q[first + i]
        dx[first + i] += activation.relativeCurvature(x[first + i], slope: scratch[i]) * t[first + i] * error
        q[first + i] = error * scratch[i]
      }
    }
  }
}

extension Activation {
  /// Whether the second derivative is other than 0 somewhere.
  var isCurved: Bool {
    switch self {
    case .linear, .relu, .leakyRelu, .relu6, .hardSigmoid, .hardTanh: false
    case .sigmoid, .tanh, .softplus, .elu, .selu, .gelu, .silu, .mish, .hardSwish, .softmax: true
    }
  }

  /// a''(s) / a'(s), with y the activation's output and a' its slope.
  @inline(__always)
  fileprivate func relativeCurvature(_ y: Float, slope: Float) -> Float {
    switch self {
    case .sigmoid: 1 - 2 * y
    case .tanh: -2 * y
    case .softplus: 1 - slope
    case .elu, .selu: y > 0 ? 0 : 1
    case .linear, .relu, .leakyRelu, .relu6, .hardSigmoid, .hardTanh: 0
    case .gelu, .silu, .mish, .hardSwish, .softmax: preconditionFailure("\(self) makes no value")
    }
  }
}
