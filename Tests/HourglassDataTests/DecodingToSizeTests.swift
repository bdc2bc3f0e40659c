import CTurboJPEG
import Foundation
import HourglassModels
import TestSupport
import Testing

@testable import HourglassData

@Suite struct DecodingToSizeTests {
  /// The filters by their definition, one axis after the other, each sum in the order of the old pixels.
  private static func resized(_ values: [Float], _ shape: ImageShape, to size: Extent2D) -> [Float] {
    func weights(_ i: Int, _ old: Int, _ new: Int) -> [(Int, Float)] {
      if old >= new {
        return (i * old / new...((i + 1) * old - 1) / new).map { j in
          (j, Float(min((i + 1) * old, (j + 1) * new) - max(i * old, j * new)) / Float(old))
        }
      }
      let place = min(max((Double(i) + 0.5) * Double(old) / Double(new) - 0.5, 0), Double(old - 1))
      let first = min(Int(clamping: place), max(0, old - 2))
      return old == 1
        ? [(0, 1)] : [(first, 1 - Float(place - Double(first))), (first + 1, Float(place - Double(first)))]
    }
    let channels = shape.channels
    var narrow = [Float](repeating: 0, count: shape.height * size.width * channels)
    for w in 0..<size.width {
      for (old, weight) in weights(w, shape.width, size.width) {
        for h in 0..<shape.height {
          for c in 0..<channels {
            narrow[(h * size.width + w) * channels + c] += weight * values[(h * shape.width + old) * channels + c]
          }
        }
      }
    }
    let row = size.width * channels
    var out = [Float](repeating: 0, count: size.height * row)
    for h in 0..<size.height {
      for (old, weight) in weights(h, shape.height, size.height) {
        for i in 0..<row { out[h * row + i] += weight * narrow[old * row + i] }
      }
    }
    return out
  }

  @Test(arguments: [
    (13, 11, 4, 5), (40, 30, 40, 7), (5, 4, 11, 9), (9, 30, 14, 6), (1, 6, 5, 1), (6, 1, 1, 3), (17, 19, 16, 18),
  ])
  func bandsOfRowsMakeTheBitsOfTheDefinition(width: Int, height: Int, newWidth: Int, newHeight: Int) {
    let image = PictureFixtures.words16(width, height, 3)
    let size = Extent2D(newHeight, newWidth)
    guard case .words(let words) = image.elements else { return }
    let wanted = Self.resized(words.map { Float($0) }, image.shape, to: size).map {
      UInt16(min(max($0, 0), 65_535) + 0.5)
    }
    #expect(image.resized(to: size).elements == .words(wanted))
    for band in [1, 2, 5] {
      var resizer = ImageResizer(from: image.shape, to: size)
      for first in stride(from: 0, to: height, by: band) {
        let rows = min(band, height - first)
        let part = Array(words[first * width * 3..<(first + rows) * width * 3])
        resizer.add(Image(shape: ImageShape(rows, width, 3), elements: .words(part)))
      }
      #expect(resizer.image(.uint16).elements == .words(wanted))
    }
  }

  /// Files of several bands, in each colour and over a background.
  @Test func picturesShrinkWhileTheirRowsComeWithTheSameBits() throws {
    let folder = try TemporaryFolder()
    var files: [String] = []
    for channels in 1...4 {
      let image = PictureFixtures.bytes8(521, 700, channels)
      guard case .bytes(let pixels) = image.elements else { continue }
      let picture = PNGImage(width: 521, height: 700, channels: channels, pixels: pixels)
      files.append(try folder.file("\(channels).png", [UInt8](picture.encoded())))
      guard channels % 2 == 1 else { continue }
      let head = Array("P\(channels == 1 ? 5 : 6) 521 700 255\n".utf8)
      files.append(try folder.file("\(channels).pnm", head + pixels))
    }
    files.append(try folder.file("16.png", PictureFixtures.file("png16-grey")))
    #if TIFF
      for name in ["rgb8-tiles", "rgb16-planes", "five8-planes-tiles", "opacity16", "white8"] {
        files.append(try folder.file("\(name).tif", PictureFixtures.file(name)))
      }
    #endif
    for path in files {
      let channels = try PictureFiles(path).shape(0).channels
      for color in [nil, Preparation.Color.grey, .rgb] where color == nil || channels != 5 {
        for background in [nil, RGBColor("#0a64ff")] {
          var preparation = Preparation()
          (preparation.color, preparation.background, preparation.resize) = (color, background, Extent2D(3, 2))
          var whole = Preparation()
          whole.background = background
          let wanted = try preparation.prepared(try PictureFiles.decode(path, toward: whole), path: path)
          let small = try PictureFiles.decode(path, toward: preparation)
          #expect((small.shape.height, small.shape.width) == (3, 2))
          #expect(try preparation.prepared(small, path: path).elements == wanted.elements, "\(path)")
        }
      }
    }
  }

