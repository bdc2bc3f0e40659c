import Foundation
import HourglassModels
import Testing

@testable import HourglassData

/// The bytes in base64 are Pillow's, made by Reference/images.py.
@Suite struct ImageTests {
  /// Pixel (h, w), channel c of Reference/images.py.
  static func pattern(_ width: Int, _ height: Int) -> Image {
    var bytes: [UInt8] = []
    for h in 0..<height {
      for w in 0..<width { for c in 0..<3 { bytes.append(UInt8((37 * h + 91 * w + 53 * c + 7 * h * w) % 256)) } }
    }
    return Image(shape: ImageShape(height, width, 3), elements: .bytes(bytes))
  }

  /// Pillow rounds after each of the two axes, we once: they differ by at most one step.
  @Test(arguments: [
    (12, 10, 4, 5, "cXyGYpd3fl2SmXmDdH6Ij5l5f4mUmk+EdquLkXF7gIpqcKVaeVmOk519gmGWcHuwfIaQanV/g41tnHuG"),
    (6, 6, 1, 1, "eoyB"),
    (
      5, 4, 11, 9,
      """
      ADVqEUZ7Om+kY5i2jcJrtusga6BJIFVzMmecW5DFbKHWBjtwF0yBQXara5y+lbNzv8kpdJJSKlt9PHGXZputd6y2F0yBKF2SU4i9f6XS\
      qoqI1W4/jGxrQ2qWV4yIgrdslMlhJ1yROW6hZZrGkbDZt2mX3iFWnE6DW3qvcqJ/n8g4sdcbOG2iSn+deK2Rm8SFj355gzhtd2abapTJ\
      jZSau4dUzoM4SH2yW5CZi8BbpNgxZpNaJ06DUX6zea3iqIW110Zv6i5UWI3CbI+onZNktpE4c3tpMGWaYZaeksehn5uQold6pDxxaZ7T\
      fYu5r1x2yj1MiF1+Rnuwea6Cq+BTkLZjYXOCT1mOb6TZg4q/tkh90h5TkFGGT4S5grd4teo2i8BSSX6FL2SZ
      """
    ),
    (3, 1, 8, 2, "ADVqBjtwKF2SSn+0bKGmjsNosOUqtusgADVqBjtwKF2SSn+0bKGmjsNosOUqtusg"),
  ])
  func scalingIsPillowsBoxAndBilinear(width: Int, height: Int, newWidth: Int, newHeight: Int, wanted: String) throws {
    let image = Self.pattern(width, height).resized(to: Extent2D(newHeight, newWidth))
    guard case .bytes(let found) = image.elements else { throw DataError(path: "", reason: "no bytes") }
    let expected = bytes(base64: wanted)
    #expect(image.shape == ImageShape(newHeight, newWidth, 3) && found.count == expected.count)
    #expect(zip(found, expected).allSatisfy { abs(Int($0) - Int($1)) <= 1 })
  }

  /// The area mean by its definition: each pixel repeated `new` times along the axis, then the mean of each `old`.
  @Test(arguments: [(100, 32), (28, 5), (7, 6), (3, 2), (9, 9)])
  func shrinkingIsTheMeanOverAreasAlsoWhereTheyCutPixels(old: Int, new: Int) throws {
    let values = (0..<old).map { Float(($0 * 97 + 13) % 101) / 100 }
    let wanted = (0..<new).map { i in
      (i * old..<(i + 1) * old).reduce(0.0) { $0 + Double(values[$1 / new]) } / Double(old)
    }
    let wide = Image(shape: ImageShape(1, old, 1), elements: .floats(values)).resized(to: Extent2D(1, new))
    let tall = Image(shape: ImageShape(old, 1, 1), elements: .floats(values)).resized(to: Extent2D(new, 1))
    #expect(wide.elements == tall.elements)
    let found = try #require(Self.floats(wide))
    // A sum of at most old / new + 2 products of values up to 1.
    #expect(found.count == new)
    #expect(zip(found, wanted).allSatisfy { abs(Double($0) - $1) <= Double(old / new + 3) * 0x1p-24 })
  }

