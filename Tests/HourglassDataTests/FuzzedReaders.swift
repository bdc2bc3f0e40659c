import CTurboJPEG
import CZlib
import Foundation
import HourglassModels

@testable import HourglassData

/// A reader of files, and a file that it reads, to be altered.
struct FuzzedReader: Sendable {
  var name: String
  /// What the altered file is called, a path from the folder.
  var file: String
  var original: [UInt8]
  /// What lies beside it.
  var others: [String: [UInt8]] = [:]
  /// Makes checksums right again, so that more is read than what they stand before.
  var repaired: @Sendable ([UInt8]) -> [UInt8] = { $0 }
  /// Reads it; the folder in which it lies is given too.
  var read: @Sendable (_ path: String, _ folder: String) throws -> Void

  private static func images(_ data: Dataset) throws {
    for index in [0, data.count - 1] { _ = try data.image(index) }
    _ = try DatasetSummary(data)
  }

  /// As a data set, in memory and with as little of it as can be, which not all files allow.
  private static func open(_ path: String, _ preparation: Preparation = Preparation()) throws {
    try images(try Dataset.open(path: path, split: .train, preparation: preparation))
    do {
      try images(try Dataset.open(path: path, split: .train, preparation: preparation, memory: 100))
    } catch is DataError {}
  }

  private static func set(
    _ name: String, _ file: String, _ original: [UInt8], _ others: [String: [UInt8]] = [:],
    folder isFolder: Bool = false, repaired: @escaping @Sendable ([UInt8]) -> [UInt8] = { $0 }
  ) -> FuzzedReader {
    FuzzedReader(name: name, file: file, original: original, others: others, repaired: repaired) { path, folder in
      try open(isFolder ? folder : path)
    }
  }

  static let all: [FuzzedReader] =
    pictures + otherPictures + hdf5 + arrays + archives + documents + folders + labels + real

  /// Files of other programs, where they are at hand.
  private static let real: [FuzzedReader] = [
    "awkward-files/jpeg/made_progressive_420.jpg", "awkward-files/jpeg/made_exif_rotated.jpg",
    "awkward-files/jpeg/made_cmyk_adobe.jpg", "pngsuite/basi3p08.png", "pngsuite/ct1n0g04.png", "pngsuite/cm9n0g04.png",
  ].compactMap { (name: String) -> FuzzedReader? in
    guard let realData, let content = try? InputFile.contents(of: "\(realData)/\(name)") else { return nil }
    return name.hasSuffix("png")
      ? set(name, "a.png", content, repaired: withPNGChecksums) : set(name, "a.jpg", content)
  }

  private static let pictures = [
    set("PNG, grey", "a.png", png(1), repaired: withPNGChecksums),
    set("PNG, colour", "a.png", png(3), repaired: withPNGChecksums),
    set("PNG, opacity", "a.png", png(4), repaired: withPNGChecksums),
    FuzzedReader(name: "PNG, to be prepared", file: "a.png", original: png(3), repaired: withPNGChecksums) { path, _ in
      var preparation = Preparation()
      (preparation.color, preparation.crop, preparation.resize) = (.grey, Extent2D(4, 4), Extent2D(9, 3))
      try open(path, preparation)
    },
    set("JPEG, grey", "a.jpg", jpeg(TJPF_GRAY, TJSAMP_GRAY)),
    set("JPEG, lying", "a.jpg", lying(jpeg(TJPF_RGB, TJSAMP_420))),
    set("JPEG, progressive", "a.jpg", jpeg(TJPF_RGB, TJSAMP_444, TJFLAG_PROGRESSIVE)),
    set("JPEG, CMYK", "a.jpg", jpeg(TJPF_CMYK, TJSAMP_444)),
  ]

