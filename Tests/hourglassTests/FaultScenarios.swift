import Foundation
import HourglassData
import HourglassModels
import TestSupport

/// A command that is stopped or hindered at each of its operations on files, and how a person goes on afterwards.
struct FaultScenario: Sendable {
  /// As HOURGLASS_FAULTS names it.
  var name: String
  /// What of the prepared folder it needs.
  var uses: [String]
  var command: String
  /// The run or the files that it makes.
  var makes: [String]
  /// What goes on with the run once it is there, and comes to the same end however often it is given; nil for a command
  /// that is given again.
  var goesOn: String?

  init(_ name: String, uses: [String] = [], _ command: String, makes: [String] = [], goesOn: String? = nil) {
    (self.name, self.uses, self.command, self.makes, self.goesOn) = (name, uses, command, makes, goesOn)
  }

  static let all: [FaultScenario] = [
    FaultScenario(
      "train", uses: ["tiny.json", "images.npy"],
      "train --model tiny.json --data images.npy --validation images.npy --batch-size 8 --epochs 2 "
        + "--checkpoint-every 2 --tensorboard --json --quiet --run run",
      makes: ["run"], goesOn: "train --run run --resume --checkpoint-every 2 --tensorboard --json --quiet"),
    FaultScenario(
      "resume", uses: ["images.npy", "half"],
      "train --run half --resume --epochs 3 --checkpoint-every 2 --json --quiet",
      makes: ["half"], goesOn: "train --run half --resume --epochs 3 --checkpoint-every 2 --json --quiet"),
    FaultScenario(
      "changed", uses: ["more.npy", "half"],
      "train --run half --resume --data more.npy --accept-changed-data --epochs 2 --json --quiet", makes: ["half"],
      goesOn: "train --run half --resume --data more.npy --accept-changed-data --epochs 2 --json --quiet"),
    FaultScenario(
      "profile", uses: ["plain.json", "images.npy"],
      "train --model plain.json --data images.npy --batch-size 20 --steps 2 --ema 0.5 --profile --json --quiet "
        + "--run run",
      makes: ["run"], goesOn: "train --run run --resume --profile --json --quiet"),
    FaultScenario(
      "pretrain",
      "pretrain --model 8x8x1-6-4-10,sigmoid,categorical --limit 32 --batch-size 16 --epochs 1 --json "
        + "--quiet --run run",
      makes: ["run"], goesOn: "pretrain --run run --resume --json --quiet"),
    FaultScenario(
      "finetune", uses: ["stacked"],
      "finetune --from stacked --limit 32 --epochs 1 --head-epochs 1 --json --quiet --run run", makes: ["run"],
      goesOn: "finetune --run run --resume --json --quiet"),
    FaultScenario(
      "pca", uses: ["images.npy"], "pca --components 2 --data images.npy --json --run run", makes: ["run"],
      goesOn: "train --run run --resume --json --quiet"),
    FaultScenario(
      "import", uses: ["tiny.json", "images.npy", "weights.safetensors"],
      "import --weights weights.safetensors --model tiny.json --data images.npy --batch-size 8 --steps 2 --json "
        + "--run run",
      makes: ["run"], goesOn: "train --run run --resume --json --quiet"),
    FaultScenario("synthesize", "data synthesize --output shapes --size 8x8 --count 4", makes: ["shapes"]),
    FaultScenario(
      "data", uses: ["images.npy", "labels.csv"], "data images.npy --labels labels.csv --list --export out.npy",
      makes: ["out.npy"]),
    FaultScenario("pictures", uses: ["pictures"], "data pictures --export out.npy", makes: ["out.npy"]),
    FaultScenario("encode", uses: ["run", "images.npy"], "encode --run run --output out.npy", makes: ["out.npy"]),
    FaultScenario(
      "encode-names", uses: ["run", "pictures"], "encode --run run --data pictures --grey --output out.npz",
      makes: ["out.npz"]),
    FaultScenario(
      "decode", uses: ["run", "codes.npy"], "decode --run run --input codes.npy --output out.png", makes: ["out.png"]),
    FaultScenario(
      "compress", uses: ["plane", "images.npy"], "compress --run plane --output out.hgc --json", makes: ["out.hgc"]),
    FaultScenario(
      "curve", uses: ["plane", "images.npy"], "compress --run plane --curve out.svg --json", makes: ["out.svg"]),
    FaultScenario(
      "decompress", uses: ["plane", "codes.hgc"], "decompress --run plane --input codes.hgc --output out.npy",
      makes: ["out.npy"]),
    FaultScenario(
      "denoise", uses: ["run", "images.npy"], "denoise --run run --corrupt mask:0.5 --output out.npy",
      makes: ["out.npy"]),
    FaultScenario(
      "evaluate", uses: ["run", "images.npy"], "evaluate --run run --per-sample out.csv --json", makes: ["out.csv"]),
    FaultScenario(
      "onnx", uses: ["run"], "export --run run --format onnx --output out --json",
      makes: ["out/encoder.onnx", "out/decoder.onnx", "out/autoencoder.onnx"]),
    FaultScenario(
      "safetensors", uses: ["run"], "export --run run --format safetensors --output out",
      makes: ["out/weights.safetensors"]),
    FaultScenario("npz", uses: ["run"], "export --run run --format npy --output out", makes: ["out/weights.npz"]),
    FaultScenario(
      "encode-force", uses: ["run", "images.npy", "out.npy"], "encode --run run --output out.npy --force",
      makes: ["out.npy"]),
    FaultScenario(
      "evaluate-force", uses: ["run", "images.npy", "out.csv"],
      "evaluate --run run --per-sample out.csv --json --force", makes: ["out.csv"]),
    FaultScenario(
      "weights-force", uses: ["run", "weights"], "export --run run --format safetensors --output weights --force",
      makes: ["weights/weights.safetensors"]),
    FaultScenario(
      "grid", uses: ["plane", "images.npy"], "grid --run plane --side 3", makes: ["plane/pictures/grid.png"]),
    FaultScenario(
      "interpolate", uses: ["run", "images.npy"], "interpolate --run run --output out.png", makes: ["out.png"]),
    FaultScenario(
      "reconstruct", uses: ["run", "images.npy"], "reconstruct --run run --output out.npy", makes: ["out.npy"]),
    FaultScenario("report", uses: ["run", "images.npy"], "report --run run"),
    FaultScenario("sample", uses: ["run"], "sample --run run --count 4 --output out.npy", makes: ["out.npy"]),
    FaultScenario(
      "score", uses: ["run", "images.npy"], "score --run run --contamination 0.2 --output out.csv --json",
      makes: ["out.csv"]),
    FaultScenario(
      "maps", uses: ["run", "images.npy"], "score --run run --limit 2 --maps maps --threshold 40 --json",
      makes: ["maps/images-0.png", "maps/images-10.png", "maps/legend.svg", "maps/maps.json"]),
    FaultScenario(
      "threshold", uses: ["run", "images.npy"], "score --run run --contamination 0.2 --save-threshold --json",
      makes: ["run/threshold.json"]),
    FaultScenario(
      "reconstruct-folder", uses: ["run", "images.npy"], "reconstruct --run run --limit 2 --output images/",
      makes: ["images/images-0.png", "images/images-10.png"]),
    FaultScenario(
      "denoise-folder", uses: ["run", "images.npy"], "denoise --run run --limit 2 --corrupt mask:0.5 --output images/",
      makes: ["images/images-0.png", "images/images-10.png"]),
    FaultScenario(
      "search", uses: ["run", "images.npy"], "search --run run --k 2 --output out.csv --picture out.png --json",
      makes: ["out.csv", "out.png"]),
    FaultScenario(
      "gone", uses: ["run", "more.npy"], "compress --run run --data more.npy --output out.hgc --json",
      makes: ["out.hgc"]),
    FaultScenario("probe", uses: ["labelled"], "probe --run labelled --k 1 --json"),
    FaultScenario(
      "verify", uses: ["plain.json", "images.npy"],
      "verify --model plain.json --data images.npy --batch-size 20 --steps 2 --json"),
  ]

