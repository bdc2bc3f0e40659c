import Foundation
import HourglassData
import HourglassModels
import Testing

/// The bytes in base64 are NumPy's, made by Reference/reference.py.
@Suite struct NPYFileTests {
  static let byteArray = bytes(
    base64: """
      k05VTVBZAQB2AHsnZGVzY3InOiAnfHUxJywgJ2ZvcnRyYW5fb3JkZXInOiBGYWxzZSwgJ3NoYXBlJzogKDIsIDIsIDMpLCB9ICAg\
      ICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgIAoAAQIDBAUGBwgJCgs=
      """)
  static let floatArray = bytes(
    base64: """
      k05VTVBZAQB2AHsnZGVzY3InOiAnPGY0JywgJ2ZvcnRyYW5fb3JkZXInOiBGYWxzZSwgJ3NoYXBlJzogKDIsIDMpLCB9ICAgICAg\
      ICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgIAoAAAAAAACAPgAAAD8AAEA/AACAPwAA\
      AMA=
      """)
  static let doubleArray = bytes(
    base64: """
      k05VTVBZAQB2AHsnZGVzY3InOiAnPGY4JywgJ2ZvcnRyYW5fb3JkZXInOiBGYWxzZSwgJ3NoYXBlJzogKDEsIDEsIDIsIDMpLCB9\
      ICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgIAqamZmZmZm5P5qZmZmZmck/MzMzMzMz\
      0z+amZmZmZnZPwAAAAAAAOA/VVVVVVVV1T8=
      """)
  static let fortranArray = bytes(
    base64: """
      k05VTVBZAQB2AHsnZGVzY3InOiAnPGY0JywgJ2ZvcnRyYW5fb3JkZXInOiBUcnVlLCAnc2hhcGUnOiAoMiwgMiksIH0gICAgICAg\
      ICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgIAoAAIA/AABAQAAAAEAAAIBA
      """)
  static let bigEndianArray = bytes(
    base64: """
      k05VTVBZAQB2AHsnZGVzY3InOiAnPmY0JywgJ2ZvcnRyYW5fb3JkZXInOiBGYWxzZSwgJ3NoYXBlJzogKDIsKSwgfSAgICAgICAg\
      ICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgIAo/gAAAQAAAAA==
      """)

  /// 0, 1, ... as bytes, one axis.
  static func vector(_ count: UInt8) -> [UInt8] {
    let header = "{'descr': '|u1', 'fortran_order': False, 'shape': (\(count),), }\n"
    return Array(floatArray[..<8]) + [UInt8(header.utf8.count), 0] + Array(header.utf8) + (0..<count)
  }

