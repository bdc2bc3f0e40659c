import Glibc
import HourglassData
import HourglassModels
import HourglassTraining

/// A trained model, and how it is written into files for other programs.
public struct ModelExport {
  /// A form that other programs read.
  public enum Format: String, CaseIterable, Sendable {
    /// The files `encoder.onnx`, `autoencoder.onnx` and, where codes can be decoded alone, `decoder.onnx`: graphs with
    /// their weights.
    case onnx
    /// The file `weights.safetensors`: the parameters under PyTorch's names and shapes.
    case safetensors
    /// The file `weights.npz`: the parameters under PyTorch's names and shapes as NumPy arrays.
    case npy
  }

  /// A file that was written.
  public struct File: Sendable, Equatable, Encodable {
    /// What a graph takes or gives under one name.
    public struct Port: Sendable, Equatable, Encodable {
      public let name: String
      /// The extents of one sample, channels first (C, H, W). The axis of the samples comes before them in the file.
      public let shape: [Int]
    }

    public let path: String
    /// What the graph in the file takes; nil for a file of weights.
    public let inputs: [Port]?
    /// What the graph in the file gives; nil for a file of weights.
    public let outputs: [Port]?
  }

  /// The hash of the parameters, which the files carry.
  public let weightsHash: String
  private let plan: ExecutionPlan
  private let parameters: FloatBuffer
  private let metadata: [String: String]
  /// How the model's images are standardised: a part of the graphs, and stored beside weights.
  private let standardization: Standardization?

  /// The parts of a model that are written.
  ///
  /// - Parameters:
  ///   - parameters: the flat vector of `plan`.
  ///   - standardization: what the model's images went through, nil where they are taken as they are.
  ///   - preparation: what was done to images in files before; nil where they are taken as they are.
  public init(
    _ plan: ExecutionPlan, parameters: FloatBuffer, standardization: Standardization? = nil,
    preparation: Preparation? = nil
  ) {
    (self.plan, self.parameters, self.standardization) = (plan, parameters, standardization)
    weightsHash = WeightsHash.of(parameters, plan: plan)
    var metadata = ["model": plan.model.name, WeightsFile.hashKey: weightsHash]
    metadata[WeightsFile.standardizationKey] = standardization.map { JSONText.line($0) }
    metadata["preprocess"] = JSONText.line(Preprocess(preparation ?? Preparation()))
    self.metadata = metadata
  }

  /// What was done to an image in a file, in this order, before the graphs see it; standardisation is a part of them.
  /// It stands in the files as JSON under the name `preprocess`.
  private struct Preprocess: Encodable {
    /// The number that becomes 0 and the one that becomes 1; nil for 0 to 255 of bytes, 0 to 65535 of 16-bit numbers,
    /// and floats as they are.
    var range: ValueRange?
    var color: Preparation.Color?
    /// Height and width of what is cut out of the middle.
    var crop: Extent2D?
    /// Height and width, by the mean over areas where an axis shrinks, linearly between centres where it grows.
    var resize: Extent2D?
    /// Height and width that images are scaled to fit into, in the middle of zeros or of the background.
    var fit: Extent2D?
    var background: RGBColor?
    var inverts: Bool?
    /// Pictures are turned as Exif says before all of this.
    var orientation = "exif"
    /// The axes of the graphs' images.
    var layout = "NCHW"

    init(_ from: Preparation) {
      (range, color, crop, resize) = (from.range, from.color, from.crop, from.resize)
      (fit, background, inverts) = (from.fit, from.background, from.inverts)
    }
  }

  /// The names of the files that a format has.
  public func names(_ format: Format) -> [String] {
    switch format {
    case .onnx: parts.map(Self.name)
    case .safetensors: ["weights.safetensors"]
    case .npy: ["weights.npz"]
    }
  }

  /// The parts of the model that have a graph. Where the decoder wants more than the codes there is none for it.
  private var parts: [ModelPart] { ModelPart.allCases.filter { $0 != .decoder || plan.decodingRefusal == nil } }
  private static func name(_ part: ModelPart) -> String { "\(part.rawValue).onnx" }

  /// Writes the files of a format into a folder, which is made where there is none.
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
      // The format that some readers ask for names the framework.
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
