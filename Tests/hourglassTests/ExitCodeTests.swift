import Foundation
import HourglassData
import Testing

/// What the program answers when it is asked wrongly: a status, and one sentence that names what is wrong.
@Suite struct ExitCodeTests {
  struct Case: CustomTestStringConvertible, Sendable {
    var arguments: String
    var status: Status
    /// All of this is in the sentence.
    var mentions: [String]

    init(_ arguments: String, _ status: Status, _ mentions: String...) {
      (self.arguments, self.status, self.mentions) = (arguments, status, mentions)
    }

    var testDescription: String { arguments }
  }

  static let wrongUsage = [
    Case("train", .wrongUsage, "--model"),
    Case("train --model no-such-model", .wrongUsage, "conv-vae-28", "no-such-model"),
    Case("train --model tiny.json --no-such-flag", .wrongUsage, "--no-such-flag"),
    Case("train --model tiny.json --batch-size 0", .wrongUsage, "--batch-size", "1 to", "0"),
    Case("train --model tiny.json --batch-size 4 --shards 5", .wrongUsage, "--shards", "1 to 4", "5"),
    Case("train --model tiny.json --accumulate 0", .wrongUsage, "--accumulate", "1 to", "0"),
    Case("train --model tiny.json --epochs 0", .wrongUsage, "--epochs", "at least 1", "0"),
    Case("train --model tiny.json --steps -1", .wrongUsage, "steps"),
    Case("train --model tiny.json --learning-rate nan", .wrongUsage, "--learning-rate", "nan"),
    Case("train --model tiny.json --learning-rate 0", .wrongUsage, "--learning-rate", "greater than 0"),
    Case("train --model tiny.json --clip-norm 0", .wrongUsage, "--clip-norm", "greater than 0", "found 0"),
    Case("train --model tiny.json --clip-norm=-1", .wrongUsage, "--clip-norm", "greater than 0", "-1"),
    Case("train --model tiny.json --clip-norm inf", .wrongUsage, "--clip-norm", "greater than 0", "inf"),
    Case("train --model tiny.json --clip-norm nan", .wrongUsage, "--clip-norm", "greater than 0", "nan"),
    Case("train --model tiny.json --beta -1", .wrongUsage, "beta"),
    Case("train --model tiny.json --ema 1", .wrongUsage, "--ema", "between 0 and 1", "1.0"),
    Case("train --model tiny.json --free-bits 0", .wrongUsage, "--free-bits", "greater than 0", "0.0"),
    Case("train --model tiny.json --importance-samples 0", .wrongUsage, "--importance-samples", "wanted 1 to", "0"),
    Case(
      "train --model conv-ae-28 --importance-samples 5", .wrongUsage, "importanceSamples", "variational", "conv-ae-28"),
    Case("train --model tiny.json --importance-samples 5 --beta 2", .wrongUsage, "a beta of 1", "2.0"),
    Case("train --model tiny.json --importance-samples 5 --free-bits 0.5", .wrongUsage, "no freeBits", "0.5"),
    Case("train --model tiny.json --importance-samples 5 --beta-warmup 9", .wrongUsage, "no betaWarmup", "found 9"),
    Case("train --model tiny.json --importance-samples 99999", .wrongUsage, "1 to 8192 with a batchSize of 128"),
    Case("train --model conv-ae-28 --free-bits 0.5", .wrongUsage, "--free-bits", "Gaussian latent", "conv-ae-28"),
    Case("train --model tiny.json --label-smoothing 0.1", .wrongUsage, "--label-smoothing", "categorical", "tiny"),
    Case("train --model tiny.json --label-smoothing 1", .wrongUsage, "--label-smoothing", "0 to below 1", "1.0"),
    Case("train --model tiny.json --algorithm winograd", .wrongUsage, "--algorithm", "no convolution gains"),
    Case("train --model tiny.json --algorithm fft", .wrongUsage, "--algorithm", "direct", "winograd", "fft"),
    Case("train --model tiny.json --memory-limit 5", .wrongUsage, "--memory-limit", "5"),
    Case("train --model tiny.json --optimizer newton", .wrongUsage, "--optimizer", "newton", "adamw"),
    Case("train --model tiny.json --workers 0", .wrongUsage, "--workers", "1 to", "0"),
    Case("train --model tiny.json --bind near", .wrongUsage, "--bind", "near", "close", "spread"),
    Case("train --model tiny.json --split middle", .wrongUsage, "--split", "middle"),
    Case("train --resume", .wrongUsage, "--resume", "--run"),
    Case("train --model tiny.json --resume-or-start", .wrongUsage, "--resume-or-start", "--run"),
    Case("train --config r.json --run new --resume-or-start", .wrongUsage, "--config", "--resume-or-start"),
    Case("train --model tiny.json --run new --resume --resume-or-start", .wrongUsage, "--resume-or-start", "both"),
    Case("train --model tiny.json --run taken", .wrongUsage, "--run", "taken", "--resume"),
    Case("evaluate", .wrongUsage, "--run"),
    Case("evaluate --run taken --from middle", .wrongUsage, "--from", "middle"),
    Case("reconstruct --run taken --output images.jpg", .wrongUsage, "--output", ".npy", "images.jpg"),
    Case("encode --run taken --output codes.png", .wrongUsage, "--output", ".npy", "codes.png"),
    Case("encode --run taken --input a --data b --output codes.npy", .wrongUsage, "--input", "--data"),
    Case("sample --run taken --output a.npy --prior mixture:0", .wrongUsage, "--prior", "mixture:0"),
    Case(
      "train --model tiny.json --capacity 2 --free-bits 0.5", .wrongUsage, "--capacity: wanted no --free-bits", "0.5"),
    Case("train --model tiny.json --capacity-warmup 2", .wrongUsage, "--capacity-warmup: wanted a --capacity"),
    Case("sample --run taken --output a.npy --count 0", .wrongUsage, "--count", "0"),
    Case("sample --run taken --output a.npy --count 9000000000000000000", .wrongUsage, "--count"),
    Case("sample --run taken --output a.png --count 5000", .wrongUsage, "--count", "2000", "5000"),
    Case("inspect no-such-model", .wrongUsage, "no-such-model", "conv-ae-28"),
    Case("verify", .wrongUsage, "--model"),
    Case("verify --model tiny.json --steps 0", .wrongUsage, "--steps", "at least 1", "0"),
    Case("verify --model tiny.json --accumulate 0", .wrongUsage, "--accumulate", "1 to", "0"),
    Case("verify --model all --data images.npy", .wrongUsage, "--data", "all"),
    Case("train --model tiny.json --resize 8x8", .wrongUsage, "--resize", "--data"),
    Case("train --model tiny.json --data images.npy --resize 8", .wrongUsage, "--resize", "8"),
    Case("train --model tiny.json --data images.npy --fit 8x8 --resize 8x8", .wrongUsage, "--fit", "--resize"),
    Case("train --model tiny.json --data images.npy --range 1:0", .wrongUsage, "--range", "1:0"),
    Case("train --model tiny.json --range 0:255", .wrongUsage, "--range", "--data"),
    Case("train --model tiny.json --invert", .wrongUsage, "--invert", "--data"),
    Case("train --model tiny.json --standardize", .wrongUsage, "standardizes", "bernoulli", "linear"),
    Case("train --model tiny.json --pairs images.npy", .wrongUsage, "--pairs", "a folder of"),
    Case("train --model tiny.json --data a --pairs b c", .wrongUsage, "--pairs", "--data a"),
    Case("denoise --run taken --pairs images.npy", .wrongUsage, "--pairs", "damaged"),
    Case("train --model conv-vae@8x8", .wrongUsage, "--model", "height x width x channels", "8x8"),
    Case("train --model conv-vae@8x8x1,circular", .wrongUsage, "--model", "linear, bernoulli", "circular"),
    Case("train --model tiny.json --data images.npy --grey --rgb", .wrongUsage, "--grey", "--rgb"),
    Case("train --model tiny.json --binarize", .wrongUsage, "--binarize", "--data", "found none"),
    Case("train --model tiny.json --data images.npy --holdout 1", .wrongUsage, "--holdout", "1"),
    Case("train --model tiny.json --data images.npy --limit 0", .wrongUsage, "--limit", "0"),
    Case("train --model tiny.json --corrupt mask:2", .wrongUsage, "--corrupt", "mask:2"),
    Case("train --model tiny.json --augment turn", .wrongUsage, "--augment", "turn"),
    Case("train --model tiny.json --patience 0 --epochs 9", .wrongUsage, "--patience", "at least 1", "0"),
    Case("train --model tiny.json --patience 3", .wrongUsage, "--patience", "--epochs"),
    Case("train --model tiny.json --monitor validation", .wrongUsage, "--monitor", "--validation", "--holdout"),
    Case("train --model tiny.json --max-time 90", .wrongUsage, "--max-time", "90"),
    Case("train --model tiny.json --overfit-batches 0", .wrongUsage, "--overfit-batches", "0"),
    Case("train --model tiny.json --warmup soon", .wrongUsage, "--warmup", "soon"),
    Case("train --model tiny.json --schedule saw", .wrongUsage, "--schedule", "saw", "cosine"),
    Case("report", .wrongUsage, "--run"),
    Case("report --run taken --output page.pdf", .wrongUsage, "--output", ".html", "page.pdf"),
    Case("export --run taken", .wrongUsage, "--format"),
    Case("export --run taken --format tflite", .wrongUsage, "--format", "tflite", "onnx", "safetensors", "npy"),
    Case("import --weights a.npz --run runs/a", .wrongUsage, "--model"),
    Case("import --weights a.npz --model tiny.json --run taken", .wrongUsage, "--run", "taken", "exists"),
    Case("data images.npy --export a.png", .wrongUsage, "--export", ".npy"),
  ]

