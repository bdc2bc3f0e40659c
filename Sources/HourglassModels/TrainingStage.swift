/// A few layers of a model as a model of their own, which reads the codes of the layers below: what one stage of greedy
/// layer-wise training trains while all other layers stay as they are.
public struct TrainingStage: Sendable {
  public let model: Autoencoder
  /// What the whole model calls the layers of this one, by their names here. Layers without such a name are dropped
  /// afterwards.
  public let layers: [String: String]
}

extension Autoencoder {
  /// The stages of greedy layer-wise pre-training: for each dense or convolutional layer of encoder and latent, with
  /// the pools behind it and the noise in front of it, an untied autoencoder whose target is its clean input.
  ///
  ///     stage k:  h[k] = encode_k(h[k-1]),  minimises L(h[k-1], decode_k(h[k])),  h[0] = the image
  ///
  /// A decoder that comes by the same shapes as the encoder, in reverse order, is cut into those of the stages, which
  /// then are part of the result; their loss is the model's own in the first stage and squared error in the others.
  /// Otherwise each stage gets a mirror of its layer, which is dropped: with a Bernoulli likelihood where its input
  /// lies in [0, 1] (images, and what a sigmoid puts out), else with squared error. Penalties hold for each code.
  ///
  /// With an objective each stage is a restricted Boltzmann machine, all of them a deep belief network: dense layers
  /// with sigmoid units, whose mirrors are tied to them. The visible biases are kept where the model's decoder is tied
  /// too.
  ///
  /// Sources: Hinton, Osindero & Teh, "A fast learning algorithm for deep belief nets", Neural Computation 2006; Hinton
  /// & Salakhutdinov, Science 2006; Bengio et al., "Greedy layer-wise training of deep networks", NIPS
  /// 2006; Vincent et al., "Stacked denoising autoencoders", JMLR 2010.
  ///
  /// Errors: a layer that cannot follow the one before, or that no mirror undoes.
  ///
  /// - Parameter objective: of each stage; nil for that of the model.
  public func pretrainingStages(objective: Objective? = nil) throws(ModelError) -> [TrainingStage] {
    if conditionClasses != nil {
      throw ModelError(name, "wanted layers that read no labels, to be trained one by one, found a Condition")
    }
    var planner = try Planner(name: "input", input: input)
    let blocks = try encoderBlocks(&planner)
    let objective = objective ?? self.objective
    let decoders = try objective != nil ? nil : decoderBlocks(&planner, leadingTo: blocks.map(\.input).reversed())
    var stages: [TrainingStage] = []
    for (k, block) in blocks.enumerated() {
      var stage = self
      stage.name = "\(name), stage \(k + 1)"
      stage.input = block.input
      var layers = Self.names("encoder", block.items.dropLast())
      layers[Planner.latentName] = block.items.last?.name
      let items = try Self.renamed(block.items, layers)
      (stage.encoder, stage.latent) = (Array(items.dropLast()), items[items.count - 1])
      if let objective {
        (stage.objective, stage.likelihood) = (objective, .squaredError)
        stage.decoder = [TiedDense(to: Planner.latentName, activation: block.isUnit ? .sigmoid : .linear)]
        let tied = decoder.firstIndex { ($0 as? TiedDense)?.to == layers[Planner.latentName] }
        layers["decoder.0"] = tied.map { "decoder.\($0)" }
      } else if let own = decoders?[blocks.count - 1 - k] {
        stage.decoder = try Self.renamed(own, layers)
        stage.likelihood = k == 0 ? likelihood : .squaredError
        layers.merge(Self.names("decoder", own[...])) { first, _ in first }
      } else {
        stage.decoder = block.mirror
        stage.likelihood = block.isUnit ? .bernoulli : .squaredError
      }
      do { _ = try stage.planned() } catch { throw ModelError("stage \(k + 1), \(error.place)", error.reason) }
      stages.append(TrainingStage(model: stage, layers: layers))
    }
    return stages
  }

  /// The layers behind the code as a model that reads codes and learns their labels.
  ///
  /// Errors: a model that puts out images, or labels without a layer behind the code.
  public func headStage() throws(ModelError) -> TrainingStage {
    guard likelihood.target == .label else {
      throw ModelError(name, "wanted a model that puts out labels, found the likelihood \(likelihood.name)")
    }
    guard !decoder.isEmpty else {
      throw ModelError(
        "decoder", "wanted a layer behind the code that learns the labels, such as Dense(10), found none")
    }
    let plan = try ExecutionPlan(self, batchSize: 1)
    var head = self
    head.name = "\(name), head"
    head.input = plan.values[plan.code].shape
    let items = decoder.enumerated().map { Item(name: "decoder.\($0)", layer: $1) }
    var layers = Self.names("decoder", items.dropFirst())
    layers[Planner.latentName] = items[0].name
    let renamed = try Self.renamed(items, layers)
    (head.encoder, head.latent, head.decoder, head.penalties) = ([], renamed[0], Array(renamed.dropFirst()), [])
    return TrainingStage(model: head, layers: layers)
  }

  /// The way from the image to the code without penalties or an objective, and behind the code a linear layer with a
  /// logit for each class.
  public func classifier(classes: Int) -> Autoencoder { labelled(.categorical, outputs: classes) }

  /// The way from the image to the code without penalties or an objective, and behind the code a linear layer with one
  /// output.
  public func regressor() -> Autoencoder { labelled(.labelSquaredError, outputs: 1) }

  private func labelled(_ likelihood: Likelihood, outputs: Int) -> Autoencoder {
    var model = self
    model.name = "\(name), \(likelihood.name)"
    (model.likelihood, model.decoder) = (likelihood, [Dense(outputs)])
    (model.penalties, model.objective) = ([], nil)
    return model
  }

