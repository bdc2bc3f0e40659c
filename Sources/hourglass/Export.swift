import ArgumentParser
import HourglassAnalysis
import HourglassModels
import HourglassTraining

extension ModelExport.Format: ExpressibleByArgument {}

struct Export: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Writes a trained model for other programs: ONNX graphs, or its weights.",
    discussion: """
      --format onnx writes encoder.onnx (image to code, in a variational model to mean and log_variance), decoder.onnx \
      (code to reconstruction) and autoencoder.onnx (image to reconstruction), operator set \
      \(ONNXGraph.operatorSet). Images are N,C,H,W with the values the model is trained on, bytes over 255; a \
      reconstruction is the expected image. The mean and deviation of --standardize are part of the graphs, and stand \
      beside the weights. --format safetensors writes weights.safetensors and --format npy weights.npz, both under \
      PyTorch's names and shapes, which `hourglass import` reads.

      Example:
        hourglass export --run runs/first --format onnx
        hourglass export --run runs/first --format safetensors --from best --output weights
      """)

  @OptionGroup var trained: RunOptions

  @Option(help: "Write ONNX graphs (onnx), or the weights in a safetensors file or an NPZ file (npy).")
  var format: ModelExport.Format

  @Option(
    help: ArgumentHelp("Write the files into this folder. (default: export in the run's folder)", valueName: "folder"),
    completion: .directory)
  var output: String?

  @OptionGroup var replacing: ReplacementOptions

  @Flag(help: "Print the result as one JSON object.")
  var json = false

  /// What `--json` prints.
  private struct Written: Encodable {
    var format: String
    var model: String
    var step: Int
    var weightsHash: String
    var files: [ModelExport.File]
  }

  func run() throws {
    let loaded = try trained.load()
    let export = ModelExport(
      loaded.inference.plan, parameters: loaded.inference.parameters, standardization: loaded.recipe.standardization,
      preparation: loaded.recipe.data.preparation)
    let folder = output ?? loaded.run.file("export")
    guard !folder.isEmpty else { throw ValidationError("--output: wanted a folder, found an empty name") }
    try replacing.check(
      export.names(format).map { name in
        OutputFile(output.map { "\($0)/\(name)" }, or: loaded.run.file("export/\(name)"), makesFolder: true)
      }, reading: loaded.inputs)
    let files = try export.write(format, to: folder)
    if json {
      let written = Written(
        format: format.rawValue, model: loaded.model.name, step: loaded.step, weightsHash: export.weightsHash,
        files: files)
      return StandardOutput.write(json: written)
    }
    StandardOutput.write(table: files.map { [$0.path, $0.ports] })
  }
}

extension ModelExport.File {
  /// `image N,1,28,28 -> code N,64`, where the file holds a graph.
  fileprivate var ports: String {
    func text(_ ports: [Port]) -> String {
      ports.map { "\($0.name) " + (["N"] + $0.shape.map(String.init)).joined(separator: ",") }.joined(separator: "; ")
    }
    guard let inputs, let outputs else { return "" }
    return "\(text(inputs)) -> \(text(outputs))"
  }
}
