import Foundation
import HourglassModels
import TestSupport
import Testing

@testable import HourglassData

/// Masks of the truth, as in MVTec's sets.
@Suite struct MaskTests {
  private static let size = Extent2D(6, 8)

  /// A picture of 6 x 8 pixels that is `value` where a pixel is marked.
  private static func write(
    _ folder: TemporaryFolder, _ name: String, _ value: UInt8 = 255, size: Extent2D = size,
    channels: Int = 1, _ isMarked: (Int, Int) -> Bool = { _, _ in false }
  ) throws {
    var pixels: [UInt8] = []
    for h in 0..<size.height {
      for w in 0..<size.width { pixels += [UInt8](repeating: isMarked(h, w) ? value : 0, count: channels) }
    }
    let picture = PNGImage(width: size.width, height: size.height, channels: channels, pixels: pixels)
    _ = try folder.file(name, [UInt8](try picture.encoded()))
  }

  private static func mvtec() throws -> TemporaryFolder {
    let folder = try TemporaryFolder()
    for name in ["train/good/000.png", "test/good/000.png", "test/crack/000.png", "test/cut/000.png"] {
      try write(folder, name, channels: 3)
    }
    try write(folder, "ground_truth/crack/000_mask.png") { h, w in h < 2 && w < 5 }
    try write(folder, "ground_truth/cut/000_mask.png", 1) { h, w in h == w }
    return folder
  }

  @Test func masksOfMVTecGoWithTheirImages() throws {
    let folder = try Self.mvtec()
    let data = try Dataset.open(path: folder.path, split: .test)
    #expect(data.hasMasks && data.classes == ["crack", "cut", "good"] && data.count == 3)
    #expect(data.inventory.parts.map(\.reason) == ["for train", "masks"] && data.inventory.skipped.isEmpty)
    let masks = try (0..<3).map { try data.mask($0) }
    let pixels = (0..<48).map { (h: $0 / 8, w: $0 % 8) }
    #expect(masks[0] == pixels.map { $0.h < 2 && $0.w < 5 } && masks[1] == pixels.map { $0.h == $0.w })
    #expect(masks[2] == [Bool](repeating: false, count: 48))
    let training = try Dataset.open(path: folder.path, split: .train)
    #expect(try training.classes == data.classes && training.mask(0)?.contains(true) == false)
  }

  /// Masks are cut and scaled as the images are: by the same preparation of an image that is as bright as the mask.
  @Test func masksAreCutAndScaledAsTheImages() throws {
    let folder = try Self.mvtec()
    for (crop, resize) in [(Extent2D(4, 6), nil), (nil, Extent2D(3, 4)), (Extent2D(6, 6), Extent2D(3, 3))] {
      var preparation = Preparation()
      (preparation.crop, preparation.resize) = (crop, resize)
      (preparation.color, preparation.elements, preparation.limit) = (.grey, .float32, 2)
      let data = try Dataset.open(path: folder.path, split: .test, preparation: preparation)
      let picture = try Dataset.open(
        path: "\(folder.path)/ground_truth/crack/000_mask.png", split: .test, preparation: preparation)
      #expect(try data.mask(0) == picture.image(0).map { $0 >= 0.5 }, "\(String(describing: crop))")
      #expect(try data.mask(0)?.contains(true) == true)
    }
  }

  @Test func masksThatDoNotFitAreRefused() throws {
    let folder = try Self.mvtec()
    let masks = "\(folder.path)/ground_truth"
    let cut = "\(masks)/cut/000_mask.png"
    func refuse(_ path: String, _ reason: String) {
      expectRefusal(path, reason) { try Dataset.open(path: folder.path, split: .test).mask(1) }
    }
    try FileManager.default.removeItem(atPath: cut)
    refuse(masks, "wanted the mask of test/cut/000.png")
    try Self.write(folder, "ground_truth/cut/000_mask.png", size: Extent2D(3, 4))
    refuse(cut, "wanted a mask of 8x6 pixels as test/cut/000.png has, found 4x3")
    _ = try folder.file("ground_truth/cut/000_mask.png", Array("no picture".utf8))
    refuse(cut, "wanted")
    _ = try folder.file("ground_truth/cut/000_mask.jpg", Array("no picture".utf8))
    refuse(masks, "wanted one mask of test/cut/000.png, found cut/000_mask.jpg and cut/000_mask.png")
  }

  @Test func masksLieInAFolderOfTheirOwn() throws {
    let (folder, masks) = (try TemporaryFolder(), try TemporaryFolder())
    for name in ["a/1.png", "a/2.png", "ok/3.png"] { try Self.write(folder, name) }
    try Self.write(masks, "a/1.png") { h, _ in h == 0 }
    try Self.write(masks, "a/2_mask.png") { h, _ in h == 1 }
    // Where both are there, the one that says so is the mask.
    try Self.write(masks, "a/2.png")
    var preparation = Preparation()
    preparation.masks = masks.path
    let data = try Dataset.open(path: folder.path, split: .test, preparation: preparation)
    let first = try (0..<3).map { try data.mask($0)?.firstIndex(of: true) }
    #expect(first == [0, 8, nil])
    preparation.masks = folder.path + "/none"
    expectRefusal(folder.path + "/none", "wanted a folder of masks") {
      try Dataset.open(path: folder.path, split: .test, preparation: preparation)
    }
    #expect(try Dataset.open(path: folder.path, split: .test).mask(0) == nil)
  }
}
