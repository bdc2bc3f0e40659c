import Foundation
import HourglassModels
import Testing

@testable import HourglassData

/// The bytes in base64 are NumPy's, made by Reference/images.py.
@Suite struct NPZFileTests {
  /// x_train 4 x 3 x 2, y_train, x_test 2 x 3 x 2, y_test 2 x 1, stored.
  static let stored = bytes(
    base64: """
      UEsDBC0AAAAAAAAAIQDdFRdX//////////8LABQAeF90cmFpbi5ucHkBABAAmAAAAAAAAACYAAAAAAAAAJNOVU1QWQEAdgB7J2Rlc2Ny\
      JzogJ3x1MScsICdmb3J0cmFuX29yZGVyJzogRmFsc2UsICdzaGFwZSc6ICg0LCAzLCAyKSwgfSAgICAgICAgICAgICAgICAgICAgICAg\
      ICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAKAAECAwQFBgcICQoLDA0ODxAREhMUFRYXUEsDBC0AAAAAAAAAIQCdH1iN////\
      //////8LABQAeV90cmFpbi5ucHkBABAAoAAAAAAAAACgAAAAAAAAAJNOVU1QWQEAdgB7J2Rlc2NyJzogJzxpOCcsICdmb3J0cmFuX29y\
      ZGVyJzogRmFsc2UsICdzaGFwZSc6ICg0LCksIH0gICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAg\
      ICAgICAgICAgICAKAgAAAAAAAAAAAAAAAAAAAAEAAAAAAAAAAgAAAAAAAABQSwMELQAAAAAAAAAhANjHopP//////////woAFAB4X3Rl\
      c3QubnB5AQAQAIwAAAAAAAAAjAAAAAAAAACTTlVNUFkBAHYAeydkZXNjcic6ICd8dTEnLCAnZm9ydHJhbl9vcmRlcic6IEZhbHNlLCAn\
      c2hhcGUnOiAoMiwgMywgMiksIH0gICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgCmRl\
      ZmdoaWprbG1ub1BLAwQtAAAAAAAAACEAVBaui///////////CgAUAHlfdGVzdC5ucHkBABAAggAAAAAAAACCAAAAAAAAAJNOVU1QWQEA\
      dgB7J2Rlc2NyJzogJ3x1MScsICdmb3J0cmFuX29yZGVyJzogRmFsc2UsICdzaGFwZSc6ICgyLCAxKSwgfSAgICAgICAgICAgICAgICAg\
      ICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAKAQBQSwECLQMtAAAAAAAAACEA3RUXV5gAAACYAAAACwAAAAAA\
      AAAAAAAAgAEAAAAAeF90cmFpbi5ucHlQSwECLQMtAAAAAAAAACEAnR9YjaAAAACgAAAACwAAAAAAAAAAAAAAgAHVAAAAeV90cmFpbi5u\
      cHlQSwECLQMtAAAAAAAAACEA2Meik4wAAACMAAAACgAAAAAAAAAAAAAAgAGyAQAAeF90ZXN0Lm5weVBLAQItAy0AAAAAAAAAIQBUFq6L\
      ggAAAIIAAAAKAAAAAAAAAAAAAACAAXoCAAB5X3Rlc3QubnB5UEsFBgAAAAAEAAQA4gAAADgDAAAAAA==
      """)
  /// pictures 2 x 3 x 4 x 8 and notes, a vector, deflated.
  static let deflated = bytes(
    base64: """
      UEsDBC0AAAAIAAAAIQDIaC6c//////////8MABQAcGljdHVyZXMubnB5AQAQAEABAAAAAAAAgQAAAAAAAACdyLsOAUEYQOFZd+t+b/9u\
      SKZxKcQD6IhGoZKJHVGIlVk0eAovbCXnCXzdOZ/1drXZBeqhnjpyycHrhejXfayN6GPsb95e9rGP3O8v7Tlx6U9O9urSHk6MTI3MjMxH\
      Rt7yh1AhQAZZ5JBHAUWUUEaICqqooY4GmmihjQ666KGPAb5QSwMELQAAAAgAAAAhAGRbqr///////////wkAFABub3Rlcy5ucHkBABAA\
      kAAAAAAAAABMAAAAAAAAAJvsF+obEMnIUMZQrZ6SWpxcpG6loG6TZqGuo6Cell9UUpSYF59flJIKEndLzClOBYoXZyQWpAL5GkY6mjoK\
      tQoUAC4GMPhgD6EZHABQSwECLQMtAAAACAAAACEAyGgunIEAAABAAQAADAAAAAAAAAAAAAAAgAEAAAAAcGljdHVyZXMubnB5UEsBAi0D\
      LQAAAAgAAAAhAGRbqr9MAAAAkAAAAAkAAAAAAAAAAAAAAIABvwAAAG5vdGVzLm5weVBLBQYAAAAAAgACAHEAAABGAQAAAAA=
      """)

