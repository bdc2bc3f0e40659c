/// The sparsity of images' codes. A unit is active for an image where its value is further from 0 than `threshold`.
public struct Sparsity: Codable, Sendable, Equatable {
  /// The part of the images for which each unit is active, in the units' order, Z numbers.
  public var frequencies: [Double]
  /// The mean magnitude of the codes over images and units.
  public var meanActivity: Double

  /// The part of the units that are active, mean over images.
  public var activeFraction: Double { frequencies.reduce(0, +) / Double(max(1, frequencies.count)) }
  /// The units that are active for no image.
  public var deadUnits: Int { frequencies.count { $0 == 0 } }

  /// A unit at rest stays below this magnitude.
  public static let threshold: Float = 0.1

  public init(frequencies: [Double], meanActivity: Double) {
    (self.frequencies, self.meanActivity) = (frequencies, meanActivity)
  }

  private enum CodingKeys: String, CodingKey { case activeFraction, deadUnits, meanActivity, frequencies }

  public init(from decoder: any Decoder) throws {
    let fields = try decoder.container(keyedBy: CodingKeys.self)
    frequencies = try fields.decode([Double].self, forKey: .frequencies)
    meanActivity = try fields.decode(Double.self, forKey: .meanActivity)
  }

  public func encode(to encoder: any Encoder) throws {
    var fields = encoder.container(keyedBy: CodingKeys.self)
    try fields.encode(activeFraction, forKey: .activeFraction)
    try fields.encode(deadUnits, forKey: .deadUnits)
    try fields.encode(meanActivity, forKey: .meanActivity)
    try fields.encode(frequencies, forKey: .frequencies)
  }
}

/// The running variance of each unit of the code (Welford 1962), and how often it is active.
struct UnitStatistics {
  private var samples = 0
  private var mean: [Double]
  private var squares: [Double]
  private var active: [Int]
  private var magnitudes = 0.0

  init(count: Int) {
    mean = Array(repeating: 0, count: count)
    squares = mean
    active = Array(repeating: 0, count: count)
  }

  mutating func add(_ codes: [Float]) {
    let width = mean.count
    for start in stride(from: 0, to: codes.count, by: width) {
      samples += 1
      for j in 0..<width {
        let delta = Double(codes[start + j]) - mean[j]
        mean[j] += delta / Double(samples)
        squares[j] += delta * (Double(codes[start + j]) - mean[j])
        magnitudes += Double(abs(codes[start + j]))
        if abs(codes[start + j]) > Sparsity.threshold { active[j] += 1 }
      }
    }
  }

  var variances: [Double] { squares.map { samples > 0 ? $0 / Double(samples) : 0 } }
  var frequencies: [Double] { active.map { samples > 0 ? Double($0) / Double(samples) : 0 } }
  var meanActivity: Double { samples > 0 ? magnitudes / Double(samples * mean.count) : 0 }
}