  /// The floats of the elements; nil for bytes.
  private static func floats(_ image: Image) -> [Float]? {
    if case .floats(let floats) = image.elements { floats } else { nil }
  }

  @Test func aConstantImageStaysSoAtAnySize() throws {
    for (value, size) in [(UInt8(255), Extent2D(7, 13)), (1, Extent2D(40, 3)), (200, Extent2D(1, 1))] {
      let image = Image(shape: ImageShape(9, 10, 1), elements: .bytes([UInt8](repeating: value, count: 90)))
      let wanted = Elements.bytes([UInt8](repeating: value, count: size.height * size.width))
      #expect(image.resized(to: size).elements == wanted)
    }
    let ones = Image(shape: ImageShape(9, 10, 1), elements: .floats([Float](repeating: 1, count: 90)))
    let values = try #require(Self.floats(ones.resized(to: Extent2D(7, 13))))
    #expect(values.allSatisfy { $0 <= 1 && $0 > 1 - 0x1p-21 })
  }

  @Test func greyIsPillowsLuma() throws {
    let wanted = bytes(
      base64: """
        K4bEPJfVTahQXrlhULJhdrs6nEtgpXGGdcFHsGaCzlS9c49Fmld6zVqtOqpnikdqvzatcZtfiU130WW/x2LDXr9au1a3UrNOVo5gmG\
        qidKwxtjvALrpGtV7Ndk+OZ6YyU8l5WZ8yqFjOfl6keF+sRsN6Ya5IxXxj
        """)
    #expect(try Self.pattern(12, 10).grey(path: "a") == Image(shape: ImageShape(10, 12, 1), elements: .bytes(wanted)))
    let floats = Image(shape: ImageShape(1, 1, 3), elements: .floats([1, 0.5, 0.25])).elements
    let grey = try Image(shape: ImageShape(1, 1, 3), elements: floats).grey(path: "a")
    let value = try #require(Self.floats(grey))
    #expect(value.count == 1 && abs(value[0] - 0.621) < 1e-6)
  }

  @Test func colourOfGreyIsThreeEqualChannelsAndNothingElseHasEither() throws {
    let grey = Image(shape: ImageShape(1, 2, 1), elements: .bytes([7, 200]))
    #expect(try grey.rgb(path: "a").elements == .bytes([7, 7, 7, 200, 200, 200]))
    #expect(try grey.rgb(path: "a").grey(path: "a") == grey && grey.grey(path: "a") == grey)
    let four = Image(shape: ImageShape(1, 1, 4), elements: .bytes([1, 2, 3, 4]))
    expectRefusal("a", "--grey", "1 or 3 channels") { try four.grey(path: "a") }
    expectRefusal("a", "--rgb", "1 or 3 channels") { try four.rgb(path: "a") }
  }

  @Test func theMiddleIsCutOut() throws {
    let image = Image(shape: ImageShape(4, 5, 1), elements: .bytes((0..<20).map { UInt8($0) }))
    #expect(try image.cropped(to: Extent2D(2, 3), path: "a").elements == .bytes([6, 7, 8, 11, 12, 13]))
    #expect(try image.cropped(to: Extent2D(1, 2), path: "a").elements == .bytes([6, 7]))
    #expect(try image.cropped(to: Extent2D(4, 5), path: "a") == image)
    expectRefusal("a", "--crop", "at least 6x4", "found 5x4") { try image.cropped(to: Extent2D(4, 6), path: "a") }
  }

  /// Exif 2.3, tag Orientation: where the first row and the first column of the stored image belong.
  @Test func orientationsPutRowsAndColumnsWhereTheyBelong() {
    let stored = Image(shape: ImageShape(2, 3, 1), elements: .bytes([1, 2, 3, 4, 5, 6]))
    let upright: [Int: [UInt8]] = [
      1: [1, 2, 3, 4, 5, 6], 2: [3, 2, 1, 6, 5, 4], 3: [6, 5, 4, 3, 2, 1], 4: [4, 5, 6, 1, 2, 3],
      5: [1, 4, 2, 5, 3, 6], 6: [4, 1, 5, 2, 6, 3], 7: [6, 3, 5, 2, 4, 1], 8: [3, 6, 2, 5, 1, 4],
    ]
    for (orientation, wanted) in upright {
      let image = stored.turned(orientation)
      #expect(image.elements == .bytes(wanted) && image.shape.height == (orientation < 5 ? 2 : 3), "\(orientation)")
    }
  }
}

