import HourglassData
import HourglassModels

/// The means of a replica to train on images that are augmented, corrupted or paired, or of which elements are missing.
struct Distortion: Sendable {
  let augmentation: Augmentation?
  let corruption: Corruption?
  private let shape: ImageShape
  /// Whether the set itself has what the network sees in place of each image.
  private let hasPairs: Bool
  /// What the network sees in the place of missing elements; nil where there are none.
  private let missing: Float?
  /// Room for an image before it is augmented, and then for the numbers drawn for its corruption.
  private let scratch: FloatBuffer
  /// The images that the network is to put out, for each sample of a group, where it sees others.
  private let targets: FloatBuffer?

  /// Answers nil where images are trained on as they are stored.
  init?(
    _ augmentation: Augmentation?, _ corruption: Corruption?, hasPairs: Bool, missing: Float? = nil, shape: ImageShape,
    groupSamples: Int
  ) {
    guard augmentation != nil || corruption != nil || hasPairs || missing != nil else { return nil }
    (self.augmentation, self.corruption, self.hasPairs, self.shape) = (augmentation, corruption, hasPairs, shape)
    self.missing = missing
    scratch = FloatBuffer(unwritten: shape.count)
    targets =
      corruption == nil && !hasPairs && missing == nil ? nil : FloatBuffer(unwritten: shape.count * groupSamples)
  }

  var arenas: [FloatBuffer] { [scratch] + (targets.map { [$0] } ?? []) }

  /// The floats that a replica needs for its distortion.
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

  /// Puts an item of a data set at the network's input and, where that is another image, its target.
  ///
  /// - Parameters:
  ///   - draw: which draw of a binarized image.
  ///   - sample: the place of the sample in its group.
  ///   - streams: the random numbers of the step and sample.
  func fill(
    _ item: Int, from data: Dataset, draw: Int, sample: Int,
    _ streams: (augmentation: RandomStream, corruption: RandomStream), into input: UnsafeMutablePointer<Float>
  ) throws(DataError) {
    /// Reads an image of a pair and augments it as the other one.
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
    if let corruption {
      corruption.apply(clean, shape: shape, streams.corruption, draws: scratch.pointer, into: input)
    } else if missing != nil, !hasPairs {
      input.update(from: clean, count: shape.count)
    }
  }

  /// Puts a number in the place of elements that are missing at the network's input, once that is standardised.
  func fillMissing(_ input: UnsafeMutablePointer<Float>) {
    if let missing { input.fillMissing(count: shape.count, with: missing) }
  }
}

extension UnsafeMutablePointer<Float> {
  /// Replaces the first `count` numbers that are NaN.
  func fillMissing(count: Int, with number: Float) {
    for i in 0..<count where self[i].isNaN { self[i] = number }
  }
}
