import HourglassBase

extension Dataset {
  /// How many classes the labels number, from 0 on: the names of classes, where there are any, else one more than the
  /// largest label; nil without labels.
  ///
  /// Models that tell classes, and tables about classes, grow with this number and not with the set.
  ///
  /// Errors: a label is below 0; labels without names number more than a thousand classes of which nine in ten do not
  /// occur.
  public func classCount() throws(DataError) -> Int? {
    guard let labels, let largest = labels.max() else { return nil }
    if let label = labels.first(where: { !(0..<Int(Int32.max)).contains($0) }) {
      throw DataError(path: source, reason: "wanted labels from 0 on, one for each class, found \(label)")
    }
    let count = classes?.count ?? largest + 1
    let used = Set(labels).count
    guard classes != nil || count <= max(1000, 10 * used) else {
      throw DataError(
        path: source,
        reason: "wanted labels that number classes from 0 on without large gaps, found \(used) of them up to "
          + "\(largest); number the classes anew")
    }
    try GrantedMemory.require(
      checkedProduct([8, count, count]), for: source, "hold a table of \(count) x \(count) classes")
    return count
  }

  /// The name of an image's class, or its label where classes have no names; nil without labels.
  public func className(_ index: Int) -> String? {
    labels.map { nameOfClass($0[index]) }
  }

  /// The name of the class with this label, or the label where classes have no names.
  public func nameOfClass(_ label: Int) -> String {
    classes.flatMap { $0.indices.contains(label) ? $0[label] : nil } ?? "\(label)"
  }

  /// The names of the classes by label, or the labels themselves where classes have no names; nil without labels.
  ///
  /// Errors: see `classCount`.
  public func classNames() throws(DataError) -> [String]? {
    try classCount().map { count in (0..<count).map { classes?[$0] ?? "\($0)" } }
  }

  /// The set with labels that number the given classes. Classes go by their names: a class of the set that is not among
  /// the given ones is numbered behind them, in the set's order.
  ///
  /// Labels without names stand for the classes whose names are these numbers or, where one has no such class, for the
  /// classes with these labels.
  ///
  /// - Parameter known: names by label.
  public func relabelled(by known: [String]) -> Dataset {
    guard let labels else { return self }
    let places = Dictionary(zip(known, known.indices)) { first, _ in first }
    let found = Set(labels).sorted()
    let areNumbers = classes == nil && !found.allSatisfy { places["\($0)"] != nil }
    var (numbers, names) = ([Int: Int](), known)
    for label in found {
      let place = areNumbers ? (known.indices.contains(label) ? label : nil) : places[nameOfClass(label)]
      numbers[label] = place ?? names.count
      if place == nil { names.append(nameOfClass(label)) }
    }
    var set = self
    set.labels = labels.map { numbers[$0] ?? $0 }
    (set.classes, set.knownClasses) = (names, known.count)
    let strangers = labels.indices.filter { numbers[labels[$0], default: 0] >= known.count }
    if !strangers.isEmpty {
      let list =
        names[known.count...].prefix(6).joined(separator: ", ") + (names.count > known.count + 6 ? ", ..." : "")
      set.inventory.notes.append(
        Inventory.Entry(
          reason: "of classes that the model does not know, \(list), and so counted as errors", count: strangers.count,
          names: strangers.prefix(Inventory.mostNamed).map { name($0) }))
    }
    return set
  }

  /// The set with labels that number the classes of another set, where either has names for them.
  ///
  /// Errors: see `classCount`.
  public func relabelled(as other: Dataset) throws(DataError) -> Dataset {
    guard classes != nil || other.classes != nil, let names = try other.classNames() else { return self }
    return relabelled(by: names)
  }

  /// The classes of a relabelled set that are not among the given ones.
  public var unknownClasses: [String] { knownClasses.map { Array((classes ?? [])[$0...]) } ?? [] }
}
