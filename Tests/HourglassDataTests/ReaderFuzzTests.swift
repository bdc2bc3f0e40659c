import Foundation
import TestSupport
import Testing

@testable import HourglassData

/// Every reader on altered files: each must be read or be refused by a `DataError`, and none may trap, hang or take
/// memory that is not granted. A child process reads them, under a limit of its address space.
@Suite(.serialized) struct ReaderFuzzTests {
  /// Altered files for each reader; Scripts/fuzz-readers sets it.
  private static let cases = ProcessInfo.processInfo.environment["HOURGLASS_FUZZ_CASES"].flatMap { Int($0) } ?? 500

  @Test(.timeLimit(.minutes(60)), arguments: FuzzedReader.all.indices)
  func alteredFilesNeverTrap(_ index: Int) async throws {
    let reader = FuzzedReader.all[index]
    let folder = try TemporaryFolder()
    let path = folder.path
    await #expect(processExitsWith: .success, "\(reader.name)") { [index = index as Int, path = path as String] in
      try Self.fuzz(FuzzedReader.all[index], in: path)
    }
    let last = try InputFile.contents(ifThere: "\(path)/\(reader.file)") ?? []
    let counts = String(decoding: try InputFile.contents(ifThere: "\(path)/counts") ?? [], as: UTF8.self)
    let numbers = counts.split(separator: " ").compactMap { Int($0) }
    guard numbers.count == 2 else {
      Issue.record("\(reader.name): the last file was \(Data(last.prefix(1024)).base64EncodedString())")
      return
    }
    #expect(numbers[0] == Self.cases && numbers[1] > 0 && numbers[1] < numbers[0], "\(reader.name): \(counts)")
    if Self.cases != 500 { print("\(reader.name): \(numbers[0]) altered files, of which \(numbers[1]) were refused") }
  }

  private static func fuzz(_ reader: FuzzedReader, in path: String) throws {
    let folder = TemporaryFolder(at: path)
    for (name, content) in reader.others { _ = try folder.file(name, content) }
    let original = try folder.file(reader.file, reader.original)
    try reader.read(original, path)
    try limitAddressSpace(toFurther: 256 << 20)
    var chance = Chance(state: 20)
    var refused = 0
    for _ in 0..<cases {
      let file = try folder.file(reader.file, reader.repaired(chance.altered(reader.original)))
      do { try reader.read(file, path) } catch let error as DataError {
        refused += 1
        guard !error.path.isEmpty, !error.reason.isEmpty else { throw CocoaError(.fileReadUnknown) }
      }
    }
    _ = try folder.file("counts", Array("\(cases) \(refused)".utf8))
  }
}
