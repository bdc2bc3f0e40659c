import Foundation
import HourglassModels
import Testing

@testable import HourglassData

/// What Reference/pictures.py writes: files in base64 and hashes, by name.
enum PictureFixtures {
  static let words: [String: String] = {
    let place = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "Reference/pictures.txt")
    let lines = ((try? String(contentsOf: place, encoding: .utf8)) ?? "").split(separator: "\n")
    let pairs = lines.map { $0.split(separator: " ").map(String.init) }
    return Dictionary(uniqueKeysWithValues: pairs.map { ($0[0], $0[1]) })
  }()

  static func file(_ name: String) -> [UInt8] { words[name].map { bytes(base64: $0) } ?? [] }

  /// The numbers of the pictures, as the script makes them.
  static func pattern(
    _ width: Int, _ height: Int, _ channels: Int, _ value: (Int, Int, Int) -> Int
  ) -> [Int] {
    (0..<height).flatMap { h in (0..<width).flatMap { w in (0..<channels).map { value(h, w, $0) } } }
  }

  static func byte(_ h: Int, _ w: Int, _ c: Int) -> Int { (37 * h + 91 * w + 53 * c + 7 * h * w) % 256 }
  static func word(_ h: Int, _ w: Int, _ c: Int) -> Int { (9973 * h + 7919 * w + 10472 * c + 31 * h * w) % 65_536 }

  static func bytes8(
    _ width: Int, _ height: Int, _ channels: Int, _ value: (Int, Int, Int) -> Int = byte
  ) -> Image {
    Image(
      shape: ImageShape(height, width, channels),
      elements: .bytes(pattern(width, height, channels, value).map { UInt8($0) }))
  }

  static func words16(_ width: Int, _ height: Int, _ channels: Int) -> Image {
    Image(
      shape: ImageShape(height, width, channels),
      elements: .words(pattern(width, height, channels, word).map { UInt16($0) }))
  }

  static func floats(_ width: Int, _ height: Int, _ channels: Int) -> Image {
    Image(
      shape: ImageShape(height, width, channels),
      elements: .floats(pattern(width, height, channels, word).map { Float(Double($0) / 65_535) }))
  }
}

@Suite struct PictureFormatTests {
  private typealias Fixture = PictureFixtures

  private let colors = [[1, 2, 3], [40, 50, 60], [70, 80, 90], [255, 254, 253]]

