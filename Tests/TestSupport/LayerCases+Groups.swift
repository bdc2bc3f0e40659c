import HourglassModels

/// Rows of convolutions with dilation and with groups.
extension LayerCases {
  static let grouped: [LayerCase] = [
    encoding(
      "conv dilation 2", Conv2D(3, kernel: 3, dilation: 2, activation: .relu), of: ImageShape(9, 8, 2),
      to: ImageShape(9, 8, 3)),
    encoding(
      "conv dilation 3x2 stride 2", after: [Conv2D(4, kernel: 3, activation: .sigmoid)],
      Conv2D(
        3, kernel: 3, stride: 2, padding: .amount(Extent2D(3, 1)), dilation: Extent2D(3, 2), activation: .tanh),
      of: ImageShape(10, 9, 2), to: ImageShape(5, 4, 3)),
    encoding(
      "conv of height 1, dilation 4",
      Conv2D(3, kernel: Extent2D(1, 3), dilation: Extent2D(1, 4), activation: .relu), of: ImageShape(1, 17, 2),
      to: ImageShape(1, 17, 3)),
    encoding(
      "conv groups 2", after: [Conv2D(4, kernel: 3, activation: .tanh)],
      Conv2D(6, kernel: 3, stride: 2, groups: 2, activation: .relu), of: ImageShape(7, 5, 2), to: ImageShape(4, 3, 6)),
    encoding(
      "conv 1x1 groups 3", Conv2D(9, kernel: 1, groups: 3, bias: false), of: ImageShape(4, 4, 3),
      to: ImageShape(4, 4, 9)),
    encoding(
      "depthwise", after: [Conv2D(18, kernel: 3, activation: .relu)],
      Conv2D(18, kernel: 3, stride: 2, groups: 18, activation: .relu), of: ImageShape(7, 6, 2), to: ImageShape(4, 3, 18)
    ),
    encoding(
      "depthwise, few channels", after: [Conv2D(5, kernel: 1, activation: .sigmoid)],
      Conv2D(5, kernel: 5, groups: 5, activation: .tanh), of: ImageShape(6, 5, 2), to: ImageShape(6, 5, 5)),
    encoding(
      "depthwise, 2 filters for each channel", after: [Conv2D(9, kernel: 1, activation: .relu)],
      Conv2D(18, kernel: Extent2D(3, 2), padding: .amount(1), dilation: Extent2D(1, 3), groups: 9),
      of: ImageShape(5, 6, 2), to: ImageShape(5, 5, 18)),
    encoding(
      "depthwise, reflected", Conv2D(3, kernel: 3, paddingMode: .reflect, dilation: 2, groups: 3),
      of: ImageShape(6, 5, 3), to: ImageShape(6, 5, 3)),
    decoding(
      "transposed groups 2", after: [ConvTranspose2D(4, kernel: 3, activation: .tanh)],
      ConvTranspose2D(6, kernel: 4, stride: 2, groups: 2, activation: .relu), from: ImageShape(3, 2, 3),
      to: ImageShape(6, 4, 6)),
    decoding(
      "transposed depthwise", after: [ConvTranspose2D(17, kernel: 1, activation: .relu)],
      ConvTranspose2D(17, kernel: 4, stride: 2, groups: 17, activation: .sigmoid), from: ImageShape(3, 2, 3),
      to: ImageShape(6, 4, 17)),
    decoding(
      "transposed depthwise, 2 filters for each channel", ConvTranspose2D(6, kernel: 3, groups: 3),
      from: ImageShape(4, 3, 3), to: ImageShape(4, 3, 6)),
    decoding(
      "transposed dilation 2 stride 2",
      ConvTranspose2D(2, kernel: 3, stride: 2, padding: .amount(1), dilation: 2, activation: .relu),
      from: ImageShape(3, 4, 3), to: ImageShape(7, 9, 2)),
    decoding(
      "transposed dilation 3 stride 2 to an even size",
      ConvTranspose2D(
        2, kernel: Extent2D(2, 3), stride: 2, padding: .amount(1), outputSize: Extent2D(8, 13), dilation: 3),
      from: ImageShape(3, 4, 4), to: ImageShape(8, 13, 2)),
  ]
}
