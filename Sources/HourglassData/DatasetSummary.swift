import HourglassBase

/// The count, shape, classes and statistics of a data set, for people to read.
public struct DatasetSummary: Encodable, Sendable {
  /// A class and the number of its images.
  public struct Class: Encodable, Sendable, Equatable {
    public var label: Int
    public var name: String?
    public var count: Int
  }

  public var form: ImageForm
  public var source: String
  public var count: Int
  public var shape: ImageShape
  /// The classes that occur, by label; nil where there are no labels.
  public var classes: [Class]?
  /// The least and the greatest value over all images, in units of `Dataset.fill`.
  public var minimum: Float
  public var maximum: Float
  /// The mean and standard deviation of each channel, C.
  public var mean: [Double]
  public var standardDeviation: [Double]

  /// Cost: reads all images once.
  public init(_ data: Dataset) throws(DataError) {
    (form, source, count, shape) = (data.form, data.source, data.count, data.shape)
    // An image, and three numbers for each channel; a vector has as many channels as elements.
    try GrantedMemory.require(
      4 * shape.count + 48 * shape.channels, for: data.source, "hold an image of \(shape) and sums over its channels")
    let image = FloatBuffer(count: shape.count)
    let (channels, pixels) = (shape.channels, shape.height * shape.width)
    var (low, high) = (Float.infinity, -Float.infinity)
    var sums = [Double](repeating: 0, count: channels)
    var squares = sums
    for index in 0..<data.count {
      try data.fill(index, into: image.pointer)
      for c in 0..<channels {
        var (sum, square) = (0.0, 0.0)
        for i in 0..<pixels {
          let value = image.pointer[i * channels + c]
          low = min(low, value)
          high = max(high, value)
          sum += Double(value)
          square += Double(value) * Double(value)
        }
        sums[c] += sum
        squares[c] += square
      }
    }
    let n = Double(data.count) * Double(pixels)
    mean = sums.map { $0 / n }
    standardDeviation = zip(squares, mean).map { max(0, $0 / n - $1 * $1).squareRoot() }
    (minimum, maximum) = (low, high)
    classes = data.labels.map { labels in
      let counts = labels.reduce(into: [Int: Int]()) { $0[$1, default: 0] += 1 }
      return counts.sorted { $0.key < $1.key }.map { Class(label: $0, name: data.classes?[$0], count: $1) }
    }
  }
}
