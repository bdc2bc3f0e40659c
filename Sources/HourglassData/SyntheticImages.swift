import FoundationEssentials
import Glibc
import HourglassBase

/// Images made from a seed. Each shows one of ten shapes or strokes on a softly shaded ground (its class is the label),
/// and one in four a small second object, all anti-aliased.
///
/// What image `index` shows is a function of (seed, split, index) and of the shape, and its bytes are equal on every
/// machine: random numbers are counter-based and the arithmetic uses only operations that IEEE 754 rounds correctly.
public struct SyntheticImages: Sendable {
  /// The shape of every image, H x W x C.
  public let shape: ImageShape
  /// The seed of all images.
  public let seed: UInt64
  /// The part of the set; images of two parts differ.
  public let split: Split

  /// Errors: the images are smaller than 8 x 8, or have neither 1 nor 3 channels.
  public init(shape: ImageShape, seed: UInt64, split: Split) throws(DataError) {
    guard shape.height >= 8, shape.width >= 8, shape.channels == 1 || shape.channels == 3 else {
      throw DataError(
        path: "built-in images",
        reason: "wanted a shape of at least 8 x 8 with 1 or 3 channels, found \(shape.height) x \(shape.width) x "
          + "\(shape.channels); name a data set that has it")
    }
    (self.shape, self.seed, self.split) = (shape, seed, split)
  }

  /// One object: class, place and size in units in which the image's shorter side is 2, rotation as a unit vector.
  public struct Object: Sendable, Equatable {
    public var kind: SyntheticClass
    /// The middle of the object; the image's middle is (0, 0).
    public var x, y: Float
    /// The size of the object, where half the shorter side of the image is 1.
    public var radius: Float
    /// The rotation of the object as a unit vector.
    public var cosine, sine: Float
    /// The width of strokes, the depth of notches and the roundness of corners, in [0, 1].
    public var thickness: Float
    /// The red, green and blue in [0, 1]; three equal values in grey images.
    public var color: RGB
  }

  /// A colour in [0, 1].
  public struct RGB: Sendable, Equatable {
    public var red, green, blue: Float
  }

  /// The factors that decide all pixels of one image.
  public struct Factors: Sendable, Equatable {
    public var object: Object
    /// The second object; nil in three of four images.
    public var companion: Object?
    /// The colour of the ground, and the growth of its brightness to the right and downwards across the image.
    public var ground: RGB
    public var slopeX, slopeY: Float
  }

  /// The factors of image `index`.
  public func factors(_ index: Int) -> Factors {
    let stream = RandomStream(seed: seed, .synthesis, step: split == .train ? 0 : 1, sample: index)
    let u = stream.uniform(24)
    let grey = shape.channels == 1
    // Rotations stay within a tenth of a turn of upright: a class keeps its look, and rotation remains a factor.
    let turn = Trigonometry.unitVector(turns: u[4] < 0.5 ? u[4] / 5 : 0.8 + u[4] / 5)
    let object = Object(
      kind: Self.kind(u[0], among: SyntheticClass.allCases), x: 0.56 * u[1] - 0.28, y: 0.56 * u[2] - 0.28,
      radius: 0.45 + 0.3 * u[3], cosine: turn.cosine, sine: turn.sine, thickness: u[5],
      color: Self.color(
        grey, hue: u[6], saturation: 0.35 + 0.6 * u[7], value: (grey ? 0.75 : 0.6) + (grey ? 0.25 : 0.4) * u[8]))
    var companion: Object?
    if u[9] < 0.25 {
      let (place, turn) = (Trigonometry.unitVector(turns: u[10]), Trigonometry.unitVector(turns: u[11]))
      let distance = 0.55 + 0.2 * u[12]
      companion = Object(
        kind: Self.kind(u[13], among: [.disc, .ring, .square, .triangle]), x: distance * place.cosine,
        y: distance * place.sine, radius: 0.16 + 0.12 * u[14], cosine: turn.cosine, sine: turn.sine, thickness: 1,
        color: Self.color(grey, hue: u[15], saturation: 0.35 + 0.6 * u[16], value: 0.45 + 0.55 * u[17]))
    }
    let ground = Self.color(
      grey, hue: u[18], saturation: 0.3 + 0.5 * u[19], value: grey ? 0.1 * u[20] : 0.08 + 0.2 * u[20])
    return Factors(
      object: object, companion: companion, ground: ground, slopeX: 0.08 * (u[21] - 0.5), slopeY: 0.08 * (u[22] - 0.5))
  }

