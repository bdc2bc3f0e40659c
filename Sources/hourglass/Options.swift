import ArgumentParser
import Foundation
import HourglassAnalysis
import HourglassData
import HourglassModels
import HourglassTraining

extension Split: ExpressibleByArgument {}
extension Schedule: ExpressibleByArgument {
  public static let allValueStrings = [
    "constant", "cosine", "step:10epochs:0.1", "exponential:0.95", "plateau:0.1:10", "oneCycle:0.3",
  ]
}
extension Span: ExpressibleByArgument {}
extension Initializer: ExpressibleByArgument {}
extension TimeLimit: ExpressibleByArgument {}
extension MemoryLimit: ExpressibleByArgument {}
extension Recipe.Monitor: ExpressibleByArgument {}
extension Optimizer.Kind: ExpressibleByArgument {}
extension Conv2D.Algorithm: ExpressibleByArgument {}
extension RunFolder.Kept: ExpressibleByArgument {}
extension CoreBinding: ExpressibleByArgument {}

/// Which trained model a command reads.
struct RunOptions: ParsableArguments {
  @Option(help: "The folder of the run.")
  var run: String

  @Option(help: "The checkpoint to read.")
  var from: RunFolder.Kept = .last

  func load() throws -> LoadedRun { try Self.load(run, from) }

  static func load(_ run: String, _ from: RunFolder.Kept = .last) throws -> LoadedRun {
    let (run, recipe) = try RunFolder.open(run)
    let checkpoint = try run.read(from)
    let shards = ExecutionPlan.defaultShards(batchSize: Inference.batchSize)
    let inference = try Inference(recipe, parallel: ParallelPlan(shards: shards, cores: Processes.cores))
    try checkpoint.restore(parameters: inference.parameters, plan: inference.plan, path: run.checkpoint(from))
    return LoadedRun(run: run, recipe: recipe, progress: checkpoint.progress, inference: inference)
  }
}

/// A trained model, ready to use.
struct LoadedRun {
  let run: RunFolder
  let recipe: Recipe
  let progress: Checkpoint.Progress
  let inference: Inference

  /// The steps of training that made the weights.
  var step: Int { progress.step }
  var model: Autoencoder { recipe.model }

  /// Refuses a model that puts out labels or distances where images are wanted.
  func requireImages(_ command: String) throws {
    guard model.likelihood.target != .image else { return }
    throw ValidationError(
      "\(command): wanted a model that puts out images, found \(model.name), which puts out "
        + (model.likelihood.target == .label ? "labels " : "distances ")
        + "(\(model.likelihood.name) likelihood); use evaluate or encode")
  }

  /// Refuses a model whose decoder wants more than a code.
  func requireDecoding(_ command: String) throws {
    guard let refusal = inference.plan.decodingRefusal else { return }
    throw ValidationError("\(command): \(refusal); use reconstruct")
  }

  /// Another run, whose codes of the same images are measured beside.
  func beside(_ path: String) throws -> LoadedRun {
    let other = try RunOptions.load(path)
    guard other.model.input == model.input else {
      throw ValidationError("--beside \(path): wanted a model of images of \(model.input), found \(other.model.input)")
    }
    return other
  }

  /// Refuses a model that decodes a code together with its class.
  func requireNoCondition(_ command: String) throws {
    guard model.conditionClasses != nil else { return }
    throw ValidationError(
      "\(command): wanted a model that decodes a code alone, found \(model.name), which is told the class with "
        + "each code (Condition)")
  }

  /// Writes the images that so many codes stand for, in rows; `codes` makes N x Z of them.
  ///
  /// - Parameter labels: the classes that a model with conditions is told, for a range of the codes.
  func decode(
    _ count: Int, to file: OutputFile, columns: Int = Pictures.columns,
    labels: (Range<Int>) -> ArraySlice<Int>? = { _ in nil }, _ codes: (Range<Int>) throws -> [Float]
  ) throws {
    try file.write(count, images: model.input) {
      inference.decode(try codes($0), labels: labels($0))
    } draw: {
      try Pictures.grid($0, shape: model.input, columns: columns)
    }
  }

