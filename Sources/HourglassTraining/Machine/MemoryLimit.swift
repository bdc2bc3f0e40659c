import HourglassBase

/// An amount of memory: a number with the unit K, M, G or T, powers of 1024 bytes, such as `512M` or `1.5G`.
public struct MemoryLimit: TextForm, Sendable, Equatable {
  public static let wanted = "an amount with a unit, such as \"512M\" or \"1.5G\""

  /// The amount as it was written.
  public let rawValue: String
  /// The amount in bytes, at least 1.
  public let bytes: Int

  /// Answers nil for another form, and for less than a byte.
  public init?(rawValue: String) {
    let shifts: [Character: Double] = ["K": 0x1p10, "M": 0x1p20, "G": 0x1p30, "T": 0x1p40]
    guard let unit = rawValue.last.flatMap({ shifts[Character($0.uppercased())] }),
      let count = Double(rawValue.dropLast()), count > 0, let bytes = Int(exactly: (count * unit).rounded()), bytes > 0
    else { return nil }
    (self.rawValue, self.bytes) = (rawValue, bytes)
  }
}
