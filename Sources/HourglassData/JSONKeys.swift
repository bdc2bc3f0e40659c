import Foundation

/// The keys of JSON objects, of which decoders take one and forget another of the same name.
public enum JSONKeys {
  /// A key that occurs twice in one object, the first such in the text; nil where there is none.
  ///
  /// What is no JSON is left to its decoder, and so is what is nested deeper than Foundation's takes.
  public static func repeated(in json: some Collection<UInt8>) -> String? {
    // Of each object that is open its keys; nil for a list.
    var open: [Set<String>?] = []
    var text: [UInt8]?
    var isEscaped = false
    // The last string, where it may be a key.
    var last: [UInt8]?
    for byte in json {
      if var string = text {
        text = nil
        string.append(byte)
        if byte == UInt8(ascii: "\""), !isEscaped { last = string } else { text = consume string }
        isEscaped = byte == UInt8(ascii: "\\") && !isEscaped
        continue
      }
      switch byte {
      case UInt8(ascii: "\""): text = [byte]
      case UInt8(ascii: "{"): open.append([])
      case UInt8(ascii: "["): open.append(nil)
      case UInt8(ascii: "}"), UInt8(ascii: "]"): _ = open.popLast()
      case UInt8(ascii: ":"):
        // Decoded, because the same key may be written in several ways.
        guard let name = last.flatMap({ try? JSONDecoder().decode(String.self, from: Data($0)) }), !open.isEmpty,
          open[open.count - 1] != nil
        else { continue }
        if open[open.count - 1]?.insert(name).inserted == false { return name }
      default: continue
      }
      if open.count > mostNested { return nil }
    }
    return nil
  }

  private static let mostNested = 512
}