@Suite struct PictureFileTests {
  /// What Pillow makes of the awkward files, by Reference/images.py: width, height, channels, means and five pixels.
  private static let pillow = """
    blank_800x280.jpg 800 280 1 mean 255.000 pixels 255 255 255 255 255
    grayscale_16x24_sampling2x2.jpg 16 24 1 mean 117.500 pixels 143 105 139 216 95
    grayscale_large.jpg 1000 1 1 mean 126.303 pixels 101 15 163 233 204
    grayscale_square.jpg 10 10 1 mean 117.340 pixels 26 171 197 82 132
    made_1x1.jpg 1 1 3 mean 255.000 255.000 255.000 pixels 255 255 255 255 255
    made_baseline_420.jpg 97 83 3 mean 138.540 139.166 143.342 pixels 255 58 93 131 57
    made_baseline_422.jpg 97 83 3 mean 138.458 139.176 143.634 pixels 255 60 99 131 55
    made_baseline_444.jpg 97 83 3 mean 138.421 139.209 143.661 pixels 255 60 99 131 56
    made_cmyk_adobe.jpg 97 83 3 mean 138.460 139.214 143.686 pixels 255 60 98 127 55
    made_exif_rotated.jpg 83 97 3 mean 138.432 139.224 143.526 pixels 255 90 61 57 131
    made_grey.jpg 97 83 1 mean 139.461 pixels 255 60 90 132 56
    made_grey_progressive.jpg 97 83 1 mean 139.461 pixels 255 60 90 132 56
    made_optimised_huffman.jpg 97 83 3 mean 137.645 139.261 143.869 pixels 255 55 86 129 55
    made_progressive_420.jpg 97 83 3 mean 138.519 139.154 143.648 pixels 255 56 99 130 57
    made_restart_markers.jpg 97 83 3 mean 138.303 139.214 143.631 pixels 255 54 94 131 55
    odd_trailing_bytes.jpg 97 83 3 mean 138.432 139.224 143.526 pixels 255 60 99 131 56
    progressive-missing-ac.jpg 8 8 1 mean 255.000 pixels 255 255 255 255 255
    testimgari.jpg 227 149 3 mean 146.372 90.511 81.507 pixels 48 87 156 59 67
    testorig.jpg 227 149 3 mean 146.418 90.526 81.525 pixels 48 87 156 56 67
    tower_grayscale.jpg 512 512 1 mean 146.515 pixels 109 133 148 176 110
    bad_is_jpeg_named_png.png 97 83 3 mean 138.432 139.224 143.526 pixels 255 60 99 131 56
    bad_is_png_named_jpg.jpg 97 83 3 mean 138.531 139.280 143.785 pixels 255 58 97 127 55
    odd_trailing_bytes.png 97 83 3 mean 138.531 139.280 143.785 pixels 255 58 97 127 55
    """

  private static func folder(_ name: String) -> String {
    name.hasSuffix("png") || name.hasPrefix("bad_is") ? "png" : "jpeg"
  }

  /// Decoders may differ by rounding in the inverse transform and in how they enlarge colour; red of CMYK is rounded
  /// differently.
  @Test(.enabled(if: realData != nil, withoutRealData))
  func unusualFilesDecodeAsPillowDecodesThem() throws {
    for line in Self.pillow.split(separator: "\n") {
      let words = line.split(separator: " ").map(String.init)
      let numbers = words.compactMap(Double.init)
      let folder = Self.folder(words[0])
      let image = try PictureFiles.decode("\(realData!)/awkward-files/\(folder)/\(words[0])")
      let shape = ImageShape(Int(clamping: numbers[1]), Int(clamping: numbers[0]), Int(clamping: numbers[2]))
      guard case .bytes(let pixels) = image.elements, image.shape == shape else {
        Issue.record("\(words[0]): \(image.shape)")
        continue
      }
      for c in 0..<shape.channels {
        let sum = stride(from: c, to: pixels.count, by: shape.channels).reduce(0) { $0 + Int(pixels[$1]) }
        let mean = Double(sum) / Double(shape.height * shape.width)
        #expect(abs(mean - numbers[3 + c]) < 0.5, "\(words[0])")
      }
      for k in 0..<5 {
        let place = (shape.height * k / 5 * shape.width + shape.width * (3 * k % 5) / 5) * shape.channels
        let pixel = Double(pixels[place + k % shape.channels])
        #expect(abs(pixel - numbers[3 + shape.channels + k]) <= 2, "\(words[0])")
      }
    }
  }

