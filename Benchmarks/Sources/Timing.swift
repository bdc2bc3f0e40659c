import Foundation

/// Times of repeated calls, in seconds.
struct Timing {
  private(set) var seconds: [Double]

  /// Calls `body` until `budget` seconds are over, at least five times, after two calls that do not count.
  init(budget: Double, _ body: () throws -> Void) rethrows {
    try body()
    try body()
    let clock = ContinuousClock()
    let start = clock.now
    var times: [Double] = []
    while times.count < 5 || (clock.now - start) / .seconds(1) < budget {
      let begin = clock.now
      try body()
      times.append((clock.now - begin) / .seconds(1))
    }
    seconds = times.sorted()
  }

  var median: Double { quantile(0.5) }

  func quantile(_ q: Double) -> Double { seconds[min(seconds.count - 1, Int(q * Double(seconds.count)))] }
}

/// A number with so many digits behind the point.
func fixed(_ value: Double, _ digits: Int) -> String { String(format: "%.\(digits)f", value) }

/// One object of JSON on a line.
func json(_ value: some Encodable) throws -> String {
  let encoder = JSONEncoder()
  encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
  return String(decoding: try encoder.encode(value), as: UTF8.self)
}
