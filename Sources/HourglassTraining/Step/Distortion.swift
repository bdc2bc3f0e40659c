import HourglassData
import HourglassModels

/// The means of a replica to train on images that are augmented, corrupted or paired.
struct Distortion: Sendable {
  let augmentation: Augmentation?
  let corruption: Corruption?
  private let shape: ImageShape
  /// Whether the set has images that the network sees in place of its own.
  private let hasPairs: Bool
  /// Memory for an image before it is augmented, H x W x C, and then for the numbers drawn for its corruption.
  private let scratch: FloatBuffer
  /// The images that a group's samples are to be reconstructed as, N x H x W x C; nil where the network sees them.
  private let targets: FloatBuffer?

  /// Nil where images are trained on as they are stored.
  init?(
    _ augmentation: Augmentation?, _ corruption: Corruption?, hasPairs: Bool, shape: ImageShape, groupSamples: Int
  ) {
    guard augmentation != nil || corruption != nil || hasPairs else { return nil }
    (self.augmentation, self.corruption, self.hasPairs, self.shape) = (augmentation, corruption, hasPairs, shape)
    scratch = FloatBuffer(unwritten: shape.count)
    targets = corruption == nil && !hasPairs ? nil : FloatBuffer(unwritten: shape.count * groupSamples)
  }

  var arenas: [FloatBuffer] { [scratch] + (targets.map { [$0] } ?? []) }

  /// The floats that a replica needs for distortion.
  static func floats(
    _ augmentation: Augmentation?, _ corruption: Corruption?, hasPairs: Bool, shape: ImageShape, groupSamples: Int
  ) -> Int {
    shape.count * (corruption != nil || hasPairs ? 1 + groupSamples : augmentation != nil ? 1 : 0)
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
  ///   - draw: the number of the draw of binarized images.
  ///   - sample: the sample's place within the group.
  ///   - streams: the random numbers of the step and sample.
  func fill(
    _ item: Int, from data: Dataset, draw: Int, sample: Int,
    _ streams: (augmentation: RandomStream, corruption: RandomStream), into input: UnsafeMutablePointer<Float>
  ) throws(DataError) {
    /// Puts an image in its place; both images of a pair are augmented alike.
    func place(
      _ image: UnsafeMutablePointer<Float>,
      _ read: (UnsafeMutablePointer<Float>) throws(DataError) -> Void
    ) throws(DataError) {
      guard let augmentation else { return try read(image) }
      try read(scratch.pointer)
      augmentation.apply(scratch.pointer, shape: shape, streams.augmentation, into: image)
    }
    let clean = target(sample) ?? input
    try place(clean) { (image) throws(DataError) in try data.fill(item, draw: draw, into: image) }
    if hasPairs { try place(input) { (image) throws(DataError) in try data.fillInput(item, into: image) } }
    corruption?.apply(clean, shape: shape, streams.corruption, draws: scratch.pointer, into: input)
  }
}