  @Test(.enabled(if: realData != nil, withoutRealData))
  func brokenFilesAreRefusedWithTheirReason() throws {
    let cases = [
      ("jpeg/bad_no_eoi.jpg", "Premature end"), ("jpeg/bad_progressive_truncated.jpg", "Premature end"),
      ("jpeg/bad_truncated_half.jpg", "Premature end"), ("jpeg/bad_truncated_header.jpg", "Premature end"),
      ("jpeg/derive-huffman-codes-overflow.jpg", "Huffman"), ("jpeg/invalid-prediction-shift.jpg", "Unsupported"),
      ("jpeg/missing-sof.jpg", "JPEG"), ("jpeg/monkey12.jpg", "precision 12"), ("jpeg/null_height.jpg", "Empty"),
      ("png/bad_claims_100000x100000.png", "100000 x 100000 pixels, found only 11207 bytes"),
      ("png/bad_empty.png", "empty"), ("png/bad_huge_width_bad_crc.png", "libspng"),
      ("png/bad_idat_bit_flip.png", "IDAT"), ("png/bad_truncated_half.png", "end of stream"),
      ("png/bad_truncated_no_iend.png", "end of stream"),
    ]
    for (name, fragment) in cases {
      let path = "\(realData!)/awkward-files/\(name)"
      expectRefusal(path, fragment) { try PictureFiles.decode(path) }
    }
    // No file is in neither table.
    let known = Set(
      cases.map(\.0)
        + Self.pillow.split(separator: "\n").map { line in
          let name = String(line.split(separator: " ")[0])
          return "\(Self.folder(name))/\(name)"
        })
    for folder in ["png", "jpeg"] {
      for name in try FileManager.default.contentsOfDirectory(atPath: "\(realData!)/awkward-files/\(folder)") {
        #expect(known.contains("\(folder)/\(name)"))
      }
    }
  }

  /// Hashes published beside PngSuite's pictures; of those with 16 bits the hashes of what pypng reads.
  @Test(.enabled(if: realData != nil, withoutRealData))
  func everyPictureOfPngSuiteHasItsPublishedPixelsOrIsRefused() throws {
    let folder = "\(realData!)/pngsuite"
    let rows = try String(contentsOfFile: "\(folder)/rgba8-sha256.tsv", encoding: .utf8).split(separator: "\n")
    let hashes = Dictionary(
      uniqueKeysWithValues: rows.map { row in
        let fields = row.split(separator: "\t").map(String.init)
        return (fields[0], fields)
      })
    var counts = (hashed: 0, refused: 0)
    for name in try FileManager.default.contentsOfDirectory(atPath: folder) where name.hasSuffix(".png") {
      let path = "\(folder)/\(name)"
      if name.hasPrefix("x") {
        expectRefusal(path, "wanted a") { try PictureFiles.decode(path) }
        counts.refused += 1
        continue
      }
      guard let fields = hashes[name] else {
        let hash = try #require(PictureFixtures.words[String(name.dropLast(4))], "\(name)")
        guard case .words(let words) = try PictureFiles.decode(path).elements else {
          Issue.record("\(name): no 16 bits")
          continue
        }
        #expect(words.withUnsafeBytes { SHA256.hexDigits(of: $0) } == hash, "\(name)")
        continue
      }
      let reader = try PNGFile(InputFile(path), page: nil)
      let (shape, stored) = (reader.header.shape, reader.header.storedChannels)
      var pixels: [UInt8] = []
      try reader.read { (band) throws(DataError) in
        guard case .bytes(let bytes) = band.elements else { return }
        for i in stride(from: 0, to: bytes.count, by: stored) {
          pixels += (0..<3).map { bytes[i + min($0, shape.channels - 1)] }
          pixels.append(stored > shape.channels ? bytes[i + stored - 1] : 255)
        }
      }
      #expect(["\(shape.width)", "\(shape.height)"] == Array(fields[1...2]), "\(name)")
      #expect(pixels.withUnsafeBytes { SHA256.hexDigits(of: $0) } == fields[3], "\(name)")
      counts.hashed += 1
    }
    #expect(counts == (hashes.keys.count { $0.hasSuffix(".png") }, 7))
  }

