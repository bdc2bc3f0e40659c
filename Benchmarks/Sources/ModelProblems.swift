import HourglassModels

/// A problem under the name by which people ask for it: `conv-vae-28/encoder.1/backward-filter`.
struct KernelCase {
  var name: String
  var problem: Problem
  /// The model, or the family of nets, under which the case is summed up; nil for a problem alone.
  var family: String?

  /// A case for each pass that a training step of the model runs; the first layer with parameters needs no data
  /// gradient.
  static func cases(of model: Autoencoder, samples: Int) throws -> [KernelCase] {
    let plan = try ExecutionPlan(model, batchSize: samples)
    return plan.uses.flatMap { use -> [KernelCase] in
      let layer = use.layer
      guard let forward = Problem(layer, of: model, samples: samples) else { return [] }
      let passes = forward.operation.passes.filter { plan.values[use.input].error != nil || $0 != .backwardData }
      return passes.map { pass in
        var problem = forward
        problem.pass = pass
        return KernelCase(
          name: "\(model.name)/\(layer.name)/\(pass.rawValue)", problem: problem, family: model.name)
      }
    }
  }
}

extension Problem {
  /// The forward pass of a layer; nil for layers that are no operation of this benchmark.
  fileprivate init?(_ planned: any PlannedLayer, of model: Autoencoder, samples: Int) {
    let (input, output) = (planned.input, planned.output)
    func problem(
      _ operation: Operation, _ kernel: Extent2D, _ stride: Extent2D, _ padding: Padding, dilation: Extent2D = 1,
      groups: Int = 1
    ) -> Problem {
      let (large, small) = operation == .convt ? (output, input) : (input, output)
      let amount =
        switch padding {
        case .amount(let amount): amount
        case .sides(let sides): Extent2D(sides.top, sides.left)
        case .same: Self.samePadding(large, small, Self.extent(kernel, dilation), stride)
        }
      return Problem(
        operation, .forward, samples: samples, input: input, outputChannels: output.channels, kernel: kernel,
        stride: stride, padding: amount, dilation: dilation, groups: groups,
        outputSize: Extent2D(output.height, output.width))
    }
    if planned is PlannedDense {
      self.init(dense: .forward, samples: samples, inputs: input.count, outputs: output.count)
      return
    }
    // A fork behind a layer has the layer's name.
    guard let layer = model.layer(named: planned.name), planned.kind.hasPrefix(type(of: layer).kind) else { return nil }
    switch layer {
    case let layer as Conv2D:
      self = problem(
        .conv, layer.kernel, layer.stride, layer.padding, dilation: layer.dilation, groups: layer.groups)
      algorithm = layer.algorithm
    case let layer as ConvTranspose2D:
      self = problem(
        .convt, layer.kernel, layer.stride, layer.padding, dilation: layer.dilation, groups: layer.groups)
      algorithm = layer.algorithm
    case let layer as TiedConvTranspose2D:
      guard let lender = model.layer(named: layer.to) as? Conv2D else { return nil }
      self = problem(
        .convt, lender.kernel, lender.stride, lender.padding, dilation: lender.dilation, groups: lender.groups)
      algorithm = lender.algorithm
    case let layer as MaxPool2D: self = problem(.pool, layer.kernel, layer.stride ?? layer.kernel, layer.padding)
    default: return nil
    }
  }
}

extension [KernelCase] {
  /// The cases without those whose problem stands earlier in the list under another name.
  var distinct: [KernelCase] {
    var seen = Set<Problem>()
    return filter { seen.insert($0.problem).inserted }
  }
}
