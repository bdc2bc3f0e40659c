import HourglassKernels

/// What becomes of a run of a layer's parameters once all samples of a minibatch went back: the second phase of a step.
///
/// Ranges and offsets count from the first parameter of the layer.
public enum Work: Sendable {
  /// The sum of the shards' gradients in their order, then the optimiser.
  case shardSum(Range<Int>)
  /// The sum of the shards' gradients in their order, then a rule of the layer in place of the optimiser.
  case own(Range<Int>, follow: Follow)
  /// A sum over the samples of the minibatch in their order, then the optimiser.
  case product(Product<Read.Source>)
  /// Terms that the layer adds to the first product of the layer that lends its weight.
  case lent([Product<Read.Source>.Term])

  /// Moves `count` parameters by the sum over `samples` samples of what the shards noted in place of gradients.
  public typealias Follow =
    @Sendable (
      _ parameters: UnsafeMutablePointer<Float>, _ sum: UnsafePointer<Float>, _ count: Int, _ samples: Int
    ) -> Void
}

/// The gradient of a matrix of parameters w[i,o], R rows of C columns, as a sum over the samples n of a minibatch: term
/// after term, each in the order of the samples. Layers say which arrays the operands are, a plan says where they lie.
public struct Product<Operand: Sendable & Hashable>: Sendable {
  public enum Term: Sendable, Hashable {
    /// dw[i,o] += sum over n of x[n,i] dy[n,o]
    case outer(x: Operand, dy: Operand)
    /// dw[0,o] += sum over n of dy[n,o], the gradient of a bias: a matrix of one row.
    case bias(dy: Operand)
    /// dw[i,o] += beta factor w[i,o] sum over n of s[n,o]. Such terms come last.
    case scaled(by: Operand, factor: Float)

    /// What the term reads of every sample.
    public var operands: [Operand] {
      switch self {
      case .outer(let x, let dy): [x, dy]
      case .bias(let dy): [dy]
      case .scaled(let s, _): [s]
      }
    }

    func map<Other>(_ transform: (Operand) -> Other) -> Product<Other>.Term {
      switch self {
      case .outer(let x, let dy): .outer(x: transform(x), dy: transform(dy))
      case .bias(let dy): .bias(dy: transform(dy))
      case .scaled(let s, let factor): .scaled(by: transform(s), factor: factor)
      }
    }
  }

  public let rows: Int
  public let columns: Int
  /// Place of w[0,0]: counted from the layer's first parameter where a layer lists it, in the flat vector in a plan.
  public internal(set) var offset: Int
  public internal(set) var terms: [Term]
  /// The use whose parameters these are.
  public internal(set) var use = 0

  init(rows: Int, columns: Int, offset: Int, terms: [Term]) {
    (self.rows, self.columns, self.offset, self.terms) = (rows, columns, offset, terms)
  }

  /// Some rows as a range of the flat vector.
  public func range(rows: Range<Int>) -> Range<Int> {
    offset + rows.lowerBound * columns..<offset + rows.upperBound * columns
  }

  /// The product with other operands in the place of these.
  func map<Other>(_ transform: (Operand) -> Other) -> Product<Other> {
    var product = Product<Other>(rows: rows, columns: columns, offset: offset, terms: terms.map { $0.map(transform) })
    product.use = use
    return product
  }
}

extension Product<Read.Source>.Term {
  /// What the tangents add where there are some: they take the place of the values, and their errors that of errors.
  var ofTangents: Self? {
    guard case .outer(let x, let dy) = self, let t = x.ofTangents, let dt = dy.ofTangents else { return nil }
    return .outer(x: t, dy: dt)
  }
}

extension Product<Place> {
  /// Sums some rows over samples of a minibatch.
  ///
  /// - Parameters:
  ///   - memory: the memory of the minibatch, of `capacity` samples.
  ///   - accumulate: whether the sum goes on from what is there.
  ///   - parameters: the flat vector.
  ///   - gradient: of these rows alone.
  ///   - scratch: what `PlannedLayer.scratchCount` wants for the minibatch, at least C floats.
  public func sum(
    rows: Range<Int>, samples: Range<Int>, beta: Float, accumulate: Bool, parameters: UnsafePointer<Float>,
    gradient: UnsafeMutablePointer<Float>, scratch: UnsafeMutablePointer<Float>, threads: Int,
    memory: UnsafePointer<Float>, capacity: Int
  ) {
    func place(_ operand: Place) -> UnsafePointer<Float> {
      memory + operand.offset * capacity + operand.count * samples.lowerBound
    }
    var geometry = hg_dense(
      size: MemoryLayout<hg_dense>.size, samples: samples.count, inputs: self.rows, outputs: columns)
    var parallel = Planner.parallel(threads: threads)
    for (number, term) in terms.enumerated() {
      switch term {
      case .outer(let x, let dy):
        checked(
          hg_dense_backward_weight(
            &geometry, 0, rows.count, place(x) + rows.lowerBound, place(dy), accumulate || number > 0, gradient,
            scratch, &parallel))
      case .bias(let dy):
        checked(hg_dense_backward_bias(&geometry, place(dy), accumulate || number > 0, gradient, nil))
      case .scaled(let s, let factor):
        checked(hg_dense_backward_bias(&geometry, place(s), false, scratch, nil))
        let (factor, columns) = (beta * factor, columns)
        for i in 0..<rows.count {
          let (w, dw) = (parameters + offset + (rows.lowerBound + i) * columns, gradient + i * columns)
          for o in 0..<columns { dw[o] += factor * scratch[o] * w[o] }
        }
      }
    }
  }
}
