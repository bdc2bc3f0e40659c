import Foundation
import HourglassModels
import TestSupport
import Testing

@testable import HourglassData

/// What maps of anomalies are made of: colours, smoothing, local similarity, words of 16 bits.
@Suite struct HeatTests {
  /// Numbers that the Python of the comments draws too: x = (1103515245 x + 12345) mod 2^31, out x >> 16.
  private static func draws(_ count: Int, seed: Int) -> [Int] {
    var x = seed
    return (0..<count).map { _ in
      x = (x * 1_103_515_245 + 12_345) % (1 << 31)
      return x >> 16
    }
  }

  /// sha256 of matplotlib 3.11.2's colormaps["inferno"](np.arange(256), bytes=True)[:, :3].tobytes().
  @Test func coloursAreThoseOfMatplotlib() {
    let bytes = (0..<HeatColors.count).flatMap { Self.bytes(HeatColors.color($0)) }
    let digest = bytes.withUnsafeBytes { SHA256.hexDigits(of: $0) }
    #expect(digest == "8092f65256023cefa85fe1136f4f398a2a9f35e9fdf414176b33cce639c44318")
  }

  private static func bytes(_ color: (UInt8, UInt8, UInt8)) -> [UInt8] { [color.0, color.1, color.2] }

  @Test func numbersBecomeTheColourOfTheirShare() {
    for (value, step) in [(-1, 0), (0, 0), (1, 128), (1.999, 255), (2, 255), (9, 255)] as [(Float, Int)] {
      #expect(HeatColors.color(of: value, high: 2) == HeatColors.color(step))
    }
    #expect(HeatColors.color(of: 5, high: 0) == HeatColors.color(0))
  }

  /// scipy.ndimage.gaussian_filter of SciPy 1.17.1 with its default mode "reflect", of 5 x 7 numbers in float32; four
  /// deviations reach beyond the image several times.
  @Test(arguments: [
    (0.8, [0.3213053345680237, 0.3429119288921356, 0.48012566566467285, 0.5493841171264648, 0.418783962726593]),
    (4.0, [0.39280885457992554, 0.4208015203475952, 0.4102843999862671, 0.4004077911376953, 0.4264829754829407]),
  ]) func smoothingIsThatOfSciPy(_ sigma: Double, _ wanted: [Double]) {
    let image = Self.draws(35, seed: 9).map { Float($0 % 1000) / 1000 }
    let found = GaussianFilter(sigma: sigma).smoothed(image, height: 5, width: 7)
    for (place, value) in zip([0, 6, 17, 28, 34], wanted) { #expect(abs(Double(found[place]) - value) < 2e-7) }
    // What is mirrored loses nothing.
    #expect(abs(found.reduce(0, +) - image.reduce(0, +)) < 1e-4)
  }

  /// 1 - structural_similarity(full=True) of scikit-image 0.26.0, gaussian_weights, sigma 1.5, population covariance,
  /// mean over the channels of 13 x 14 x 2, where the window lies within the image.
  @Test func differencesAreThoseOfScikitImage() {
    let shape = ImageShape(13, 14, 2)
    let draws = Self.draws(2 * shape.count, seed: 5)
    let x = draws[..<shape.count].map { Float(Double($0 % 256) / 255) }
    let y = zip(draws[..<shape.count], draws[shape.count...]).map { (own: Int, other: Int) -> Float in
      let moved = Double(own % 256) / 255 + Double(other % 64) / 255 - 0.1
      return Float(min(max(moved, 0), 1))
    }
    var similarity = StructuralSimilarity(shape: shape)
    let found = similarity.differences(x, y)
    #expect(found.count == 13 * 14)
    func value(_ row: Int, _ column: Int) -> Double { Double(found[row * 14 + column]) }
    for (row, column, wanted) in [
      (5, 5, 0.03249547913269357), (5, 8, 0.027639041360935535), (7, 5, 0.03271995147514073),
      (7, 8, 0.02152015731960666), (6, 7, 0.02571440614786158),
    ] { #expect(abs(value(row, column) - wanted) < 1e-7) }
    // Nearer to the border than the window reaches, the nearest window speaks.
    #expect(value(0, 0) == value(5, 5) && value(12, 13) == value(7, 8) && value(6, 13) == value(6, 8))
    // All windows weigh alike in the value of the image.
    let windows = (5...7).flatMap { row in (5...8).map { value(row, $0) } }
    #expect(abs(1 - windows.reduce(0, +) / 12 - similarity.value(x, y)) < 1e-7)
    #expect(similarity.differences(x, x).allSatisfy { abs($0) < 1e-6 })
  }

  /// By hand from the PNG specification: the header says grey of 16 bits, and the words lie there high byte first.
  @Test func wordsAreWrittenWith16Bits() throws {
    let words = (0..<300).map { UInt16($0 * 217) }
    let bytes = try [UInt8](PNGImage.encoded(words, width: 20, height: 15))
    #expect(bytes[16..<26] == [0, 0, 0, 20, 0, 0, 0, 15, 16, 0])
    try withTemporaryFolder { folder in
      try Data(bytes).write(to: URL(fileURLWithPath: "\(folder)/a.png"))
      let wanted = Image(shape: ImageShape(15, 20, 1), elements: .words(words))
      #expect(try PictureFiles.decode("\(folder)/a.png") == wanted)
    }
  }
}
