import FoundationEssentials
import Glibc
import HourglassData
import HourglassModels
import Synchronization

/// The folder of a run, with everything that the run was made from and everything that it made.
///
///     recipe.json        what decides the result        metrics.csv, metrics.jsonl   one row an epoch
///     steps.csv          loss and learning rate along the steps
///     data.csv           the images trained on          validation.csv               those evaluated
///     environment.json   where and how it ran           pictures/                    to look at
///     checkpoints/       last, previous, best .safetensors   report.html      all of it on one page
///     training.safetensors   of the images trained on: scores, codes and their ranges, once training has ended
///     profile.json       time of each layer, where wanted    tensorboard/     events, where wanted
///     threshold.json     of scores, where somebody kept one
///     stages/1, 2, ...   runs of their own that were trained before (pretrain, finetune)
///     lock               held by the process that trains; it names that process
///
/// Writes come in an order in which every prefix of them is a run that goes on to the same bits. The folder appears
/// whole, under its name; `checkpoints` appears with the first checkpoint in it, so that a run which never had one can
/// be told from one whose checkpoints are gone.
public struct RunFolder: Sendable {
  /// The folder.
  public let path: String
  private let session: Session

  /// The state that all copies of a value share.
  private final class Session: Sendable {
    let lock = Mutex<FileLock?>(nil)
    let notes = Mutex<[String]>([])
  }

  /// The run at a path, whether there is one or not.
  public init(_ path: String) { self.init(path, Session()) }

  private init(_ path: String, _ session: Session) { (self.path, self.session) = (path, session) }

  /// The path of a file in the folder.
  public func file(_ name: String) -> String { "\(path)/\(name)" }
  /// The path of the report.
  public var report: String { file("report.html") }
  /// The path of the folder with events for TensorBoard.
  public var tensorBoard: String { file("tensorboard") }
  /// The path of a picture.
  public func picture(_ name: String) -> String { file("pictures/\(name)") }

  /// The path of a stage's folder. Stages are counted from 1.
  public func stage(_ number: Int) -> String { file("stages/\(number)") }

  /// Whether the run has stages. Errors: the system cannot tell.
  public func hasStages() throws(DataError) -> Bool { try InputFile.isThere(stage(1)) }

  /// Why no new run may begin here; nil where it may. Errors: the system cannot tell.
  public func refusal() throws(DataError) -> DataError? {
    guard try InputFile.isThere(path) else { return nil }
    guard try !InputFile.names(in: path).isEmpty else { return nil }
    return DataError(
      path: path, reason: "the run folder exists already; choose another --run, go on with --resume, or remove it",
      isOutput: true)
  }

  // MARK: Making and locking

  /// Makes the folder for a new run, locked, with nothing but its recipe.
  ///
  /// Errors: the folder exists and is not empty; another process is making it; it cannot be written.
  public static func create(_ path: String, recipe: Recipe) throws -> RunFolder {
    let run = RunFolder(path)
    try run.create(recipe) { _ in }
    return run
  }

  /// Makes the folder for a new run and locks it. The folder is made beside its place, where a process that is killed
  /// leaves nothing under the run's name, and renamed once it is whole.
  ///
  /// Errors: the folder exists and is not empty; another process is making it; it cannot be written; `fill` throws.
  /// Nothing stays then.
  ///
  /// - Parameter fill: puts the files that the run has from its beginning into the folder that it is given.
  public func create<Result>(
    _ recipe: Recipe, session environment: RunEnvironment? = nil, fill: (RunFolder) throws -> Result
  ) throws -> Result {
    if let refusal = try refusal() { throw refusal }
    // A link to an empty folder stays a link.
    let target = try InputFile.isThere(path) ? URL(fileURLWithPath: path).resolvingSymlinksInPath().path : plainPath
    let (parent, name) = AtomicFile.split(target)
    let temporary = RunFolder("\(parent)/\(AtomicFile.temporaryName(name))", session)
    try AtomicFile.makeFolder(temporary.path)
    try temporary.lock()
    do {
      for name in try InputFile.names(in: temporary.path) where name != Self.lockName {
        try AtomicFile.remove(temporary.file(name))
      }
      try temporary.begin(recipe)
      if let environment { try temporary.append(environment) }
      let result = try fill(temporary)
      if let refusal = try refusal() { throw refusal }
      try AtomicFile.move(temporary.path, to: target)
      return result
    } catch {
      try? AtomicFile.remove(temporary.path)
      session.lock.withLock { $0 = nil }
      throw error
    }
  }

