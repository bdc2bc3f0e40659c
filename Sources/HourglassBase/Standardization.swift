/// How a model sees an image: each channel less its mean and divided by its standard deviation, both taken over the
/// images trained on.
///
///     y[h,w,c] = (x[h,w,c] - mean[c]) / deviation[c]
///
/// What the model puts out is brought back, so all that is shown, written and compared is in the images' own units. Its
/// loss is that of the standardised images.
public struct Standardization: Codable, Sendable, Equatable {
  /// The mean of each channel, C numbers; for a set of vectors, of each element.
  public let mean: [Double]
  /// The standard deviation of each channel, C numbers greater than 0; 1 for a channel that is constant.
  public let deviation: [Double]

  /// Answers nil where the two have different lengths, a number is not finite or a deviation is not greater than 0.
  public init?(mean: [Double], deviation: [Double]) {
    guard !mean.isEmpty, mean.count == deviation.count, mean.allSatisfy({ Float($0).isFinite }),
      deviation.allSatisfy({ Float($0).isNormal && $0 > 0 && (1 / Float($0)).isFinite })
    else { return nil }
    (self.mean, self.deviation) = (mean, deviation)
  }

  private enum CodingKeys: String, CodingKey { case mean, deviation }

  public init(from decoder: any Decoder) throws {
    let fields = try decoder.container(keyedBy: CodingKeys.self)
    let (mean, deviation) = (
      try fields.decode([Double].self, forKey: .mean), try fields.decode([Double].self, forKey: .deviation)
    )
    guard let found = Self(mean: mean, deviation: deviation) else {
      throw DecodingError.dataCorruptedError(
        forKey: .deviation, in: fields,
        debugDescription: "wanted as many means as deviations greater than 0, all finite, found others")
    }
    self = found
  }

  /// Replaces images, N x H x W x C, by standardised ones, in place.
  ///
  /// - Parameter count: the elements of all images together, N H W C.
  public func apply(_ images: UnsafeMutablePointer<Float>, count: Int) {
    forEachChannel { c, mean, deviation, channels in
      for i in stride(from: c, to: count, by: channels) { images[i] = (images[i] - mean) / deviation }
    }
  }

  /// Replaces standardised images, N x H x W x C, by images in their own units, in place.
  ///
  /// - Parameter count: the elements of all images together, N H W C.
  public func undo(_ images: UnsafeMutablePointer<Float>, count: Int) {
    forEachChannel { c, mean, deviation, channels in
      for i in stride(from: c, to: count, by: channels) { images[i] = images[i] * deviation + mean }
    }
  }

  private func forEachChannel(_ body: (Int, Float, Float, Int) -> Void) {
    for c in mean.indices { body(c, Float(mean[c]), Float(deviation[c]), mean.count) }
  }
}
