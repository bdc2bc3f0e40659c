import HourglassData
import HourglassModels
import TestSupport
import Testing

@testable import HourglassTraining

/// Sequences are images of height 1, whichever axis of an array has their steps.
@Suite struct SequenceTests {
  private static let model = Autoencoder("sequences", input: ImageShape(1, 12, 3), likelihood: .squaredError) {
    Conv1D(4, kernel: 3, stride: 2, activation: .relu)  // 1 x 6 x 4
  } latent: {
    Dense(3)
  } decoder: {
    Dense(6 * 4)
    Reshape(1, 6, 4)
    ConvTranspose1D(3, kernel: 4, stride: 2)  // 1 x 12 x 3
  }

  @Test func arraysOfEitherOrderAreTheSameToAModel() throws {
    try withTemporaryFolder { folder in
      let stepsFirst = (0..<5 * 12 * 3).map { Float($0) / 180 }
      let channelsFirst = (0..<5).flatMap { n in
        (0..<3).flatMap { c in (0..<12).map { stepsFirst[(n * 12 + $0) * 3 + c] } }
      }
      let (nlc, ncl) = ("\(folder)/nlc.npy", "\(folder)/ncl.npy")
      try NPYFile.write(stepsFirst, shape: [5, 12, 3], to: nlc)
      try NPYFile.write(channelsFirst, shape: [5, 3, 12], to: ncl)
      let recipe = Recipe(
        model: Self.model, data: DataSource(path: ncl), validation: DataSource(path: nlc), batchSize: 4, epochs: 1)
      for source in [recipe.data, try #require(recipe.validation), DataSource(path: nlc, split: .test)] {
        let data = try recipe.open(source)
        #expect(data.shape == Self.model.input)
        #expect(try data.images(0..<5) == stepsFirst)
      }
      // Without a model that wants sequences three axes are grey images.
      #expect(try DataSource(path: nlc).open(seed: 1).shape == ImageShape(12, 3, 1))
    }
  }

  /// The names and shapes of torch.nn.Conv1d (O x C x S) and ConvTranspose1d (I x O x S).
  @Test func parametersHaveNoHeight() throws {
    let shapes = try ExecutionPlan(Self.model, batchSize: 2).parameters.map { "\($0.name) \($0.shape)" }
    #expect(
      shapes.filter { !$0.contains("latent") && !$0.contains("decoder.0") } == [
        "encoder.0.weight [4, 3, 3]", "encoder.0.bias [4]", "decoder.2.weight [4, 3, 4]", "decoder.2.bias [3]",
      ])
  }
}
