import Foundation
import HourglassModels
import Synchronization
import Testing

@testable import HourglassData

/// Sets of which memory holds only a part are the same sets.
@Suite struct StreamingTests {
  /// 30 pictures of 6 x 4 bytes in three classes, each of its own values.
  private static func folder() throws -> TemporaryFolder {
    let folder = try TemporaryFolder()
    for i in 0..<30 {
      let url = URL(fileURLWithPath: "\(folder.path)/\(i % 3)/\(100 + i).png")
      try FileManager.default.createDirectory(at: url.deletingLastPathComponent(), withIntermediateDirectories: true)
      let pixels = (0..<24).map { UInt8((i * 37 + $0 * 11) % 256) }
      try PNGImage(width: 6, height: 4, channels: 1, pixels: pixels).encoded().write(to: url)
    }
    return folder
  }

  /// No memory, room for one image, for some, for all but one, for all.
  @Test(arguments: [(0, 0), (24, 0), (10 * 24, 9), (29 * 24, 26), (30 * 24, nil)] as [(Int, Int?)])
  func aPartInMemoryChangesNothing(_ memory: Int, _ kept: Int?) throws {
    let folder = try Self.folder()
    let all = try Dataset.open(path: folder.path, split: .train)
    let part = try Dataset.open(path: folder.path, split: .train, memory: memory)
    #expect(part.keptCount == kept && part.elements == .uint8 && part.shape == all.shape && !part.isOnDisk)
    #expect(part.labels == all.labels && part.count == 30)
    for announced in [[], Array(0..<30), [29, 3, 17]] as [[Int32]] {
      part.announce(announced)
      #expect(try (0..<30).reversed().allSatisfy { try part.image($0) == all.image($0) })
    }
  }

  @Test func preparationAndBrokenImagesAreTheSame() throws {
    let folder = try Self.folder()
    for i in [0, 7, 29] { _ = try folder.file("\(i % 3)/\(100 + i).png", Array("no picture".utf8)) }
    var preparation = Preparation()
    preparation.resize = Extent2D(8, 8)
    #expect(throws: DataError.self) {
      try Dataset.open(path: folder.path, split: .train, preparation: preparation, memory: 200)
    }
    preparation.skipsBad = true
    let all = try Dataset.open(path: folder.path, split: .train, preparation: preparation)
    for (memory, kept) in [(64 * 16, 12), (200, 1)] {
      let part = try Dataset.open(path: folder.path, split: .train, preparation: preparation, memory: memory)
      #expect(part.count == 27 && part.refused == all.refused && part.refused.count == 3 && part.labels == all.labels)
      // Room for 14 and for 2, of which two and one are those of broken images.
      #expect(part.keptCount == kept)
      #expect(try (0..<27).allSatisfy { try part.image($0) == all.image($0) })
    }
  }

  @Test func aFileThatIsGoneOrAnotherIsNamed() throws {
    let folder = try Self.folder()
    let data = try Dataset.open(path: folder.path, split: .train, memory: 0)
    let paths = [3, 4].map { "\(folder.path)/0/\(100 + 3 * $0).png" }
    try FileManager.default.removeItem(atPath: paths[0])
    try PNGImage(width: 5, height: 5, channels: 1, pixels: [UInt8](repeating: 1, count: 25)).encoded()
      .write(to: URL(fileURLWithPath: paths[1]))
    for isAnnounced in [false, true] {
      if isAnnounced { data.announce((0..<30).map { Int32($0) }) }
      expectRefusal(paths[0], "cannot be opened") { try data.image(3) }
      expectRefusal(paths[1], "4 x 6 x 1", "5 x 5 x 1", "altered") { try data.image(4) }
      #expect(throws: Never.self) { try data.image(5) }
    }
  }

  /// A decoder that counts, of images whose bytes are their numbers.
  private final class Decoder: Sendable {
    let decoded = Mutex<[Int]>([])
    func image(_ index: Int) -> Image {
      decoded.withLock { $0.append(index) }
      return Image(shape: ImageShape(vector: 2), elements: .bytes([UInt8(index), 0]))
    }
  }

  private static func ahead(_ decoder: Decoder, places: Int) -> ReadAhead {
    let store = ImageStore(places, ImageShape(vector: 2), .uint8)
    return ReadAhead(into: store) { decoder.image($0) }
  }

  /// Waits until the queue has decoded so many.
  private static func wait(_ decoder: Decoder, for count: Int) {
    while decoder.decoded.withLock({ $0.count }) < count { usleep(100) }
    // The last one is put away right after it was counted.
    usleep(20_000)
  }

  @Test func whatIsAnnouncedIsDecodedOnceAndGivenOnce() {
    let decoder = Decoder()
    let ahead = Self.ahead(decoder, places: 8)
    var image: [Float] = [0, 0]
    #expect(!ahead.take(1, into: &image))
    for round in 0..<3 {
      let wanted = [1, 5, 3, 2]
      ahead.announce(wanted)
      ahead.announce([5, 1])
      Self.wait(decoder, for: 4 * (round + 1))
      for index in wanted {
        #expect(ahead.take(index, into: &image) && image == [Float(index) / 255, 0])
        #expect(!ahead.take(index, into: &image))
      }
      #expect(decoder.decoded.withLock { $0.suffix(4) } == wanted[...])
    }
    #expect(decoder.decoded.withLock { $0.count } == 12)
  }

  /// More than there is room for is left to whoever wants it, and the room is used again.
  @Test func roomIsLimited() {
    let decoder = Decoder()
    let ahead = Self.ahead(decoder, places: 3)
    var image: [Float] = [0, 0]
    for round in 0..<4 {
      ahead.announce(0..<10)
      Self.wait(decoder, for: 3 * (round + 1))
      #expect((0..<10).filter { ahead.take($0, into: &image) } == [0, 1, 2])
    }
    #expect(decoder.decoded.withLock { $0.count } == 12)
  }

  /// Takers and the queue meet at every moment of a decoding; each image is right, however it comes.
  @Test func takersNeverWaitNorGetAnotherImage() async {
    let decoder = Decoder()
    let ahead = Self.ahead(decoder, places: 32)
    for round in 0..<200 {
      let wanted = (0..<16).map { ($0 * 7 + round) % 100 }
      ahead.announce(wanted)
      await withTaskGroup(of: Bool.self) { group in
        for part in 0..<2 {
          group.addTask {
            stride(from: part, to: 16, by: 2).allSatisfy { n in
              var image: [Float] = [-1, -1]
              return !ahead.take(wanted[n], into: &image) || image == [Float(wanted[n]) / 255, 0]
            }
          }
        }
        for await isRight in group { #expect(isRight) }
      }
    }
  }
}
