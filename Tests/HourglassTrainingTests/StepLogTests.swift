import Foundation
import HourglassData
import HourglassModels
import Testing
import TestSupport

@testable import HourglassTraining

@Suite struct StepLogTests {
  /// However many steps there are, rows are few, stand for all steps in their order and have the means of their
  /// losses.
  @Test(arguments: [1, 1024, 1025, 4097, 50_000], [0, 7, 1000]) func fewRowsStandForAllSteps(
    _ count: Int, checkpointEvery: Int
  ) throws {
    var log = try StepLog(nil, upTo: -1)
    let losses = (1...count).map { Double($0 * $0 % 101) }
    for step in 1...count {
      log.append(step: step, loss: losses[step - 1], learningRate: Float(step))
      if checkpointEvery > 0, step % checkpointEvery == 0 { try log.write() }
    }
    #expect(log.rows.count <= 1024 && log.rows.count >= min(count, 256))
    var first = 1
    for row in log.rows {
      let steps = first...row.step
      try #require(row.steps == steps.count && row.learningRate == Float(row.step))
      let mean = steps.reduce(0) { $0 + losses[$1 - 1] } / Double(row.steps)
      #expect(abs(row.loss - mean) < 1e-9)
      first = row.step + 1
    }
    #expect(first == count + 1)
  }

  /// A session that goes on from a checkpoint finds the rows up to it, whatever was written after it.
  @Test func rowsAreCutBackToACheckpoint() throws {
    try withTemporaryFolder { folder in
      let run = RunFolder(folder)
      var log = try StepLog(run, upTo: -1)
      func append(_ steps: ClosedRange<Int>) {
        for step in steps { log.append(step: step, loss: 1 / Double(step), learningRate: 0.1 * Float(step)) }
      }
      append(1...1500)
      try log.write()
      let kept = log.rows
      append(1501...1999)
      try log.write()
      let again = try StepLog(run, upTo: .max)
      #expect(again.rows == log.rows && again.damage == nil)
      log = try StepLog(run, upTo: 1500)
      #expect(log.rows.last?.step == 1500 && log.rows.reduce(0) { $0 + $1.steps } == 1500)
      #expect(log.rows == kept)

      let broken = "step,steps,loss,learningRate\n1,1,0.5,0.1\n1,1,0.5,0.1\n2,3,0.5,1\n2,1,nan,1\n2,1,0.5,0.1\n"
      try AtomicFile.write(broken, to: run.file("steps.csv"))
      log = try StepLog(run, upTo: .max)
      #expect(log.rows.map(\.step) == [1, 2] && log.damage?.contains("found 3") == true)
      try log.write()
      #expect(try InputFile.contents(of: run.file("steps.csv.damaged")).split(separator: 10).count == 3)
    }
  }
}
