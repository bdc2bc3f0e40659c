/// All layers that a model file may name.
public enum LayerCatalog {
  /// The types of all layers, by name.
  public static let layers: [any Layer.Type] = [
    AveragePool2D.self, BatchNorm.self, Concat.self, Conv2D.self, ConvTranspose2D.self, Dense.self, Dropout.self,
    GaussianLatent.self, GaussianNoise.self, GELU.self, GroupNorm.self, MaxPool2D.self, MaxUnpool2D.self, Reshape.self,
    Residual.self, Skip.self, TiedConvTranspose2D.self, TiedDense.self, Upsample2D.self, VectorQuantizer.self,
  ]
}

/// A layer in a file: its kind under the key `layer`, its own fields beside it.
struct CodableLayer: Codable {
  let layer: any Layer

  init(_ layer: any Layer) { self.layer = layer }

  init(from decoder: any Decoder) throws {
    let place = try decoder.place(
      in: LayerCatalog.layers, not: PenaltyCatalog.penalties,
      which: "a penalty and belongs under the model's key \"penalty\"")
    layer = try LayerCatalog.layers[place].init(from: decoder)
    try decoder.refuseFields(otherThanOf: layer)
  }

  func encode(to encoder: any Encoder) throws {
    var fields = encoder.container(keyedBy: KindKey.self)
    try fields.encode(type(of: layer).kind, forKey: .layer)
    try layer.encode(to: encoder)
  }
}

/// The penalties of a model in a file: one as it is, else a list.
struct CodablePenalties: Codable {
  let penalties: [any Penalty]

  init(_ penalties: [any Penalty]) { self.penalties = penalties }

  init(from decoder: any Decoder) throws {
    let isList = (try? decoder.unkeyedContainer()) != nil
    let penalties = isList ? try [CodablePenalty](from: decoder) : [try CodablePenalty(from: decoder)]
    self.penalties = penalties.map(\.penalty)
  }

  func encode(to encoder: any Encoder) throws {
    let penalties = penalties.map(CodablePenalty.init)
    if penalties.count == 1 { try penalties[0].encode(to: encoder) } else { try penalties.encode(to: encoder) }
  }
}

/// A penalty in a file, written as a layer is.
struct CodablePenalty: Codable {
  let penalty: any Penalty

  init(_ penalty: any Penalty) { self.penalty = penalty }

  init(from decoder: any Decoder) throws {
    let place = try decoder.place(
      in: PenaltyCatalog.penalties, not: LayerCatalog.layers,
      which: "a layer and belongs in the encoder, the latent or the decoder")
    penalty = try PenaltyCatalog.penalties[place].init(from: decoder)
    try decoder.refuseFields(otherThanOf: penalty)
  }

  func encode(to encoder: any Encoder) throws { try CodableLayer(penalty).encode(to: encoder) }
}

private enum KindKey: String, CodingKey { case layer }

extension Decoder {
  /// The place in a catalog of the kind that a file names.
  ///
  /// Errors: no kind of the catalog; where it is one of the other kinds, the sentence says what those are.
  fileprivate func place(
    in catalog: [any Layer.Type], not others: [any Layer.Type], which are: String
  ) throws -> Int {
    let fields = try container(keyedBy: KindKey.self)
    let kind = try fields.decode(String.self, forKey: .layer)
    if let place = catalog.firstIndex(where: { $0.kind == kind }) { return place }
    let known = catalog.map { $0.kind }.joined(separator: ", ")
    let advice = others.contains { $0.kind == kind } ? ", which is \(are)" : ""
    throw DecodingError.dataCorruptedError(
      forKey: .layer, in: fields, debugDescription: "wanted one of \(known), found \"\(kind)\"\(advice)")
  }

  /// Refuses a field that a layer does not have.
  fileprivate func refuseFields(otherThanOf layer: any Layer) throws {
    let known = Mirror(reflecting: layer).children.compactMap(\.label)
    try refuseFields(otherThan: known, besides: KindKey.layer.stringValue, of: type(of: layer).kind)
  }

  /// Refuses a field that nobody reads: a misspelt one would otherwise be silently replaced by its default.
  func refuseFields(otherThan known: [String], besides tag: String? = nil, of what: String) throws {
    let fields = (known.isEmpty ? ["none"] : known).joined(separator: ", ")
    for key in try container(keyedBy: JSONKey.self).allKeys.map(\.stringValue) where key != tag && !known.contains(key)
    {
      throw DecodingError.dataCorrupted(
        .init(
          codingPath: codingPath,
          debugDescription: "\(what) has no field \"\(key)\"; it has \(fields)"))
    }
  }
}
