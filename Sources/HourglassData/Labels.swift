import Glibc

/// The label of each image of a set, and the names of the classes that they number, where they have any.
struct Labels: Sendable, Equatable {
  var numbers: [Int]
  var classes: [String]?

  init(numbers: [Int]) { self.numbers = numbers }

  /// Labels from names: the classes are the names that occur, in natural order.
  init(names: [String]) {
    let classes = Set(names).sorted(by: isNaturallyBefore)
    let places = Dictionary(uniqueKeysWithValues: zip(classes, classes.indices))
    (numbers, self.classes) = (names.map { places[$0] ?? 0 }, classes)
  }

  /// Reads a file of labels alone: an IDX file of bytes, or an array of NumPy in an NPY or NPZ file.
  ///
  /// - Parameter start: the first bytes of the file, inflated.
  /// - Returns: nil for a file of another kind.
  init?(_ path: String, startingWith start: [UInt8], _ split: Split) throws(DataError) {
    if start.starts(with: ZipFile.magic) {
      self = try NPZFile.labels(path, split)
    } else if start == NPYHeader.magic {
      try self.init(npy: GzipFile(path).readAll(), path: path)
    } else if IDXFile.begins(start) {
      try self.init(idx: path)
    } else {
      return nil
    }
  }

  init(idx path: String) throws(DataError) {
    let file = try IDXFile.read(path)
    guard case .bytes(let labels) = file.elements, file.shape.count == 1 else {
      throw DataError(
        path: path, reason: "wanted labels, one dimension of bytes, found the shape \(extents(file.shape))")
    }
    try GrantedMemory.require(checkedProduct([8, labels.count]), for: path, "hold the labels")
    self.init(numbers: labels.map(Int.init))
  }
}

// MARK: Arrays of NumPy

extension Labels {
  /// Labels from an array of whole numbers from 0 on, N, of names, N, or of one-hot rows, N x K with a single 1 in
  /// each.
  ///
  /// Errors: the array has another type; a number is no class; a row has several classes or none.
  init(npy bytes: [UInt8], path: String) throws(DataError) {
    let (descriptor, shape, data) = try NPYFile.raw(bytes, path: path)
    let advice =
      descriptor.hasSuffix("O")
      ? "objects of Python can be read by Python alone, save labels.astype(str)"
      : descriptor.hasPrefix("[") ? "save one field of it, as labels['name']" : "save labels.astype(str)"
    guard let type = ElementType(descriptor) else {
      throw DataError(
        path: path,
        reason: "wanted labels as whole numbers, names (<U, |S) or one-hot rows, found elements of type "
          + "\(descriptor.prefix(40)); \(advice)")
    }
    guard checkedProduct(shape + [type.width]) == data.count, let count = shape.first, count > 0 else {
      throw DataError(
        path: path,
        reason: "the header says \(extents(shape)) elements of type \(descriptor), found \(data.count) bytes of data; "
          + "the file is cut short or its header is wrong")
    }
    try GrantedMemory.require(checkedProduct([16, count, 2 + type.width]), for: path, "hold the labels")
    let columns = shape.dropFirst().reduce(1, *)
    guard columns == 1 || (shape.count == 2 && !type.isText) else {
      throw DataError(
        path: path,
        reason: "wanted labels of one axis, or one-hot rows of numbers, found the shape \(extents(shape)); save one "
          + "column of it, as labels[:, 0]")
    }
    let elements = Array(data)
    if type.isText {
      try self.init(names: (0..<count).map { (place) throws(DataError) in try type.text(elements, place, path) })
    } else {
      let numbers = try (0..<count).map { (row) throws(DataError) in
        columns == 1 ? try type.label(elements, row, path) : try type.hot(elements, row, of: columns, path)
      }
      self.init(numbers: numbers)
    }
  }

  /// How NumPy stores an element, such as `<i8`, `|b1` or `<U12`.
  private struct ElementType {
    let kind: Character
    /// The bytes of an element.
    let width: Int
    private let isBigEndian: Bool

    init?(_ descriptor: String) {
      let rest = descriptor.drop { "<>|=".contains($0) }
      guard let kind = rest.first, let size = Int(rest.dropFirst()), (1...1 << 20).contains(size) else { return nil }
      let sizes: [Character: [Int]] = ["b": [1], "i": [1, 2, 4, 8], "u": [1, 2, 4, 8], "f": [4, 8]]
      guard "US".contains(kind) || sizes[kind, default: []].contains(size) else { return nil }
      (self.kind, width, isBigEndian) = (kind, kind == "U" ? 4 * size : size, descriptor.first == ">")
    }

    var isText: Bool { "US".contains(kind) }

    private func bits(_ data: [UInt8], from first: Int, _ width: Int) -> UInt64 {
      let bytes = data[first..<first + width]
      return isBigEndian
        ? bytes.reduce(0) { $0 << 8 | UInt64($1) } : bytes.reversed().reduce(0) { $0 << 8 | UInt64($1) }
    }

    /// The element as a whole number; nil where it is none.
    private func whole(_ data: [UInt8], _ place: Int) -> Int? {
      let bits = bits(data, from: place * width, width)
      switch kind {
      case "i": return Int(Int64(bitPattern: bits << (64 - 8 * width)) >> (64 - 8 * width))
      case "f":
        return Int(
          exactly: width == 4
            ? Double(Float(bitPattern: UInt32(truncatingIfNeeded: bits))) : Double(bitPattern: bits))
      default: return Int(exactly: bits)
      }
    }

    func label(_ data: [UInt8], _ place: Int, _ path: String) throws(DataError) -> Int {
      let found = whole(data, place)
      if let found, (0..<1 << 20).contains(found) { return found }
      throw DataError(
        path: path,
        reason: "wanted labels from 0 on, found \(found.map(String.init) ?? "a number that is not whole") at "
          + "\(place); np.unique(labels, return_inverse=True)[1] numbers them anew")
    }

    func hot(_ data: [UInt8], _ row: Int, of columns: Int, _ path: String) throws(DataError) -> Int {
      let places = (0..<columns).filter { whole(data, row * columns + $0) != 0 }
      if places.count == 1, whole(data, row * columns + places[0]) == 1 { return places[0] }
      throw DataError(
        path: path,
        reason: "wanted one 1 in each row of one-hot labels and else 0, found \(places.count) other numbers than 0 in "
          + "row \(row); save the one column that is meant, as labels[:, 0], or labels.argmax(1)")
    }

    func text(_ data: [UInt8], _ place: Int, _ path: String) throws(DataError) -> String {
      if kind == "S" {
        let bytes = data[place * width..<(place + 1) * width]
        return printablePath(pathText(bytes.lastIndex { $0 != 0 }.map { bytes[...$0] } ?? []))
      }
      let values = stride(from: place * width, to: (place + 1) * width, by: 4).map { bits(data, from: $0, 4) }
      var text = String.UnicodeScalarView()
      for value in values.prefix((values.lastIndex { $0 != 0 } ?? -1) + 1) {
        guard let scalar = Unicode.Scalar(UInt32(truncatingIfNeeded: value)) else {
          throw DataError(path: path, reason: "wanted names in Unicode, found \(value) in the one at \(place)")
        }
        text.append(scalar)
      }
      return String(text)
    }
  }
}
