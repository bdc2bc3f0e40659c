import HourglassBase

/// Masks of the truth: pictures named after the images, in which every pixel that is not black marks a defect.
struct Masks: Sendable {
  let folder: String
  private let images: any ImageSource
  /// The part of the images' preparation that moves pixels.
  private let geometry: Preparation
  /// The paths of masks from their folder, by their names without the ending of a picture.
  private let files: [String: [String]]

  /// Classes whose images have no defect, and need no mask.
  private static let soundClasses = ["good", "ok", "normal"]

  /// - Parameters:
  ///   - folder: the folder of the masks; hidden files and files that are no pictures are passed over.
  ///   - images: the images as they are stored, because a mask has the size of its image.
  ///
  /// Errors: no picture is there.
  init(in folder: String, of images: any ImageSource, _ preparation: Preparation) throws(DataError) {
    (self.folder, self.images, geometry) = (folder, images, preparation.geometry)
    guard try InputFile.isFolder(folder) else {
      throw DataError(path: folder, reason: "wanted a folder of masks, found none")
    }
    let pictures = try FolderContents(of: folder).files.filter(PictureFiles.isPicture)
    guard !pictures.isEmpty else { throw DataError(path: folder, reason: "wanted masks as pictures, found none") }
    files = Dictionary(grouping: pictures) { Self.stem(printablePath($0)) }
  }

  private static func stem(_ name: String) -> String {
    PictureFiles.isPicture(name) ? String(name[..<(name.lastIndex(of: ".") ?? name.endIndex)]) : name
  }

  /// The mask of an image, H x W of the image as it is prepared.
  ///
  /// - Parameters:
  ///   - number: the number of the image in the set as it is stored.
  ///   - className: the class of the image; in a class without defects an image without a mask is marked nowhere.
  func mask(_ number: Int, className: String?, shape: ImageShape) throws(DataError) -> [Bool] {
    let name = images.names.name(number)
    let stem = Self.stem(name)
    // Masks do not lie in the folder of a part of the set, such as `test`.
    let stems = [stem, stem.split(separator: "/").dropFirst().joined(separator: "/")].flatMap { ["\($0)_mask", $0] }
    guard let found = stems.lazy.compactMap({ files[$0] }).first else {
      if let className, Self.soundClasses.contains(className.lowercased()) {
        return [Bool](repeating: false, count: shape.height * shape.width)
      }
      throw DataError(
        path: folder,
        reason: "wanted the mask of \(name) as \(stem).png or \(stem)_mask.png, found neither; an image without a "
          + "defect has a black mask, or is of a class \(Self.soundClasses.joined(separator: ", "))")
    }
    guard found.count == 1 else {
      throw DataError(path: folder, reason: "wanted one mask of \(name), found \(found.joined(separator: " and "))")
    }
    return try mask(at: "\(folder)/\(found[0])", of: number, shape)
  }

  private func mask(at path: String, of number: Int, _ shape: ImageShape) throws(DataError) -> [Bool] {
    let marked = try Self.marked(path)
    // A part cut out of a mask of another size would lie elsewhere.
    let stored =
      if geometry == Preparation() {
        shape
      } else if let pictures = images as? PictureFiles {
        try pictures.shape(number)
      } else { try images.image(number).shape }
    guard (marked.shape.height, marked.shape.width) == (stored.height, stored.width) else {
      throw DataError(
        path: path,
        reason: "wanted a mask of \(stored.width)x\(stored.height) pixels as \(images.names.name(number)) has, found "
          + "\(marked.shape.width)x\(marked.shape.height)")
    }
    guard case .floats(let floats) = try geometry.prepared(marked, path: path).elements else { return [] }
    return floats.map { $0 >= 0.5 }
  }

  /// A picture as an image of 1 where it is not black, else 0. In JPEG files a mark begins half-way to white, because
  /// their edges leave traces around them.
  private static func marked(_ path: String) throws(DataError) -> Image {
    let picture = try PictureFiles.decode(path)
    let isLossy = try PictureKind.of(InputFile(path)).kind.name == "JPEG"
    let (channels, count) = (picture.shape.channels, picture.shape.height * picture.shape.width)
    func marks<T: Comparable & ExpressibleByIntegerLiteral>(_ values: [T], half: T) -> [Float] {
      Image.make(count, values) { x, y in
        for i in 0..<count {
          y[i] = (0..<channels).contains { isLossy ? x[i * channels + $0] >= half : x[i * channels + $0] > 0 } ? 1 : 0
        }
      }
    }
    let floats =
      switch picture.elements {
      case .bytes(let bytes): marks(bytes, half: 128)
      case .words(let words): marks(words, half: 32_768)
      case .floats(let floats): marks(floats, half: 0.5)
      }
    return Image(shape: ImageShape(picture.shape.height, picture.shape.width, 1), elements: .floats(floats))
  }
}

extension Dataset {
  /// Whether the set has masks of the truth, see `mask`.
  public var hasMasks: Bool { masks != nil }

  /// The mask of an image, H x W in rows, true where it has a defect; nil where the set has no masks. The mask is the
  /// picture of the image's name among the masks, with or without `_mask`; its pixels that are not black are cut and
  /// scaled as the image's are, and count where at least half of a pixel is marked. An image of a class `good`, `ok` or
  /// `normal` needs no mask. A tile gets the mask of its whole picture.
  ///
  /// Cost: reads the mask, and where images are cut or scaled the header of the image.
  ///
  /// Errors: the image has no mask, more than one, a broken one, or one of another size.
  public func mask(_ index: Int) throws(DataError) -> [Bool]? {
    let shape = tiling.map { $0.pictures[$0.picture(of: index)].shape } ?? shape
    return try masks?.mask(number(index), className: className(index), shape: shape)
  }
}
