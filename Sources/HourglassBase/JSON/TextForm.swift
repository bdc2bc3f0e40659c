/// A value that JSON and the command line write as a text of some form, such as `mask:0.25`.
public protocol TextForm: RawRepresentable<String>, Codable {
  /// What a text may be, as in "wanted a number of steps, such as 500".
  static var wanted: String { get }
}

extension TextForm {
  public init(from decoder: any Decoder) throws {
    guard let text = try? String(from: decoder), let value = Self(rawValue: text) else {
      throw decoder.mismatch(Self.wanted)
    }
    self = value
  }
}
