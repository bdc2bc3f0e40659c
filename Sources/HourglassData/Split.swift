/// A part of a data set.
public enum Split: String, Sendable, CaseIterable, Codable {
  case train, validation, test

  /// The names of this part's files and arrays, or the beginnings of their names.
  var names: [String] { self == .validation ? ["validation", "valid", "val", "dev"] : [rawValue] }

  /// The names of this part's folders.
  var folders: [String] { self == .validation ? names : [rawValue, "\(rawValue)ing"] }

  /// The part that is taken where this one is wanted; a validation part stands in for a missing test part. Nil where
  /// none of the parts serves.
  func taken(from parts: [Split]) -> Split? {
    parts.contains(self) ? self : self == .test && parts.contains(.validation) ? .validation : nil
  }

  /// The words by which a source says which part was taken for this one.
  func described(taken: Split) -> String { taken == self ? rawValue : "\(taken.rawValue) in place of \(rawValue)" }
}
