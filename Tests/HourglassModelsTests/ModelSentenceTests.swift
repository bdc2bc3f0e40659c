import Foundation
import HourglassModels
import TestSupport
import Testing

/// Whatever stands in the place of a field of a model, the error says where, which field, what was wanted and what was
/// found.
@Suite struct ModelSentenceTests {
  /// Values of all kinds; which of them are wrong depends on the field.
  private static var values: [Any] {
    [
      "3", "nosuch", 8.5, -1, [28, 28], [Any](), [1, "a"], [String: Any](), ["layer": 3], NSNull(), true, Int.max,
      1e300,
    ]
  }

  /// A model as a tree of Foundation's objects.
  private static func tree(_ model: Autoencoder) throws -> [String: Any] {
    let object = try JSONSerialization.jsonObject(with: Data(JSONText.line(model).utf8))
    return try #require(object as? [String: Any])
  }

  /// The tree with another value of a field in the first layer of a kind, and the place of the list's item that has it.
  private static func altered(
    _ node: Any, kind: String, field: String, to value: Any, at path: [String] = []
  ) -> (tree: Any, place: String)? {
    if var object = node as? [String: Any] {
      if object["layer"] as? String == kind {
        object[field] = value
        return (object, path.prefix(2).joined(separator: "."))
      }
      for key in object.keys.sorted() {
        guard let inner = object[key],
          let found = altered(inner, kind: kind, field: field, to: value, at: path + [key])
        else { continue }
        object[key] = found.tree
        return (object, found.place)
      }
    }
    guard var list = node as? [Any] else { return nil }
    for i in list.indices {
      guard let found = altered(list[i], kind: kind, field: field, to: value, at: path + ["\(i)"]) else { continue }
      list[i] = found.tree
      return (list, found.place)
    }
    return nil
  }

  /// The sentence by which a tree is refused: as a file, or, where it can be read, by the plan.
  private static func refusal(of tree: Any) throws -> (sentence: String, isRead: Bool)? {
    let bytes = Array(try JSONSerialization.data(withJSONObject: tree))
    let model: Autoencoder
    do { model = try JSONParser.decode(Autoencoder.self, from: bytes) } catch {
      return ((error as? DecodingError)?.sentence ?? "\(error)", false)
    }
    do { _ = try ExecutionPlan(model, batchSize: 2) } catch { return ("\(error)", true) }
    return nil
  }

  /// Expects place, field, wanted and found, and no word of a program.
  private static func expectSentence(
    _ sentence: String, place: String, field: String, _ value: Any, sourceLocation: SourceLocation = #_sourceLocation
  ) {
    let comment = Comment("\(place) \(field) = \(value): \(sentence)")
    #expect(sentence.hasPrefix(place), comment, sourceLocation: sourceLocation)
    #expect(sentence.contains(field), comment, sourceLocation: sourceLocation)
    // An object may have a field that nobody reads.
    #expect(
      sentence.contains("wanted") && sentence.contains("found") || sentence.contains("has no field"), comment,
      sourceLocation: sourceLocation)
    for word in ["valid JSON", "Cannot initialize", "Swift", "Optional("] {
      #expect(!sentence.contains(word), comment, sourceLocation: sourceLocation)
    }
  }

  @Test(arguments: LayerCases.all) func everyFieldOfALayerIsNamedWhereItIsWrong(_ row: LayerCase) throws {
    let kind = type(of: row.layer).kind
    let tree = try Self.tree(row.model)
    for field in fieldNames(of: type(of: row.layer)) {
      var refusals = 0
      for value in Self.values {
        let found = try #require(Self.altered(tree, kind: kind, field: field, to: value))
        guard let refusal = try Self.refusal(of: found.tree) else { continue }
        refusals += 1
        // A value of the right kind may be wrong for another layer.
        if refusal.isRead, !["\(-1)", "\(Int.max)"].contains("\(value)") { continue }
        Self.expectSentence(refusal.sentence, place: found.place, field: field, value)
      }
      #expect(refusals > 0, "\(kind).\(field)")
    }
  }

  /// The fields that a layer writes are among those that it is known to read.
  @Test(arguments: LayerCases.all) func theFieldsOfALayerAreKnown(_ row: LayerCase) throws {
    let object = try JSONSerialization.jsonObject(with: Data(JSONText.line(row.layer).utf8))
    let written = Set(try #require(object as? [String: Any]).keys)
    #expect(written.isSubset(of: fieldNames(of: type(of: row.layer))))
    let properties = Set(Mirror(reflecting: row.layer).children.compactMap(\.label))
    #expect(properties.isSubset(of: fieldNames(of: type(of: row.layer))))
  }

  @Test func everyFieldOfAModelIsNamedWhereItIsWrong() throws {
    let row = try #require(LayerCases.all.first)
    var tree = try Self.tree(row.model)
    for field in ["name", "input", "likelihood", "encoder", "latent", "decoder", "penalty", "objective"] {
      var refusals = 0
      for value in Self.values {
        let before = tree[field]
        tree[field] = value
        if let refusal = try Self.refusal(of: tree), !refusal.isRead {
          refusals += 1
          Self.expectSentence(refusal.sentence, place: field, field: field, value)
        }
        tree[field] = before
      }
      #expect(refusals > 0, "\(field)")
    }
    for (object, field, values) in [
      ("likelihood", "name", Self.values), ("likelihood", "variance", Self.values), ("objective", "name", Self.values),
      ("objective", "steps", Self.values), ("objective", "persistent", Self.values),
    ] {
      for value in values {
        var fields: [String: Any] = ["name": object == "likelihood" ? "gaussian" : "contrastiveDivergence"]
        fields[field] = value
        let before = tree[object]
        tree[object] = fields
        if let refusal = try Self.refusal(of: tree), !refusal.isRead || field == "steps" && "\(value)" == "-1" {
          Self.expectSentence(refusal.sentence, place: object, field: field, value)
        }
        tree[object] = before
      }
    }
  }
}
