/// All layers that a model file may name.
public enum LayerCatalog {
  /// The types of all layers, by name.
  public static let layers: [any Layer.Type] = [
    ActivationLayer.self, AdaptiveAveragePool2D.self, Add.self, AveragePool1D.self, AveragePool2D.self, BatchNorm.self,
    Concat.self, Conv1D.self, Conv2D.self, ConvTranspose1D.self, ConvTranspose2D.self, Dense.self, Dropout.self,
    GaussianLatent.self, GaussianNoise.self, GELU.self, GlobalAveragePool2D.self, GroupNorm.self, InstanceNorm.self,
    LayerNorm.self, MaxPool1D.self, MaxPool2D.self, MaxUnpool2D.self,
    Pad2D.self, PixelShuffle2D.self, PixelUnshuffle2D.self, PReLU.self, Reshape.self, Residual.self, Skip.self,
    TiedConvTranspose2D.self, TiedDense.self, Upsample1D.self, Upsample2D.self, VectorQuantizer.self,
  ]
}

/// A layer in a file: its kind under the key `layer`, its own fields beside it.
struct CodableLayer: Codable {
  let layer: any Layer

  init(_ layer: any Layer) { self.layer = layer }

  init(from decoder: any Decoder) throws {
    let place = try decoder.place(
      ofA: "layer", in: LayerCatalog.layers, not: PenaltyCatalog.penalties,
      which: "a penalty and belongs under the model's key \"penalty\"")
    layer = try LayerCatalog.layers[place].init(from: decoder)
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
      ofA: "penalty", in: PenaltyCatalog.penalties, not: LayerCatalog.layers,
      which: "a layer and belongs in the encoder, the latent or the decoder")
    penalty = try PenaltyCatalog.penalties[place].init(from: decoder)
  }

  func encode(to encoder: any Encoder) throws { try CodableLayer(penalty).encode(to: encoder) }
}

private enum KindKey: String, CodingKey { case layer }

extension LayerCatalog {
  /// The fields of all layers and penalties, by their names.
  static let fields = Dictionary(
    uniqueKeysWithValues: (layers + PenaltyCatalog.penalties).map { ($0.kind, fieldNames(of: $0)) })
}

extension Decoder {
  /// The place in a catalog of the kind that a file names, whose fields are all known.
  ///
  /// Errors: no kind of the catalog; where it is one of the other kinds, the sentence says what those are; a field that
  /// the kind lacks, with those that have it.
  fileprivate func place(
    ofA what: String, in catalog: [any Layer.Type], not others: [any Layer.Type], which are: String
  ) throws -> Int {
    guard let fields = try? container(keyedBy: KindKey.self) else {
      throw mismatch("a \(what), such as {\"layer\": \"\(catalog[0].kind)\"}")
    }
    let named = try fields.superDecoder(forKey: .layer)
    guard let kind = try? String(from: named), let place = catalog.firstIndex(where: { $0.kind == kind }) else {
      if let kind = try? String(from: named), others.contains(where: { $0.kind == kind }) {
        throw DecodingError.dataCorruptedError(
          forKey: .layer, in: fields, debugDescription: "wanted a \(what), found \"\(kind)\", which is \(are)")
      }
      throw named.mismatch(words: catalog.map { $0.kind })
    }
    let owners = catalog.map { $0.kind }
    try refuseFields(otherThan: LayerCatalog.fields[kind] ?? [], besides: KindKey.layer.stringValue, of: kind) { name in
      owners.filter { LayerCatalog.fields[$0]?.contains(name) == true }
    }
    return place
  }

  /// Refuses a field that nobody reads: a misspelt one would otherwise be silently replaced by its default.
  ///
  /// - Parameter owners: what else has a field of a name.
  func refuseFields(
    otherThan known: [String], besides tag: String? = nil, of what: String, owners: (String) -> [String] = { _ in [] }
  ) throws {
    let fields = (known.isEmpty ? ["none"] : known).joined(separator: ", ")
    for key in try container(keyedBy: JSONKey.self).allKeys.map(\.stringValue) where key != tag && !known.contains(key)
    {
      let others = owners(key)
      let advice =
        others.isEmpty
        ? known.nearest(to: key).map { "; the nearest is \($0)" } ?? ""
        : "; " + others.joined(separator: ", ") + (others.count == 1 ? " has it" : " have it")
      throw DecodingError.dataCorrupted(
        .init(codingPath: codingPath, debugDescription: "\(what) has no field \"\(key)\"; it has \(fields)\(advice)"))
    }
  }
}

extension KeyedDecodingContainer {
  /// The value under a key, or what holds where a file says nothing.
  func decode<Value: Decodable>(_ key: Key, or value: Value) throws -> Value {
    try decodeIfPresent(Value.self, forKey: key) ?? value
  }
}

extension KeyedEncodingContainer {
  /// Writes a value, unless it is what holds where a file says nothing.
  mutating func encode<Value: Encodable & Equatable>(_ value: Value, _ key: Key, unless usual: Value) throws {
    if value != usual { try encode(value, forKey: key) }
  }
}
