import ArgumentParser
import HourglassModels

/// A problem under the name by which people ask for it: `conv-vae-28/encoder.1/backward-filter`.
struct KernelCase {
  var name: String
  var problem: Problem

  /// A case for each pass that a training step of the model runs; the first layer with parameters needs no data
  /// gradient.
  static func cases(of model: Autoencoder, samples: Int) throws -> [KernelCase] {
    let plan = try ExecutionPlan(model, batchSize: samples)
    return try plan.uses.flatMap { use -> [KernelCase] in
      let layer = use.layer
      guard let written = model.layer(named: layer.name),
        let forward = try Problem(layer, written, samples: samples)
      else { return [] }
      let passes = forward.operation.passes.filter { plan.values[use.input].error != nil || $0 != .backwardData }
      return passes.map { pass in
        var problem = forward
        problem.pass = pass
        return KernelCase(name: "\(model.name)/\(layer.name)/\(pass.rawValue)", problem: problem)
      }
    }
  }
}

extension Problem {
  /// The forward pass of a layer; nil for layers that are no operation of this benchmark.
  fileprivate init?(_ planned: any PlannedLayer, _ layer: any Layer, samples: Int) throws {
    let (input, output) = (planned.input, planned.output)
    func problem(_ operation: Operation, _ kernel: Extent2D, _ stride: Extent2D, _ padding: Padding) throws -> Problem {
      let (large, small) = operation == .convt ? (output, input) : (input, output)
      let amount =
        switch padding {
        case .amount(let amount): amount
        case .same:
          Extent2D(
            max(0, (small.height - 1) * stride.height + kernel.height - large.height) / 2,
            max(0, (small.width - 1) * stride.width + kernel.width - large.width) / 2)
        }
      let problem = Problem(
        operation: operation, pass: .forward, samples: samples, input: input, outputChannels: output.channels,
        kernel: kernel, stride: stride, padding: amount)
      guard problem.output == output else {
        throw ValidationError("\(planned.name): wanted the same padding on both sides, so that peers can follow")
      }
      return problem
    }
    switch layer {
    case let layer as Conv2D:
      self = try problem(.conv, layer.kernel, layer.stride, layer.padding)
      algorithm = layer.algorithm
    case let layer as ConvTranspose2D:
      self = try problem(.convt, layer.kernel, layer.stride, layer.padding)
      algorithm = layer.algorithm
    case let layer as MaxPool2D: self = try problem(.pool, layer.kernel, layer.stride ?? layer.kernel, layer.padding)
    default:
      guard planned is PlannedDense else { return nil }
      self.init(
        operation: .dense, pass: .forward, samples: samples, input: ImageShape(vector: input.count),
        outputChannels: output.count)
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