  /// The images 0 ..< count, N x H x W x C, and their classes, N. Errors: they take more memory than is granted.
  public func make(count: Int) throws(DataError) -> (pixels: [UInt8], labels: [UInt8]) {
    try requireMemory(images: count, "draw \(count) images of \(shape)")
    var labels: [UInt8] = []
    let pixels = [UInt8](unsafeUninitializedCapacity: count * shape.count) { pixels, initialized in
      let canvas = FloatBuffer(count: shape.count)
      for index in 0..<count {
        labels.append(
          draw(index, on: canvas, into: UnsafeMutableBufferPointer(rebasing: pixels[(index * shape.count)...])))
      }
      initialized = count * shape.count
    }
    return (pixels, labels)
  }

  /// Writes the built-in images as PNG files into the folders `train` and `test` of a new folder, in folders named
  /// after their classes: `count` images for training, and an eighth as many for test.
  ///
  /// The folder is made beside its place under another name and renamed when it is whole. A folder that a killed
  /// process left is taken over.
  ///
  /// Errors: memory is not granted for an image; a folder or file cannot be written, after which nothing is left;
  /// another process writes the same folder.
  ///
  /// - Returns: how many images there are of each part.
  public static func write(
    shape: ImageShape, count: Int, seed: UInt64, to folder: String
  ) throws(DataError) -> [(split: Split, count: Int)] {
    let parts = [(split: Split.train, count: count), (split: Split.test, count: max(1, count / 8))]
    let (parent, name) = AtomicFile.split(URL(fileURLWithPath: folder).path)
    let temporary = "\(parent)/\(AtomicFile.temporaryName(name))"
    try AtomicFile.makeFolder(temporary)
    let lock = try FileLock("\(temporary)/lock", use: "a set of images")
    defer { withExtendedLifetime(lock) {} }
    do throws(DataError) {
      for (split, count) in parts {
        let part = "\(temporary)/\(split)"
        if try InputFile.isThere(part) { try AtomicFile.remove(part) }
        try SyntheticImages(shape: shape, seed: seed, split: split).write(count: count, to: part)
      }
      try AtomicFile.remove("\(temporary)/lock")
      try AtomicFile.move(temporary, to: folder)
    } catch {
      try? AtomicFile.remove(temporary)
      throw DataError(path: folder, reason: error.reason, isOutput: error.isOutput, lacksMemory: error.lacksMemory)
    }
    return parts
  }

  private func write(count: Int, to folder: String) throws(DataError) {
    for kind in SyntheticClass.allCases { try AtomicFile.makeFolder("\(folder)/\(kind)") }
    // An image takes its pixels, as they are and in the file.
    try requireMemory(images: 3, "draw and write an image of \(shape)")
    let canvas = FloatBuffer(count: shape.count)
    for index in 0..<count {
      var kind: UInt8 = 0
      let pixels = [UInt8](unsafeUninitializedCapacity: shape.count) { pixels, initialized in
        kind = draw(index, on: canvas, into: pixels)
        initialized = shape.count
      }
      let number = padded("\(index)", to: 8, "0")
      let image = PNGImage(width: shape.width, height: shape.height, channels: shape.channels, pixels: pixels)
      let path = "\(folder)/\(SyntheticClass.allCases[Int(kind)])/\(number).png"
      try image.write(to: path)
    }
  }

  /// Requires memory for the bytes of `count` images and the floats of one.
  private func requireMemory(images count: Int, _ purpose: String) throws(DataError) {
    let need = checkedSum(
      checkedProduct([count, shape.height, shape.width, shape.channels]),
      checkedProduct([4, shape.height, shape.width, shape.channels]))
    try GrantedMemory.require(
      need, for: "built-in images", purpose, advice: "take smaller or fewer images")
  }

  /// Draws an image as bytes and answers its class.
  private func draw(_ index: Int, on canvas: FloatBuffer, into pixels: UnsafeMutableBufferPointer<UInt8>) -> UInt8 {
    let factors = factors(index)
    draw(factors, canvas.pointer)
    for i in 0..<shape.count {
      // Above 2^23 a float is an integer, so this sum rounds, and its last bits are the byte.
      let rounded = max(0, min(canvas.pointer[i], 1)) * 255 + 8_388_608
      pixels[i] = UInt8(truncatingIfNeeded: rounded.bitPattern)
    }
    return factors.object.kind.rawValue
  }

  private func draw(_ factors: Factors, _ canvas: UnsafeMutablePointer<Float>) {
    let ground = factors.ground
    for h in 0..<shape.height {
      let shadeY = factors.slopeY * (2 * (Float(h) + 0.5) / Float(shape.height) - 1)
      for w in 0..<shape.width {
        let shade = shadeY + factors.slopeX * (2 * (Float(w) + 0.5) / Float(shape.width) - 1)
        let pixel = canvas + (h * shape.width + w) * shape.channels
        pixel[0] = ground.red + shade
        if shape.channels == 3 { (pixel[1], pixel[2]) = (ground.green + shade, ground.blue + shade) }
      }
    }
    if let companion = factors.companion { draw(companion, canvas) }
    draw(factors.object, canvas)
  }

