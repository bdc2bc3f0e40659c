import HourglassBase

/// Where the pixels of a data set are: in memory, in files, or made when they are wanted. Several threads read at once.
protocol PixelStore: Sendable {
  /// How elements are stored.
  var kind: Elements.Kind { get }
  /// Images, or pictures that are cut into them, that stay decoded in memory; nil where all do or none does.
  var keptCount: Int? { get }

  /// Writes image `index`, H x W x C: bytes divided by 255, 16-bit numbers by 65535, floats as they are.
  ///
  /// Errors: it can no longer be read, or is another one than when the set was opened.
  func fill(_ index: Int, into image: UnsafeMutablePointer<Float>) throws(DataError)
  /// Says which images will be wanted soon.
  func announce(_ indices: some Sequence<Int>)
}

extension PixelStore {
  var keptCount: Int? { nil }
  func announce(_ indices: some Sequence<Int>) {}
}

/// Elements of all images one after the other, N x H x W x C.
struct StackedPixels: PixelStore {
  let elements: Elements
  /// Elements of an image.
  let length: Int

  var kind: Elements.Kind { elements.kind }

  func fill(_ index: Int, into image: UnsafeMutablePointer<Float>) {
    elements.fill(index * length, length, into: image)
  }
}

/// Images that the caller's own code reads.
struct ReadPixels: PixelStore {
  let read: Dataset.Reader

  var kind: Elements.Kind { .float32 }

  func fill(_ index: Int, into image: UnsafeMutablePointer<Float>) throws(DataError) { try read(index, image) }
}

/// Chosen images that stay in their files.
struct DiskPixels: PixelStore {
  let images: DiskImages
  let chosen: [Int32]

  var kind: Elements.Kind { images.kind }

  func fill(_ index: Int, into image: UnsafeMutablePointer<Float>) throws(DataError) {
    try images.fill(Int(chosen[index]), into: image)
  }

  func announce(_ indices: some Sequence<Int>) { for index in indices { images.announce(Int(chosen[index])) } }
}