  @Test func whatIsNoPictureIsRefusedByItsContent() throws {
    let folder = try TemporaryFolder()
    let cases: [(String, [UInt8], String)] = [
      ("a.gif", Array("GIF89a".utf8), "found a GIF file; convert it"),
      ("a.png", Array("GIF89a".utf8), "found a GIF file; convert it"),
      ("a.heic", [0, 0, 0, 24] + Array("ftypheic".utf8), "found a HEIF file"),
      ("a.jpg", [0xff, 0xd8], "begins with ff d8"),
      ("b.png", [0x89, 0x50], "begins with 89 50"), ("c.png", [], "found an empty file"),
      ("a.NEF", [0x4d, 0x4d, 0, 42, 0, 0, 0, 8], "found a raw photograph"), ("a.pam", Array("P7\n".utf8), "a PAM file"),
    ]
    for (name, content, reason) in cases {
      let path = try folder.file(name, content)
      expectRefusal(path, "wanted a picture (PNG, JPEG, TIFF, WebP, BMP, PNM)", reason) {
        try PictureFiles.decode(path)
      }
    }
  }

  /// A frame header (T.81, B.2.2) of 65,500 x 65,500 pixels, and nothing else.
  @Test func aJPEGThatClaimsTooMuchIsRefusedBeforeMemoryIsTaken() throws {
    let folder = try TemporaryFolder()
    let tables: [UInt8] = [0xff, 0xdb, 0, 67, 0] + [UInt8](repeating: 1, count: 64)
    let frame: [UInt8] = [0xff, 0xc0, 0, 11, 8, 0xff, 0xdc, 0xff, 0xdc, 1, 1, 0x11, 0]
    let scan: [UInt8] = [0xff, 0xda, 0, 8, 1, 1, 0, 0, 63, 0, 0xff, 0xd9]
    let path = try folder.file("a", [0xff, 0xd8] + tables + frame + scan)
    expectRefusal(path, "65500 x 65500 pixels, found only") { try PictureFiles.decode(path) }
  }

  /// The header of Exif data in both byte orders, altered: pixels do not depend on it, so all are read.
  @Test func alteredMarkersNeverTrap() {
    let little: [UInt8] = [0x49, 0x49, 42, 0, 8, 0, 0, 0, 1, 0, 0x12, 1, 3, 0, 1, 0, 0, 0, 6, 0, 0, 0, 0, 0, 0, 0]
    let big: [UInt8] = [0x4d, 0x4d, 0, 42, 0, 0, 0, 8, 0, 1, 1, 0x12, 0, 3, 0, 0, 0, 1, 0, 6, 0, 0, 0, 0, 0, 0]
    var chance = Chance(state: 4)
    for tiff in [little, big] {
      let exif = Array("Exif\0\0".utf8) + tiff
      let file: [UInt8] =
        [0xff, 0xd8, 0xff, 0xff, 0xe1, 0, UInt8(exif.count + 2)] + exif + [0xff, 0xee, 0, 7] + Array("Adobe".utf8)
      #expect(JPEGMarkers(file).orientation == 6 && JPEGMarkers(file).isAdobe)
      for _ in 0..<2000 { #expect((1...8).contains(JPEGMarkers(chance.altered(file)).orientation)) }
      for length in 0..<file.count { _ = JPEGMarkers(Array(file[..<length])) }
    }
  }
}
