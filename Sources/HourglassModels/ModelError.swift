import FoundationEssentials

/// A model that cannot be built: the place in the model, and what was wanted and found there.
public struct ModelError: Error, Equatable, CustomStringConvertible, LocalizedError {
  /// The layer's name (`encoder.2`, `latent`), or the model's where no single layer is to blame.
  public let place: String
  /// A sentence with what was wanted and what was found.
  public let reason: String
  /// Whether the model is sound, and only takes more memory than is granted.
  public let lacksMemory: Bool

  public init(_ place: String, _ reason: String, lacksMemory: Bool = false) {
    (self.place, self.reason, self.lacksMemory) = (place, reason, lacksMemory)
  }

  public var description: String { "\(place): \(reason)" }
  public var errorDescription: String? { description }
}
