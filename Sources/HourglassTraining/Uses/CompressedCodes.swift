import Foundation
import HourglassData
import HourglassModels

/// Codes in few bytes: each unit rounded to equally spaced levels, the levels entropy-coded with counts of each unit.
///
/// In a file: `HGCODES1`, the header's length in bytes (32 bits, little-endian), the header in JSON, the coded levels,
/// image after image. The header names the weights, without which codes mean nothing.
public struct CompressedCodes: Sendable {
  /// Equally spaced levels of each unit: level i stands for low + i step.
  public struct Quantizer: Codable, Sendable, Equatable {
    public var levels: Int
    public var low: [Float]
    public var step: [Float]

    /// Levels that each unit may have.
    public static let levelRange = 2...256

    /// Levels from the smallest to the largest of each unit. codes: N x Z, finite.
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

    /// The nearest level; the outermost for what lies outside.
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
    /// SHA-256 of what follows the header.
    var contentHash: String
  }

  /// Two to this number: counts add up to 2^16 at most, so no symbol takes less than 2^-16 of a bit.
  private static let mostSymbolsOfABit = 16
  private static let magic = Array("HGCODES1".utf8)
  /// Level of each unit of each code, N x Z.
  private let levels: [Int]
  private let quantizer: Quantizer

  /// - Parameter codes: N x Z.
  public init(_ codes: [Float], _ quantizer: Quantizer) {
    let units = quantizer.low.count
    self.quantizer = quantizer
    levels = codes.enumerated().map { quantizer.level($1, unit: $0 % units) }
  }

  /// The codes after rounding, N x Z.
  public var codes: [Float] {
    levels.enumerated().map { quantizer.value($1, unit: $0 % quantizer.low.count) }
  }

  /// The file's bytes.
  public func data(model: String, weightsHash: String) throws -> Data {
    let units = quantizer.low.count
    var counts = Array(repeating: AdaptiveCounts(symbols: quantizer.levels), count: units)
    var encoder = ArithmeticEncoder()
    for (place, level) in levels.enumerated() { encoder.encode(level, &counts[place % units]) }
    let content = encoder.finish()
    let json = JSONEncoder()
    json.outputFormatting = .sortedKeys
    let header = try json.encode(
      Header(
        model: model, weightsHash: weightsHash, count: levels.count / units, quantizer: quantizer,
        contentHash: Self.hash(content)))
    let length = (0..<4).map { UInt8(truncatingIfNeeded: header.count >> (8 * $0)) }
    return Data(Self.magic + length) + header + Data(content)
  }

  /// Reads a file's bytes.
  ///
  /// Errors: another format, a damaged file, codes of other weights.
  public init(_ data: Data, units: Int, weightsHash: String, path: String) throws(DataError) {
    let bytes = [UInt8](data)
    guard bytes.starts(with: Self.magic), bytes.count >= 12 else {
      throw DataError(path: path, reason: "wanted codes that hourglass compress wrote, found another file")
    }
    let length = (0..<4).reduce(0) { $0 | Int(bytes[8 + $1]) << (8 * $1) }
    guard length <= bytes.count - 12,
      let header = try? JSONDecoder().decode(Header.self, from: Data(bytes[12..<12 + length]))
    else { throw DataError(path: path, reason: "the header is damaged; copy the file again") }
    let (content, found) = (Array(bytes[(12 + length)...]), header.quantizer)
    guard Self.hash(content) == header.contentHash else {
      throw DataError(path: path, reason: "the contents were altered or cut short; copy the file again")
    }
    guard header.weightsHash == weightsHash else {
      throw DataError(
        path: path,
        reason: "wanted codes of the weights \(weightsHash), found those of \(header.weightsHash) (\(header.model))")
    }
    guard found.low.count == units, found.step.count == units, Quantizer.levelRange.contains(found.levels),
      header.count >= 0, header.count <= (content.count * 8 << Self.mostSymbolsOfABit) / units
    else { throw DataError(path: path, reason: "wanted codes of \(units) units, found another header") }
    quantizer = found
    var counts = Array(repeating: AdaptiveCounts(symbols: found.levels), count: units)
    var decoder = ArithmeticDecoder(content)
    levels = (0..<header.count * units).map { decoder.decode(&counts[$0 % units]) }
  }

  private static func hash(_ content: [UInt8]) -> String {
    var hash = SHA256()
    content.withUnsafeBytes { hash.update($0) }
    return hash.hexDigits()
  }
}