  /// Makes all that a command uses, once.
  static func prepare(_ program: Program) throws {
    let half = "--data images.npy --validation images.npy --batch-size 8 --epochs 1 --checkpoint-every 2 --quiet"
    for command in [
      "train --model tiny.json \(half) --run half", "train --model tiny.json \(half) --run run",
      "export --run run --format safetensors --output weights", "encode --run run --output codes.npy",
      "pca --components 2 --data images.npy --run plane", "compress --run plane --output codes.hgc",
      "pca --components 2 --limit 24 --run labelled", "data synthesize --output all --size 8x8 --count 4",
      "pretrain --model 8x8x1-6-4-10,sigmoid,categorical --limit 32 --batch-size 16 --epochs 1 --quiet --run stacked",
    ] {
      let result = try program.run(command.split(separator: " ").map(String.init), environment: Self.environment)
      guard result.status == 0 else { throw Unprepared(description: "\(command): \(result.errors)") }
    }
    try FileManager.default.copyItem(
      atPath: program.path("weights/weights.safetensors"), toPath: program.path("weights.safetensors"))
    try program.write((0..<20).map { "images.npy[\($0)],\($0 % 3)\n" }.joined(), to: "labels.csv")
    let shape = ImageShape(8, 8, 1)
    try NPYFile.write(
      TestImages.waves(step: 1, samples: 24, shape: shape), shape: [24, 8, 8], to: program.path("more.npy"))
    for name in ["out.npy", "out.csv", "weights/weights.safetensors"] { try program.write("old\n", to: name) }
    try FileManager.default.moveItem(atPath: program.path("all/train"), toPath: program.path("pictures"))
  }

  /// Idle threads of OpenMP would take half of a short process's time.
  static let environment = ["OMP_NUM_THREADS": "1"]

  private struct Unprepared: Error, CustomStringConvertible { var description: String }
}