  @Test func arraysOfNumPyAreFoundByTheirNames() throws {
    let folder = try TemporaryFolder()
    let path = try folder.file("digits.npz", Self.stored)
    let train = try Dataset.open(path: path, split: .train)
    #expect(train.count == 4 && train.shape == ImageShape(3, 2, 1) && train.labels == [2, 0, 1, 2])
    #expect(try train.image(3) == (18..<24).map { Float($0) / 255 } && train.form == .npz)
    let test = try Dataset.open(path: path, split: .test)
    #expect(try test.count == 2 && test.labels == [1, 0] && test.image(0)[0] == Float(100) / 255)
    expectRefusal(path, "--holdout", "has its own") {
      var preparation = Preparation()
      preparation.holdout = 0.5
      return try Dataset.open(path: path, split: .train, preparation: preparation)
    }
  }

  @Test func aSingleTableNeedsNoNameAndDeflateIsInflated() throws {
    let folder = try TemporaryFolder()
    let data = try Dataset.open(path: try folder.file("a.npz", Self.deflated), split: .test)
    #expect(data.count == 2 && data.shape == ImageShape(4, 8, 3) && data.labels == nil)
    // Element i of 192 is i / 8; N,C,H,W, so that pixel (h, w) of channel c of image n is 96 n + 32 c + 8 h + w.
    let image = try data.image(1)
    for (h, w, c) in [(0, 0, 0), (3, 7, 2), (1, 4, 1)] {
      #expect(image[(h * 8 + w) * 3 + c] == Float((96 + 32 * c + 8 * h + w) / 8) / 255)
    }
  }

