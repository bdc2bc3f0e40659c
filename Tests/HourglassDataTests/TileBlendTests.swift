import Foundation
import HourglassModels
import TestSupport
import Testing

@testable import HourglassData

/// Tiles joined to their pictures.
@Suite struct TileBlendTests {
  private static func open(_ sizes: [(Int, Int)], tile: Extent2D, stride: Extent2D) throws -> Dataset {
    let folder = try TemporaryFolder()
    for (number, (height, width)) in sizes.enumerated() {
      let pixels = (0..<height * width * 3).map { UInt8($0 * 37 % 251) }
      try PNGImage(width: width, height: height, channels: 3, pixels: pixels).write(to: "\(folder.path)/\(number).png")
    }
    var preparation = Preparation()
    (preparation.tile, preparation.stride) = (tile, stride)
    return try Dataset.open(path: folder.path, split: .train, preparation: preparation)
  }

  private static let cases = [
    ([(9, 13), (4, 6), (20, 7)], Extent2D(4, 6), Extent2D(2, 5)), ([(8, 8), (9, 17)], Extent2D(4, 4), Extent2D(4, 4)),
    ([(5, 5)], Extent2D(5, 5), Extent2D(1, 1)), ([(11, 12)], Extent2D(5, 4), Extent2D(1, 3)),
  ]

  /// The picture comes back, to the bit where no tiles overlap.
  @Test(arguments: cases) func whatWasCutIsJoined(_ sizes: [(Int, Int)], _ tile: Extent2D, _ stride: Extent2D) throws {
    let data = try Self.open(sizes, tile: tile, stride: stride)
    let tiling = try #require(data.tiling)
    #expect(data.pictureCount == sizes.count)
    for (index, picture) in tiling.pictures.enumerated() {
      #expect(data.images(ofPicture: index) == picture.tiles && data.pictureName(index) == "\(index).png")
      var blend = try TileBlend(picture, of: tiling)
      for tile in picture.tiles { blend.add(try data.image(tile)[...], of: tile) }
      let original = try data.picture(index).values
      #expect(zip(blend.values, original).allSatisfy { abs($0 - $1) < 3e-7 })
      let overlaps =
        (picture.shape.height - tile.height) % stride.height > 0 || stride.height < tile.height
        || (picture.shape.width - tile.width) % stride.width > 0 || stride.width < tile.width
      if !overlaps { #expect(blend.values == original) }
    }
  }

  /// The formula pixel by pixel in double, over tiles that contradict each other, and the parts that they stand for.
  @Test(arguments: cases) func weightsFallTowardsTheBorder(
    _ sizes: [(Int, Int)], _ tile: Extent2D, _ stride: Extent2D
  ) throws {
    let tiling = try #require(try Self.open(sizes, tile: tile, stride: stride).tiling)
    for picture in tiling.pictures {
      var blend = try TileBlend(picture, of: tiling)
      var sums = [Double](repeating: 0, count: picture.shape.height * picture.shape.width)
      var weights = sums
      var own: [[Int: Double]] = []
      for index in picture.tiles {
        let value = Float(index * index % 17)
        blend.add([Float](repeating: value, count: tile.height * tile.width * 3)[...], of: index)
        let (top, left) = tiling.origin(of: index)
        var parts: [Int: Double] = [:]
        for y in 0..<tile.height {
          for x in 0..<tile.width {
            let weight = Double(min(y + 1, tile.height - y) * min(x + 1, tile.width - x))
            let place = (top + y) * picture.shape.width + left + x
            sums[place] += weight * Double(value)
            weights[place] += weight
            parts[place] = weight
          }
        }
        own.append(parts)
      }
      for (place, sum) in sums.enumerated() {
        for channel in 0..<3 { #expect(abs(Double(blend.values[3 * place + channel]) - sum / weights[place]) < 1e-5) }
      }
      let shares = TileBlend.shares(picture, of: tiling)
      #expect(abs(shares.reduce(0, +) - 1) < 1e-6)
      for (share, parts) in zip(shares, own) {
        let wanted = parts.reduce(0) { $0 + $1.value / weights[$1.key] } / Double(sums.count)
        #expect(abs(share - wanted) < 1e-6)
      }
    }
  }

  @Test func aSetWithoutTilesIsItsOwnPictures() throws {
    let data = try Dataset(.bytes([1, 2, 3, 4]), shape: ImageShape(1, 2, 1), source: "two")
    #expect(data.pictureCount == 2 && data.images(ofPicture: 1) == 1..<2 && data.pictureName(1) == data.name(1))
  }
}