  private static let otherPictures: [FuzzedReader] = {
    var names = ["bmp1", "bmp8-palette", "bmp24", "png16-grey", "png-lying"]
    #if TIFF
      names += [
        "grey8", "white8", "rgb8-tiles", "rgb16-planes", "grey16-big-endian", "five16", "five8-planes-tiles", "float32",
        "opacity16", "lying8", "bits", "palette8", "ink8", "jpeg8", "pages",
      ]
    #endif
    #if WebP
      names += ["webp", "webp-opacity", "webp-lying", "webp-lossy"]
    #endif
    let maps = [("P1 3 2\n1 0 1 0 1 1", ""), ("P5 # a\n3 2 200\n", "abcdef"), ("P6 1 2 65000\n", "abcdefabcdef")]
    let pictures = names.map { name in
      name.hasPrefix("png")
        ? set("picture \(name)", "a.png", PictureFixtures.file(name), repaired: withPNGChecksums)
        : set("picture \(name)", "a.tif", PictureFixtures.file(name))
    }
    return pictures + maps.map { set("map \($0.0.prefix(2))", "a.ppm", Array(($0.0 + $0.1).utf8)) }
  }()

  #if HDF5
    private static let hdf5 = ["images", "deep/words", "deep/floats"].map { name in
      FuzzedReader(name: "HDF5, \(name)", file: "a.h5", original: PictureFixtures.file("hdf5")) { path, _ in
        try open("\(path):/\(name)")
      }
    }
  #else
    private static let hdf5: [FuzzedReader] = []
  #endif

  private static let floats = (0..<24).flatMap { littleEndian((Float($0) / 24).bitPattern) }

  private static let arrays = [
    set("IDX, bytes", "a-idx3-ubyte", idx([4, 3, 2], (0..<24).map { UInt8($0) })),
    set("IDX, floats", "a", idx(type: 0x0d, [2, 2, 2], (0..<8).flatMap { bigEndian((Float($0) / 8).bitPattern) })),
    set("IDX, gzip", "a.gz", gzip(idx([4, 3, 2], (0..<24).map { UInt8($0) })), repaired: withGzipChecksum),
    set("NPY, bytes", "a.npy", NPYFileTests.byteArray),
    set("NPY, floats", "a.npy", DiskImagesTests.npy("<f4", "2, 3, 2, 2", floats)),
    FuzzedReader(name: "NPY, doubles", file: "a.npy", original: NPYFileTests.doubleArray) { path, _ in
      _ = try NPYFile.read(path)
    },
    set("NPY, gzip", "a.npy.gz", gzip(NPYFileTests.byteArray), repaired: withGzipChecksum),
    set("records", "a.bin", RecordFileTests.records([1, 2])),
    set("records, gzip", "a.bin.gz", gzip(RecordFileTests.records([1])), repaired: withGzipChecksum),
    FuzzedReader(name: "gzip", file: "a", original: gzip(GzipFileTests.text) + gzip(GzipFileTests.text)) { path, _ in
      _ = try GzipFile(path).readAll()
    },
  ]

  private static let archives = [
    set("NPZ, stored", "a.npz", NPZFileTests.stored, repaired: withZipChecksums),
    set("NPZ, deflated", "a.npz", NPZFileTests.deflated, repaired: withZipChecksums),
    FuzzedReader(
      name: "NPZ, weights", file: "a.npz",
      original: zip([("w.npy", NPYFileTests.floatArray), ("b.npy", NPYFileTests.floatArray)]),
      repaired: withZipChecksums
    ) { path, _ in _ = try NPZFile.tensors(path) },
    FuzzedReader(name: "safetensors", file: "a.safetensors", original: SafeTensorsTests.python) { path, _ in
      _ = try SafeTensors.read(path)
    },
  ]

  private static let vocabulary = Array("data\ngraph\nmodel\nnetwork\ntheory\n".utf8)
  private static let counts = Array("0 0:1 2:2 3:1\n1 0:3 4:2\n2 1:1 3:1\r\n".utf8)
  private static let texts = Array(
    "0\tx1\tModel: data\tmodel network\n1\tx2\tdata Theory;\ttheory data\\network data\n".utf8)
  private static let names = Array("red\nblue\ngreen\n".utf8)

