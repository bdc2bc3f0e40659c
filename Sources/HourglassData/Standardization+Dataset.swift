import HourglassBase

extension Standardization {
  /// The mean and deviation of each channel, C, over all images of a set, summed in double in the order of the images.
  /// Elements that are missing are left out.
  ///
  /// Cost: reads all images once. Errors: an image cannot be read; numbers are so large that their squares overflow.
  public init(of data: Dataset) throws(DataError) {
    let (channels, count) = (data.shape.channels, data.shape.count)
    // An image, and three numbers for each channel; a vector has as many channels as elements.
    try GrantedMemory.require(
      checkedSum(4 * count, checkedProduct([48, channels])), for: data.source, "find the mean of each channel")
    let image = FloatBuffer(count: count)
    // Sums are of differences to the first image's pixel: squares of large numbers that differ little would lose all.
    var (base, sums, squares) = (
      [Double](), [Double](repeating: 0, count: channels), [Double](repeating: 0, count: channels)
    )
    var seen = [Double](repeating: 0, count: channels)
    for index in 0..<data.count {
      try data.fill(index, into: image.pointer)
      if index == 0 { base = (0..<channels).map { image.pointer[$0].isNaN ? 0 : Double(image.pointer[$0]) } }
      for c in 0..<channels {
        var (sum, square) = (0.0, 0.0)
        for i in Swift.stride(from: c, to: count, by: channels) where !image.pointer[i].isNaN {
          seen[c] += 1
          let value = Double(image.pointer[i]) - base[c]
          sum += value
          square += value * value
        }
        sums[c] += sum
        squares[c] += square
      }
    }
    let mean = (0..<channels).map { base[$0] + sums[$0] / max(1, seen[$0]) }
    let deviation = (0..<channels).map { c in
      let (sum, square, n) = (sums[c], squares[c], max(1, seen[c]))
      let deviation = max(0, square / n - sum / n * (sum / n)).squareRoot()
      return Float(deviation).isNormal && (1 / Float(deviation)).isFinite ? deviation : 1
    }
    guard let found = Standardization(mean: mean, deviation: deviation) else {
      throw DataError(path: data.source, reason: "--standardize: wanted numbers whose mean is finite, found others")
    }
    self = found
  }
}
