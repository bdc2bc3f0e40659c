import Foundation
import HourglassData
import HourglassModels
import HourglassTraining

/// A trained model in files for other programs.
public struct ModelExport {
  public enum Format: String, CaseIterable, Sendable {
    /// Graphs with weights: `encoder.onnx`, `decoder.onnx` where codes can be decoded alone, and `autoencoder.onnx`.
    case onnx
    /// The parameters under PyTorch's names and shapes, in `weights.safetensors`.
    case safetensors
    /// The parameters under PyTorch's names and shapes for NumPy, in `weights.npz`.
    case npy
  }

  /// A file that was written, and the inputs and outputs of a graph in it.
  public struct File: Sendable, Equatable, Encodable {
    public struct Port: Sendable, Equatable, Encodable {
      public let name: String
      /// The extents of one sample, channels first; the axis of the samples comes before them.
      public let shape: [Int]
    }

    public let path: String
    public let inputs: [Port]?
    public let outputs: [Port]?
  }

  public let weightsHash: String
  private let plan: ExecutionPlan
  private let parameters: FloatBuffer
  private let metadata: [String: String]
  /// The standardisation of the model's images, which is part of the graphs and stands beside weights.
  private let standardization: Standardization?

  /// - Parameter parameters: the flat vector.
  public init(_ plan: ExecutionPlan, parameters: FloatBuffer, standardization: Standardization? = nil) {
    (self.plan, self.parameters, self.standardization) = (plan, parameters, standardization)
    weightsHash = WeightsHash.of(parameters, plan: plan)
    var metadata = ["model": plan.model.name, WeightsFile.hashKey: weightsHash]
    metadata[WeightsFile.standardizationKey] = standardization.map { EpochMetrics.json($0) }
    self.metadata = metadata
  }

  /// The names of the files of a format.
  public func names(_ format: Format) -> [String] {
    switch format {
    case .onnx: parts.map(Self.name)
    case .safetensors: ["weights.safetensors"]
    case .npy: ["weights.npz"]
    }
  }

  /// The parts that are written; the decoder is none of them where codes cannot be decoded alone.
  private var parts: [ModelPart] { ModelPart.allCases.filter { $0 != .decoder || plan.decodingRefusal == nil } }
  private static func name(_ part: ModelPart) -> String { "\(part.rawValue).onnx" }

  /// Writes the files into a folder, which is made where there is none.
  ///
  /// - Throws: `ModelError` where a layer has no form in ONNX, before anything is written; `DataError` where a file
  ///   cannot be written.
  public func write(_ format: Format, to folder: String) throws -> [File] {
    switch format {
    case .onnx:
      let graphs = try parts.map { part in
        (
          path: "\(folder)/\(Self.name(part))",
          graph: try plan.onnxGraph(part, parameters: parameters, standardization: standardization)
        )
      }
      try AtomicFile.makeFolder(folder)
      return try graphs.map { path, graph in
        try ONNXFile.write(graph, version: RunEnvironment.programVersion, metadata: metadata, to: path)
        return File(path: path, inputs: graph.inputs.map(File.Port.init), outputs: graph.outputs.map(File.Port.init))
      }
    case .safetensors:
      let path = "\(folder)/\(names(format)[0])"
      try AtomicFile.makeFolder(folder)
      // Some readers ask for a format that names the framework.
      let metadata = self.metadata.merging(["format": "pt"]) { $1 }
      try SafeTensors.write(plan.tensors(parameters), metadata: metadata, to: path)
      return [File(path: path, inputs: nil, outputs: nil)]
    case .npy:
      let path = "\(folder)/\(names(format)[0])"
      try AtomicFile.makeFolder(folder)
      let beside = [("mean", standardization?.mean), ("deviation", standardization?.deviation)].compactMap {
        name, values in
        values.map { values in
          SafeTensors.Source(name: "\(WeightsFile.standardizationKey).\(name)", shape: [values.count]) {
            values.map { Float($0) }
          }
        }
      }
      try NPZFile.write((plan.tensors(parameters) + beside).map { try $0.tensor() }, to: path)
      return [File(path: path, inputs: nil, outputs: nil)]
    }
  }
}

extension ModelExport.File.Port {
  init(_ port: ONNXGraph.Port) { self.init(name: port.name, shape: port.shape) }
}