  /// Mixes the object's colour into each pixel by the share of the pixel that it covers.
  private func draw(_ object: Object, _ canvas: UnsafeMutablePointer<Float>) {
    let pixelsPerUnit = Float(min(shape.height, shape.width)) / 2
    let (centreX, centreY) = (
      Float(shape.width) / 2 + object.x * pixelsPerUnit, Float(shape.height) / 2 + object.y * pixelsPerUnit
    )
    let radius = object.radius * pixelsPerUnit
    // The reach has one pixel more than the shape, for its soft edge.
    let reach = SignedDistance.reach * radius + 1
    let columns = Self.span(centreX, reach, shape.width)
    for h in Self.span(centreY, reach, shape.height) {
      let dy = (Float(h) + 0.5 - centreY) / radius
      for w in columns {
        let dx = (Float(w) + 0.5 - centreX) / radius
        let (x, y) = (object.cosine * dx + object.sine * dy, object.cosine * dy - object.sine * dx)
        let distance = radius * SignedDistance.value(object.kind, x, y, thickness: object.thickness)
        guard distance < 0.5 else { continue }
        let cover = min(0.5 - distance, 1)
        let pixel = canvas + (h * shape.width + w) * shape.channels
        pixel[0] += cover * (object.color.red - pixel[0])
        if shape.channels == 3 {
          pixel[1] += cover * (object.color.green - pixel[1])
          pixel[2] += cover * (object.color.blue - pixel[2])
        }
      }
    }
  }

  /// The pixels within `reach` of `centre`.
  private static func span(_ centre: Float, _ reach: Float, _ extent: Int) -> Range<Int> {
    let first = max(0, min(Int(clamping: centre - reach), extent))
    return first..<max(first, min(extent, Int(clamping: centre + reach + 1)))
  }

  private static func kind(_ u: Float, among kinds: [SyntheticClass]) -> SyntheticClass {
    kinds[Int(clamping: u * Float(kinds.count))]
  }

  /// A colour from hue, saturation and value (Smith 1978); in grey images from the value alone.
  private static func color(_ grey: Bool, hue: Float, saturation: Float, value: Float) -> RGB {
    if grey { return RGB(red: value, green: value, blue: value) }
    func component(_ offset: Float) -> Float {
      let turned = hue + offset
      let place = 6 * (turned < 1 ? turned : turned - 1)
      return value * (1 - saturation + saturation * max(0, min(abs(place - 3) - 1, 1)))
    }
    return RGB(red: component(0), green: component(2.0 / 3), blue: component(1.0 / 3))
  }
}

/// Sine and cosine without the C library, whose last bits differ between machines.
package enum Trigonometry {
  /// (cos, sin) of an angle in turns, 0 <= turns < 1, off by less than 1e-6.
  package static func unitVector(turns: Float) -> (cosine: Float, sine: Float) {
    let quarter = Int(clamping: 4 * turns)
    let angle = (4 * turns - Float(quarter)) * 1.5707964
    let square = angle * angle
    // The first terms that Taylor's series leaves out are below 6e-8 and 5e-7 at a quarter turn.
    let sine = angle * (1 - square / 6 * (1 - square / 20 * (1 - square / 42 * (1 - square / 72 * (1 - square / 110)))))
    let cosine = 1 - square / 2 * (1 - square / 12 * (1 - square / 30 * (1 - square / 56 * (1 - square / 90))))
    switch quarter & 3 {
    case 0: return (cosine, sine)
    case 1: return (-sine, cosine)
    case 2: return (-cosine, -sine)
    default: return (sine, -cosine)
    }
  }
}

extension Dataset {
  /// The built-in images (see `SyntheticImages`), labelled with their class. Without `count` there are 16,384 for
  /// training and 2,048 for test.
  public static func synthetic(shape: ImageShape, count: Int? = nil, seed: UInt64, split: Split) throws(DataError)
    -> Dataset
  {
    let images = try SyntheticImages(shape: shape, seed: seed, split: split)
    let count = count ?? (split == .train ? 16_384 : 2_048)
    let (bytes, labels) = try images.make(count: count)
    var data = try Dataset(
      .bytes(bytes), shape: shape, labels: labels.map(Int.init),
      source: "built-in images \(shape), seed \(seed), \(split.rawValue)")
    data.isSplit = true
    return data
  }
}
