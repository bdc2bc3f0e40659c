import HourglassBase

/// What weights start from before training. Its name in files and on the command line is that of the case;
/// `normal:0.02` and `truncatedNormal:0.02` say a deviation, `glorot` and `he` are short for the uniform forms.
///
/// An output sums over `fanIn` inputs, an input goes into `fanOut` outputs. Biases start from 0, but for `pytorch`.
/// Element i of tensor number j, both in the order of files, is made of value i of the random stream (seed,
/// initialization, step: j), so that a start depends on the seed and the model alone. Tensors of normalisations start
/// from constants, and count all the same.
public enum Initializer: Hashable, Sendable {
  /// Uniform within ±1 / sqrt(fanIn), weights and biases alike: PyTorch's start.
  case pytorch
  /// Uniform within ±sqrt(6 / (fanIn + fanOut)): the start of Keras (Glorot & Bengio, AISTATS 2010).
  case glorotUniform
  /// Normal with variance 2 / (fanIn + fanOut).
  case glorotNormal
  /// Uniform within ±sqrt(6 / fanIn) (He et al., ICCV 2015).
  case heUniform
  /// Normal with variance 2 / fanIn.
  case heNormal
  /// Normal with that deviation.
  case normal(Float)
  /// Normal with that deviation, values beyond two deviations drawn again: TensorFlow's.
  case truncatedNormal(Float)
  /// Rows, or columns where these are fewer, that are orthogonal and of length 1, of the tensor as a matrix of outputs
  /// x all other axes (Saxe et al., ICLR 2014). It takes outputs x elements multiply-adds.
  case orthogonal
  /// 0: for the last layer of a residual block, which then begins as the identity.
  case zeros

  /// The deviations that a normal start may have.
  static let deviations: ClosedRange<Float> = 1e-6...10

  /// Writes the start of all parameters into the flat vector of a plan.
  ///
  /// - Parameter initializer: the one of layers that say nothing.
  public static func fill(
    _ flat: FloatBuffer, plan: ExecutionPlan, seed: UInt64, initializer: Initializer = .pytorch
  ) {
    precondition(flat.count == plan.parameterCount, "\(flat.count) floats are not \(plan.parameterCount) parameters")
    for (j, parameter) in plan.parameters.enumerated() {
      let stream = RandomStream(seed: seed, .initialization, step: j)
      parameter.store((parameter.initializer ?? initializer).values(of: parameter, from: stream), in: flat.pointer)
    }
  }

  private func values(of parameter: Parameter, from stream: RandomStream) -> [Float] {
    let count = parameter.count
    if let start = parameter.start { return [Float](repeating: start, count: count) }
    if parameter.isBias, self != .pytorch { return [Float](repeating: 0, count: count) }
    let (fanIn, fans) = (Double(parameter.fanIn), Double(parameter.fanIn + parameter.fanOut))
    func uniform(_ bound: Double) -> [Float] { stream.uniform(count).map { (2 * $0 - 1) * Float(bound) } }
    func normal(_ deviation: Double) -> [Float] { stream.normal(count).map { $0 * Float(deviation) } }
    switch self {
    case .pytorch: return uniform(1 / fanIn.squareRoot())
    case .glorotUniform: return uniform((6 / fans).squareRoot())
    case .glorotNormal: return normal((2 / fans).squareRoot())
    case .heUniform: return uniform((6 / fanIn).squareRoot())
    case .heNormal: return normal((2 / fanIn).squareRoot())
    case .normal(let deviation): return normal(Double(deviation))
    case .truncatedNormal(let deviation): return Self.truncated(count, from: stream).map { $0 * deviation }
    case .orthogonal: return Self.orthogonal(rows: parameter.shape[0], count: count, from: stream)
    case .zeros: return [Float](repeating: 0, count: count)
    }
  }

  /// The first `count` numbers of a stream that are at most 2 in size: 95 in 100 are.
  private static func truncated(_ count: Int, from stream: RandomStream) -> [Float] {
    var (kept, drawn) = ([Float](), count + 64)
    while kept.count < count {
      drawn += drawn / 8
      kept = stream.normal(drawn).filter { abs($0) <= 2 }
    }
    return Array(kept.prefix(count))
  }

  /// A matrix of orthonormal rows, or columns where these are fewer: normal vectors, each less its parts along those
  /// before it, twice over for the sake of rounding, in double.
  private static func orthogonal(rows: Int, count: Int, from stream: RandomStream) -> [Float] {
    let columns = count / rows
    let (vectors, length) = (min(rows, columns), max(rows, columns))
    var basis = stream.normal(count).map { Double($0) }
    basis.withUnsafeMutableBufferPointer { basis in
      for v in 0..<vectors {
        let vector = basis[v * length..<(v + 1) * length]
        for w in Array(repeating: 0..<v, count: 2).joined() {
          let other = basis[w * length..<(w + 1) * length]
          var part = 0.0
          for i in 0..<length { part += vector[v * length + i] * other[w * length + i] }
          for i in 0..<length { basis[v * length + i] -= part * basis[w * length + i] }
        }
        var square = 0.0
        for i in 0..<length { square += basis[v * length + i] * basis[v * length + i] }
        for i in 0..<length { basis[v * length + i] /= square.squareRoot() }
      }
    }
    return (0..<count).map { i in
      let (row, column) = (i / columns, i % columns)
      return Float(rows <= columns ? basis[i] : basis[column * length + row])
    }
  }
}

extension Initializer: TextForm {
  /// Each kind once, with the deviation that DCGAN made usual where one is to be said.
  public static let all: [Initializer] = [
    .pytorch, .glorotUniform, .glorotNormal, .heUniform, .heNormal, .normal(0.02), .truncatedNormal(0.02),
    .orthogonal, .zeros,
  ]

  /// The name in files: `heNormal`, `normal:0.02`.
  public var rawValue: String {
    switch self {
    case .pytorch: "pytorch"
    case .glorotUniform: "glorotUniform"
    case .glorotNormal: "glorotNormal"
    case .heUniform: "heUniform"
    case .heNormal: "heNormal"
    case .normal(let deviation): "normal:\(deviation)"
    case .truncatedNormal(let deviation): "truncatedNormal:\(deviation)"
    case .orthogonal: "orthogonal"
    case .zeros: "zeros"
    }
  }

  /// The initializer of that name; nil where there is none.
  public init?(rawValue name: String) {
    let parts = name.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
    let deviation = parts.count == 2 ? Float(parts[1]).flatMap { Self.deviations.contains($0) ? $0 : nil } : nil
    switch (parts[0], deviation) {
    case ("normal", let deviation?): self = .normal(deviation)
    case ("truncatedNormal", let deviation?): self = .truncatedNormal(deviation)
    case ("glorot", nil) where parts.count == 1: self = .glorotUniform
    case ("he", nil) where parts.count == 1: self = .heUniform
    default:
      guard let known = Self.all.first(where: { $0.rawValue == name }) else { return nil }
      self = known
    }
  }

  /// What names there are, for messages.
  public static let wanted =
    "one of \(all.map(\.rawValue).joined(separator: ", ")), where 0.02 stands for any deviation of 0.000001 to 10"
}
