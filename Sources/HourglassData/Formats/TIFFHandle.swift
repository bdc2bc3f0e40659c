#if TIFF
  import CTIFF
  import Glibc

  /// A TIFF file that libtiff reads through an `InputFile`. Its refusals are errors, and nothing is printed.
  final class TIFFHandle {
    let pointer: OpaquePointer
    private let client: Client

    /// The file from which libtiff reads.
    private final class Client {
      let file: InputFile
      var place = 0
      let message = UnsafeMutablePointer<CChar>.allocate(capacity: Int(HG_TIFF_MESSAGE))

      init(_ file: InputFile) { self.file = file }

      deinit { message.deallocate() }

      static func of(_ handle: thandle_t?) -> Client? {
        handle.map { Unmanaged<Client>.fromOpaque($0).takeUnretainedValue() }
      }
    }

    /// Opens the file without any of its pictures.
    init(_ file: InputFile) throws(DataError) {
      client = Client(file)
      let opened = hg_tiff_open(
        file.path, Unmanaged.passUnretained(client).toOpaque(),
        { handle, buffer, count in
          guard let client = Client.of(handle), let buffer, count > 0 else { return 0 }
          let room = UnsafeMutableRawBufferPointer(start: buffer, count: Int(count))
          guard let found = try? client.file.read(at: client.place, into: room) else { return -1 }
          client.place += found
          return tmsize_t(found)
        },
        { _, _, _ in -1 },
        { handle, offset, origin in
          guard let client = Client.of(handle) else { return .max }
          let base = origin == SEEK_SET ? 0 : origin == SEEK_CUR ? client.place : client.file.size
          let (place, overflow) = base.addingReportingOverflow(Int(truncatingIfNeeded: offset))
          guard !overflow, place >= 0 else { return .max }
          client.place = place
          return toff_t(place)
        },
        { _ in 0 }, { handle in toff_t(Client.of(handle)?.file.size ?? 0) }, client.message)
      guard let opened else { throw Self.refusal(client) }
      pointer = opened
    }

    deinit { TIFFClose(pointer) }

    /// Goes to the picture at a place, or to the first.
    func open(_ page: UInt64?) throws(DataError) {
      guard let page else { return try readNext() }
      try check(TIFFSetSubDirectory(pointer, page) != 0)
    }

    func readNext() throws(DataError) { try check(TIFFReadDirectory(pointer) != 0) }

    func error(_ reason: String) -> DataError { DataError(path: client.file.path, reason: reason) }

    private func check(_ isGood: Bool) throws(DataError) {
      if !isGood { throw Self.refusal(client) }
    }

    private static func refusal(_ client: Client) -> DataError {
      let sentence = String(cString: client.message)
      return DataError(
        path: client.file.path,
        reason: "wanted a TIFF image, but libtiff says: \(sentence.isEmpty ? "it is broken" : sentence)")
    }

    // MARK: Tags

    func short(_ tag: Int32, _ otherwise: UInt16) -> Int { Int(hg_tiff_short(pointer, UInt32(tag), otherwise)) }

    func long(_ tag: Int32, _ otherwise: Int = 0) -> Int {
      Int(hg_tiff_long(pointer, UInt32(tag), UInt32(clamping: otherwise)))
    }

    /// The meanings of the samples beyond the colours.
    var extraSamples: [UInt16] {
      var count: UInt16 = 0
      guard let kinds = hg_tiff_extra_samples(pointer, &count) else { return [] }
      return Array(UnsafeBufferPointer(start: kinds, count: Int(count)))
    }

    /// The red, green and blue of `count` colours. Some writers store 8 bits where 16 belong.
    func palette(_ count: Int) throws(DataError) -> [UInt8] {
      var parts: (UnsafeMutablePointer<UInt16>?, UnsafeMutablePointer<UInt16>?, UnsafeMutablePointer<UInt16>?)
      guard hg_tiff_palette(pointer, &parts.0, &parts.1, &parts.2) != 0, let red = parts.0, let green = parts.1,
        let blue = parts.2
      else { throw error("wanted a palette of \(count) colours, found none") }
      let all = (0..<count).flatMap { [red[$0], green[$0], blue[$0]] }
      let isWide = all.contains { $0 > 255 }
      return all.map { UInt8(isWide ? $0 >> 8 : $0) }
    }

    /// The bytes of the largest strip or tile as it is stored, which is no larger than the file.
    var largestPart: Int {
      let count = TIFFIsTiled(pointer) != 0 ? TIFFNumberOfTiles(pointer) : TIFFNumberOfStrips(pointer)
      let largest = (0..<count).map { TIFFGetStrileByteCount(pointer, $0) }.max() ?? 0
      return min(client.file.size, Int(clamping: largest))
    }

    // MARK: Pixels

    /// The bytes of rows with all samples of each pixel.
    func rows(_ first: Int, _ count: Int, _ length: Int) throws(DataError) -> [UInt8] {
      try [UInt8](room: count * length) { (room) throws(DataError) in
        for row in 0..<count {
          try check(TIFFReadScanline(pointer, room.baseAddress.map { $0 + row * length }, UInt32(first + row), 0) == 1)
        }
        return room.count
      }
    }

    /// The bytes of the strip of a plane that begins with a row.
    func strip(_ row: Int, _ plane: Int, _ length: Int) throws(DataError) -> [UInt8] {
      let number = TIFFComputeStrip(pointer, UInt32(row), UInt16(plane))
      return try [UInt8](room: length) { (room) throws(DataError) in
        try check(TIFFReadEncodedStrip(pointer, number, room.baseAddress, tmsize_t(length)) == length)
        return length
      }
    }

    func tile(_ left: Int, _ top: Int, _ plane: Int, _ length: Int) throws(DataError) -> [UInt8] {
      guard TIFFTileSize64(pointer) == length else {
        throw error("wanted tiles of \(length) bytes, found \(TIFFTileSize64(pointer)); the header is wrong")
      }
      let number = TIFFComputeTile(pointer, UInt32(left), UInt32(top), 0, UInt16(plane))
      return try [UInt8](room: length) { (room) throws(DataError) in
        try check(TIFFReadEncodedTile(pointer, number, room.baseAddress, tmsize_t(length)) == length)
        return length
      }
    }
  }
#endif
