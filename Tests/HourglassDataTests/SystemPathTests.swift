import Foundation
import HourglassModels
import Testing

@testable import HourglassData

/// Names of files that are not UTF-8.
@Suite struct SystemPathTests {
  private static func bytes(_ text: String) -> [UInt8] { systemPath(text).dropLast().map { UInt8(bitPattern: $0) } }

  /// Any bytes are a text of their own, which goes back to them.
  @Test func anyNameIsATextOfItsOwn() {
    var random = Chance(state: 3)
    var seen: [String: [UInt8]] = [:]
    let pieces: [[UInt8]] = [
      [0xe9], [0xc3, 0xa9], [0xef, 0x9f, 0xa9], [0xef, 0x9e, 0x80], [0xed, 0xa0, 0x80], [0xf0, 0x9f, 0x98],
      [0xf0, 0x9f, 0x98, 0x80], [0xff], [0x80], Array("a".utf8),
    ]
    for round in 0..<4000 {
      let name =
        round % 2 == 0
        ? (0..<random.below(6)).flatMap { _ in pieces[random.below(pieces.count)] }
        : (0..<random.below(9)).map { _ in UInt8(1 + random.below(255)) }
      let text = pathText(name)
      #expect(Self.bytes(text) == name, "\(name)")
      // Texts are compared by their scalars: equality of strings is that of what is shown.
      let key = text.unicodeScalars.map { String($0.value) }.joined(separator: " ")
      #expect(seen.updateValue(name, forKey: key) ?? name == name)
      #expect(!printablePath(text).unicodeScalars.contains { (0xf780...0xf7ff).contains($0.value) })
    }
    #expect(pathText([0x63, 0xe9]) == "c\u{f7e9}" && printablePath("c\u{f7e9}") == #"c\xE9"#)
    #expect(pathText(Array("Größe/é".utf8)) == "Größe/é" && printablePath("Größe") == "Größe")
  }

  /// Latin-1, and bytes that are no text at all, as names of folders and of files.
  @Test func filesOfAnyNameAreReadAndReplaced() throws {
    let folder = try TemporaryFolder()
    let names: [[UInt8]] = [
      [0x63, 0x61, 0x66, 0xe9], [0xff, 0xfe], Array("plain".utf8), [0xef, 0x9f, 0xa9], [0x80, 0xc3],
    ]
    for (value, name) in names.enumerated() {
      let place = Array(folder.path.utf8) + [0x2f] + name
      #expect(mkdir(place.map { CChar(bitPattern: $0) } + [0], 0o700) == 0)
      let picture = PNGImage(width: 2, height: 1, channels: 1, pixels: [UInt8(value), 0])
      try AtomicFile.write(try picture.encoded(), to: pathText(place + [0x2f] + name + Array(".png".utf8)))
    }
    let data = try Dataset.open(path: folder.path, split: .train)
    let values = try (0..<data.count).map { UInt8(try data.image($0)[0] * 255) }
    #expect(values.sorted() == [0, 1, 2, 3, 4] && data.refused.isEmpty && data.inventory.isPlain)
    for (index, value) in values.enumerated() {
      let name = printablePath(pathText(names[Int(value)]))
      #expect(data.name(index) == "\(name)/\(name).png" && data.className(index) == name)
    }
    #expect(Set(data.classes ?? []) == [#"caf\xE9"#, #"\xFF\xFE"#, "plain", #"\xEF\x9F\xA9"#, #"\x80\xC3"#])
    #expect(try data.storedFiles().count == 5)
    for name in try InputFile.names(in: folder.path) { try AtomicFile.remove("\(folder.path)/\(name)") }
    #expect(try InputFile.names(in: folder.path).isEmpty)
  }
}
