import Foundation
import HourglassData
import TestSupport
import Testing

/// Tables of numbers in text as sets of vectors, and whole numbers of NumPy as they are.
@Suite struct NumberTableTests {
  private static func open(_ text: String, _ preparation: Preparation = Preparation()) throws -> Dataset {
    try withTemporaryFolder { folder in
      try text.write(toFile: folder + "/table.csv", atomically: false, encoding: .utf8)
      return try Dataset.open(
        path: folder + "/table.csv", split: .train, preparation: preparation, seed: 1, threads: 1, memory: 1 << 20)
    }
  }

  @Test(arguments: [
    "1,2,3\n40,5e1,0.25\n", "a,b,c\n1,2,3\r\n40,50,0.25", "1;2;3\n40;50;0.25\n", "1\t2\t3\n40\t50\t0.25\n",
    "1 2  3\n 40 50 0.25\n\n", "1, 2, 3\n40, 50, 0.25\n",
  ])
  func aRowIsAVector(_ text: String) throws {
    let data = try Self.open(text)
    #expect(data.shape == ImageShape(vector: 3) && data.count == 2 && data.form == .table)
    #expect(try data.images(0..<2) == [1, 2, 3, 40, 50, 0.25] && data.range == 0.25...50)
  }

  @Test(arguments: [
    ("1,2\n3\n", "line 2: wanted 2 numbers, found 1"), ("1,2\n3,x\n", "line 2: wanted a number, found \"x\""),
    ("1,2\n3,\n", "or take NaN for missing with --missing"), ("1,2\n3,inf\n", "wanted finite numbers, found inf"),
    ("a,b\nc,d\n", "found text"),
  ])
  func whatIsNoTableIsRefused(_ text: String, _ reason: String) {
    let error = #expect(throws: DataError.self) { try Self.open(text) }
    #expect(error?.reason.contains(reason) == true, "\(error?.reason ?? "")")
  }

  @Test func anEmptyCellIsMissingWhereThatIsTaken() throws {
    var preparation = Preparation()
    preparation.missing = 0
    let data = try Self.open("1,NA,3,nan\n,50,0.25,4\n", preparation)
    let values = try data.images(0..<2)
    #expect(values.map(\.isNaN) == [false, true, false, true, true, false, false, false])
    #expect(data.range == 0.25...50 && data.missingPart == 0.375)
    let found = try Standardization(of: data)
    // Mean and deviation are those of the numbers that are there; one number alone has a deviation of 1.
    #expect(found.mean == [1, 50, 1.625, 4] && found.deviation == [1, 1, 1.375, 1])
  }

  /// Whole numbers of NumPy are taken as they are, and the largest are rounded to float.
  @Test(arguments: ["|i1", "<i2", "<i4", "<i8", "<u4", "<u8"]) func wholeNumbersAreTheirOwn(_ type: String) throws {
    try withTemporaryFolder { folder in
      let width = Int(type.suffix(1)) ?? 1
      let bytes = [3, 0, 120, 7].flatMap { number in (0..<width).map { $0 == 0 ? UInt8(number) : 0 } }
      try Data(DiskImagesTests.npy(type, "2, 2", bytes)).write(to: URL(filePath: folder + "/a.npy"))
      let data = try Dataset.open(
        path: folder + "/a.npy", split: .train, preparation: Preparation(), seed: 1, threads: 1, memory: 1 << 20)
      #expect(try data.images(0..<2) == [3, 0, 120, 7] && data.elements == .float32)
    }
  }
}
