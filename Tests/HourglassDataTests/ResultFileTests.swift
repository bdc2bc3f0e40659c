import Testing

@testable import HourglassData

/// Files called as the images that they are made of.
@Suite struct ResultFileTests {
  private static func paths(_ names: [String], beside others: [String] = []) throws -> [String] {
    try ResultFiles(names, ending: "png", beside: others, source: "set").paths
  }

  @Test func filesAreCalledAsTheirImages() throws {
    #expect(
      try Self.paths(["a.jpg", "train/b/c.d.tiff", "scan", "x.npy[17]", "y.npy.gz[0]", "batch_1.bin[3]", ".hidden"])
        == [
          "a.png", "train/b/c.d.png", "scan.png", "x-17.png", "y-0.png", "batch_1-3.png", ".hidden.png",
        ])
    #expect(try Self.paths(["built-in images 8x8x1, seed 1, test[5]"]) == ["built-in images 8x8x1, seed 1, test-5.png"])
    #expect(try Self.paths(["odd[x].png", "[3]", "a[1].png"]) == ["odd[x].png", "[3].png", "a[1].png"])
  }

  /// Whatever names there are, each image has a file of its own.
  @Test func imagesOfOneStemGetDifferentFiles() throws {
    #expect(try Self.paths(["a.png", "a.jpg", "b.jpg"]) == ["a.png.png", "a.jpg.png", "b.png"])
    #expect(try Self.paths(["img.001", "img.002"]) == ["img.001.png", "img.002.png"])
    #expect(try Self.paths(["x.npy[1]", "x-1.jpg"]) == ["x.npy[1].png", "x-1.jpg.png"])
  }

  @Test func namesThatNoFileCanHaveAreRefused() {
    for name in ["../a.png", "a/../../b.png", "/etc/a.png", "a//b.png", "./a.png", "..", "a/.."] {
      expectRefusal("set", "stay within a folder", "rename") { try Self.paths(["good.png", name]) }
    }
    expectRefusal("set", "at most 255 bytes") { try Self.paths([String(repeating: "ä", count: 127) + ".jpg"]) }
    // a.jpg becomes a.jpg.png, as a.jpg.tif does.
    expectRefusal("set", "both ask for a.jpg.png") { try Self.paths(["a.png", "a.jpg", "a.jpg.tif"]) }
    expectRefusal("set", "both ask for a.png") { try Self.paths(["a.jpg", "a.png/b.jpg"]) }
    expectRefusal("set", "both ask for maps.png") { try Self.paths(["maps.jpg"], beside: ["maps.png"]) }
    expectRefusal("set", "both ask for maps.json") { try Self.paths(["maps.json/a.jpg"], beside: ["maps.json"]) }
  }
}
