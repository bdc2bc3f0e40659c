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

  @Test("a gain is expected of the layers that winograd goes to, and of none that has it")
  func expectedTimes() throws {
    for model in ModelCatalog.models {
      let plan = try ExecutionPlan(model, batchSize: 128)
      let expected = plan.uses.indices.filter { plan.winogradTime(ofUse: $0, isFilterGradient: false) != nil }
      guard let other = try? model.using(.winograd) else {
        #expect(expected.isEmpty)
        continue
      }
      let (before, after) = (plan.uses, try ExecutionPlan(other, batchSize: 128).uses)
      #expect(expected == before.indices.filter { before[$0].layer.kind != after[$0].layer.kind }, "\(model.name)")
      let none = try ExecutionPlan(other, batchSize: 128)
      #expect(none.uses.indices.allSatisfy { none.winogradTime(ofUse: $0, isFilterGradient: true) == nil })
    }
  }

  /// Medians of `bench kernels "n8 c32 h16 w16 k64 r3 s3 u1 v1 pad1 winograd conv forward"` over those without
  /// `winograd`, on Zen 5 by AVX-512 and AVX2.
  @Test(
    "expected times are as measured",
    arguments: [
      (3, 32, 64, 16, 0.42, 0.40, 0.46, 0.43), (3, 64, 128, 8, 0.39, 0.40, 0.58, 0.54),
      (3, 32, 32, 28, 0.46, 0.42, 0.49, 0.42), (4, 32, 64, 14, 0.75, 0.75, 0.87, 0.80),
      (4, 64, 128, 16, 0.53, 0.55, 0.70, 0.70), (4, 16, 32, 28, 0.81, 0.79, 0.92, 0.85),
    ] as [(Int, Int, Int, Int, Double, Double, Double, Double)])
  func measuredTimes(
    _ kernel: Int, _ from: Int, _ to: Int, _ side: Int, _ image512: Double, _ image2: Double, _ filter512: Double,
    _ filter2: Double
  ) throws {
    let model = Autoencoder("one", input: ImageShape(side, side, from), likelihood: .squaredError) {
      Conv2D(to, kernel: Extent2D(kernel, kernel), stride: Extent2D(kernel - 2, kernel - 2))
    } latent: {
      Dense(2)
    } decoder: {
      Dense(side * side * from)
      Reshape(side, side, from)
    }
    let plan = try ExecutionPlan(model, batchSize: 8, shards: 1)
    for (isFilter, times) in [(false, [image512, image2]), (true, [filter512, filter2])] {
      let expected = try #require(plan.winogradTime(ofUse: 0, isFilterGradient: isFilter))
      #expect(times.allSatisfy { abs(expected / $0 - 1) < 0.25 }, "\(expected) for \(times)")
    }
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
