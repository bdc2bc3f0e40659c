import HourglassData
import HourglassModels
import HourglassTraining

/// Principal components as the best linear autoencoder of squared error: code z = V (x - m), image x' = V^T z + m,
/// where the rows of V are the directions (Baldi & Hornik, "Neural networks and principal component analysis", 1989).
extension PrincipalComponents {
  /// The model of so many components: one dense layer each way, H x W x C to Z and back.
  public static func autoencoder(_ name: String, input: ImageShape, components: Int) -> Autoencoder {
    var model = Autoencoder(name, input: input, likelihood: .squaredError) {
    } latent: {
      Dense(components)
    } decoder: {
      Dense(input.count)
    }
    if !input.isVector { model.decoder.append(Reshape(input.height, input.width, input.channels)) }
    return model
  }

  /// Makes the components the weights of their autoencoder. The bias of the code is -V m, the bias of the image is m.
  func store(in parameters: FloatBuffer, plan: ExecutionPlan) {
    let order = plan.model.input.channelsFirstOrder
    let width = directions.count
    let biases = directions.map { direction in
      -zip(direction, mean).reduce(0) { $0 + $1.0 * $1.1 }
    }
    let values: [String: [Double]] = [
      "latent.weight": directions.flatMap { direction in order.map { direction[$0] } },
      "latent.bias": biases,
      "decoder.0.weight": order.flatMap { place in (0..<width).map { directions[$0][place] } },
      "decoder.0.bias": order.map { mean[$0] },
    ]
    for parameter in plan.parameters {
      parameter.store((values[parameter.name] ?? []).map { Float($0) }, in: parameters.pointer)
    }
  }
}

extension Trainer {
  /// Takes components as the weights of the linear autoencoder that was made for them, and writes them as the run's
  /// checkpoint of step 0. Training may go on from there.
  ///
  /// Errors: the checkpoint cannot be written.
  public func adopt(_ components: PrincipalComponents) throws {
    components.store(in: training.parameters, plan: training.plan)
    try save(isBest: true) { _ in }
  }
}

extension ImageShape {
  /// The places in memory (H, W, C) of the elements in the order of files (C, H, W).
  fileprivate var channelsFirstOrder: [Int] {
    (0..<channels).flatMap { c in (0..<height * width).map { $0 * channels + c } }
  }
}
