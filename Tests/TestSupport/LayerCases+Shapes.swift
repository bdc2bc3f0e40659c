import HourglassModels

/// Rows of layers that change the shape of images without weights, and of forms of padding.
extension LayerCases {
  public static let shapes: [LayerCase] = pools + paddings + rearrangements + lines + [followed]

  /// Tangents through maps that have no weights.
  private static let followed = contracted(
    "resampling and rearrangement", ImageShape(6, 4, 1), code: ImageShape(vector: 4)
  ) {
    Conv2D(2, kernel: 3, paddingMode: .reflect, activation: .tanh)
    AveragePool2D(3, stride: 1, padding: .amount(1))
    PixelUnshuffle2D(2)
    Upsample2D(2, mode: .bilinear)
    Reshape(1, 1, 6 * 4 * 8)
  } latent: {
    Dense(4, activation: .sigmoid)
  } decoder: {
    Dense(24, activation: .sigmoid)
    Reshape(6, 4, 1)
  }

  private static let conv = Conv2D(3, kernel: 3, activation: .sigmoid)

  private static let pools: [LayerCase] = [
    encoding(
      "average-pool 3 stride 2 padding 1", after: [conv], AveragePool2D(3, stride: 2, padding: .amount(1)),
      of: ImageShape(7, 6, 2), to: ImageShape(4, 3, 3)),
    encoding(
      "average-pool 3 stride 2 padding 1 to the ceiling", after: [conv],
      AveragePool2D(3, stride: 2, padding: .amount(1), ceiling: true),
      of: ImageShape(6, 6, 2), to: ImageShape(4, 4, 3)),
    encoding(
      "average-pool 2x3 to the ceiling, of the image alone", after: [conv],
      AveragePool2D(
        Extent2D(2, 3), stride: 2, padding: .sides(.init(top: 0, left: 1, bottom: 0, right: 1)), ceiling: true,
        countsPadding: false), of: ImageShape(7, 6, 1), to: ImageShape(4, 4, 3)),
    encoding("average-pool 2 of an odd image", AveragePool2D(2), of: ImageShape(5, 7, 2), to: ImageShape(2, 3, 2)),
    encoding(
      "average-pool 3 stride 2, same", AveragePool2D(3, stride: 2, padding: .same, countsPadding: false),
      of: ImageShape(5, 8, 2), to: ImageShape(3, 4, 2)),
    encoding(
      "global average-pool", after: [Conv2D(4, kernel: 3, activation: .tanh)], GlobalAveragePool2D(),
      of: ImageShape(5, 4, 2), to: ImageShape(vector: 4)),
    encoding(
      "adaptive average-pool", after: [conv], AdaptiveAveragePool2D(Extent2D(3, 2)), of: ImageShape(7, 5, 2),
      to: ImageShape(3, 2, 3)),
    encoding(
      "adaptive average-pool to a larger image", AdaptiveAveragePool2D(Extent2D(3, 5)), of: ImageShape(2, 4, 2),
      to: ImageShape(3, 5, 2)),
    encoding(
      "adaptive average-pool that divides", AdaptiveAveragePool2D(2), of: ImageShape(6, 4, 2), to: ImageShape(2, 2, 2)),
    encoding(
      "max-pool 3 stride 2 to the ceiling", after: [conv], MaxPool2D(3, stride: 2, ceiling: true),
      of: ImageShape(6, 7, 1), to: ImageShape(3, 3, 3)),
    encoding(
      "max-pool 3 stride 2 padded at two sides",
      MaxPool2D(3, stride: 2, padding: .sides(.init(top: 1, left: 0, bottom: 0, right: 1))), of: ImageShape(6, 7, 2),
      to: ImageShape(3, 3, 2)),
  ]

  private static let paddings: [LayerCase] = [
    encoding(
      "conv padded at four sides",
      Conv2D(3, kernel: 3, stride: 2, padding: .sides(.init(top: 0, left: 1, bottom: 2, right: 3)), activation: .relu),
      of: ImageShape(6, 5, 2), to: ImageShape(3, 4, 3)),
    encoding(
      "conv padded beyond the kernel", after: [conv], Conv2D(3, kernel: 2, padding: .amount(3), activation: .tanh),
      of: ImageShape(3, 4, 2), to: ImageShape(8, 9, 3)),
    encoding(
      "conv 1x1, padded", Conv2D(2, kernel: 1, stride: 2, padding: .amount(1)), of: ImageShape(4, 3, 2),
      to: ImageShape(3, 3, 2)),
    encoding(
      "conv, winograd, padded beyond the kernel",
      Conv2D(17, kernel: 3, padding: .amount(Extent2D(4, 3)), algorithm: .winograd), of: ImageShape(3, 4, 2),
      to: ImageShape(9, 8, 17)),
    encoding("conv, valid", Conv2D(2, kernel: 3, padding: .valid), of: ImageShape(5, 6, 2), to: ImageShape(3, 4, 2)),
    encoding(
      "conv that reflects", after: [conv], Conv2D(3, kernel: 4, stride: 2, paddingMode: .reflect, activation: .relu),
      of: ImageShape(7, 6, 1), to: ImageShape(4, 3, 3)),
    encoding(
      "conv that replicates", Conv2D(3, kernel: 5, padding: .amount(Extent2D(2, 6)), paddingMode: .replicate),
      of: ImageShape(4, 5, 2), to: ImageShape(4, 13, 3)),
    encoding(
      "padding and cutting off", after: [conv], Pad2D(.sides(.init(top: -1, left: 2, bottom: 1, right: -1))),
      of: ImageShape(5, 4, 2), to: ImageShape(5, 5, 3)),
    encoding(
      "padding by reflection", after: [conv],
      Pad2D(.sides(.init(top: 3, left: 1, bottom: 0, right: 2)), mode: .reflect), of: ImageShape(4, 4, 2),
      to: ImageShape(7, 7, 3)),
    encoding(
      "padding by replication", Pad2D(.amount(Extent2D(1, 5)), mode: .replicate), of: ImageShape(4, 3, 2),
      to: ImageShape(6, 13, 2)),
    decoding(
      "transposed, padded at four sides and beyond the kernel",
      ConvTranspose2D(
        2, kernel: 3, stride: 2, padding: .sides(.init(top: 0, left: 1, bottom: 2, right: 4)), activation: .sigmoid),
      from: ImageShape(4, 4, 3), to: ImageShape(7, 4, 2)),
    decoding(
      "transposed 2x2 padded by 3", ConvTranspose2D(2, kernel: 2, stride: 2, padding: .amount(3)),
      from: ImageShape(5, 4, 18), to: ImageShape(4, 2, 2)),
  ]

