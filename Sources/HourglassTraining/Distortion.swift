import HourglassData
import HourglassModels

/// What a replica needs to train on images that are not as they are stored.
struct Distortion: Sendable {
  let augmentation: Augmentation?
  let corruption: Corruption?
  private let shape: ImageShape
  /// An image before it is augmented; then the numbers drawn for its corruption.
  private let scratch: FloatBuffer
  /// What a group's images are to be reconstructed as, where the network sees corrupted ones.
  private let targets: FloatBuffer?

  /// Nil where images are trained on as they are stored.
  init?(_ augmentation: Augmentation?, _ corruption: Corruption?, shape: ImageShape, groupSamples: Int) {
    guard augmentation != nil || corruption != nil else { return nil }
    (self.augmentation, self.corruption, self.shape) = (augmentation, corruption, shape)
    scratch = FloatBuffer(unwritten: shape.count)
    targets = corruption == nil ? nil : FloatBuffer(unwritten: shape.count * groupSamples)
  }

  var arenas: [FloatBuffer] { [scratch] + (targets.map { [$0] } ?? []) }

  /// Floats that a replica needs for it.
  static func floats(
    _ augmentation: Augmentation?, _ corruption: Corruption?, shape: ImageShape, groupSamples: Int
  ) -> Int {
    shape.count * (corruption != nil ? 1 + groupSamples : augmentation != nil ? 1 : 0)
  }

  /// The image that a sample of the group is to be reconstructed as; nil where it is the network's input.
  func target(_ sample: Int) -> UnsafeMutablePointer<Float>? {
    targets.map { $0.pointer + sample * shape.count }
  }

  /// Gives a sample of the group the target of the one before it.
  func repeatTarget(_ sample: Int) {
    guard let target = target(sample) else { return }
    target.update(from: target - shape.count, count: shape.count)
  }

  /// Puts an item of a data set at the network's input and, where that is another one, its target.
  ///
  /// - Parameters:
  ///   - draw: of binarized images.
  ///   - sample: counts within the group.
  ///   - streams: for the step and sample.
  func fill(
    _ item: Int, from data: Dataset, draw: Int, sample: Int,
    _ streams: (augmentation: RandomStream, corruption: RandomStream), into input: UnsafeMutablePointer<Float>
  ) throws(DataError) {
    let clean = target(sample) ?? input
    if let augmentation {
      try data.fill(item, draw: draw, into: scratch.pointer)
      augmentation.apply(scratch.pointer, shape: shape, streams.augmentation, into: clean)
    } else {
      try data.fill(item, draw: draw, into: clean)
    }
    corruption?.apply(clean, shape: shape, streams.corruption, draws: scratch.pointer, into: input)
  }
}