  /// Writes the files that the folder of a run has from its beginning.
  func begin(_ recipe: Recipe) throws(DataError) {
    try AtomicFile.makeFolder(file("pictures"))
    try save(recipe)
  }

  /// Removes a run that this process made and locked. Errors: it cannot be removed.
  public func discard() throws(DataError) {
    let (parent, name) = AtomicFile.split(plainPath)
    let temporary = "\(parent)/\(AtomicFile.temporaryName(name))"
    try AtomicFile.move(plainPath, to: temporary)
    try AtomicFile.remove(temporary)
  }

  /// Makes this process the only one that may write the run, and removes what a killed process left half written. Where
  /// the process has the lock already, nothing happens.
  ///
  /// Errors: another process has the lock, named with its host.
  public func lock() throws(DataError) {
    let isNew = try session.lock.withLock { (lock) throws(DataError) in
      guard lock == nil else { return false }
      lock = try FileLock(file(Self.lockName), use: "a run")
      return true
    }
    guard isNew else { return }
    let events = [tensorBoard] + TensorBoardLog.parts.map { "\(tensorBoard)/\($0)" }
    for folder in [path, file("checkpoints"), file("pictures")] + events where try InputFile.isThere(folder) {
      try AtomicFile.removeAbandoned(in: folder)
    }
  }

  private static let lockName = "lock"

  /// The path without slashes at the end.
  private var plainPath: String {
    let end = path.lastIndex { $0 != "/" }
    return end.map { String(path[...$0]) } ?? path
  }

  // MARK: Reading

  /// Opens the folder of an earlier run.
  ///
  /// - Parameter locked: whether to lock the run before anything is read, because it will go on.
  public static func open(_ path: String, locked: Bool = false) throws(DataError) -> (run: RunFolder, recipe: Recipe) {
    let run = RunFolder(path)
    let file = run.file("recipe.json")
    guard try InputFile.isThere(path) else {
      throw DataError(path: path, reason: "wanted the folder of a run, found nothing there")
    }
    guard try InputFile.isThere(file) else {
      throw DataError(path: file, reason: "wanted the recipe of a run, found none; is a disk not mounted?")
    }
    if locked { try run.lock() }
    let recipe = try JSONFile.read(Recipe.self, from: file, what: "not a recipe")
    if let refusal = recipe.refusal { throw DataError(path: file, reason: refusal) }
    return (run, recipe)
  }

  /// Writes recipe.json. Errors: the file cannot be written.
  public func save(_ recipe: Recipe) throws(DataError) { try save(recipe, as: "recipe.json") }

  /// Writes a value as JSON for people, with its names in alphabetical order.
  ///
  /// Errors: a number that is not finite; the file cannot be written.
  public func save(_ value: some Encodable, as name: String) throws(DataError) {
    do {
      try AtomicFile.write(try JSONText.indented(value) + "\n", to: file(name))
    } catch let error as DataError { throw error } catch {
      throw DataError(path: file(name), reason: "\(error)")
    }
  }

  /// Sentences about files that were found damaged and kept aside.
  public var notes: [String] { session.notes.withLock { $0 } }

  /// Adds the part of a file that cannot be read to another file beside it, so that writing the file anew loses
  /// nothing.
  func keepAside(_ damaged: Data, of name: String, found: String) throws(DataError) {
    let place = file("\(name).damaged")
    try AtomicFile.write(Data(try InputFile.contents(ifThere: place) ?? []) + damaged, to: place)
    session.notes.withLock { $0.append("\(file(name)): \(found); kept in \(place)") }
  }
}
