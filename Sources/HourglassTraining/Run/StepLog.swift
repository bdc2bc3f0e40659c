import FoundationEssentials
import HourglassData

/// The loss and the learning rate along the steps of a run, the file `steps.csv` of its folder.
///
/// A row stands for as many steps, a power of two, that there are at most 1,024 rows however long the run is.
public struct StepLog: Sendable {
  /// Steps one after the other.
  public struct Row: Sendable, Equatable {
    /// The last of the steps, counted from 1.
    public var step: Int
    /// How many steps the row stands for.
    public var steps: Int
    /// The mean of their losses.
    public var loss: Double
    /// The learning rate of the last of them.
    public var learningRate: Float
  }

  /// The rows in the order of the steps.
  public private(set) var rows: [Row] = []
  /// The steps that a full row stands for.
  private var width = 1
  /// The step of the checkpoint, to which a session that resumes cuts the rows back: none stands for steps on both
  /// sides of it.
  private var kept: Int
  /// The lines that cannot be read, until they are kept aside.
  private var damaged: [Data] = []
  private let run: RunFolder?

  /// The name of the file in the run's folder.
  package static let name = "steps.csv"
  private static let titles = "step,steps,loss,learningRate"
  private static let most = 1024

  /// Reads the rows of earlier sessions and cuts them back to the checkpoint at `step`.
  ///
  /// Errors: the file is there and cannot be read.
  public init(_ run: RunFolder?, upTo step: Int) throws(DataError) {
    (self.run, kept) = (run, step)
    let bytes =
      try run.flatMap { (run) throws(DataError) in try InputFile.contents(ifThere: run.file(Self.name)) } ?? []
    for line in bytes.split(separator: UInt8(ascii: "\n")) where !line.elementsEqual(Self.titles.utf8) {
      guard let row = Row(line), row.step > rows.last?.step ?? 0 else {
        damaged.append(Data(line))
        continue
      }
      if row.step <= step { rows.append(row) }
    }
    while let widest = rows.map(\.steps).max(), width < widest, width < 1 << 48 { width *= 2 }
  }

  /// A sentence about the lines that cannot be read; nil where all can.
  public var damage: String? {
    damaged.isEmpty
      ? nil : "wanted the four numbers of a row in each line, found \(damaged.count) that cannot be read"
  }

  mutating func append(step: Int, loss: Double, learningRate: Float) {
    add(Row(step: step, steps: 1, loss: loss, learningRate: learningRate))
    guard rows.count > Self.most else { return }
    gather()
    if rows.count > Self.most / 2 {
      width *= 2
      gather()
    }
  }

  private mutating func gather() {
    let former = rows
    rows = []
    for row in former { add(row) }
  }

  /// Adds a row behind all others, or to the last one, whose steps are of the same piece.
  private mutating func add(_ row: Row) {
    guard let last = rows.last, (last.step - 1) / width == (row.step - 1) / width,
      last.step > kept || row.step <= kept
    else { return rows.append(row) }
    let steps = last.steps + row.steps
    rows[rows.count - 1] = Row(
      step: row.step, steps: steps, loss: last.loss + (row.loss - last.loss) * Double(row.steps) / Double(steps),
      learningRate: row.learningRate)
  }

  /// Writes the file, before the checkpoint of the last step is written.
  mutating func write() throws(DataError) {
    defer { kept = rows.last?.step ?? kept }
    guard let run else { return }
    if let damage {
      try run.keepAside(Data(damaged.flatMap { $0 + Data("\n".utf8) }), of: Self.name, found: damage)
      damaged = []
    }
    let lines = rows.map { "\($0.step),\($0.steps),\($0.loss),\($0.learningRate)\n" }
    try AtomicFile.write(Self.titles + "\n" + lines.joined(), to: run.file(Self.name))
  }
}

extension StepLog.Row {
  /// Reads a line; nil where it is none.
  fileprivate init?(_ line: some Sequence<UInt8>) {
    let cells = String(decoding: Array(line), as: UTF8.self).split(separator: ",", omittingEmptySubsequences: false)
    guard cells.count == 4, let step = Int(cells[0]), let steps = Int(cells[1]), let loss = Double(cells[2]),
      let rate = Float(cells[3]), steps > 0, steps <= step, loss.isFinite, rate.isFinite
    else { return nil }
    self.init(step: step, steps: steps, loss: loss, learningRate: rate)
  }
}
