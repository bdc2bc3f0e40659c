/// All layers that a model file may name.
public enum LayerCatalog {
  public static let layers: [any Layer.Type] = [
    ActivityPenalty.self, BatchNorm.self, Concat.self, ContractivePenalty.self, Conv2D.self, ConvTranspose2D.self, Dense.self,
    Dropout.self, GaussianLatent.self, GaussianNoise.self, GELU.self, GroupNorm.self, L1Penalty.self, MMDPenalty.self,
    MaxPool2D.self, MaxUnpool2D.self, Reshape.self, Residual.self,
    Skip.self, TiedConvTranspose2D.self, TiedDense.self, Upsample2D.self,
    ZeroMeanPenalty.self,
  ]

  static func layer(_ kind: String) -> (any Layer.Type)? { layers.first { $0.kind == kind } }
}

/// A layer in a file: its kind under the key `layer`, its own fields beside it.
struct CodableLayer: Codable {
  let layer: any Layer

  private enum Key: String, CodingKey { case layer }

  init(_ layer: any Layer) { self.layer = layer }

  init(from decoder: any Decoder) throws {
    let fields = try decoder.container(keyedBy: Key.self)
    let kind = try fields.decode(String.self, forKey: .layer)
    guard let type = LayerCatalog.layer(kind) else {
      let known = LayerCatalog.layers.map { $0.kind }.joined(separator: ", ")
      throw DecodingError.dataCorruptedError(
        forKey: .layer, in: fields, debugDescription: "wanted one of \(known), found \"\(kind)\"")
    }
    layer = try type.init(from: decoder)
    let known = Mirror(reflecting: layer).children.compactMap(\.label)
    try decoder.refuseFields(otherThan: known, besides: Key.layer.stringValue, of: kind)
  }

  func encode(to encoder: any Encoder) throws {
    var fields = encoder.container(keyedBy: Key.self)
    try fields.encode(type(of: layer).kind, forKey: .layer)
    try layer.encode(to: encoder)
  }
}

extension Decoder {
  /// Refuses a field that nobody reads: a misspelt one would otherwise be silently replaced by its default.
  func refuseFields(otherThan known: [String], besides tag: String? = nil, of what: String) throws {
    let fields = (known.isEmpty ? ["none"] : known).joined(separator: ", ")
    for key in try container(keyedBy: AnyKey.self).allKeys.map(\.stringValue) where key != tag && !known.contains(key) {
      throw DecodingError.dataCorrupted(
        .init(
          codingPath: codingPath,
          debugDescription: "\(what) has no field \"\(key)\"; it has \(fields)"))
    }
  }
}

private struct AnyKey: CodingKey {
  let stringValue: String
  var intValue: Int? { nil }
  init?(stringValue: String) { self.stringValue = stringValue }
  init?(intValue: Int) { nil }
}