  @Test func whatIsNotTakenIsRefusedWithItsReason() throws {
    let folder = try TemporaryFolder()
    func edited(_ archive: [UInt8], _ from: [UInt8], _ to: [UInt8]) -> [UInt8] {
      var bytes = archive
      var place = 0
      while place + from.count <= bytes.count {
        if Array(bytes[place..<place + from.count]) == from {
          bytes.replaceSubrange(place..<place + from.count, with: to)
          place += from.count
        } else {
          place += 1
        }
      }
      return bytes
    }
    func ascii(_ text: String) -> [UInt8] { Array(text.utf8) }
    let directory: [UInt8] = [0x50, 0x4b, 1, 2]
    let first = try #require(Self.stored.indices.first { Array(Self.stored[$0...].prefix(4)) == directory })
    func altered(_ offset: Int, _ values: [UInt8]) -> [UInt8] {
      var bytes = Self.stored
      bytes.replaceSubrange(first + offset..<first + offset + values.count, with: values)
      return bytes
    }
    let cases: [(content: [UInt8], fragment: String)] = [
      (Array(Self.stored.dropLast(30)), "no directory at its end"),
      (edited(Self.stored, ascii("x_t"), ascii("q_t")), "found q_train, y_train, q_test, y_test"),
      (edited(Self.stored, ascii("x_train"), ascii("z_train")), "x_train or train_images"),
      (altered(8, [1, 0]), "encrypted"),
      (altered(10, [12, 0]), "method 12"),
      (altered(10, [8, 0]), "damaged at x_train.npy"),
      (altered(16, [0, 0, 0, 0]), "checksum"),
      (altered(24, [0xff, 0xff, 0xff, 0xff]), "zip64"),
      (altered(24, [0xff, 0xff, 0xff, 0x7f]), "says 2147483647 bytes, which its 152 cannot hold"),
      (altered(42, [0xff, 0xff, 0, 0]), "damaged at x_train.npy"),
    ]
    for (number, (content, fragment)) in cases.enumerated() {
      let path = try folder.file("\(number).npz", content)
      expectRefusal(path, fragment) { try Dataset.open(path: path, split: .train) }
    }
    let table = NPYFileTests.byteArray
    let others: [(members: [(String, [UInt8])], fragments: [String])] = [
      ([("x.npy", table), ("y.npy", NPYFileTests.vector(3))], ["wanted 2 labels", "found 3"]),
      ([("x.npy", table), ("images.npy", table)], ["one array of x", "found x, images"]),
      ([("a.npy", table), ("b.npy", table)], ["x, images or data, found a, b"]),
      ([("x.txt", table)], ["found no array"]),
    ]
    for (members, fragments) in others {
      let path = try folder.file("other.npz", zip(members))
      for fragment in fragments { expectRefusal(path, fragment) { try Dataset.open(path: path, split: .train) } }
    }
    let path = try folder.file("float.npz", zip([("x.npy", table), ("y.npy", NPYFileTests.floatArray)]))
    expectRefusal(path + "/y.npy", "wanted one 1 in each row", "row 0") { try Dataset.open(path: path, split: .train) }
  }
}

/// Weights in NPZ files. That NumPy reads what is written is tested with onnxruntime, where there is a Python.
@Suite struct NPZWeightsTests {
  @Test func tensorsComeBackInEqualBytes() throws {
    let folder = try TemporaryFolder()
    let tensors = [
      SafeTensors.Tensor(
        name: "encoder.0.weight", shape: [2, 1, 1, 3], values: [1, 2, 3, -0.0, .pi, .leastNonzeroMagnitude]),
      SafeTensors.Tensor(name: "encoder.0.bias", shape: [2], values: [.infinity, -7]),
    ]
    let (a, b) = (folder.path + "/a.npz", folder.path + "/b.npz")
    try NPZFile.write(tensors, to: a)
    try NPZFile.write(tensors, to: b)
    #expect(try NPZFile.tensors(a) == tensors)
    #expect(try Data(contentsOf: URL(filePath: a)) == Data(contentsOf: URL(filePath: b)))
    // As any array of such an archive.
    let weight = try #require(try ZipFile(a).members.first)
    #expect(weight.name == "encoder.0.weight.npy")
    #expect(try NPYFile.decode(ZipFile(a).contents(weight), path: a).shape == [2, 1, 1, 3])
    try NPZFile.write([], to: b)
    #expect(try NPZFile.tensors(b).isEmpty)
  }

  @Test func onlyFloatsAreWeights() throws {
    let folder = try TemporaryFolder()
    let cases: [(members: [(String, [UInt8])], inside: String, fragments: [String])] = [
      ([("w.npy", NPYFileTests.byteArray)], "/w.npy", ["<f4", "|u1", "astype"]),
      ([("w.npy", NPYFileTests.floatArray), ("w.npy", NPYFileTests.floatArray)], "", ["two arrays", "w"]),
      ([("w.npy", NPYFileTests.floatArray), ("notes.txt", [65])], "", ["arrays alone", "notes.txt"]),
    ]
    for (number, (members, inside, fragments)) in cases.enumerated() {
      let path = try folder.file("\(number).npz", zip(members))
      for fragment in fragments { expectRefusal(path + inside, fragment) { try NPZFile.tensors(path) } }
    }
  }
}

@Suite struct RecordFileTests {
  /// Records whose pixel (h, w), channel c is (label + 3 h + 5 w + 7 c) mod 256.
  static func records(_ labels: [UInt8]) -> [UInt8] {
    var bytes: [UInt8] = []
    for label in labels {
      bytes.append(label)
      for c in 0..<3 {
        for h in 0..<32 { for w in 0..<32 { bytes.append(UInt8((Int(label) + 3 * h + 5 * w + 7 * c) % 256)) } }
      }
    }
    return bytes
  }

