import Foundation
import HourglassModels
import HourglassTraining
import TestSupport
import Testing

@testable import bench

struct ModelTests {
  /// Every layer in a model of its own, and all presets.
  private static let all = LayerCases.all.map(\.model) + ModelCatalog.models

  @Test("whatever can be planned has passes to time, each of the layer's shapes and allowed by the kernels")
  func problems() throws {
    for model in Self.all {
      let plan = try ExecutionPlan(model, batchSize: 6)
      let shapes = Dictionary(plan.uses.map { ($0.layer.name, ($0.layer.input, $0.layer.output)) }) { first, _ in first
      }
      let cases = try KernelCase.cases(of: model, samples: 6)
      for testCase in cases {
        let problem = testCase.problem
        #expect(try Problem(problem.description) == problem, "\(model.name): \(problem)")
        let (input, output) = try #require(shapes[String(testCase.name.split(separator: "/").dropFirst().first ?? "")])
        #expect(problem.input.count == input.count && problem.output.count == output.count, "\(testCase.name)")
      }
      let filters = plan.uses.flatMap(\.layer.parameters).filter { $0.name.hasSuffix("weight") && $0.start == nil }
      #expect(filters.isEmpty == !cases.contains { $0.problem.operation != .pool }, "\(model.name)")
    }
  }

  @Test("padding of any sides is timed: kernels agree with their definitions on layers of all models")
  func verified() throws {
    for model in LayerCases.all.map(\.model) {
      for testCase in try KernelCase.cases(of: model, samples: 3) {
        #expect(KernelRun(testCase.problem, threads: 1).verify() == nil, "\(testCase.name): \(testCase.problem)")
      }
    }
  }

  @Test("every model takes a step on images of its shape")
  func steps() throws {
    for model in Self.all {
      let plan = try ExecutionPlan(model, batchSize: 6)
      let run = try StepRun(plan, ParallelPlan(workers: 1, threads: 1), StepRun.images(for: model, batchSize: 6))
      try run.step()
    }
  }

  @Test("models that learn labels are timed as well", arguments: [Likelihood.categorical, .labelSquaredError])
  func labels(_ likelihood: Likelihood) throws {
    let model = Autoencoder("labels", input: ImageShape(5, 4, 2), likelihood: likelihood) {
      Conv2D(3, kernel: 3, activation: .relu)
    } latent: {
      Dense(4)
    } decoder: {
      Dense(likelihood == .categorical ? 7 : 1)
    }
    let plan = try ExecutionPlan(model, batchSize: 8)
    try StepRun(plan, ParallelPlan(workers: 1, threads: 1), StepRun.images(for: model, batchSize: 8)).step()
  }

  @Test("the networks that nobody tuned for are models under the names of their files")
  func heldOut() throws {
    let folder = "Benchmarks/Models"
    let files = try FileManager.default.contentsOfDirectory(atPath: folder)
    #expect(files.count == 4)
    for file in files {
      let model = try #require(try bench.models(named: "\(folder)/\(file)").first)
      #expect("\(model.name).json" == file)
      _ = try ExecutionPlan(model, batchSize: 32)
    }
  }

  @Test("a peer is asked for the twin of a model by the model alone")
  func question() throws {
    let model = try #require(ModelCatalog.model("conv-vae-28"))
    let text = try json(StepPeer.Question(model: model))
    let object = try #require(try JSONSerialization.jsonObject(with: Data(text.utf8)) as? [String: Any])
    #expect(object.keys.sorted() == ["model"])
    let sent = try #require(object["model"] as? [String: Any])
    #expect(
      try JSONDecoder().decode(Autoencoder.self, from: JSONSerialization.data(withJSONObject: sent)).name == model.name)
  }
}
