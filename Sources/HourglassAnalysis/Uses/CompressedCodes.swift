import FoundationEssentials
import HourglassData
import HourglassModels
import HourglassTraining

/// Codes in few bytes: each unit is rounded to equally spaced levels, and the levels are entropy-coded with counts of
/// each unit. The units of a VectorQuantizer's codes are the numbers of codes, one for each position and codebook.
///
/// The file holds `HGCODES2`, the header's length in bytes (32 bits, little-endian), the header in JSON, the coded
/// levels, image after image, and the SHA-256 of all bytes before it in 64 digits. The header names the weights,
/// without which codes mean nothing. Files of earlier versions are read too: they begin with `HGCODES1`, and their
/// header has the digest of the levels alone.
public struct CompressedCodes: Sendable {
  /// Equally spaced levels of each unit: level i of unit j stands for low[j] + i step[j].
  public struct Quantizer: Codable, Sendable, Equatable {
    /// The number of levels of each unit.
    public var levels: Int
    /// What level 0 stands for, Z numbers.
    public var low: [Float]
    /// How far levels lie apart, Z numbers.
    public var step: [Float]

    /// The numbers of levels that a unit may be rounded to.
    public static let levelRange = 2...256

    /// Levels from the smallest to the largest value of each unit.
    ///
    /// - Parameters:
    ///   - codes: N x Z, finite.
    ///   - units: Z.
    public init(_ codes: [Float], units: Int, levels: Int) {
      precondition(Self.levelRange.contains(levels), "\(levels) levels")
      self.levels = levels
      low = Array(codes[..<units])
      var high = low
      for start in stride(from: 0, to: codes.count, by: units) {
        for unit in 0..<units {
          low[unit] = min(low[unit], codes[start + unit])
          high[unit] = max(high[unit], codes[start + unit])
        }
      }
      step = zip(low, high).map { ($1 - $0) / Float(levels - 1) }
    }

    /// The numbers of a VectorQuantizer's codes, which are levels themselves.
    ///
    /// - Parameter units: numbers of each image.
    public init(numbersBelow codes: Int, units: Int) {
      (levels, low, step) = (codes, Array(repeating: 0, count: units), Array(repeating: 1, count: units))
    }

    /// The level nearest to a value: the outermost for a value outside.
    func level(_ value: Float, unit: Int) -> Int {
      guard step[unit] > 0 else { return 0 }
      return Int(clamping: min(max(((value - low[unit]) / step[unit]).rounded(), 0), Float(levels - 1)))
    }

    func value(_ level: Int, unit: Int) -> Float { low[unit] + Float(level) * step[unit] }
  }

  private struct Header: Codable {
    var model: String
    var weightsHash: String
    var count: Int
    var quantizer: Quantizer
    /// The SHA-256 of what follows the header, which files of earlier versions have.
    var contentHash: String?
  }

  /// A bit of a file holds at most two to the power of this number of symbols: counts add up to at most 2^16, so no
  /// symbol takes less than 2^-16 of a bit.
  private static let mostSymbolsOfABit = 16
  private static let (magic, earlierMagic) = (Array("HGCODES2".utf8), Array("HGCODES1".utf8))
  private static let digestLength = 64
  /// The level of each unit of each code, N x Z.
  private let levels: [UInt16]
  private let quantizer: Quantizer

  /// Rounds codes to levels.
  ///
  /// - Parameter codes: N x Z.
  public init(_ codes: [Float], _ quantizer: Quantizer) {
    let units = quantizer.low.count
    self.quantizer = quantizer
    levels = codes.enumerated().map { UInt16(quantizer.level($1, unit: $0 % units)) }
  }

  /// The number of codes.
  public var count: Int { levels.count / quantizer.low.count }

  /// The codes of a range of images after rounding, N x Z.
  public func codes(_ range: Range<Int>) -> [Float] {
    let units = quantizer.low.count
    return (range.lowerBound * units..<range.upperBound * units).map {
      quantizer.value(Int(levels[$0]), unit: $0 % units)
    }
  }