  @Test func filesOfNumPyAreRead() throws {
    let folder = try TemporaryFolder()
    let cases: [([UInt8], NPYArray)] = [
      (Self.byteArray, NPYArray(shape: [2, 2, 3], elements: .bytes((0..<12).map { UInt8($0) }))),
      (gzip(Self.byteArray), NPYArray(shape: [2, 2, 3], elements: .bytes((0..<12).map { UInt8($0) }))),
      (Self.floatArray, NPYArray(shape: [2, 3], elements: .floats([0, 0.25, 0.5, 0.75, 1, -2]))),
      (Self.doubleArray, NPYArray(shape: [1, 1, 2, 3], elements: .floats([0.1, 0.2, 0.3, 0.4, 0.5, 1 / 3]))),
    ]
    for (content, wanted) in cases { #expect(try NPYFile.read(try folder.file("a.npy", content)) == wanted) }
    // Versions 2 and 3 have a header length of 4 bytes.
    for version in [2, 3] as [UInt8] {
      let longer = Self.floatArray[..<6] + [version, 0] + Self.floatArray[8..<10] + [0, 0] + Self.floatArray[10...]
      #expect(try NPYFile.read(try folder.file("a.npy", Array(longer))) == cases[2].1)
    }
  }

  @Test func whatIsWrittenIsWhatNumPyWrites() throws {
    let folder = try TemporaryFolder()
    let path = folder.path + "/out.npy"
    try NPYFile.write([0, 0.25, 0.5, 0.75, 1, -2], shape: [2, 3], to: path)
    #expect([UInt8](try Data(contentsOf: URL(fileURLWithPath: path))) == Self.floatArray)
    for shape in [[6], [1, 2, 3], [1, 1, 2, 3]] {
      try NPYFile.write([1, 2, 3, 4, 5, 6], shape: shape, to: path)
      #expect(try NPYFile.read(path) == NPYArray(shape: shape, elements: .floats([1, 2, 3, 4, 5, 6])))
    }
  }

  @Test func whatIsNotTakenIsRefusedWithItsReason() throws {
    let folder = try TemporaryFolder()
    func made(_ header: String, _ data: [UInt8] = []) -> [UInt8] {
      Array(Self.floatArray[..<8]) + [UInt8(header.utf8.count), 0] + Array(header.utf8) + data
    }
    let cases: [(content: [UInt8], fragment: String)] = [
      (Self.fortranArray, "fortran_order True"),
      (Self.bigEndianArray, "'>f4'"),
      (Array("this is a text".utf8), "begins with 93 NUMPY"),
      (Array(Self.floatArray[..<60]), "header of 118 bytes (at most 65536), found 50"),
      (Array(Self.floatArray.dropLast()), "wanted 24 bytes of data, found 23"),
      (gzip(Array(Self.floatArray.dropLast(3))), "wanted 24 bytes of data, found 21"),
      (Self.floatArray + [0], "at least 1 more"),
      (made("{'descr': '<f4'}"), "found {'descr': '<f4'}"),
      (made("{'descr': '<f4', 'fortran_order': False, 'shape': (-1, 4), }"), "found (-1, 4)"),
      (made("{'descr': '<f4', 'fortran_order': False, 'shape': (1, 1, 1, 1, 1), }"), "1 to 4 extents"),
      (made("{'descr': '<f4', 'fortran_order': False, 'shape': (4611686018427387904, 4), }"), "over 2^63"),
      (made("{'descr': '<f4', 'fortran_order': False, 'shape': 5, }"), "found 5"),
    ]
    for (content, fragment) in cases {
      let path = try folder.file("a.npy", content)
      expectRefusal(path, fragment) { try NPYFile.read(path) }
    }
  }

  @Test func axesAreToldByTheShapeOrByTheLayoutAndNeverGuessed() throws {
    func samples(
      _ shape: [Int], _ layout: Preparation.Layout? = nil, for input: ImageShape? = nil
    ) throws -> (ImageShape, Bool) {
      let elements = Elements.bytes([UInt8](repeating: 0, count: shape.reduce(1, *)))
      let samples = try NPYArray(shape: shape, elements: elements).samples(layout, for: input, path: "a")
      #expect(samples.count == shape[0])
      return (samples.shape, samples.isPlanar)
    }
    #expect(try samples([5, 7]) == (ImageShape(vector: 7), false))
    #expect(try samples([5, 4, 3]) == (ImageShape(4, 3, 1), false))
    #expect(try samples([2, 4, 3, 3]) == (ImageShape(4, 3, 3), false))
    #expect(try samples([2, 4, 3, 1]) == (ImageShape(4, 3, 1), false))
    #expect(try samples([2, 3, 4, 5]) == (ImageShape(4, 5, 3), true))
    #expect(try samples([2, 1, 4, 5]) == (ImageShape(4, 5, 1), true))
    for shape in [[2, 3, 4, 3], [2, 1, 4, 3]] {
      expectRefusal("a", "may be either", "--layout nchw") { try samples(shape) }
      #expect(try samples(shape, .nhwc) == (ImageShape(shape[1], 4, 3), false))
      #expect(try samples(shape, .nchw) == (ImageShape(4, 3, shape[1]), true))
    }
    expectRefusal("a", "with 1 or 3 channels", "2 x 5 x 4 x 2", "--layout") { try samples([2, 5, 4, 2]) }
    #expect(try samples([2, 5, 4, 2], .nhwc) == (ImageShape(5, 4, 2), false))
    expectRefusal("a", "--layout nhw: wanted 3 axes", "2 x 4 x 3 x 3") { try samples([2, 4, 3, 3], .nhw) }
    expectRefusal("a", "wanted N,H,W", "found the shape 9") { try samples([9]) }
    expectRefusal("a", "holds no images") { try samples([0, 4, 4]) }
    // Sequences, which are images of height 1; the model's input tells where only one reading makes it.
    let sequence = ImageShape(1, 7, 3)
    #expect(try samples([5, 7, 3], .nlc) == (sequence, false) && samples([5, 3, 7], .ncl) == (sequence, true))
    #expect(try samples([5, 7], .nl) == (ImageShape(1, 7, 1), false))
    #expect(try samples([5, 7, 3], for: sequence) == (sequence, false))
    #expect(try samples([5, 3, 7], for: sequence) == (sequence, true))
    #expect(try samples([5, 7], for: ImageShape(1, 7, 1)) == (ImageShape(1, 7, 1), false))
    #expect(try samples([5, 7], for: ImageShape(vector: 7)) == (ImageShape(vector: 7), false))
    #expect(try samples([5, 7, 3], for: ImageShape(7, 3, 1)) == (ImageShape(7, 3, 1), false))
    #expect(try samples([5, 7, 3], for: ImageShape(4, 4, 4)) == (ImageShape(7, 3, 1), false))
    #expect(try samples([5, 3, 7, 3], for: ImageShape(7, 3, 3)) == (ImageShape(7, 3, 3), true))
    #expect(try samples([5, 6, 4, 2], for: ImageShape(6, 4, 2)) == (ImageShape(6, 4, 2), false))
    expectRefusal("a", "may be either", "--layout nlc") { try samples([5, 3, 3], for: ImageShape(1, 3, 3)) }
    expectRefusal("a", "may be either", "--layout nchw") { try samples([5, 3, 3, 3], for: ImageShape(3, 3, 3)) }
  }
}