  static let badData = [
    Case("train --model missing.json", .badData, "missing.json", "model file"),
    Case("train --model syntax.json", .badData, "syntax.json", "JSON"),
    Case("train --model unknown-layer.json", .badData, "unknown-layer.json", "encoder.1", "Conv2D", "Convolution"),
    Case("train --model no-latent.json", .badData, "no-latent.json", "latent", "0"),
    Case("train --model wrong-shape.json", .badData, "wrong-shape.json", "decoder.1", "64", "80"),
    Case("train --model too-large.json --batch-size 1048576", .badData, "memory", "MiB"),
    Case("train --model tiny.json --data missing", .badData, "missing", "nothing there"),
    Case("train --model tiny.json --data tiny.json", .badData, "tiny.json", "IDX"),
    Case(
      "train --model conv-vae-28 --data images.npy", .badData, "images.npy", "28 x 28 x 1", "8 x 8 x 1",
      "--resize 28x28"),
    Case("train --model tiny.json --data images.npy --validation missing", .badData, "missing"),
    Case("verify --model conv-vae-28 --data images.npy", .badData, "images.npy", "28 x 28 x 1", "8 x 8 x 1"),
    Case("data missing", .badData, "missing", "nothing there"),
    Case("data images.npy --layout nhwc", .badData, "--layout nhwc", "4 axes", "20 x 8 x 8"),
    Case("data images.npy --label-filter 3", .badData, "--label-filter", "labels"),
    Case("evaluate --run missing", .badData, "missing", "run"),
    Case("evaluate --run taken --from best", .badData, "best.safetensors"),
    Case("evaluate --run taken --data missing", .badData, "missing"),
    Case("report --run missing", .badData, "missing", "run"),
    Case("report --run taken --from best", .badData, "best.safetensors"),
    Case("report --run taken --data missing", .badData, "missing", "nothing there"),
    Case("export --run missing --format onnx", .badData, "missing", "run"),
    Case("export --run taken --format onnx --from best", .badData, "best.safetensors"),
    Case("import --weights a.npz --model tiny.json --run runs/a", .badData, "a.npz"),
    Case("import --weights a.pt --model tiny.json --run runs/a", .badData, "a.pt", ".safetensors or .npz"),
    Case("import --weights tiny.json --model missing.json --run runs/a", .badData, "missing.json"),
    Case(
      "import --weights taken/checkpoints/last.safetensors --model tiny.json --run runs/a", .badData,
      "not of the model are optimizer.m."),
    Case("decode --run taken --input images.npy --output a.npy", .badData, "images.npy", "(N, 3)", "(20, 8, 8)"),
  ]