  /// The codes of all images, which are kept in memory.
  ///
  /// Errors: codes that memory does not hold, or that are not finite.
  ///
  /// - Parameter range: which images; nil for all.
  func codes(of data: Dataset, _ range: Range<Int>? = nil) throws -> [Float] {
    try held(data) { try inference.codes(of: data, range, sharedBy: Processes.transport) }
  }

  /// What is compressed of all images, which is kept in memory, with the same errors.
  func symbols(of data: Dataset) throws -> [Float] { try held(data) { try inference.symbols(of: data) } }

  private func held(_ data: Dataset, _ made: () throws -> [Float]) throws -> [Float] {
    // Beside the codes themselves what is made of them.
    try GrantedMemory.require(
      data.count.timesClamping(12 * inference.codeCount), for: data.source,
      "hold \(data.count) codes of \(inference.codeCount) units", advice: "take fewer images with --limit")
    let codes = try made()
    guard codes.allSatisfy(\.isFinite) else {
      throw ExitStatusError(
        status: .diverged,
        description:
          "\(run.path): wanted finite codes of \(data.source), found others; the weights, or the images, are "
          + "too large")
    }
    return codes
  }

  /// The images at a path, or without one the images of the run. They are prepared as the run's images are, with the
  /// given flags in place of what the run's recipe says.
  ///
  /// - Parameters:
  ///   - allClasses: whether classes that the run left out are taken too.
  ///   - masks: a folder of masks of the truth.
  ///   - inputs: what the model sees in place of the images at a path; without a path the recipe decides it.
  func images(
    at path: String?, _ split: Split, _ flags: DataFlags, allClasses: Bool = false, masks: String? = nil,
    pairedWith inputs: String? = nil
  ) throws -> Dataset {
    try flags.requireFiles(path ?? recipe.data.path)
    var base = recipe.data.preparation ?? Preparation()
    if allClasses { base.labels = nil }
    var preparation = flags.adapting(path == nil ? base : base.forOtherImages)
    if let masks { preparation.masks = URL(fileURLWithPath: masks).path }
    let source = DataSource(
      path: path ?? recipe.data.path, split: split, preparation: preparation, codes: recipe.data.codes,
      inputs: path == nil ? recipe.data.inputs : inputs)
    let data = try recipe.open(source, memory: Processes.memoryForImages)
    list(about: data)
    return data
  }
}

extension LoadedRun {
  var weightsHash: String { WeightsHash.of(inference.parameters, plan: inference.plan) }

  /// The paths of the run's images and label files, which no output may replace.
  var inputs: [String?] {
    [recipe.data.inputs] + [recipe.data, recipe.validation].flatMap { [$0?.path, $0?.preparation?.labelsFile] }
  }

  /// The images that the run was trained on.
  ///
  /// Errors: nothing is at their path, or they cannot be read; the sentence says what to do.
  func trainedOn() throws -> Dataset {
    if let path = recipe.data.path, try !InputFile.isThere(path) {
      throw DataError(
        path: path,
        reason: "wanted the images that the run \(run.path) was trained on, of which it does not keep what is needed, "
          + "found nothing there; where they were moved, hourglass train --run \(run.path) --resume --data PATH tells "
          + "it")
    }
    return try recipe.open(recipe.data)
  }

  /// What the run keeps of the images trained on for these weights, so that the images need not be there; nil where
  /// nothing is kept.
  func keptTraining() throws -> KeptTraining? { try run.keptTraining(for: weightsHash) }

  /// Codes whose range in each unit is the range over the images trained on, N x units.
  func trainingCodeRange() throws -> [Float] {
    guard let kept = try keptTraining()?.codeRange else { return try codes(of: trainedOn()) }
    return kept.low + kept.high
  }
}

/// How the work of a step is divided.
struct DivisionOptions: ParsableArguments {
  @Option(
    help: """
      How many workers train at once, each on shards of the minibatch. (default: as many as keep all granted cores \
      busy, at most one for each shard)
      """)
  var workers: Int?