  /// The second is turned when it is shown.
  @Test func muchLargerJPEGsAreDecodedToASmallerSize() throws {
    let folder = try TemporaryFolder()
    let pixels = (0..<480).flatMap { h in (0..<640).map { w in UInt8(128 + 100 * sin(Double(h * w) / 20_000)) } }
    let encoder = tjInitCompress()
    defer { tjDestroy(encoder) }
    var (data, size): (UnsafeMutablePointer<UInt8>?, UInt) = (nil, 0)
    tjCompress2(encoder, pixels, 640, 0, 480, TJPF_GRAY.rawValue, &data, &size, Int32(TJSAMP_GRAY.rawValue), 95, 0)
    defer { tjFree(data) }
    let jpeg = [UInt8](UnsafeBufferPointer(start: data, count: Int(size)))
    for (name, file) in [("a.jpg", jpeg), ("b.jpg", FuzzedReader.lying(jpeg))] {
      let path = try folder.file(name, file)
      let isLying = name == "b.jpg"
      func extent(_ width: Int, _ height: Int) -> Extent2D {
        isLying ? Extent2D(width, height) : Extent2D(height, width)
      }
      for (wanted, decoded) in [
        ((16, 12), (80, 60)), ((32, 24), (160, 120)), ((100, 75), (400, 300)), ((150, 20), (640, 480)),
      ] {
        var preparation = Preparation()
        preparation.resize = extent(wanted.0, wanted.1)
        let reader = try JPEGFile(InputFile(path), page: nil)
        let least = Extent2D(4 * wanted.1, 4 * wanted.0)
        #expect(reader.shrunk(toAtLeast: least).header.shape == ImageShape(decoded.1, decoded.0, 1))
        let image = try PictureFiles.decode(path, toward: preparation)
        guard case .bytes(let small) = try preparation.prepared(image, path: path).elements,
          case .bytes(let full) = try preparation.prepared(try PictureFiles.decode(path), path: path).elements
        else { continue }
        #expect(small.count == full.count)
        #expect(zip(small, full).allSatisfy { abs(Int($0) - Int($1)) <= 2 })
      }
    }
  }

  @Test func theHeaderTellsTheShapeOfEveryKind() throws {
    let folder = try TemporaryFolder()
    for name in PictureFixtures.words.keys.sorted() where !["hdf5", "int16", "webp-moving"].contains(name) {
      let file = PictureFixtures.file(name)
      guard let kind = PictureKind.of(contents: file), kind.reader != nil else { continue }
      let pictures = PictureFiles(try folder.file("\(name).tif", file))
      for index in 0..<pictures.count { #expect(try pictures.shape(index) == pictures.image(index).shape, "\(name)") }
    }
    let jpeg = try #require(FuzzedReader.all.first { $0.name == "JPEG, lying" })
    let path = try folder.file("a.jpg", jpeg.original)
    #expect(try PictureFiles(path).shape(0) == ImageShape(16, 12, 3))
  }

  /// A picture that unpacked takes more than is granted.
  @Test(.enabled(if: !isSanitized, "sanitizers take terabytes of addresses"))
  func whatIsTooLargeWholeIsReadSmall() async {
    await #expect(processExitsWith: .success) {
      let folder = try TemporaryFolder()
      let path = try folder.file("a.png", whitePNG(6000))
      try limitAddressSpace(toFurther: 48 << 20)
      expectRefusal(
        path, "wanted memory to decode 6000 x 6000 pixels within", "still grants", "found a need of 6"
      ) {
        try Dataset.open(path: path, split: .train)
      }
      var preparation = Preparation()
      preparation.resize = Extent2D(32, 32)
      let data = try Dataset.open(path: path, split: .train, preparation: preparation, threads: 1)
      #expect(try data.image(0) == [Float](repeating: 1, count: 1024))
    }
  }

  @Test func aPictureTakesNoMoreThanImagesMay() throws {
    let folder = try TemporaryFolder()
    let path = try folder.file("a.png", whitePNG(2000))
    var preparation = Preparation()
    preparation.skipsBad = true
    expectRefusal(path, "wanted memory to decode 2000 x 2000 pixels within the 4 MiB that images may take") {
      try Dataset.open(path: path, split: .train, preparation: preparation, memory: 4 << 20)
    }
    preparation.resize = Extent2D(20, 20)
    #expect(try Dataset.open(path: path, split: .train, preparation: preparation, memory: 4 << 20).count == 1)
  }

  @Test func transparentPicturesAreNamedUnlessTheyHaveABackground() throws {
    let folder = try TemporaryFolder()
    for (name, opacity) in [("a.png", UInt8(255)), ("b.png", 0), ("c.png", 254)] {
      let image = PNGImage(width: 2, height: 1, channels: 2, pixels: [10, 255, 20, opacity])
      _ = try folder.file(name, [UInt8](image.encoded()))
    }
    var preparation = Preparation()
    let plain = try Dataset.open(path: folder.path, split: .train)
    let note = try #require(plain.inventory.notes.first)
    #expect(
      plain.inventory.notes.count == 1 && note.names == ["b.png", "c.png"] && note.reason.contains("transparent"))
    #expect(try plain.image(1) == [10.0 / 255, 20.0 / 255])
    preparation.background = RGBColor("white")
    let composed = try Dataset.open(path: folder.path, split: .train, preparation: preparation)
    #expect(composed.inventory.notes.isEmpty)
    #expect(try composed.images(0..<3) == [10, 20, 10, 255, 10, 21].map { Float($0) / 255 })
    let text = try JSONEncoder().encode(preparation)
    #expect(String(decoding: text, as: UTF8.self) == ##"{"background":"#ffffff"}"##)
    #expect(try JSONDecoder().decode(Preparation.self, from: text) == preparation)
  }
}