  private static let documents = [
    set("term counts", "a.txt", counts, ["vocab.txt": vocabulary]),
    set("term counts, gzip", "a.txt.gz", gzip(counts), ["vocab.txt": vocabulary], repaired: withGzipChecksum),
    set("texts", "a.tsv", texts, ["vocab.txt": vocabulary]),
    set("texts, gzip", "a.tsv.gz", gzip(texts), ["vocab.txt": vocabulary], repaired: withGzipChecksum),
    set("vocabulary", "vocab.txt", vocabulary, ["bow-train.txt": counts, "categories.txt": names], folder: true),
    set(
      "names of classes", "categories.txt", names, ["bow-train.txt": counts, "vocab.txt": vocabulary], folder: true),
    FuzzedReader(name: "statistics of terms", file: "a.json", original: Array("[\"4 data:2 graph:0\"]".utf8)) {
      path, _ in
      let text = Data(try InputFile.contents(of: path))
      do { _ = try JSONDecoder().decode([TermStatistics].self, from: text).map(\.weights) } catch is DecodingError {
        throw DataError(path: path, reason: "no statistics")
      }
    },
  ]

  private static let folders = [
    set(
      "folder of IDX", "train-labels-idx1-ubyte", idx([4], [0, 1, 2, 1]),
      ["train-images-idx3-ubyte": idx([4, 3, 2], (0..<24).map { UInt8($0) })], folder: true),
    set(
      "folder of records", "classes.txt", names, ["data_batch_1.bin": RecordFileTests.records([1, 2])], folder: true),
    set(
      "folder of pictures", "train/b/2.png", png(1), ["train/a/1.png": png(1), "test/a/1.png": png(1)], folder: true,
      repaired: withPNGChecksums),
  ]

  private static let labels = [
    labels("a.csv", Array("name,class\na.npy[0],\"b \"\"c\"\"\"\r\na.npy[1],d\na.npy[2],d\na.npy[3],e\n".utf8)),
    labels("a.tsv", Array("a.npy[0]\tb\na.npy[1]\td\na.npy[2]\td\na.npy[3]\te\n".utf8)),
    labels("b.npy", DiskImagesTests.npy("<U2", "4,", "a\0bbc\0a\0".unicodeScalars.flatMap { littleEndian($0.value) })),
    labels("b.npy", DiskImagesTests.npy("|S2", "4,", Array("a\0bbc\0a\0".utf8))),
    labels("b.npy", DiskImagesTests.npy("<i2", "4, 2", [1, 0, 0, 0, 0, 0, 1, 0, 0, 0, 1, 0, 1, 0, 0, 0])),
    labels("b.npz", zip([("y_train.npy", DiskImagesTests.npy("|i1", "4, 1", [2, 0, 1, 2]))]), withZipChecksums),
    labels("b-idx1-ubyte", idx([4], [2, 0, 1, 2])),
  ]

  /// Labels of four images.
  private static func labels(
    _ name: String, _ content: [UInt8], _ repaired: @escaping @Sendable ([UInt8]) -> [UInt8] = { $0 }
  ) -> FuzzedReader {
    FuzzedReader(
      name: "labels, \(name)", file: name, original: content,
      others: ["a.npy": DiskImagesTests.npy("|u1", "4, 3, 2", (0..<24).map { UInt8($0) })], repaired: repaired
    ) { path, folder in
      var preparation = Preparation()
      preparation.labelsFile = path
      try open("\(folder)/a.npy", preparation)
    }
  }

  // MARK: Files

  private static func png(_ channels: Int) -> [UInt8] {
    let pixels = (0..<60 * channels).map { UInt8($0 * 37 % 256) }
    let image = PNGImage(width: 10, height: 6, channels: channels, pixels: pixels)
    return (try? image.encoded()).map { [UInt8]($0) } ?? []
  }

