/// An array that a model makes of each sample: the image, what a layer puts out, the code, the reconstruction.
///
/// The values of a plan are numbered from 0, the image. One layer writes each, and one layer reads each: where two
/// read, a `Fork` stands between them.
public struct Value: Sendable {
  public let shape: ImageShape
  /// The activation that made the values. Whoever computes their error multiplies it by the activation's derivative.
  public let activation: Activation
  public internal(set) var values = Place.none
  /// The derivative of the loss in the sums that the activation took; nil where no parameters lie before the value.
  public internal(set) var error: Place?
  /// The derivative of the values along one direction of the image, and the error of that; nil where no penalty asks
  /// for them (see `PlannedLayer.forwardTangent`).
  public internal(set) var tangent: Place?
  public internal(set) var tangentError: Place?

  init(_ shape: ImageShape, _ activation: Activation) { (self.shape, self.activation) = (shape, activation) }
}

/// A planned layer with the numbers of the values that it reads and writes.
public struct Use: Sendable {
  public internal(set) var layer: any PlannedLayer
  /// The value that the layer reads.
  public internal(set) var input: Int
  /// A second value that it reads, of a layer where branches meet.
  public internal(set) var skip: Int?
  /// The value that it writes.
  public let output: Int
  /// A second value that it writes, of a `Fork`.
  public let branch: Int?

  /// Where the layer's parameters, its prepared weights and its state lie.
  public internal(set) var parameterOffset = 0
  public internal(set) var preparedOffset = 0
  public internal(set) var state = Place.none
  /// The use whose state or weight the layer reads, by its place among the uses; nil for none.
  public internal(set) var lender: Int?
  /// Whether another layer adds to the gradient of the weight on the way back, and before this one.
  public internal(set) var isWeightLent = false
  /// Whether anything is to be done on the way back beside gradients that are found apart: nobody wants the error of
  /// what lies before the first layer with parameters.
  public internal(set) var hasBackwardPass = false
  /// Whether the gradients of the parameters are summed shard by shard.
  public internal(set) var isSharded = false
  /// Which of the model's terms the layer writes; nil for none.
  public internal(set) var term: Int?

  /// What most layers read: the input both ways, and the error of the output on the way back.
  var standardReads: [Read] { [Read(.values(input), [.forward, .backward]), Read(.error(output), [.backward])] }

  /// What layers read whose way back wants the input for the derivative of its activation alone.
  func gatingReads(_ activation: Activation) -> [Read] {
    [
      Read(.values(input), activation == .linear ? [.forward] : [.forward, .backward]),
      Read(.error(output), [.backward]),
    ]
  }

  /// Whether the gradients of the parameters are found apart from the error of the input.
  public var hasGradientPass: Bool { layer.parameterCount > 0 && layer.multiplyAdds > 0 }
  var inputs: [Int] { [input, skip].compactMap(\.self) }
  var outputs: [Int] { [output, branch].compactMap(\.self) }
  /// The layer's parameters as a range of the flat vector.
  public var parameterRange: Range<Int> { parameterOffset..<parameterOffset + layer.parameterCount }
  /// The parameters with their places in the flat vector.
  public var parameters: [Parameter] { layer.parameters.map { $0.moved(by: parameterOffset) } }
}

/// An array that a layer reads, and when. The memory of a plan follows from these: see `Lifetimes`.
public struct Read: Sendable, Hashable {
  public enum Source: Sendable, Hashable {
    /// The values, or the error, of the value with that number.
    case values(Int)
    case error(Int)
    /// What the layer that wrote the value with that number keeps.
    case state(Int)
    /// The weight of the layer that wrote the value with that number.
    case weight(Int)
    /// The tangent of the value with that number, or the tangent's error.
    case tangent(Int)
    case tangentError(Int)

    /// The number of the value, of an array that belongs to one.
    var value: Int? {
      switch self {
      case .values(let v), .error(let v), .tangent(let v), .tangentError(let v): v
      case .state, .weight: nil
      }
    }

    /// The array in which tangents keep what this one keeps of values or their errors.
    var ofTangents: Source? {
      switch self {
      case .values(let v): .tangent(v)
      case .error(let v): .tangentError(v)
      default: nil
      }
    }
  }

  /// What a plan does with a sample: its way forward, its way back, and what is summed over the whole minibatch.
  public enum Moment: Sendable, Hashable { case forward, backward, sums }

  public let source: Source
  public let moments: Set<Moment>

  init(_ source: Source, _ moments: Set<Moment>) { (self.source, self.moments) = (source, moments) }
}

/// Where an array with `count` floats for each sample lies: in one of three memories, behind `offset` floats a sample.
public struct Place: Sendable, Hashable {
  public enum Memory: Sendable, CaseIterable {
    /// Indexed by the place of a sample in the minibatch.
    case batch
    /// Indexed by its place in the group a replica holds.
    case group
    /// Indexed by its place in the chunk at hand.
    case chunk
  }

  public let memory: Memory
  public let offset: Int
  public let count: Int

  static let none = Place(memory: .group, offset: 0, count: 0)
}
