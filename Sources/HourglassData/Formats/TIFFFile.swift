#if TIFF
  import CTIFF
  import HourglassBase

  /// A reader of TIFF pictures by libtiff, in strips or tiles, with channels together or in planes, packed in any way
  /// that libtiff knows.
  ///
  /// Samples are whole numbers of 1, 2, 4 (one channel), 8 or 16 bits, or floats of 32 or 64 bits. Colours are grey,
  /// also with 0 as white, RGB, palettes (whose upper 8 bits are taken), CMYK, or YCbCr within JPEG, with any number of
  /// channels. A channel marked as opacity is taken as opacity where it is the only one beside grey or RGB. Pictures
  /// are turned as their orientation says.
  ///
  /// Source: TIFF 6.0. Errors: the samples or colours are others; libtiff refuses the file.
  struct TIFFFile: PictureReader {
    let header: PictureHeader
    private let tiff: TIFFHandle
    private let colors: Colors
    private let bits: Int
    /// The samples of a pixel in the file.
    private let samples: Int
    private let isPlanar: Bool
    /// The width and height of a tile; nil where the file has strips.
    private let tile: Extent2D?
    private let rowsInStrip: Int

    private enum Colors {
      case light
      /// Grey with 0 as white.
      case dark
      case ink
      case palette([UInt8])
    }

    init(_ file: InputFile, page: UInt64?) throws(DataError) {
      tiff = try TIFFHandle(file)
      try tiff.open(page)
      let (width, height) = (tiff.long(TIFFTAG_IMAGEWIDTH), tiff.long(TIFFTAG_IMAGELENGTH))
      let (bits, samples) = (tiff.short(TIFFTAG_BITSPERSAMPLE, 1), tiff.short(TIFFTAG_SAMPLESPERPIXEL, 1))
      let (format, photometric) = (tiff.short(TIFFTAG_SAMPLEFORMAT, 1), tiff.short(TIFFTAG_PHOTOMETRIC, 1))
      (self.bits, self.samples) = (bits, samples)
      isPlanar = tiff.short(TIFFTAG_PLANARCONFIG, 1) == PLANARCONFIG_SEPARATE && samples > 1
      guard width > 0, height > 0, width < 1 << 31, height < 1 << 31, samples > 0 else {
        throw tiff.error("wanted pixels, found \(width) x \(height) of \(samples) samples")
      }
      let isWhole = format == SAMPLEFORMAT_UINT || format == SAMPLEFORMAT_VOID
      guard
        isWhole
          ? [8, 16].contains(bits) || ([1, 2, 4].contains(bits) && samples == 1)
          : format == SAMPLEFORMAT_IEEEFP && [32, 64].contains(bits)
      else {
        let names = [SAMPLEFORMAT_INT: "whole numbers with a sign", SAMPLEFORMAT_IEEEFP: "floats"]
        let name = names[Int32(format)] ?? "whole numbers"
        throw tiff.error(
          "wanted TIFF samples of 8 or 16 bits, or floats of 32 or 64, found \(name) "
            + "of \(bits) bits in \(samples) channels; convert it")
      }
      let extra = tiff.extraSamples
      let isOpacity =
        extra.count == 1 && [EXTRASAMPLE_ASSOCALPHA, EXTRASAMPLE_UNASSALPHA].contains(Int32(extra[0]))
        && [2, 4].contains(samples)
      var channels = samples - (isOpacity ? 1 : 0)
      switch Int32(photometric) {
      case PHOTOMETRIC_MINISBLACK: colors = .light
      case PHOTOMETRIC_MINISWHITE: colors = .dark
      case PHOTOMETRIC_RGB where channels >= 3: colors = .light
      case PHOTOMETRIC_YCBCR where tiff.short(TIFFTAG_COMPRESSION, 1) == COMPRESSION_JPEG && samples == 3:
        colors = .light
        hg_tiff_decode_to_rgb(tiff.pointer)
      case PHOTOMETRIC_PALETTE where samples == 1 && isWhole && bits <= 8:
        colors = .palette(try tiff.palette(1 << bits))
        channels = 3
      case PHOTOMETRIC_SEPARATED where samples == 4 && isWhole && extra.isEmpty:
        colors = .ink
        channels = 3
      default:
        throw tiff.error(
          "wanted a TIFF image of grey, RGB, a palette or CMYK, found colours of kind \(photometric) in \(samples) "
            + "channels; convert it")
      }
      header = PictureHeader(
        shape: ImageShape(height, width, channels), kind: isWhole ? bits == 16 ? .uint16 : .uint8 : .float32,
        hasOpacity: isOpacity, isMultiplied: extra.first == UInt16(EXTRASAMPLE_ASSOCALPHA),
        orientation: min(max(tiff.short(TIFFTAG_ORIENTATION, 1), 1), 8))
      rowsInStrip = min(height, tiff.long(TIFFTAG_ROWSPERSTRIP, Int(UInt32.max)))
      tile =
        TIFFIsTiled(tiff.pointer) != 0
        ? Extent2D(tiff.long(TIFFTAG_TILELENGTH), tiff.long(TIFFTAG_TILEWIDTH)) : nil
      let row = TIFFScanlineSize64(tiff.pointer)
      guard rowsInStrip > 0, tile.map({ $0.height > 0 && $0.width > 0 }) ?? (row == UInt64(clamping: planeRow(width)))
      else { throw tiff.error("wanted rows of \(planeRow(width)) bytes, found \(row); the header is wrong") }
    }

    /// The places of the pictures in a file, in their order, without the smaller copies that lie beside them.
    static func pages(of file: InputFile) throws(DataError) -> [UInt64] {
      let tiff = try TIFFHandle(file)
      var (all, whole): ([UInt64], [UInt64]) = ([], [])
      while TIFFLastDirectory(tiff.pointer) == 0 || all.isEmpty {
        try tiff.readNext()
        all.append(TIFFCurrentDirOffset(tiff.pointer))
        if tiff.long(TIFFTAG_SUBFILETYPE) & Int(FILETYPE_REDUCEDIMAGE) == 0 { whole.append(all[all.count - 1]) }
      }
      return whole.isEmpty ? all : whole
    }

    // MARK: Sizes

    private var planes: Int { isPlanar ? samples : 1 }

    /// The bytes of a row of `width` pixels in a plane.
    private func planeRow(_ width: Int) -> Int { (width * bits * (isPlanar ? 1 : samples) + 7) / 8 }

    /// The number of rows that are decoded together.
    private var bandHeight: Int {
      min(header.shape.height, tile?.height ?? (isPlanar ? rowsInStrip : header.bands[0].count))
    }

    /// The bytes of a band as it is stored and as samples, of the planes or tiles that it is made of, and of the
    /// largest part of the file that is decoded at once.
    var scratch: Int? {
      let part =
        tile.map { checkedProduct([planeRow($0.width), $0.height]) }
        ?? checkedProduct([
          planeRow(header.shape.width), bandHeight,
        ])
      return checkedSum(
        checkedProduct([2, header.shape.width, bandHeight, samples, max(1, bits / 8)]), part, tiff.largestPart)
    }

    // MARK: Pixels

    func read(_ take: (Image) throws(DataError) -> Void) throws(DataError) {
      for first in stride(from: 0, to: header.shape.height, by: bandHeight) {
        let rows = min(bandHeight, header.shape.height - first)
        var band = [UInt8](repeating: 0, count: rows * header.shape.width * samples * max(1, bits / 8))
        if let tile {
          for left in stride(from: 0, to: header.shape.width, by: tile.width) {
            for plane in 0..<planes {
              let bytes = try tiff.tile(left, first, plane, planeRow(tile.width) * tile.height)
              place(bytes, rows, min(tile.width, header.shape.width - left), planeRow(tile.width), left, plane, &band)
            }
          }
        } else {
          for plane in 0..<planes {
            let row = planeRow(header.shape.width)
            let bytes = try isPlanar ? tiff.strip(first, plane, row * rows) : tiff.rows(first, rows, row)
            place(bytes, rows, header.shape.width, row, 0, plane, &band)
          }
        }
        try take(header.band(rows, elements(band)))
      }
    }

    /// Copies a part of a plane to its place in a band, a byte or more for each sample.
    private func place(
      _ bytes: [UInt8], _ rows: Int, _ width: Int, _ stride: Int, _ left: Int, _ plane: Int, _ band: inout [UInt8]
    ) {
      let (size, full) = (max(1, bits / 8), header.shape.width)
      // The first is the bytes of a pixel in a plane, the second of a pixel with all samples.
      let (inner, pixel) = (size * (isPlanar ? 1 : samples), size * samples)
      band.withUnsafeMutableBufferPointer { band in
        for h in 0..<rows {
          let from = h * stride
          for w in 0..<width {
            let to = (h * full + left + w) * pixel + plane * size
            if bits < 8 {
              let bit = w * bits
              band[to] = bytes[from + bit / 8] >> UInt8(8 - bits - bit % 8) & UInt8((1 << bits) - 1)
            } else {
              for k in 0..<inner { band[to + k] = bytes[from + w * inner + k] }
            }
          }
        }
      }
    }

    private func elements(_ band: [UInt8]) -> Elements {
      func numbers<T>(_ type: T.Type) -> [T] {
        band.withUnsafeBytes { bytes in
          (0..<bytes.count / MemoryLayout<T>.size).map {
            bytes.loadUnaligned(fromByteOffset: $0 * MemoryLayout<T>.size, as: T.self)
          }
        }
      }
      func colored<T: FixedWidthInteger & UnsignedInteger>(_ values: [T]) -> [T] {
        switch colors {
        case .light: values
        case .dark: values.enumerated().map { isOpacity($0) ? $1 : T.max - $1 }
        case .ink: Image.multipliedOut(values, isInverted: false)
        case .palette(let palette): values.flatMap { palette[(3 * Int($0))..<(3 * Int($0) + 3)].map { T($0) } }
        }
      }
      switch header.kind {
      case .uint8:
        guard bits < 8, case .light = colors else {
          guard bits < 8, case .dark = colors else { return .bytes(colored(band)) }
          return .bytes(colored(band.map(widened)))
        }
        return .bytes(band.map(widened))
      case .uint16: return .words(colored(numbers(UInt16.self)))
      case .float32:
        let floats = bits == 64 ? numbers(Double.self).map { Float($0) } : numbers(Float.self)
        guard case .dark = colors else { return .floats(floats) }
        return .floats(floats.enumerated().map { isOpacity($0) ? $1 : 1 - $1 })
      }
    }

    private func widened(_ value: UInt8) -> UInt8 { UInt8(Int(value) * 255 / ((1 << bits) - 1)) }

    private func isOpacity(_ place: Int) -> Bool {
      header.hasOpacity && place % header.storedChannels == header.shape.channels
    }
  }
#endif