  /// Layers of the whole model as layers of a stage, in which those that they name are called otherwise.
  ///
  /// Errors: a layer that names one of another stage.
  private static func renamed(_ items: [Item], _ layers: [String: String]) throws(ModelError) -> [any Layer] {
    var refusal: ModelError?
    func rename(_ layer: any Layer, _ place: String) -> any Layer {
      guard var layer = layer as? any NamingLayer else { return layer }
      let there = layer.named
      guard let own = layers.first(where: { there == $0.value || there.hasPrefix($0.value + ".") }) else {
        refusal = ModelError(
          place, "reads \(there), which another stage trains, so that the layers cannot be trained one by one")
        return layer
      }
      layer.named = own.key + there.dropFirst(own.value.count)
      return layer
    }
    let renamed = items.map { ($0.layer as? any Block)?.mapped($0.name, rename) ?? rename($0.layer, $0.name) }
    if let refusal { throw refusal }
    return renamed
  }

  private static func names(_ part: String, _ items: ArraySlice<Item>) -> [String: String] {
    Dictionary(uniqueKeysWithValues: items.enumerated().map { ("\(part).\($0)", $1.name) })
  }

  /// A layer and its name.
  private struct Item {
    let name: String
    let layer: any Layer
  }

  /// The layers of one stage.
  private struct Part {
    var input: ImageShape
    /// What its layers make of the input.
    var output: ImageShape
    /// Whether what it reads lies in [0, 1].
    var isUnit: Bool
    var items: [Item] = []
    /// Whether one of its layers is dense or convolutional.
    var multiplies = false

    /// The layers that lead from its code back to its input, with a linear end.
    var mirror: [any Layer] {
      if items.contains(where: { $0.layer is any Block }), !output.isVector {
        let stride = Extent2D(
          (input.height + output.height - 1) / output.height, (input.width + output.width - 1) / output.width)
        return [
          ConvTranspose2D(
            input.channels, kernel: Extent2D(stride.height + 2, stride.width + 2), stride: stride,
            outputSize: Extent2D(input.height, input.width))
        ]
      }
      guard let convolution = items.lazy.compactMap({ $0.layer as? Conv2D }).first else {
        let dense: [any Layer] = [Dense(input.count)]
        return input.isVector ? dense : dense + [Reshape(input.height, input.width, input.channels)]
      }
      var (kernel, stride, padding) = (convolution.kernel, convolution.stride, convolution.padding)
      if let pool = items.lazy.compactMap({ $0.layer as? MaxPool2D }).first {
        // All that one pooled value sees.
        let (window, step) = (pool.kernel, pool.stride ?? pool.kernel)
        kernel = Extent2D(
          kernel.height + stride.height * (window.height - 1), kernel.width + stride.width * (window.width - 1))
        (stride, padding) = (Extent2D(stride.height * step.height, stride.width * step.width), .same)
      }
      return [
        ConvTranspose2D(
          input.channels, kernel: kernel, stride: stride, padding: padding,
          outputSize: Extent2D(input.height, input.width))
      ]
    }
  }

  /// Encoder and latent, cut in front of each layer with a product, or of the noise in front of it.
  private func encoderBlocks(_ planner: inout Planner) throws(ModelError) -> [Part] {
    var blocks = [Part(input: input, output: input, isUnit: true)]
    var isUnit = true
    let items = encoder.enumerated().map { Item(name: "encoder.\($0)", layer: $1) }
    for item in items + [Item(name: Planner.latentName, layer: latent)] {
      let (before, count) = (planner.shape, planner.uses.count)
      planner.name = item.name
      try item.layer.plan(&planner)
      let planned = planner.uses[count...].map(\.layer)
      let multiplies = planned.contains { $0.multiplyAdds > 0 }
      if blocks[blocks.count - 1].multiplies, multiplies || planned.contains(where: { $0 is any PlannedNoise }) {
        blocks.append(Part(input: before, output: before, isUnit: isUnit))
      }
      blocks[blocks.count - 1].items.append(item)
      blocks[blocks.count - 1].output = planner.shape
      if multiplies { blocks[blocks.count - 1].multiplies = true }
      if let last = planned.last, last.parameterCount > 0 { isUnit = last.activation == .sigmoid }
    }
    if let last = blocks.last, !last.multiplies {
      guard blocks.count > 1 else {
        throw ModelError(name, "wanted a dense or convolutional layer in encoder or latent to train, found none")
      }
      blocks.removeLast()
      blocks[blocks.count - 1].items += last.items
      blocks[blocks.count - 1].output = last.output
    }
    return blocks
  }

  /// The decoder, cut where it comes by the given shapes; nil where it does not, where layers borrow from the encoder,
  /// or where it puts out labels.
  private func decoderBlocks(
    _ planner: inout Planner, leadingTo shapes: [ImageShape]
  ) throws(ModelError) -> [[Item]]? {
    guard likelihood.target == .image,
      !decoder.leaves.contains(where: { $0 is TiedDense || $0 is TiedConvTranspose2D || $0 is Concat })
    else { return nil }
    var blocks: [[Item]] = [[]]
    var multiplies = false
    for (i, layer) in decoder.enumerated() {
      // What follows the last shape belongs to the last stage.
      if multiplies, blocks.count < shapes.count, planner.shape == shapes[blocks.count - 1] {
        blocks.append([])
        multiplies = false
      }
      let count = planner.uses.count
      planner.name = "decoder.\(i)"
      try layer.plan(&planner)
      multiplies = multiplies || planner.uses[count...].contains { $0.layer.multiplyAdds > 0 }
      blocks[blocks.count - 1].append(Item(name: planner.name, layer: layer))
    }
    return blocks.count == shapes.count && multiplies ? blocks : nil
  }
}
