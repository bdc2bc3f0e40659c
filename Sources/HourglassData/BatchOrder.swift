import HourglassBase

/// Which images make the batch of a step: every epoch visits all images once, in an order of its own.
///
/// The order is a function of the step alone, so that training can resume anywhere with the same batches. The last
/// batch of an epoch holds what is left.
public struct BatchOrder: Sendable, Equatable {
  /// Images in the set.
  public let count: Int
  /// The images of a batch.
  public let batchSize: Int
  /// The seed of the orders of all epochs.
  public let seed: UInt64
  /// How many images an epoch visits: all, or only the first ones of epoch 0's order, again and again in that order.
  public let visited: Int

  /// - Parameter first: the most images that an epoch visits; nil for all.
  public init(count: Int, batchSize: Int, seed: UInt64, first: Int? = nil) {
    precondition(count > 0 && batchSize > 0, "batches of \(batchSize) from \(count) images")
    precondition(count <= Int32.max, "\(count) images are more than an order can number")
    (self.count, self.batchSize, self.seed) = (count, batchSize, seed)
    visited = min(count, first ?? count)
  }

  /// The batches of an epoch, a partial last one included.
  public var stepsPerEpoch: Int { (visited + batchSize - 1) / batchSize }

  /// The epoch of a step, both counted from 0, and the places of its batch in `permutation(epoch:)`.
  public func batch(step: Int) -> (epoch: Int, range: Range<Int>) {
    let (epoch, place) = step.quotientAndRemainder(dividingBy: stepsPerEpoch)
    return (epoch, place * batchSize..<min(visited, (place + 1) * batchSize))
  }

  /// The indices of the images that an epoch visits, in its order, by Fisher and Yates' shuffle (Durstenfeld 1964).
  ///
  /// Place i is drawn as the upper word of 64 random bits times i + 1 (Lemire 2019), uneven by less than count / 2^64.
  public func permutation(epoch: Int) -> [Int32] {
    let epoch = visited < count ? 0 : epoch
    var order = (0..<Int32(count)).map { $0 }
    let bits = RandomStream(seed: seed, .shuffle, step: epoch).bits(2 * count)
    for i in stride(from: count - 1, to: 0, by: -1) {
      let draw = UInt64(bits[2 * i]) << 32 | UInt64(bits[2 * i + 1])
      order.swapAt(i, Int(draw.multipliedFullWidth(by: UInt64(i + 1)).high))
    }
    return Array(order.prefix(visited))
  }
}
