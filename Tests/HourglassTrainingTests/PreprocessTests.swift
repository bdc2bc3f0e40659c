import Foundation
import HourglassData
import HourglassModels
import Testing
import TestSupport

@testable import HourglassAnalysis
@testable import HourglassTraining

/// examples/onnx/preprocess.py reads pictures in files as Hourglass does, by what an exported model says.
@Suite struct PreprocessTests {
  private static let hasPackages = Python.has("numpy, onnxruntime, PIL, simplejpeg")

  /// JPEG photographs of every Exif orientation, smaller than the model's images, a little larger, and so much larger
  /// that a decoder shrinks them; a grey one, and a PNG.
  private static let pictures = """
    import sys, numpy as np
    from PIL import Image
    random = np.random.default_rng(1)
    def picture(height, width, channels=3):
        y, x = np.mgrid[:height, :width]
        waves = [127 + 100 * np.sin(x / 9 + c) + 20 * np.cos(y / 5 * (c + 1)) for c in range(channels)]
        noisy = np.stack(waves, 2) + random.normal(0, 9, (height, width, channels))
        return Image.fromarray(np.uint8(noisy.clip(0, 255)).squeeze())
    for orientation in range(1, 9):
        exif = Image.Exif()
        exif[0x0112] = orientation
        for name, height, width in [("tiny", 14, 19), ("near", 40, 61), ("large", 201, 317)]:
            path = f"{sys.argv[1]}/{name}{orientation}.jpg"
            picture(height, width).save(path, exif=exif, subsampling=orientation % 3)
    picture(50, 60, 1).save(sys.argv[1] + "/grey.jpg")
    picture(50, 60).save(sys.argv[1] + "/rgb.png")
    """

  private static let preparations: [(channels: Int, change: @Sendable (inout Preparation) -> Void)] = [
    (3, { ($0.resize, $0.color) = (Extent2D(24, 32), .rgb) }),
    (1, { ($0.fit, $0.color, $0.inverts) = (Extent2D(24, 32), .grey, true) }),
    (3, { ($0.fit, $0.color, $0.background) = (Extent2D(24, 32), .rgb, RGBColor("#336699")) }),
    (1, { ($0.crop, $0.resize, $0.color, $0.range) = (12, Extent2D(24, 32), .grey, ValueRange(rawValue: "0:300")) }),
  ]

  @Test(
    .enabled(if: hasPackages, "no Python with numpy, onnxruntime, PIL and simplejpeg; name one in HOURGLASS_PYTHON"),
    arguments: preparations.indices)
  func codesOfPicturesAreTheSame(_ number: Int) throws {
    try withTemporaryFolder { folder in
      let photos = "\(folder)/photos"
      try FileManager.default.createDirectory(atPath: photos, withIntermediateDirectories: true)
      let made = try Python.run(["-c", Self.pictures, photos])
      try #require(made.status == 0, "\(made.output)")
      var preparation = Preparation()
      Self.preparations[number].change(&preparation)
      let shape = ImageShape(24, 32, Self.preparations[number].channels)
      let model = Autoencoder("photos", input: shape, likelihood: .bernoulli) {
        Conv2D(4, kernel: 4, stride: 2, activation: .relu)
      } latent: {
        Dense(8)
      } decoder: {
        Dense(shape.count)
        Reshape(shape.height, shape.width, shape.channels)
      }
      let recipe = Recipe(model: model, data: DataSource(path: photos, preparation: preparation))
      let data = try recipe.open(recipe.data)
      let inference = try Inference(recipe, parallel: ParallelPlan(workers: 1, threads: 1))
      Initializer.fill(inference.parameters, plan: inference.plan, seed: 7)
      _ = try ModelExport(inference.plan, parameters: inference.parameters, preparation: preparation)
        .write(.onnx, to: folder)

      let script = URL(filePath: #filePath).appending(path: "../../../examples/onnx/preprocess.py").standardized.path
      let names = (0..<data.count).map { "\(photos)/\(data.name($0))" }
      let (status, output) = try Python.run([script, "\(folder)/encoder.onnx"] + names)
      try #require(status == 0, "\(output)")
      let found = output.split(whereSeparator: \.isWhitespace).compactMap { Float($0) }
      let wanted = inference.encode(try data.images(0..<data.count))
      try #require(found.count == wanted.count && data.count == 26)
      #expect(zip(found, wanted).allSatisfy { abs($0 - $1) < 1e-5 })
    }
  }
}