  /// The bytes of the file.
  ///
  /// Errors: levels that are not finite.
  ///
  /// - Parameters:
  ///   - model: the name of the model.
  ///   - weightsHash: the hash of the weights that made the codes.
  public func data(model: String, weightsHash: String) throws -> Data {
    let units = quantizer.low.count
    var counts = Array(repeating: AdaptiveCounts(symbols: quantizer.levels), count: units)
    var encoder = ArithmeticEncoder()
    for (place, level) in levels.enumerated() { encoder.encode(Int(level), &counts[place % units]) }
    let header = try JSONText.header(
      Header(model: model, weightsHash: weightsHash, count: count, quantizer: quantizer)
    ).utf8
    let length = (0..<4).map { UInt8(truncatingIfNeeded: header.count >> (8 * $0)) }
    let bytes = Self.magic + length + header + encoder.finish()
    return Data(bytes + Self.digest(bytes[...]).utf8)
  }

  /// Reads the bytes of a file.
  ///
  /// Errors: another format, a damaged file, codes of other weights, more codes than memory holds.
  ///
  /// - Parameters:
  ///   - units: Z of the model.
  ///   - weightsHash: the hash of the weights that are to decode them.
  ///   - path: the file, for errors.
  public init(_ data: Data, units: Int, weightsHash: String, path: String) throws(DataError) {
    func damaged(_ what: String) -> DataError { DataError(path: path, reason: "\(what); copy the file again") }
    var bytes = [UInt8](data)[...]
    let isEarlier = bytes.starts(with: Self.earlierMagic)
    guard isEarlier || bytes.starts(with: Self.magic) else {
      throw DataError(path: path, reason: "wanted codes that hourglass compress wrote, found another file")
    }
    if !isEarlier {
      let digest = bytes.suffix(Self.digestLength)
      bytes = bytes.dropLast(Self.digestLength)
      guard Self.digest(bytes).utf8.elementsEqual(digest) else {
        throw damaged("the contents were altered or cut short")
      }
    }
    guard bytes.count >= 12 else { throw damaged("the header is cut short") }
    let length = (0..<4).reduce(0) { $0 | Int(bytes[8 + $1]) << (8 * $1) }
    guard length <= bytes.count - 12,
      let header = try? JSONFile.decode(Header.self, from: bytes[12..<12 + length], path: path, what: "no header")
    else { throw damaged("the header is damaged") }
    let (content, found) = (bytes[(12 + length)...], header.quantizer)
    guard !isEarlier || Self.digest(content) == header.contentHash else {
      throw damaged("the contents were altered or cut short")
    }
    guard header.weightsHash == weightsHash else {
      throw DataError(
        path: path,
        reason: "wanted codes of the weights \(weightsHash), found those of \(header.weightsHash) (\(header.model))")
    }
    guard found.low.count == units, found.step.count == units, (2...VectorQuantizer.mostCodes).contains(found.levels),
      header.count > 0, header.count <= (content.count * 8 << Self.mostSymbolsOfABit) / units
    else { throw DataError(path: path, reason: "wanted codes of \(units) units, found another header") }
    try GrantedMemory.require(header.count * units, for: path, "hold \(header.count) codes of \(units) units")
    quantizer = found
    var counts = Array(repeating: AdaptiveCounts(symbols: found.levels), count: units)
    var decoder = ArithmeticDecoder(Array(content))
    var levels: [UInt16] = []
    for place in 0..<header.count * units where decoder.bytesRead <= content.count {
      levels.append(UInt16(decoder.decode(&counts[place % units])))
    }
    guard decoder.bytesRead == content.count else {
      throw damaged("the header says \(header.count) codes, which are not \(content.count) bytes")
    }
    self.levels = levels
  }

  private static func digest(_ bytes: ArraySlice<UInt8>) -> String {
    bytes.withUnsafeBytes { SHA256.hexDigits(of: $0) }
  }
}
