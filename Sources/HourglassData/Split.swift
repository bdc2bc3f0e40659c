/// Which part of a data set.
public enum Split: String, Sendable, CaseIterable, Codable {
  case train, validation, test

  /// What files and arrays of this part are called, or begin with.
  var names: [String] { self == .validation ? ["validation", "valid", "val", "dev"] : [rawValue] }

  /// What folders of this part are called.
  var folders: [String] { self == .validation ? names : [rawValue, "\(rawValue)ing"] }

  /// The part that is taken for this one from a set that has some: a validation part stands in for a test part that is
  /// not there.
  func taken(from parts: [Split]) -> Split? {
    parts.contains(self) ? self : self == .test && parts.contains(.validation) ? .validation : nil
  }

  /// How a source says which part was taken for this one.
  func described(taken: Split) -> String { taken == self ? rawValue : "\(taken.rawValue) in place of \(rawValue)" }
}