  /// Without the file every loop over its names would pass.
  @Test func allFixturesAreThere() { #expect(Fixture.words.count == 46) }

  private static func hidden(_ image: Image) -> Image {
    var image = image
    image.remarks = .transparent
    return image
  }

  private static func decode(_ name: String, as file: String, toward preparation: Preparation = Preparation()) throws
    -> Image
  {
    let folder = try TemporaryFolder()
    return try PictureFiles.decode(try folder.file(file, Fixture.file(name)), toward: preparation)
  }

  #if TIFF
    @Test func tiffOfAnyKindHasTheNumbersThatWereWritten() throws {
      let palette = { (h: Int, w: Int, c: Int) in colors[Fixture.byte(h, w, 0) % 4][c] }
      let cases: [(String, Image)] = [
        ("grey8", Fixture.bytes8(7, 5, 1)), ("white8", Fixture.bytes8(7, 5, 1)),
        ("rgb8-tiles", Fixture.bytes8(20, 18, 3)), ("rgb16-planes", Fixture.words16(7, 5, 3)),
        ("grey16-big-endian", Fixture.words16(7, 5, 1)), ("five16", Fixture.words16(7, 5, 5)),
        ("five8-planes-tiles", Fixture.bytes8(18, 17, 5)), ("float32", Fixture.floats(7, 5, 1)),
        ("float64", Fixture.floats(7, 5, 3)), ("opacity8", Self.hidden(Fixture.bytes8(7, 5, 3))),
        ("opacity16", Self.hidden(Fixture.words16(7, 5, 1))), ("lying8", Fixture.bytes8(7, 5, 3).turned(6)),
        ("bits", Fixture.bytes8(13, 5, 1) { h, w, _ in Fixture.byte(h, w, 0) > 127 ? 255 : 0 }),
        ("palette8", Fixture.bytes8(7, 5, 3, palette)),
        (
          "ink8",
          Fixture.bytes8(7, 5, 3) { h, w, c in
            let light = (255 - Fixture.byte(h, w, c)) * (255 - Fixture.byte(h, w, 3))
            return (light + 127) / 255
          }
        ),
      ]
      for (name, wanted) in cases {
        let found = try Self.decode(name, as: "a.tif")
        #expect(found == wanted, "\(name): \(found)")
      }
      guard case .bytes(let pixels) = try Self.decode("jpeg8", as: "a.tiff").elements else { return }
      let smooth = Fixture.pattern(24, 16, 3) { h, w, _ in 5 * h + 3 * w }
      #expect(zip(pixels, smooth).allSatisfy { abs(Int($0) - $1) <= 4 } && pixels.count == smooth.count)
    }

    @Test func pagesAreItemsOfTheirOwnAndSmallCopiesAreNot() throws {
      let folder = try TemporaryFolder()
      for name in ["b/scan.tif", "a/one.tif", "b/tone.png"] {
        _ = try folder.file(name, Fixture.file(name == "b/scan.tif" ? "pages" : "grey8"))
      }
      let data = try Dataset.open(path: folder.path, split: .train)
      #expect(
        (0..<data.count).map(data.name)
          == ["a/one.tif", "b/scan.tif[0]", "b/scan.tif[1]", "b/scan.tif[2]", "b/tone.png"])
      #expect(data.labels == [0, 1, 1, 1, 1])
      let wanted = Fixture.pattern(7, 5, 1, Fixture.byte)
      for (index, more) in [(0, 0), (1, 0), (2, 1), (3, 2), (4, 0)] {
        #expect(try data.image(index) == wanted.map { Float(($0 + more) % 256) / 255 })
      }
      #expect(
        data.inventory.notes == [
          Inventory.Entry(reason: "of another kind than their names say", count: 1, names: ["b/tone.png"])
        ])
      let single = try Dataset.open(path: folder.path + "/b/scan.tif", split: .train)
      #expect(single.count == 3 && single.name(2) == "scan.tif[2]")
    }

    @Test func samplesThatAreNotReadAreNamed() throws {
      let folder = try TemporaryFolder()
      let path = try folder.file("a.tif", Fixture.file("int16"))
      expectRefusal(path, "found whole numbers with a sign of 16 bits") { try PictureFiles.decode(path) }
    }
  #endif

  #if WebP
    @Test func webPHasTheNumbersThatWereWritten() throws {
      #expect(try Self.decode("webp", as: "a.webp") == Fixture.bytes8(7, 5, 3))
      #expect(try Self.decode("webp-opacity", as: "a.webp") == Self.hidden(Fixture.bytes8(7, 5, 3)))
      #expect(try Self.decode("webp-lying", as: "a.webp") == Fixture.bytes8(7, 5, 3).turned(6))
      guard case .bytes(let pixels) = try Self.decode("webp-lossy", as: "a.webp").elements else { return }
      let smooth = Fixture.pattern(24, 16, 3) { h, w, _ in 5 * h + 3 * w }
      #expect(zip(pixels, smooth).allSatisfy { abs(Int($0) - $1) <= 6 } && pixels.count == smooth.count)
      let folder = try TemporaryFolder()
      let path = try folder.file("a.webp", Fixture.file("webp-moving"))
      expectRefusal(path, "found a moving one") { try PictureFiles.decode(path) }
    }
  #endif

  @Test func bitmapsHaveTheNumbersThatPillowWrote() throws {
    let cases: [(String, Image)] = [
      ("bmp1", Fixture.bytes8(13, 5, 1) { h, w, _ in Fixture.byte(h, w, 0) > 127 ? 255 : 0 }),
      ("bmp8-grey", Fixture.bytes8(7, 5, 1)),
      ("bmp8-palette", Fixture.bytes8(7, 5, 3) { colors[Fixture.byte($0, $1, 0) % 4][$2] }),
      ("bmp24", Fixture.bytes8(7, 5, 3)), ("bmp32-opacity", Fixture.bytes8(7, 5, 3)),
    ]
    for (name, wanted) in cases { #expect(try Self.decode(name, as: "a.bmp") == wanted, "\(name)") }
  }

  /// Two pixels by their definition: 5, 6 and 5 bits, from the top; 8 bits in another order, with opacity.
  @Test func masksOfBitmapsAreFollowed() throws {
    func bitmap(_ bits: UInt8, height: Int32, length: UInt32, _ masks: [UInt32], _ pixels: [UInt8]) -> [UInt8] {
      let size = littleEndian(2) + littleEndian(UInt32(bitPattern: height))
      let header = littleEndian(length) + size + [1, 0, bits, 0] + littleEndian(3) + [UInt8](repeating: 0, count: 20)
      let rest = masks.flatMap(littleEndian)
      let full = header + rest + [UInt8](repeating: 0, count: max(0, Int(length) - 40 - rest.count))
      let start = UInt32(14 + full.count)
      return Array("BM".utf8) + littleEndian(0) + littleEndian(0) + littleEndian(start) + full + pixels
    }
    let folder = try TemporaryFolder()
    let narrow = try folder.file(
      "a.bmp",
      bitmap(16, height: -2, length: 40, [0xf800, 0x07e0, 0x001f], [0, 0xf8, 0xe0, 0x07, 0x1f, 0, 0x41, 0x08]))
    #expect(
      try PictureFiles.decode(narrow).elements == .bytes([255, 0, 0, 0, 255, 0, 0, 0, 255, 8, 8, 8]))
    let masks: [UInt32] = [0xff, 0xff00, 0xff_0000, 0xff00_0000]
    let wide = try folder.file("b.bmp", bitmap(32, height: 1, length: 56, masks, [1, 2, 3, 255, 4, 5, 6, 0]))
    let image = try PictureFiles.decode(wide)
    #expect(image.elements == .bytes([1, 2, 3, 4, 5, 6]) && image.remarks == .transparent)
  }

  /// The Netpbm manual's own example, and each of the six variants of one picture.
  @Test func portableMapsHaveTheNumbersThatTheirTextSays() throws {
    let folder = try TemporaryFolder()
    func decode(_ head: String, _ pixels: [UInt8] = []) throws -> Elements {
      try PictureFiles.decode(try folder.file("a.pnm", Array(head.utf8) + pixels)).elements
    }
    #expect(try decode("P1 # feep\n3 2\n1 0 1\n# more\n011") == .bytes([0, 255, 0, 255, 0, 0]))
    #expect(try decode("P4\n10 2\n", [0b1010_0000, 0b0100_0000, 0xff, 0xff]).count == 20)
    #expect(
      try decode("P4 10 1\n", [0b1010_0000, 0b0111_1111])
        == .bytes([0, 255, 0, 255, 255, 255, 255, 255, 255, 0]))
    #expect(try decode("P2\n3 1\n15\n0 7 15") == .bytes([0, 119, 255]))
    #expect(try decode("P2 2 1 255 3 200 ") == .bytes([3, 200]))
    #expect(try decode("P5 2 1 4095\n", [0x0f, 0xff, 0x01, 0x00]) == .words([65_535, 4097]))
    #expect(try decode("P5 2 1 65535\n", [0x12, 0x34, 0xff, 0xff]) == .words([0x1234, 65_535]))
    #expect(try decode("P3 1 2 255\n1 2 3\n4 5 6\n") == .bytes([1, 2, 3, 4, 5, 6]))
    #expect(try decode("P6 1 2 255\n", [1, 2, 3, 4, 5, 6]) == .bytes([1, 2, 3, 4, 5, 6]))
  }

  @Test func brokenFilesOfEveryKindAreRefusedWithTheirReason() throws {
    let folder = try TemporaryFolder()
    func cut(_ name: String, _ length: Int) -> [UInt8] { Array(Fixture.file(name).prefix(length)) }
    var cases: [(String, [UInt8], String)] = [
      ("bmp24", cut("bmp24", 100), "found only 100 bytes"), ("bmp24", cut("bmp24", 30), "wanted a BMP header"),
      ("bmp8-palette", Array(Fixture.file("bmp8-palette").dropLast(40)) + [UInt8](repeating: 9, count: 40), "number 9"),
      ("pgm", Array("P5 100 100 255\n".utf8), "found only 0 bytes"),
      ("pgm", Array("P2 2 2 255 1 2 3".utf8), "wanted a value"),
      ("pgm", Array("P2 2 1 9 1 10".utf8), "at most 9"), ("pgm", Array("P5 0 1 255 ".utf8), "found 0, 1 and 255"),
      ("pgm", Array("P2 2 1 a".utf8), "wanted the value of white"), ("pbm", Array("P1 2 1 1 2".utf8), "at most 1"),
      ("ppm", Array("P6 99999999 99999999 255\n".utf8), "found only"),
      ("ppm", Array("P6 99999999999999999999 1 255\n".utf8), "wanted a"),
    ]
    #if TIFF
      cases += [
        ("tif", cut("grey8", 60), "libtiff says"), ("tif", cut("rgb8-tiles", 500), "libtiff says"),
        ("tif", cut("grey8", 8), "libtiff says"),
      ]
    #endif
    #if WebP
      cases += [("webp", cut("webp", 30), "libwebp says"), ("webp", cut("webp", 45), "libwebp says: it is cut short")]
    #endif
    for (name, content, reason) in cases {
      let path = try folder.file("a." + name, content)
      expectRefusal(path, reason) { try PictureFiles.decode(path) }
    }
  }

  @Test func exifTurnsPNGAsItTurnsJPEG() throws {
    #expect(try Self.decode("png-lying", as: "a.png") == Fixture.bytes8(7, 5, 3).turned(6))
    #expect(try Self.decode("png16-grey", as: "a.png") == Fixture.words16(7, 5, 1))
  }

  /// By the formula in double, for each kind of elements.
  @Test func opacityIsComposedOverTheBackground() throws {
    let color = try #require(RGBColor("#0a64ff"))
    #expect(color.description == "#0a64ff" && RGBColor("white")?.isGrey == true && RGBColor("#12345") == nil)
    let behind = [10.0 / 255, 100.0 / 255, 1]
    for channels in [1, 3] {
      for image in [
        Fixture.bytes8(40, 50, channels + 1), Fixture.words16(40, 50, channels + 1),
        Fixture.floats(9, 8, channels + 1),
      ] {
        let most = [Elements.Kind.uint8: 255.0, .uint16: 65_535, .float32: 1][image.elements.kind]!
        var values = [Float](repeating: 0, count: image.shape.count)
        image.elements.fill(0, values.count, into: &values)
        let made = image.withoutOpacity(over: color, isMultiplied: false)
        #expect(made.shape.channels == 3 && made.remarks == [])
        var found = [Float](repeating: 0, count: made.shape.count)
        made.elements.fill(0, found.count, into: &found)
        for pixel in 0..<image.shape.height * image.shape.width {
          let opacity = Double(values[pixel * (channels + 1) + channels])
          for c in 0..<3 {
            let own = Double(values[pixel * (channels + 1) + min(c, channels - 1)])
            let wanted = (own * opacity + behind[c] * (1 - opacity)) * most
            #expect(abs(Double(found[3 * pixel + c]) * most - wanted) < (most == 1 ? 1e-6 : 0.51))
          }
        }
        let plain = image.withoutOpacity(over: nil, isMultiplied: false)
        #expect(plain.shape.channels == channels && plain.remarks == .transparent)
      }
    }
    let multiplied = Image(shape: ImageShape(1, 2, 2), elements: .bytes([100, 128, 7, 255]))
    #expect(multiplied.withoutOpacity(over: RGBColor("white"), isMultiplied: true).elements == .bytes([227, 7]))
    #expect(multiplied.withoutOpacity(over: RGBColor("black"), isMultiplied: true).elements == .bytes([100, 7]))
  }
}

