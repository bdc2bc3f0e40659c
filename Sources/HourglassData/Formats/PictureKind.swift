/// A kind of picture file.
struct PictureKind: Sendable {
  let name: String
  /// The endings of its files' names.
  let endings: [String]
  /// Whether the first bytes of a file are those of this kind.
  let begins: @Sendable ([UInt8]) -> Bool
  /// The reader of the kind; nil where it is not read.
  let reader: (any PictureReader.Type)?
  /// The advice in the error where it is not read.
  var advice = "convert it, for example to PNG"

  /// The number of first bytes that tell every kind.
  static let startLength = 16

  static let all: [PictureKind] = readable + others

  private static let readable = [
    PictureKind(name: "PNG", endings: ["png"], begins: { $0.starts(with: PNGFile.magic) }, reader: PNGFile.self),
    PictureKind(
      name: "JPEG", endings: ["jpg", "jpeg", "jpe", "jfif"], begins: { $0.starts(with: JPEGFile.magic) },
      reader: JPEGFile.self),
    PictureKind(
      name: "TIFF", endings: ["tif", "tiff"],
      begins: { bytes in
        [[0x49, 0x49, 42, 0], [0x4d, 0x4d, 0, 42], [0x49, 0x49, 43, 0], [0x4d, 0x4d, 0, 43]].contains {
          bytes.starts(with: $0)
        }
      }, reader: tiff, advice: withoutTrait("TIFF")),
    PictureKind(
      name: "WebP", endings: ["webp"],
      begins: { $0.starts(with: Array("RIFF".utf8)) && $0.dropFirst(8).starts(with: Array("WEBP".utf8)) }, reader: webP,
      advice: withoutTrait("WebP")),
    PictureKind(name: "BMP", endings: ["bmp", "dib"], begins: BMPFile.begins, reader: BMPFile.self),
    PictureKind(name: "PNM", endings: ["pbm", "pgm", "ppm", "pnm"], begins: PNMFile.begins, reader: PNMFile.self),
  ]

  private static func withoutTrait(_ trait: String) -> String {
    "this program was built without the package trait \(trait), build it with that or convert the file to PNG"
  }

  #if TIFF
    private static let tiff: (any PictureReader.Type)? = TIFFFile.self
  #else
    private static let tiff: (any PictureReader.Type)? = nil
  #endif
  #if WebP
    private static let webP: (any PictureReader.Type)? = WebPFile.self
  #else
    private static let webP: (any PictureReader.Type)? = nil
  #endif

  /// The kinds that are known, and not read, so that no picture is passed over in silence.
  private static let others = [
    other("GIF", ["gif"], text("GIF8")), other("PAM", ["pam"], text("P7\n")),
    other("PFM", ["pfm"], text("PF\n"), text("Pf\n")),
    other("Photoshop", ["psd", "psb"], text("8BPS")), other("JPEG XL", ["jxl"], [0xff, 0x0a], box("JXL ")),
    other("JPEG 2000", ["jp2", "j2k", "jpf", "jpx", "j2c"], [0xff, 0x4f, 0xff, 0x51], box("jP  ")),
    PictureKind(
      name: "HEIF", endings: ["heic", "heif", "avif", "hif"],
      begins: { bytes in
        let brands = ["avif", "avis", "heic", "heix", "hevc", "mif1", "msf1"]
        return bytes.dropFirst(4).starts(with: Array("ftyp".utf8))
          && brands.contains { bytes.dropFirst(8).starts(with: Array($0.utf8)) }
      }, reader: nil),
    other("OpenEXR", ["exr"], [0x76, 0x2f, 0x31, 0x01]), other("Radiance", ["hdr"], text("#?RADIANCE")),
    other("icon", ["ico", "cur"], [0, 0, 1, 0], [0, 0, 2, 0]), other("Targa", ["tga"]), other("PCX", ["pcx"]),
    other("SVG", ["svg", "svgz"], text("<svg")), other("GIMP", ["xcf"], text("gimp xcf")), other("DICOM", ["dcm"]),
    other("FITS", ["fits", "fit", "fts"], text("SIMPLE  =")), raw,
  ]

  /// Raw photographs, as sensors see them; many begin like TIFF and hold a small preview first.
  private static let raw = other(
    "raw photograph",
    ["dng", "cr2", "cr3", "nef", "nrw", "arw", "orf", "rw2", "raf", "pef", "srw", "3fr", "erf", "kdc", "mrw", "x3f"])

  private static func text(_ start: String) -> [UInt8] { Array(start.utf8) }

  private static func box(_ type: String) -> [UInt8] { [0, 0, 0, 12] + Array(type.utf8) }

  private static func other(_ name: String, _ endings: [String], _ starts: [UInt8]...) -> PictureKind {
    PictureKind(
      name: name, endings: endings, begins: { bytes in starts.contains { bytes.starts(with: $0) } }, reader: nil)
  }

  /// The kind of a file with these first bytes.
  static func of(contents: [UInt8]) -> PictureKind? { all.first { $0.begins(contents) } }

  /// The kind of a file with this name, by its ending.
  static func of(name: String) -> PictureKind? {
    guard let dot = name.lastIndex(of: ".") else { return nil }
    let ending = name[name.index(after: dot)...].lowercased()
    return all.first { $0.endings.contains(ending) }
  }

  /// The kind of a file by its contents, whatever its name; only raw photographs are known by their names.
  ///
  /// Errors: no kind that is read.
  static func of(_ file: InputFile) throws(DataError) -> (kind: PictureKind, reader: any PictureReader.Type) {
    let start = try file.bytes(at: 0, startLength)
    let names = readable.map(\.name).joined(separator: ", ")
    guard !start.isEmpty else {
      throw DataError(path: file.path, reason: "wanted a picture (\(names)), found an empty file")
    }
    let byName = of(name: file.path)
    guard let kind = byName?.name == raw.name ? raw : of(contents: start) else {
      let hex = start.prefix(8).map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined(separator: " ")
      throw DataError(
        path: file.path, reason: "wanted a picture (\(names)), found a file that begins with \(hex); convert it")
    }
    guard let reader = kind.reader else {
      throw DataError(path: file.path, reason: "wanted a picture (\(names)), found a \(kind.name) file; \(kind.advice)")
    }
    return (kind, reader)
  }
}
