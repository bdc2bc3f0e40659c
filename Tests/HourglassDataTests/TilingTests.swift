import Foundation
import HourglassModels
import TestSupport
import Testing

@testable import HourglassData

@Suite("Tiles of pictures")
struct TilingTests {
  /// A colour picture whose every pixel tells its place and its picture.
  private static func picture(_ number: Int, height: Int, width: Int) -> PNGImage {
    var pixels: [UInt8] = []
    for y in 0..<height { for x in 0..<width { pixels += [UInt8(y), UInt8(x), UInt8(100 + number)] } }
    return PNGImage(width: width, height: height, channels: 3, pixels: pixels)
  }

  private static let sizes = [(7, 9), (4, 4), (12, 5), (4, 11), (8, 8), (5, 4)]

  private static func open(
    tile: Extent2D, stride: Extent2D?, split: Split = .train, memory: Int = 1 << 20,
    _ change: (inout Preparation) -> Void = { _ in }
  ) throws -> Dataset {
    let folder = try TemporaryFolder()
    for (number, size) in sizes.enumerated() {
      try picture(number, height: size.0, width: size.1).write(to: "\(folder.path)/\(number).png")
    }
    var preparation = Preparation()
    (preparation.tile, preparation.stride) = (tile, stride)
    change(&preparation)
    let data = try Dataset.open(path: folder.path, split: split, preparation: preparation, memory: memory)
    // Before the folder goes: what memory does not hold is read again.
    if memory < 1 << 20 { try check(data) }
    return data
  }

  /// Each pixel of each tile stands for its own place in the picture, and each pixel of a picture lies in a tile.
  private static func check(_ data: Dataset) throws {
    let tiling = try #require(data.tiling)
    #expect(tiling.count == data.count && data.shape == ImageShape(tiling.tile.height, tiling.tile.width, 3))
    for (place, picture) in tiling.pictures.enumerated() {
      var covered = Set<Int>()
      for index in picture.tiles {
        let (top, left) = tiling.origin(of: index)
        #expect(tiling.picture(of: index) == place && data.number(index) == picture.number)
        #expect(data.name(index) == "\(picture.number).png[\(top),\(left)]")
        let values = try data.image(index).map { UInt8($0 * 255 + 0.5) }
        var expected: [UInt8] = []
        for y in top..<top + tiling.tile.height {
          for x in left..<left + tiling.tile.width {
            expected += [UInt8(y), UInt8(x), UInt8(100 + picture.number)]
            covered.insert(y * picture.shape.width + x)
          }
        }
        #expect(values == expected)
      }
      #expect(covered.count == picture.shape.height * picture.shape.width)
      let whole = try data.picture(place)
      #expect(whole.shape == picture.shape && whole.values[2] == Float(100 + picture.number) / 255)
    }
  }

  @Test("Tiles cover each picture and lie where their names say")
  func cover() throws {
    for (tile, stride) in [
      (Extent2D(4, 4), nil), (Extent2D(4, 4), Extent2D(2, 3)), (Extent2D(3, 2), Extent2D(1, 1)),
      (Extent2D(2, 4), Extent2D(2, 3)),
    ] as [(Extent2D, Extent2D?)] {
      let data = try Self.open(tile: tile, stride: stride)
      try Self.check(data)
      #expect(data.keptCount == nil && data.inventory.read == 6)
    }
  }

  @Test("Where memory holds few pictures or none, tiles are the same")
  func streamed() throws {
    for memory in [500, 64, 0] {
      let data = try Self.open(tile: Extent2D(4, 4), stride: Extent2D(2, 2), memory: memory)
      #expect(try #require(data.keptCount) < 6)
    }
  }

  @Test("Pictures are chosen whole: no tile of one is held out while another is trained on")
  func chosen() throws {
    let parts = try Split.allCases.filter { $0 == .train || $0 == .test }.map { split in
      try Self.open(tile: Extent2D(4, 4), stride: Extent2D(2, 2), split: split) { $0.holdout = 0.34 }
    }
    let numbers = parts.map { data in Set((0..<data.count).map(data.number)) }
    #expect(numbers[0].isDisjoint(with: numbers[1]) && numbers[0].union(numbers[1]).count == 6)
    let some = try Self.open(tile: Extent2D(4, 4), stride: nil) { $0.limit = 2 }
    #expect(some.tiling?.pictures.count == 2)
  }

  @Test("A picture smaller than a tile is refused, and the advice works")
  func refused() throws {
    let error = #expect(throws: DataError.self) { try Self.open(tile: Extent2D(6, 5), stride: nil) }
    let advice = try #require(error?.reason.split(separator: "such as --tile ").last)
    let parts = advice.split(separator: "x").compactMap { Int($0) }
    #expect(parts == [4, 4])
    _ = try Self.open(tile: Extent2D(parts[1], parts[0]), stride: nil)
    #expect(throws: DataError.self) { try Self.open(tile: Extent2D(2, 4), stride: Extent2D(3, 3)) }
  }
}
