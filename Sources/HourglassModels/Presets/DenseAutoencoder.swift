/// Dense autoencoder with four layers on each side for 28x28 grey images, a code of 30 numbers.
///
///     784 - 1000 - 500 - 250 - 30 - 250 - 500 - 1000 - 784
///
/// Source: Hinton & Salakhutdinov, "Reducing the dimensionality of data with neural networks", Science 2006. There
/// units are logistic and layers trained in advance one by one; rectified units train from a random start.
public let deepAE = Autoencoder.dense([784, 1000, 500, 250, 30], name: "deep-ae")

/// Dense variational autoencoder for 28x28 grey images, a code of 50 numbers and hidden units of tanh.
///
///     784 - 200 - 200 - 50 - 200 - 200 - 784
///
/// Source: Burda, Grosse & Salakhutdinov, "Importance weighted autoencoders", ICLR 2016, one stochastic layer.
public let denseVAE = Autoencoder.dense(
  [784, 200, 200, 50], name: "dense-vae", activation: .tanh, likelihood: .bernoulli, isVariational: true)

extension Autoencoder {
  /// A dense autoencoder from one list of sizes: from the input to the code, and back the same way.
  ///
  /// The output ends in logits where the likelihood is Bernoulli, is linear where all units are, and logistic else.
  ///
  /// - Parameters:
  ///   - sizes: elements of an image, units of each layer of the encoder, units of the code: at least two numbers.
  ///   - name: of the model; nil for the sizes, 784-1000-30.
  ///   - input: of as many elements as the first size; nil for a square image of 1 or 3 channels where the size is
  ///     such, else a vector.
  ///   - activation: of all units but those of the code and the output.
  ///   - code: the activation of the code.
  ///   - isTied: whether the decoder's weights are those of the encoder, transposed.
  ///   - isVariational: whether the code is a Gaussian latent, which has no activation and ties no weight.
  public static func dense(
    _ sizes: [Int], name: String? = nil, input: ImageShape? = nil, activation: Activation = .relu,
    code: Activation = .linear, likelihood: Likelihood = .squaredError, isTied: Bool = false,
    isVariational: Bool = false
  ) -> Autoencoder {
    let name = name ?? sizes.map(String.init).joined(separator: "-")
    let size = sizes.first ?? 0
    let input = input ?? squareImage(of: size) ?? ImageShape(vector: size)
    let output: Activation = likelihood.numbers != nil || activation == .linear ? .linear : .sigmoid
    let heads = likelihood.outputsPerElement
    let hidden = Array(sizes.dropFirst().dropLast())
    // Without a second size the code has no units, which planning refuses.
    let units = sizes.dropFirst().last ?? 0

    var model = Autoencoder(name, input: input, likelihood: likelihood) {
    } latent: {
      Dense(units, activation: code)
    } decoder: {
    }
    if isVariational { model.latent = GaussianLatent(units) }
    model.encoder = hidden.map { Dense($0, activation: activation) }
    if isTied {
      let names = ["latent"] + hidden.indices.reversed().map { "encoder.\($0)" }
      let activations = hidden.map { _ in activation } + [output]
      model.decoder = zip(names, activations).map { TiedDense(to: $0, activation: $1) }
    } else {
      model.decoder =
        hidden.reversed().map { Dense($0, activation: activation) } + [Dense(heads * size, activation: output)]
      if !input.isVector { model.decoder.append(Reshape(input.height, input.width, heads * input.channels)) }
    }
    return model
  }

  /// The dense autoencoder that a text describes, nil where it is no list of sizes: `784-1000-500-250-30`, the first
  /// also as a shape (`28x28x1-1000-30`), and behind commas the activation, the likelihood, `tied` or `variational`:
  /// `784-500-30,tanh,bernoulli,tied`. With a likelihood of labels the last size is that of the output, and the code
  /// has the activation too: `784-1000-1000-10,sigmoid,categorical`.
  ///
  /// Errors: `ModelError` that names the part which is not understood.
  public static func dense(describedBy text: String) throws(ModelError) -> Autoencoder? {
    let words = text.split(separator: ",", omittingEmptySubsequences: false).map(String.init)
    let parts = (words.first ?? "").split(separator: "-", omittingEmptySubsequences: false).map(String.init)
    guard parts.count > 1,
      parts.allSatisfy({ !$0.isEmpty && $0.allSatisfy { $0.isASCII && ($0.isNumber || $0 == "x") } })
    else { return nil }
    let extents = parts[0].split(separator: "x", omittingEmptySubsequences: false).compactMap { Int($0) }
    let isShape = parts[0].contains("x")
    guard extents.count == (isShape ? 3 : 1), extents.allSatisfy({ (1...Planner.mostExtent).contains($0) || !isShape })
    else { throw ModelError(text, "wanted elements or height x width x channels in front, found \(parts[0])") }
    var sizes = [extents.reduce(1, *)]
    for part in parts.dropFirst() {
      guard let size = Int(part) else { throw ModelError(text, "wanted a number of units, found \(part)") }
      sizes.append(size)
    }
    let likelihoods = Likelihood.withoutParameters
    var (activation, likelihood, isTied, isVariational) = (Activation.relu, Likelihood.squaredError, false, false)
    for word in words.dropFirst() {
      if let named = Activation(word) {
        activation = named
      } else if let named = likelihoods.first(where: { $0.name == word }) {
        likelihood = named
      } else if word == "tied" {
        isTied = true
      } else if word == "variational" {
        isVariational = true
      } else {
        let known = Activation.allCases.map(\.description) + likelihoods.map(\.name) + ["tied", "variational"]
        throw ModelError(text, "wanted one of \(known.joined(separator: ", ")), found \(word)")
      }
    }
    guard !isVariational || !isTied && likelihood.target == .image else {
      throw ModelError(
        text,
        "wanted no \(isTied ? "tied" : likelihood.name) beside variational, whose code is a distribution, found both")
    }
    guard !isTied || likelihood.outputsPerElement == 1 else {
      throw ModelError(
        text, "wanted nothing tied with \(likelihood.name), whose output has two numbers for each element, found tied")
    }
    if likelihood.target == .label {
      guard sizes.count > 2, !isTied else {
        throw ModelError(
          text,
          "wanted sizes of an input, of at least one layer and of the labels' output, nothing tied, found "
            + "\(sizes.count) sizes" + (isTied ? ", tied" : ""))
      }
      var model = dense(
        Array(sizes.dropLast()), name: text, input: isShape ? ImageShape(extents[0], extents[1], extents[2]) : nil,
        activation: activation, code: activation)
      (model.likelihood, model.decoder) = (likelihood, [Dense(sizes[sizes.count - 1])])
      return model
    }
    return dense(
      sizes, name: text, input: isShape ? ImageShape(extents[0], extents[1], extents[2]) : nil,
      activation: activation, likelihood: likelihood, isTied: isTied, isVariational: isVariational)
  }

  /// The square image of 1 or 3 channels that has so many elements.
  private static func squareImage(of elements: Int) -> ImageShape? {
    guard (2...Planner.mostExtent * Planner.mostExtent).contains(elements) else { return nil }
    return [1, 3].lazy.compactMap { channels in
      let side = Int(clamping: (Double(elements) / Double(channels)).squareRoot().rounded())
      return side * side * channels == elements ? ImageShape(side, side, channels) : nil
    }.first
  }
}
