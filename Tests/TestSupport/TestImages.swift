import Foundation
import HourglassData
import HourglassModels

/// Images that every implementation can make for itself.
public enum TestImages {
  /// Two waves whose lengths and phases depend on sample, step and channel, N H W C in [0, 1]: a step's batch as
  /// Golden/starting_point.py makes it, in double and rounded once.
  public static func waves(step: Int, samples: Int, shape: ImageShape) -> [Float] {
    var pixels: [Float] = []
    pixels.reserveCapacity(samples * shape.count)
    for i in 0..<samples {
      for h in 0..<shape.height {
        for w in 0..<shape.width {
          let horizontal = cos(0.23 * Double((w + 1) * (1 + i % 3)) + 0.5 * Double(i))
          for c in 0..<shape.channels {
            let vertical = sin(0.37 * Double((h + 1) * (1 + i % 5)) + 0.11 * Double(step) + Double(c))
            pixels.append(Float(0.5 + 0.25 * vertical + 0.25 * horizontal))
          }
        }
      }
    }
    return pixels
  }

  /// The labels of so many waves, for what reads labels: three classes in turn.
  public static func labels(_ samples: Int) -> [Int] { (0..<samples).map { $0 % 3 } }

  /// The batches of several steps one after the other in one data set, item 0 the first of step 0.
  public static func waves(batchSizes: [Int], shape: ImageShape) throws -> Dataset {
    let pixels = batchSizes.enumerated().flatMap { waves(step: $0.offset, samples: $0.element, shape: shape) }
    return try Dataset(.floats(pixels), shape: shape, labels: batchSizes.flatMap(labels), source: "waves")
  }
}