  private static func jpeg(_ format: TJPF, _ sampling: TJSAMP, _ flags: Int32 = 0) -> [UInt8] {
    let channels = [TJPF_GRAY: 1, TJPF_RGB: 3, TJPF_CMYK: 4][format] ?? 3
    let pixels = (0..<16 * 12 * channels).map { UInt8($0 * 37 % 256) }
    let encoder = tjInitCompress()
    defer { tjDestroy(encoder) }
    var (data, size): (UnsafeMutablePointer<UInt8>?, UInt) = (nil, 0)
    tjCompress2(
      encoder, pixels, 16, 0, 12, Int32(bitPattern: UInt32(format.rawValue)), &data, &size, Int32(sampling.rawValue),
      50,
      flags)
    defer { tjFree(data) }
    return [UInt8](UnsafeBufferPointer(start: data, count: Int(size)))
  }

  /// With an Exif header that says so.
  static func lying(_ jpeg: [UInt8]) -> [UInt8] {
    let tiff: [UInt8] = [0x49, 0x49, 42, 0, 8, 0, 0, 0, 1, 0, 0x12, 1, 3, 0, 1, 0, 0, 0, 6, 0, 0, 0, 0, 0, 0, 0]
    let exif = Array("Exif\0\0".utf8) + tiff
    return Array(jpeg[..<2]) + [0xff, 0xe1, 0, UInt8(exif.count + 2)] + exif + jpeg[2...]
  }

  // MARK: Checksums

  /// The chunks' (ISO 15948, 5.3), as far as the chunks go.
  private static let withPNGChecksums: @Sendable ([UInt8]) -> [UInt8] = { png in
    var bytes = png
    var place = 8
    while place + 12 <= bytes.count {
      let length = bytes[place..<place + 4].reduce(0) { $0 << 8 | Int($1) }
      let end = place + 8 + length
      guard end + 4 <= bytes.count else { break }
      bytes.replaceSubrange(end..<end + 4, with: bigEndian(sum(bytes[place + 4..<end])))
      place = end + 4
    }
    return bytes
  }

  /// A gzip file of one member of stored blocks, with the checksum of what it holds.
  private static let withGzipChecksum: @Sendable ([UInt8]) -> [UInt8] = { packed in
    guard packed.count > 23, packed[10] == 1 else { return packed }
    let length = Int(packed[11]) | Int(packed[12]) << 8
    let end = min(packed.count - 8, 15 + length)
    guard end > 15 else { return packed }
    return packed[..<end] + littleEndian(sum(packed[15..<end])) + littleEndian(UInt32(end - 15)) + packed[(end + 8)...]
  }

  /// The members', in the directory, as far as it can be followed.
  private static let withZipChecksums: @Sendable ([UInt8]) -> [UInt8] = { archive in
    guard let zip = try? ZipFile(archive, path: "") else { return archive }
    var bytes = archive
    var place = 0
    while let entry = bytes[place...].firstRange(of: [0x50, 0x4b, 1, 2])?.lowerBound, entry + 46 <= bytes.count {
      func number(_ at: Int, _ width: Int) -> Int {
        (0..<width).reduce(0) { $0 | Int(bytes[entry + at + $1]) << (8 * $1) }
      }
      let (header, packed) = (number(42, 4), number(20, 4))
      if number(10, 2) == 0, header + 30 <= bytes.count {
        let start = header + 30 + Int(bytes[header + 26]) + Int(bytes[header + 28])
        if start + packed <= bytes.count {
          bytes.replaceSubrange(entry + 16..<entry + 20, with: littleEndian(sum(bytes[start..<start + packed])))
        }
      }
      place = entry + 4
    }
    return zip.members.isEmpty ? archive : bytes
  }

  /// CRC-32 by zlib, which is faster than by its definition.
  private static func sum(_ bytes: ArraySlice<UInt8>) -> UInt32 {
    bytes.withUnsafeBufferPointer { UInt32(crc32_z(0, $0.baseAddress, $0.count)) }
  }
}