  private static let lines: [LayerCase] = [
    encoding(
      "conv1d 5 stride 2", Conv1D(4, kernel: 5, stride: 2, activation: .relu), of: ImageShape(1, 13, 3),
      to: ImageShape(1, 7, 4)),
    encoding(
      "conv1d, causal", Conv1D(3, kernel: 3, padding: .sides(.init(top: 0, left: 2, bottom: 0, right: 0))),
      of: ImageShape(1, 9, 2), to: ImageShape(1, 9, 3)),
    encoding(
      "conv1d that replicates", Conv1D(17, kernel: 4, padding: .amount(4), paddingMode: .replicate, activation: .tanh),
      of: ImageShape(1, 6, 1), to: ImageShape(1, 11, 17)),
    decoding(
      "transposed conv1d 4 stride 2 padding 1",
      ConvTranspose1D(2, kernel: 4, stride: 2, padding: .amount(1), activation: .sigmoid), from: ImageShape(1, 5, 3),
      to: ImageShape(1, 10, 2)),
    decoding(
      "transposed conv1d to an odd length", ConvTranspose1D(20, kernel: 3, stride: 2, outputSize: 9),
      from: ImageShape(1, 5, 2), to: ImageShape(1, 9, 20)),
    encoding(
      "max-pool1d 3 stride 2 padding 1 to the ceiling", MaxPool1D(3, stride: 2, padding: .amount(1), ceiling: true),
      of: ImageShape(1, 8, 3), to: ImageShape(1, 5, 3)),
    encoding("average-pool1d", AveragePool1D(3, stride: 1), of: ImageShape(1, 8, 3), to: ImageShape(1, 6, 3)),
    encoding("average-pool1d 2", AveragePool1D(2), of: ImageShape(1, 8, 3), to: ImageShape(1, 4, 3)),
    decoding(
      "upsampling1d by interpolation", Upsample1D(3, mode: .linear), from: ImageShape(1, 4, 3), to: ImageShape(1, 12, 3)
    ),
    decoding("upsampling1d", Upsample1D(2), from: ImageShape(1, 4, 3), to: ImageShape(1, 8, 3)),
  ]

  private static let rearrangements: [LayerCase] = [
    decoding(
      "bilinear upsampling 2", after: [ConvTranspose2D(2, kernel: 4, stride: 2, activation: .sigmoid)],
      Upsample2D(2, mode: .bilinear), from: ImageShape(2, 2, 3), to: ImageShape(8, 8, 2)),
    decoding(
      "bilinear upsampling 3x2, aligned", Upsample2D(Extent2D(3, 2), mode: .bilinear, alignCorners: true),
      from: ImageShape(2, 4, 3), to: ImageShape(6, 8, 3)),
    decoding(
      "bilinear upsampling of one row", Upsample2D(3, mode: .bilinear, alignCorners: true), from: ImageShape(1, 3, 2),
      to: ImageShape(3, 9, 2)),
    decoding(
      "pixel shuffle", after: [ConvTranspose2D(8, kernel: 4, stride: 2, activation: .sigmoid)], PixelShuffle2D(2),
      from: ImageShape(2, 1, 3), to: ImageShape(8, 4, 2)),
    encoding(
      "pixel unshuffle", after: [conv], PixelUnshuffle2D(2), of: ImageShape(4, 6, 2), to: ImageShape(2, 3, 12)),
    encoding(
      "reshape to a vector", after: [conv], Reshape(1, 1, 60), of: ImageShape(4, 5, 2), to: ImageShape(vector: 60)),
    encoding(
      "reshape between images", after: [conv], Reshape(3, 5, 4), of: ImageShape(4, 5, 2), to: ImageShape(3, 5, 4)),
    encoding(
      "reshape of a pooled vector", after: [Conv2D(6, kernel: 3, activation: .tanh)],
      Residual {
        GlobalAveragePool2D()
        Reshape(1, 2, 3)
        Reshape(1, 3, 2)
        Dense(5 * 4 * 6)
        GroupNorm(1)
        Reshape(5, 4, 6)
      }, of: ImageShape(5, 4, 2), to: ImageShape(5, 4, 6)),
  ]
}