  @Test func wrongRequestsAreRefusedWithASentence() throws {
    try Program.inTemporaryFolder { program in
      try Self.prepare(program)
      for wrong in Self.wrongUsage + Self.badData {
        let result = try program.run(wrong.arguments)
        #expect(result.status == wrong.status.rawValue, "\(wrong.arguments): \(result.errors)")
        #expect(result.output.isEmpty, "\(wrong.arguments)")
        let lines = result.errors.split(separator: "\n")
        #expect(lines.count == 1 && result.errors.hasPrefix("hourglass: "), "\(wrong.arguments): \(result.errors)")
        for part in wrong.mentions { #expect(result.errors.contains(part), "\(wrong.arguments): \(result.errors)") }
      }
      let left = (try? FileManager.default.contentsOfDirectory(atPath: program.path("runs"))) ?? []
      #expect(left.isEmpty, "a refused run leaves a folder behind")
    }
  }

  /// A run of one step in `taken`, which has no best checkpoint, and broken model files.
  private static func prepare(_ program: Program) throws {
    #expect(try program.train("--steps 1", run: "taken").status == 0)
    let model = String(decoding: try #require(program.contents("tiny.json")), as: UTF8.self)
    let broken = [
      ("syntax", "\"filters\": 1,", "\"filters\": 1"), ("unknown-layer", "\"Conv2D\"", "\"Convolution\""),
      ("no-latent", "\"units\": 3", "\"units\": 0"), ("wrong-shape", "[4, 4, 4]", "[4, 4, 5]"),
      ("too-large", "\"units\": 3", "\"units\": 11000000"),
    ]
    for (name, old, new) in broken {
      try program.write(model.replacingOccurrences(of: old, with: new), to: "\(name).json")
    }
  }

  @Test func aPlainAutoencoderHasNoPriorToSample() throws {
    try Program.inTemporaryFolder { program in
      let trained = try program.run("train --model plain.json --data images.npy --steps 1 --batch-size 4 --run run")
      #expect(trained.status == Status.done.rawValue)
      let result = try program.run("sample --run run --output samples.npy")
      #expect(result.status == Status.wrongUsage.rawValue)
      #expect(result.errors.contains("plain") && result.errors.contains("prior"))
    }
  }

  @Test func aDivergedRunNamesStepAndLayerAndKeepsTheLastGoodCheckpoint() throws {
    try Program.inTemporaryFolder { program in
      try NPYFile.write([0, 0, 0], shape: [1, 3], to: program.path("codes.npy"))
      let result = try program.train("--steps 50 --optimizer sgd --learning-rate 1e20 --checkpoint-every 1", run: "run")
      #expect(result.status == Status.diverged.rawValue, "\(result.errors)")
      #expect(result.errors.contains("step 1 ") && result.errors.contains("coder."), "\(result.errors)")
      // The update of step 0 is large but finite, and so is its checkpoint.
      #expect(try program.run("decode --run run --input codes.npy --output a.npy").status == Status.done.rawValue)
    }
  }

  @Test(arguments: [
    "", "train", "evaluate", "report", "reconstruct", "encode", "decode", "sample", "export", "import", "inspect",
    "models", "verify", "data", "doctor", "version",
  ])
  func helpShowsAnExample(_ command: String) throws {
    try Program.inTemporaryFolder { program in
      let result = try program.run("\(command) --help")
      #expect(result.status == Status.done.rawValue && result.errors.isEmpty)
      #expect(result.output.contains("Example") && result.output.contains("hourglass \(command)"))
    }
  }
}
