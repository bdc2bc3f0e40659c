import Foundation
import HourglassModels
import TestSupport
import Testing

/// Dense autoencoders from one list of sizes.
@Suite struct DenseAutoencoderTests {
  /// Name or text, the shape of the input, and all that runs: units and activation of each layer.
  @Test(arguments: [
    ("784-1000-30", "28 x 28 x 1", "1000 relu, 30 linear, 1000 relu, 28 x 28 x 1 sigmoid"),
    ("28x28x1-40", "28 x 28 x 1", "40 linear, 28 x 28 x 1 sigmoid"),
    ("3072-64-8,tanh", "32 x 32 x 3", "64 tanh, 8 linear, 64 tanh, 32 x 32 x 3 sigmoid"),
    ("10-4,bernoulli", "10", "4 linear, 10 linear"),
    ("1x1x16-4,linear", "16", "4 linear, 16 linear"),
    ("16-5-2,elu,tied", "4 x 4 x 1", "5 elu, 2 linear, 5 elu, 4 x 4 x 1 sigmoid"),
    ("16-5-2,tanh,variational", "4 x 4 x 1", "5 tanh, 4 linear, 2 linear, 5 tanh, 4 x 4 x 1 sigmoid"),
    ("2x3x2-20,sigmoid,bernoulli", "2 x 3 x 2", "20 linear, 2 x 3 x 2 linear"),
  ]) func sizesMakeAChain(_ text: String, _ input: String, _ chain: String) throws {
    let model = try #require(try Autoencoder.dense(describedBy: text))
    let plan = try ExecutionPlan(model, batchSize: 4)
    #expect(model.name == text && "\(model.input)" == input)
    #expect(plan.uses.map { "\($0.layer.output) \($0.layer.activation)" }.joined(separator: ", ") == chain)
    // Half of the layers share the weights of the other half.
    #expect(plan.uses.count { $0.layer.kind == "TiedDense" } == (text.hasSuffix("tied") ? plan.uses.count / 2 : 0))
    let weights = plan.products.filter { $0.rows > 1 }
    #expect(weights.allSatisfy { $0.terms.count == (text.hasSuffix("tied") ? 2 : 1) })
  }

  @Test(arguments: ["conv-vae-28", "784", "model.json", "", "-", "784-", "12-a", "784-30.json"])
  func otherTextsAreNoSizes(_ text: String) throws {
    #expect(try Autoencoder.dense(describedBy: text) == nil)
  }

  @Test(arguments: [
    ("28x28-30", "wanted elements or height x width x channels in front, found 28x28"),
    ("0x28x1-30", "wanted elements or height x width x channels in front, found 0x28x1"),
    ("99999999999999999999-30", "wanted elements or height x width x channels in front, found 99999999999999999999"),
    ("784-3x3", "wanted a number of units, found 3x3"),
    (
      "784-30,gelatine",
      "wanted one of "
        + (Activation.allCases.map(\.description)
        + Likelihood.withoutParameters.filter { $0.target != .nothing }.map(\.name))
        .joined(separator: ", ")
        + ", tied, variational, found gelatine"
    ),
    (
      "784-50,gaussian,tied",
      "wanted nothing tied with gaussian, whose output has two numbers for each element, found tied"
    ),
    ("784-50,variational,tied", "wanted no tied beside variational, whose code is a distribution, found both"),
    (
      "784-200-50-10,variational,categorical",
      "wanted no categorical beside variational, whose code is a distribution, found both"
    ),
  ]) func whatIsNotUnderstoodIsNamed(_ text: String, _ sentence: String) {
    #expect(throws: ModelError(text, sentence)) { try Autoencoder.dense(describedBy: text) }
  }

  @Test(arguments: [
    ([784, 0], "latent: wanted 1 to 16777216 units, found 0"),
    ([784], "latent: wanted 1 to 16777216 units, found 0"),
    ([784, -5, 30], "encoder.0: wanted 1 to 16777216 units, found -5"),
    (
      [0, 30],
      "input: wanted height and width of 1 to 65536, 1 to 16777216 channels and at most 2147483648 elements, "
        + "found 1 x 1 x 0"
    ),
  ]) func sizesThatMakeNoModelAreRefused(_ sizes: [Int], _ sentence: String) {
    do {
      _ = try ExecutionPlan(Autoencoder.dense(sizes), batchSize: 4)
      Issue.record("planned")
    } catch { #expect(error.description == sentence) }
  }

  @Test func aVariationalCodeTiesNoWeight() {
    do {
      _ = try ExecutionPlan(.dense([16, 4], isTied: true, isVariational: true), batchSize: 4)
      Issue.record("planned")
    } catch {
      #expect(error.description == "decoder.0: tied to latent it wants the shape that latent puts out, 8, found 4")
    }
  }

  /// Means and log-variances of 50 units, then one sample of them.
  @Test func theVariationalPresetIsOneOfSizes() throws {
    var described = try #require(try Autoencoder.dense(describedBy: "784-200-200-50,tanh,bernoulli,variational"))
    described.name = denseVAE.name
    let encoder = JSONEncoder()
    encoder.outputFormatting = .sortedKeys
    #expect(try encoder.encode(described) == encoder.encode(denseVAE))
    #expect(denseVAE.latent as? GaussianLatent == GaussianLatent(50) && denseVAE.likelihood == .bernoulli)
  }

  /// The input must have as many elements as the first size says.
  @Test func anotherInputIsRefused() {
    do {
      _ = try ExecutionPlan(.dense([12, 3], input: ImageShape(2, 2, 2)), batchSize: 4)
      Issue.record("planned")
    } catch {
      #expect(error.description == "decoder.1: 2 x 2 x 2 has 8 elements, but the layer before puts out 12 (12)")
    }
  }
}