  @Test func recordsOfAllFilesAreReadInTheOrderOfTheirNumbers() throws {
    let cases = [
      ["train_2.bin", "train_10.bin.gz", "test.bin"], ["data_batch_2.bin", "data_batch_10.bin", "test_batch.bin"],
    ]
    for names in cases {
      let folder = try TemporaryFolder()
      for (name, labels) in zip(names, [[3, 1], [0], [2]] as [[UInt8]]) {
        let content = Self.records(labels)
        _ = try folder.file(name, name.hasSuffix("gz") ? gzip(content) : content)
      }
      _ = try folder.file("classes.txt", Array("red\nblue\ngreen\r\nblack\n".utf8))
      let train = try Dataset.open(path: folder.path, split: .train)
      #expect(train.labels == [3, 1, 0] && train.classes == ["red", "blue", "green", "black"])
      #expect(train.shape == ImageShape(32, 32, 3) && train.form == .records)
      for (index, label) in [3, 1, 0].enumerated() {
        let image = try train.image(index)
        for (h, w, c) in [(0, 0, 0), (31, 31, 2), (7, 20, 1)] {
          #expect(image[(h * 32 + w) * 3 + c] == Float((label + 3 * h + 5 * w + 7 * c) % 256) / 255)
        }
      }
      #expect(try Dataset.open(path: folder.path, split: .test).labels == [2])
      let one = try Dataset.open(path: "\(folder.path)/\(names[0])", split: .test)
      #expect(one.labels == [3, 1] && one.classes == nil)
    }
  }

  @Test func whatIsNoWholeNumberOfRecordsIsRefused() throws {
    let folder = try TemporaryFolder()
    let cut = try folder.file("train_1.bin", Array(Self.records([1, 2]).dropLast(5)))
    expectRefusal(cut, "records of 3073 bytes", "found 6141 bytes, 3068 too many") {
      try Dataset.open(path: folder.path, split: .train)
    }
    expectRefusal(folder.path, "test*.bin", "found train_1.bin") { try Dataset.open(path: folder.path, split: .test) }
    let empty = try folder.file("b.bin", [])
    expectRefusal(empty, "found 0 bytes") { try Dataset.open(path: empty, split: .train) }
    _ = try folder.file("train_1.bin", Self.records([1, 2]))
    _ = try folder.file("classes.txt", Array("only\n".utf8))
    expectRefusal(folder.path, "names of 3 classes, found 1") { try Dataset.open(path: folder.path, split: .train) }
    var preparation = Preparation()
    preparation.layout = .nhwc
    expectRefusal(empty.replacingOccurrences(of: "b.bin", with: "train_1.bin"), "--layout", "whose layout is known") {
      try Dataset.open(path: "\(folder.path)/train_1.bin", split: .train, preparation: preparation)
    }
  }

  /// Counts and figures published beside the set.
  @Test(.enabled(if: realData != nil, withoutRealData))
  func fruitsHaveTheirPublishedCountsAndMeans() throws {
    let folder = "\(realData!)/fruits-360/rgb32"
    let train = try Dataset.open(path: folder, split: .train)
    #expect(train.count == 10_043 && train.classes?.count == 60 && Set(train.labels ?? []) == Set(0..<60))
    let test = try Dataset.open(path: folder, split: .test)
    #expect(test.count == 1_284 && test.shape == ImageShape(32, 32, 3))
    var preparation = Preparation()
    preparation.limit = 500
    // 500 images spread evenly have means that vary by less than the pixels do.
    let summary = try DatasetSummary(Dataset.open(path: folder, split: .train, preparation: preparation))
    for (found, wanted) in zip(summary.mean, [183.588, 156.442, 130.859]) {
      #expect(abs(255 * found - wanted) < 4 * 94 / 500.0.squareRoot())
    }
  }
}