  @Option(
    help: """
      How many OpenMP threads each worker has. (default: OMP_NUM_THREADS where it is set; else 1, more where cores are \
      left over)
      """)
  var threads: Int?

  @Option(
    help: """
      Keep each thread on one core: threads of a worker on neighbouring cores (close), or all threads evenly spaced \
      over the granted cores (spread). (default: none)
      """
  )
  var bind: CoreBinding?

  func validate() throws {
    try requirePositive("--workers", workers, most: ParallelPlan.most)
    try requirePositive("--threads", threads, most: ParallelPlan.most)
  }

  /// Takes what a configuration file says where the flags are silent.
  mutating func adopt(_ file: Configuration) throws {
    let file = file.session
    (workers, threads, bind) = (workers ?? file.workers, threads ?? file.threads, bind ?? file.bind)
    try validate()
  }

  /// The division for a number of shards. It warns of more threads than granted cores.
  func plan(shards: Int) -> ParallelPlan {
    let (cores, processes) = (Processes.cores, Processes.transport?.place.count ?? 1)
    var plan = ParallelPlan(
      workers: workers, threads: threads, shards: (shards + processes - 1) / processes, cores: cores)
    plan.binding = bind ?? .none
    if plan.workers * plan.threads > cores {
      StandardError.write(
        "hourglass: warning: \(plan.workers) workers x \(plan.threads) threads are more than the "
          + "\(cores) granted cores; this will be slow")
    }
    return plan
  }
}

/// Which images a command reads.
struct ImageOptions: ParsableArguments {
  @Option(help: "Read the images from this file, such as an NPY file of shape N,H,W or N,H,W,C.")
  var input: String?

  @Option(help: ArgumentHelp("\(DataFlags.forms) (default: the run's data)", valueName: "path"))
  var data: String?

  @Option(help: "The part of the set whose images are read.")
  var split: Split = .test

  @OptionGroup var images: DataFlags

  func validate() throws {
    if input != nil && data != nil {
      throw ValidationError("wanted one of --input and --data, found both")
    }
  }

  /// The path of the images; nil for the run's own.
  var path: String? { input ?? data }

  func open(_ loaded: LoadedRun, allClasses: Bool = false, masks: String? = nil) throws -> Dataset {
    try loaded.images(at: path, split, images, allClasses: allClasses, masks: masks)
  }
}

/// Tells which files of a set were passed over or left out, and what else a person should know about the set.
func list(about data: Dataset) {
  for error in data.refused { StandardError.write("hourglass: left out: \(error)") }
  if !data.inventory.isPlain { StandardError.write("hourglass: \(data.source): \(data.inventory.line)") }
}

/// Tells which classes of a set do not occur in another set, because tables do not show it.
func noteUnknownClasses(of data: Dataset, _ names: [String], from other: Dataset) {
  guard !names.isEmpty else { return }
  let list = names.prefix(6).joined(separator: ", ") + (names.count > 6 ? " and \(names.count - 6) more" : "")
  StandardError.write(
    "hourglass: \(data.source): note: no image of \(other.source) is of the class \(list), which is never found")
}

/// A model as the command line names it, see `Autoencoder.named`.
func resolveModel(_ name: String, flag: String) throws -> Autoencoder {
  do { return try Autoencoder.named(name, as: flag) } catch let error as ModelError {
    throw ValidationError(error.description)
  }
}

/// Whole numbers with commas, as 1,10,100.
struct IntegerList: ExpressibleByArgument {
  var values: [Int]

  init(_ values: [Int]) { self.values = values }

  init?(argument: String) {
    let parts = argument.split(separator: ",", omittingEmptySubsequences: false).map { Int($0) }
    guard !parts.contains(nil) else { return nil }
    values = parts.compactMap(\.self)
  }

  var defaultValueDescription: String { values.map(String.init).joined(separator: ",") }
}

func requirePositive(_ flag: String, _ value: Int?, most: Int = Int.max) throws {
  guard let value, !(1...most).contains(value) else { return }
  let wanted = most == Int.max ? "at least 1" : "1 to \(most)"
  throw ValidationError("\(flag): wanted \(wanted), found \(value)")
}
