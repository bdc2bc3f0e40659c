/// A model that cannot be built: the place in the model, and what was wanted and found there.
public struct ModelError: Error, Equatable, CustomStringConvertible {
  /// The layer's name (`encoder.2`, `latent`), or the model's where no single layer is to blame.
  public let place: String
  /// A sentence with what was wanted and what was found.
  public let reason: String

  public init(_ place: String, _ reason: String) { (self.place, self.reason) = (place, reason) }

  public var description: String { "\(place): \(reason)" }
}
