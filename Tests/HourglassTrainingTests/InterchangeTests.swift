import Foundation
import HourglassData
import HourglassModels
import Testing
import TestSupport

@testable import HourglassAnalysis
@testable import HourglassTraining

/// Weights that leave a run and come back, and those that do not fit.
@Suite struct InterchangeTests {
  private static let model = TinyModels.variational
  private static let plan = Result { try ExecutionPlan(model, batchSize: 4) }

  /// Parameters of a seed.
  private static func parameters() throws -> FloatBuffer {
    let plan = try plan.get()
    let parameters = FloatBuffer(count: plan.parameterCount)
    Initializer.fill(parameters, plan: plan, seed: 2)
    return parameters
  }

  @Test(arguments: [ModelExport.Format.safetensors, .npy])
  func whatIsExportedIsImportedToTheBit(_ format: ModelExport.Format) throws {
    try withTemporaryFolder { folder in
      let (plan, parameters) = (try Self.plan.get(), try Self.parameters())
      let export = ModelExport(plan, parameters: parameters)
      let files = try export.write(format, to: folder + "/a/b")
      #expect(files.count == 1)
      let imported = try WeightsFile.read(files[0].path, plan: plan)
      #expect(imported.bits == parameters.bits)
      #expect(WeightsHash.of(imported, plan: plan) == export.weightsHash)
    }
  }

  @Test func graphsTellWhatTheyTake() throws {
    try withTemporaryFolder { folder in
      let files = try ModelExport(try Self.plan.get(), parameters: try Self.parameters()).write(.onnx, to: folder)
      let names = try FileManager.default.contentsOfDirectory(atPath: folder).sorted()
      #expect(names == ["autoencoder.onnx", "decoder.onnx", "encoder.onnx"])
      #expect(files.map(\.path) == ["encoder", "decoder", "autoencoder"].map { "\(folder)/\($0).onnx" })
      #expect(files[0].inputs == [.init(name: "image", shape: [1, 8, 8])])
      #expect(files[0].outputs == [.init(name: "mean", shape: [3]), .init(name: "log_variance", shape: [3])])
      #expect(files[1].inputs == [.init(name: "code", shape: [3])])
      #expect(files[2].outputs == [.init(name: "reconstruction", shape: [1, 8, 8])])
    }
  }

  /// A run of imported weights goes on exactly as one that started from them.
  @Test func importedWeightsAreTrainedOnAsTheirOwn() throws {
    try withTemporaryFolder { folder in
      let data = try TestImages.waves(batchSizes: [4, 4, 4], shape: Self.model.input)
      let straight = try startedStep(Self.model, batchSize: 4, data: data)
      let start = Checkpoint(startingFrom: straight.parameters, plan: straight.plan, optimizer: straight.optimizer)
      try start.write(to: folder + "/c.safetensors")
      try straight.run(batchSizes: [4, 4, 4])

      let other = try startedStep(Self.model, batchSize: 4, data: data)
      try other.run(batchSizes: [4, 4])
      let read = try Checkpoint(reading: folder + "/c.safetensors")
      #expect(read.progress == Checkpoint.Progress() && read.weightsHash == start.weightsHash)
      try read.restore(other, path: folder)
      try other.run(batchSizes: [4, 4, 4])
      #expect(other.parameters.bits == straight.parameters.bits)
    }
  }

  /// Changes of the tensors of a model, and what is in the refusal.
  @Test func whatDoesNotFitIsRefusedWithASentence() throws {
    typealias Tensors = [SafeTensors.Tensor]
    func wrapped(_ prefix: String, _ tensors: Tensors) -> Tensors {
      tensors.map { SafeTensors.Tensor(name: prefix + $0.name, shape: $0.shape, values: $0.values) }
    }
    let cases: [(change: (inout Tensors) -> Void, fragments: [String])] = [
      ({ $0.removeFirst() }, ["model tiny-vae", "missing are encoder.0.weight"]),
      ({ $0.append(.init(name: "extra", shape: [1], values: [1])) }, ["not of the model are extra"]),
      ({ $0[0].name = "encoder.0.W" }, ["missing are encoder.0.weight", "not of the model are encoder.0.W"]),
      ({ $0.removeAll() }, ["encoder.0.weight, encoder.0.bias, encoder.1.weight", "and 8 more"]),
      ({ $0 = wrapped("module.", $0) }, ["all names begin with module.,", "wanted encoder.0.weight", "called module"]),
      ({ $0 = wrapped("a.b.", $0) }, ["all names begin with a.b.,", "called a.b"]),
      (
        { $0[0] = .init(name: $0[0].name, shape: [4, 16], values: $0[0].values) },
        ["encoder.0.weight", "[4, 1, 4, 4]", "[4, 16]"]
      ),
      ({ $0[1].values[2] = .nan }, ["encoder.0.bias", "finite", "nan at 2"]),
      ({ $0[1].values[0] = -.infinity }, ["encoder.0.bias", "-inf at 0"]),
    ]
    try withTemporaryFolder { folder in
      let (plan, parameters) = (try Self.plan.get(), try Self.parameters())
      for (change, fragments) in cases {
        var tensors = try plan.tensors(parameters).map { try $0.tensor() }
        change(&tensors)
        try SafeTensors(tensors: tensors).write(to: folder + "/w.safetensors")
        try NPZFile.write(tensors, to: folder + "/w.npz")
        for path in [folder + "/w.safetensors", folder + "/w.npz"] {
          let error = #expect(throws: DataError.self) { try WeightsFile.read(path, plan: plan) }
          #expect(error?.path == path)
          for fragment in fragments { #expect(error?.reason.contains(fragment) == true, "\(error as Any)") }
        }
      }
      let error = #expect(throws: DataError.self) { try WeightsFile.read(folder + "/w.pt", plan: plan) }
      #expect(error?.reason.contains(".safetensors or .npz") == true)
    }
  }
}
