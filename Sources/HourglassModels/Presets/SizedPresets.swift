/// Presets for images of any size, named `NAME@HxWxC`: `conv-vae@128x96x3`.
///
/// Convolutional ones halve each axis while it has at least 8 pixels, so that the smallest image has 4 to 7 along it;
/// an odd extent is rounded up. Filters are 32, 64, 128 and from there on 256, the code has as many units as the last
/// stage has filters but at most 128. At 28x28x1 `conv-ae` is so `conv-ae-28`, at 32x32x3 `conv-ae-32`, and `conv-vae`
/// at 64x64x3 `conv-vae-64`. Dense ones keep their hidden layers and code.
///
/// Behind commas `linear` makes the output linear, for images beyond [0, 1], and a likelihood takes the place of the
/// preset's: `conv-ae@128x128x3,ssim`.
extension Autoencoder {
  /// What may stand before the `@`.
  public static let sizedPresets = ["conv-ae", "conv-dae", "conv-tied-ae", "conv-vae"] + denseModels.map(\.name)

  private static let denseModels = [deepAE, sparseAE, contractiveAE, rbm500, denseVAE]

  /// The preset that a text names with its size; nil where there is no `@` in it.
  ///
  /// Errors: `ModelError` that says which part is not understood.
  public static func preset(sizedBy text: String) throws(ModelError) -> Autoencoder? {
    let words = text.split(separator: ",", omittingEmptySubsequences: false).map(String.init)
    let parts = words[0].split(separator: "@", omittingEmptySubsequences: false).map(String.init)
    guard parts.count == 2 else { return nil }
    let extents = parts[1].split(separator: "x", omittingEmptySubsequences: false).map { Int($0) ?? 0 }
    guard sizedPresets.contains(parts[0]) else {
      throw ModelError(text, "wanted one of \(sizedPresets.joined(separator: ", ")) before the @, found \(parts[0])")
    }
    guard extents.count == 3, extents.allSatisfy({ (1...Planner.mostExtent).contains($0) }) else {
      throw ModelError(
        text, "wanted height x width x channels behind the @, such as \(parts[0])@128x96x3, found \(parts[1])")
    }
    let input = ImageShape(extents[0], extents[1], extents[2])
    var model = denseModels.first { $0.name == parts[0] }
    if let dense = model {
      // The decoder's last layers make the image; a tied one follows the encoder.
      model?.input = input
      model?.decoder = dense.decoder.map { layer in
        if layer is Reshape { return Reshape(input.height, input.width, input.channels) }
        guard var last = layer as? Dense, last.units == dense.input.count else { return layer }
        last.units = input.count
        return last
      }
    } else {
      guard !input.isVector else {
        throw ModelError(
          text,
          "wanted images of more than one pixel, found \(input); sizes make a model of a vector: "
            + "\(input.channels)-64-16")
      }
      model = convolutional(parts[0], input)
    }
    model?.name = text
    for word in words.dropFirst() { try model?.change(to: word) }
    return model
  }

  private mutating func change(to word: String) throws(ModelError) {
    let likelihoods = Likelihood.withoutParameters.filter { $0.target == .image && $0.outputsPerElement == 1 }
    if let named = likelihoods.first(where: { $0.name == word }) {
      likelihood = named
    } else if word != "linear" {
      let known = ["linear"] + likelihoods.map(\.name)
      throw ModelError(name, "wanted one of \(known.joined(separator: ", ")) behind the size, found \(word)")
    }
    guard word == "linear" || likelihood.numbers != nil else { return }
    guard let place = decoder.lastIndex(where: { !($0 is Reshape) }) else { return }
    switch decoder[place] {
    case var last as Dense:
      last.activation = .linear
      decoder[place] = last
    case var last as TiedDense:
      last.activation = .linear
      decoder[place] = last
    case var last as ConvTranspose2D:
      last.activation = .linear
      decoder[place] = last
    case var last as TiedConvTranspose2D:
      last.activation = .linear
      decoder[place] = last
    default: break
    }
  }

  private static func convolutional(_ name: String, _ input: ImageShape) -> Autoencoder {
    let (isPooled, isTied) = (name == "conv-ae" || name == "conv-dae", name == "conv-tied-ae")
    var sizes = [Extent2D(input.height, input.width)]
    while let last = sizes.last, sizes.count == 1 || max(last.height, last.width) >= smallest {
      sizes.append(halved(last, least: sizes.count == 1 ? 2 : smallest))
    }
    let filters = (0..<sizes.count - 1).map { min(32 << min($0, 3), 256) }
    let (last, end) = (filters[filters.count - 1], sizes[sizes.count - 1])
    let code = min(last, 128)
    var model = Autoencoder(name, input: input, likelihood: .squaredError) {
    } latent: {
      Dense(code)
    } decoder: {
    }
    if name == "conv-vae" { model.latent = GaussianLatent(code) }
    if name == "conv-dae" { model.encoder.append(GaussianNoise(0.3)) }
    if isTied {
      model.decoder.append(TiedDense(to: "latent", activation: .relu))
    } else {
      model.decoder += [
        Dense(end.height * end.width * last, activation: .relu), Reshape(end.height, end.width, last),
      ]
    }
    for (i, large) in sizes.dropLast().enumerated() {
      let small = sizes[i + 1]
      let stride = Extent2D(large.height == small.height ? 1 : 2, large.width == small.width ? 1 : 2)
      if isPooled {
        let isExact = small.height * stride.height == large.height && small.width * stride.width == large.width
        model.encoder += [
          Conv2D(filters[i], kernel: Extent2D(min(large.height, 3), min(large.width, 3)), activation: .relu),
          MaxPool2D(stride, padding: isExact ? .amount(0) : .same),
        ]
      } else {
        model.encoder.append(Conv2D(filters[i], kernel: kernel(large, stride), stride: stride, activation: .relu))
      }
    }
    for (i, large) in sizes.dropLast().enumerated().reversed() {
      let small = sizes[i + 1]
      let stride = Extent2D(large.height == small.height ? 1 : 2, large.width == small.width ? 1 : 2)
      let natural = Extent2D(small.height * stride.height, small.width * stride.width)
      let activation: Activation = i == 0 ? .sigmoid : .relu
      model.decoder.append(
        isTied
          ? TiedConvTranspose2D(to: "encoder.\(i)", activation: activation)
          : ConvTranspose2D(
            i == 0 ? input.channels : filters[i - 1], kernel: kernel(large, stride), stride: stride,
            outputSize: natural == large ? nil : large, activation: activation))
    }
    return model
  }

  /// Pixels along an axis from which on it is halved.
  private static let smallest = 8

  private static func halved(_ size: Extent2D, least: Int) -> Extent2D {
    Extent2D(
      size.height < least ? size.height : (size.height + 1) / 2, size.width < least ? size.width : (size.width + 1) / 2)
  }

  /// Twice the stride where an axis is halved, else 3, or 1 where the axis has no neighbours.
  private static func kernel(_ size: Extent2D, _ stride: Extent2D) -> Extent2D {
    func along(_ extent: Int, _ stride: Int) -> Int { stride == 2 ? 4 : extent == 1 ? 1 : 3 }
    return Extent2D(along(size.height, stride.height), along(size.width, stride.width))
  }
}
