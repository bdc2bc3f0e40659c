import HourglassModels
import Testing

@Suite struct AlgorithmTests {
  private static func kinds(_ model: Autoencoder) throws -> [String] {
    try ExecutionPlan(model, batchSize: 1).uses.map(\.layer).map { "\($0.name) \($0.kind)" }
  }

  @Test("winograd goes to the convolutions that gain, and from there to their mirrors")
  func tiedLayersFollow() throws {
    let before = try Self.kinds(convTiedAE28)
    let after = try Self.kinds(convTiedAE28.using(.winograd))
    let changed = zip(before, after).filter { $0 != $1 }.map(\.1)
    // encoder.0 has one channel, and the dense layers have no such form.
    #expect(changed == ["encoder.1 Conv2D, winograd", "decoder.1 TiedConvTranspose2D, winograd"])
    #expect(try Self.kinds(convTiedAE28.using(.winograd).using(.direct)) == before)
  }

  @Test("a model in which no convolution gains is refused, and says what would")
  func nothingGains() throws {
    let model = Autoencoder("thin", input: ImageShape(8, 8, 1), likelihood: .squaredError) {
      Conv2D(15, kernel: 3)
      Conv2D(16, kernel: 5)
    } latent: {
      Dense(4)
    } decoder: {
      Dense(8 * 8)
      Reshape(8, 8, 1)
    }
    let sentence =
      "thin: no convolution gains by winograd: wanted a kernel of 3 x 3 and a stride of 1, or 4 x 4 and 2, between "
      + "16 channels or more, and a filter that takes no more than 4 MB in this form"
    #expect {
      try model.using(.winograd)
    } throws: {
      "\($0)" == sentence
    }
    #expect(try Self.kinds(model.using(.direct)) == Self.kinds(model))
  }
}
