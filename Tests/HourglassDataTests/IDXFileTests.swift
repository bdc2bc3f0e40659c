import HourglassData
import Testing

@Suite struct IDXFileTests {
  @Test func arraysOfEachKindAreRead() throws {
    let folder = try TemporaryFolder()
    let bytes = (0..<24).map { UInt8($0) }
    for shape in [[24], [2, 3, 4], [2, 2, 2, 3], [4, 3, 2, 1]] {
      let file = try IDXFile.read(try folder.file("a", idx(shape, bytes)))
      #expect(file.shape == shape && file.elements == .bytes(bytes))
    }
    let floats: [Float] = [0, 0.25, 1, .pi]
    let data = floats.flatMap { bigEndian($0.bitPattern) }
    let file = try IDXFile.read(try folder.file("f.gz", gzip(idx(type: 0x0d, [1, 2, 2], data))))
    #expect(file.elements == .floats(floats) && file.shape == [1, 2, 2])
  }

  @Test func whatIsNotTakenIsRefusedWithItsReason() throws {
    let folder = try TemporaryFolder()
    let cases: [(content: [UInt8], fragments: [String])] = [
      ([], ["found 0 bytes"]),
      ([0, 0, 8], ["found 3 bytes"]),
      ([0, 0, 8, 3, 0, 0], ["header of 16 bytes", "found 6", "cut short"]),
      (idx(type: 0x0e, [1, 1, 1], [0, 0, 0, 0, 0, 0, 0, 0]), ["type 0e (64-bit float)", "convert"]),
      (idx(type: 0x0b, [1, 1, 1], [0, 0]), ["type 0b (16-bit integer)"]),
      (idx(type: 0x77, [1, 1, 1], [0]), ["type 77 (unknown)"]),
      (idx([1, 1], [0]), ["found 2"]),
      (idx([1, 2, 2, 2], [UInt8](repeating: 0, count: 8)), ["1 or 3 channels", "found 2"]),
      (idx([3, 0, 2], []), ["found 0 x 2"]),
      (idx([0], []), ["holds no labels"]),
      (idx([0, 2, 2], []), ["holds no images"]),
      (idx([2, 2, 2], [1, 2, 3]), ["2 x 2 x 2 bytes", "wanted 8 bytes of data, found 3"]),
      (gzip(idx([2, 2, 2], [1, 2, 3])), ["wanted 8 bytes of data, found 3", "cut short"]),
      (idx([1, 2, 2], [1, 2, 3, 4, 5]), ["found 1 more", "first 20 bytes"]),
      (idx([0xffff_ffff, 0xffff_ffff, 0xffff_ffff], []), ["over 2^63"]),
      (gzip(idx([0x7fff_ffff, 1, 1], [1])), ["wanted 2147483647 bytes of data, found 1"]),
    ]
    for (content, fragments) in cases {
      let path = try folder.file("a", content)
      for fragment in fragments { expectRefusal(path, fragment) { try IDXFile.read(path) } }
    }
  }

  @Test(.enabled(if: realData != nil, withoutRealData))
  func awkwardFilesBehaveAsTheirNamesSay() throws {
    let folder = realData! + "/awkward-files/idx/"
    let good = try IDXFile.read(folder + "good_100-images-idx3-ubyte")
    #expect(good.shape == [100, 28, 28] && good.elements.count == 78_400)
    #expect(try IDXFile.read(folder + "good_100-images-idx3-ubyte.gz") == good)
    #expect(try IDXFile.read(folder + "odd_two_members-images-idx3-ubyte.gz") == good)
    #expect(try IDXFile.read(folder + "good_100-labels-idx1-ubyte").shape == [100])
    #expect(try IDXFile.read(folder + "odd_labels_99-idx1-ubyte").shape == [99])
    let floats = try IDXFile.read(folder + "odd_float32-idx3-float")
    guard case .floats(let values) = floats.elements, case .bytes(let bytes) = good.elements else {
      Issue.record("the float file does not hold floats or the other not bytes")
      return
    }
    // The float file holds the first pictures of the other.
    let differences = zip(values, bytes).map { abs($0 - Float($1) / 255) }
    #expect(floats.shape[0] == 10 && differences.max()! < 1e-6)

    let refused: [(name: String, fragments: [String])] = [
      ("odd_zero_images-idx3-ubyte", ["holds no images"]),
      ("odd_trailing_bytes-idx3-ubyte", ["found 17 more", "first 78416 bytes"]),
      ("bad_truncated_header-idx3-ubyte", ["header of 16 bytes", "found 11"]),
      ("bad_truncated_mid_image-idx3-ubyte", ["100 x 28 x 28", "wanted 78400 bytes", "found 48124"]),
      ("bad_magic-idx3-ubyte", ["00 00", "12 34 56 78"]),
      ("bad_little_endian-idx3-ubyte", ["03 08 00 00", "little-endian"]),
      ("bad_count_4294967295-idx3-ubyte", ["4294967295 x 28 x 28", "wanted 3367254359280 bytes", "found 78400"]),
      ("bad_zero_rows-idx3-ubyte", ["found 0 x 28"]),
      ("bad_truncated-images-idx3-ubyte.gz", ["cut short after 10302 bytes"]),
      ("bad_crc-images-idx3-ubyte.gz", ["checksum (CRC-32) is wrong"]),
    ]
    for (name, fragments) in refused {
      for fragment in fragments { expectRefusal(folder + name, fragment) { try IDXFile.read(folder + name) } }
    }
  }

  /// Published figures of the two sets, from the READMEs beside them.
  @Test(
    .enabled(if: realData != nil, withoutRealData),
    arguments: [
      ("mnist/train", 60_000, 33.318), ("mnist/t10k", 10_000, 33.791), ("fashion-mnist/train", 60_000, 72.940),
      ("fashion-mnist/t10k", 10_000, 73.147),
    ])
  func realSetsHaveTheirPublishedCountsAndMeans(name: String, count: Int, mean: Double) throws {
    let file = try IDXFile.read("\(realData!)/\(name)-images-idx3-ubyte.gz")
    guard case .bytes(let pixels) = file.elements else { throw DataError(path: name, reason: "not bytes") }
    #expect(file.shape == [count, 28, 28])
    // Eight bytes at once, because loops are slow in debug builds.
    let mask: UInt64 = 0x00ff_00ff_00ff_00ff
    let sum = pixels.withUnsafeBytes { bytes in
      var sum: UInt64 = 0
      var place = 0
      while place < bytes.count {
        let word = bytes.loadUnaligned(fromByteOffset: place, as: UInt64.self)
        let pairs = (word & mask) &+ (word &>> 8 & mask)
        sum = sum &+ (pairs &* 0x0001_0001_0001_0001) &>> 48
        place = place &+ 8
      }
      return sum
    }
    #expect(abs(Double(sum) / Double(pixels.count) - mean) < 0.0006)
  }
}