#if HDF5
  @Suite struct HDF5FileTests {
    private typealias Fixture = PictureFixtures

    private func open(_ path: String, _ layout: Preparation.Layout? = nil, memory: Int = 1 << 30) throws -> Dataset {
      var preparation = Preparation()
      preparation.layout = layout
      return try Dataset.open(path: path, split: .train, preparation: preparation, memory: memory)
    }

    /// In memory, and with so little of it that images are read one by one.
    @Test func dataSetsHaveTheNumbersThatH5pyWrote() throws {
      let folder = try TemporaryFolder()
      let path = try folder.file("a:/b.h5", Fixture.file("hdf5"))
      for memory in [1 << 30, 4] {
        let bytes = try open("\(path):/images", memory: memory)
        #expect(bytes.count == 4 && bytes.shape == ImageShape(2, 3, 1) && bytes.name(2) == "b.h5:/images[2]")
        #expect(try bytes.storedFiles().map(\.name) == ["b.h5:/images"] && bytes.form.rawValue == "HDF5")
        let wanted = Fixture.pattern(3, 2, 1, Fixture.byte)
        for n in 0..<4 { #expect(try bytes.image(n) == wanted.map { Float(($0 + n) % 256) / 255 }) }
        let words = try open("\(path):/deep/words", memory: memory)
        #expect(words.elements == .uint16 && words.shape == ImageShape(2, 3, 3))
        #expect(try words.image(1) == Fixture.pattern(3, 2, 3, Fixture.word).map { Float($0) / 65_535 })
        let planes = try open("\(path):/deep/planes", .nchw, memory: memory)
        #expect(planes.shape == ImageShape(2, 3, 3) && planes.elements == .float32)
        #expect(try planes.image(1) == Fixture.pattern(3, 2, 3, Fixture.byte).map { Float(Double($0) / 255) })
        let vectors = try open("\(path):/deep/floats", memory: memory)
        #expect(vectors.shape == ImageShape(vector: 6) && vectors.count == 4)
      }
    }

    @Test func whatIsNoSetOfImagesIsNamed() throws {
      let folder = try TemporaryFolder()
      let path = try folder.file("a.h5", Fixture.file("hdf5"))
      expectRefusal(path, "as \(path):/name", "/deep/floats, /deep/planes") { try open(path) }
      expectRefusal(path, "libhdf5 says: object 'none' doesn't exist") { try open("\(path):/none") }
      expectRefusal(path, "/labels: wanted elements of uint8", "found int64") { try open("\(path):/labels") }
      expectRefusal(path, "found text") { try open("\(path):/deep/text") }
      let cut = try folder.file("b.h5", Array(Fixture.file("hdf5").prefix(3000)))
      expectRefusal(cut, "libhdf5 says: truncated file") { try open("\(cut):/images") }
      let none = folder.path + "/none.h5:/images"
      expectRefusal(none, "found nothing there") { try open(none) }
    }
  }
#endif
