/// The names of the fields that a type reads of an object of JSON, in the order in which it reads them.
///
/// The type is read from an object that has each field it insists on, with the first of a few values that it takes.
package func fieldNames(of type: any Decodable.Type) -> [String] {
  let one = JSONValue.number("1")
  let candidates: [JSONValue] = [one, .text("1"), .list([]), .list([one, one]), .list([one, one, one]), .object([])]
  let asked = AskedFields()
  var (fields, tried): ([(name: String, value: JSONValue)], Int) = ([], 0)
  while true {
    do {
      _ = try type.init(from: JSONTreeDecoder(.object(fields), asked: asked))
      return asked.names
    } catch DecodingError.keyNotFound(let key, let context) where context.codingPath.isEmpty {
      fields.append((key.stringValue, candidates[0]))
      tried = 1
    } catch {
      guard !fields.isEmpty, tried < candidates.count else { return asked.names }
      fields[fields.count - 1].value = candidates[tried]
      tried += 1
    }
  }
}

/// A note of the fields that somebody has asked an object for.
final class AskedFields {
  private(set) var names: [String] = []

  func note(_ name: String) { if !names.contains(name) { names.append(name) } }
}
