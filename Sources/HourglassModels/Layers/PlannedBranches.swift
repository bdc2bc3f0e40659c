import HourglassKernels

/// What a layer knows of the two values that meet in it.
struct Meeting: Sendable {
  let name: String
  let shape: ImageShape
  let skip: ImageShape
  let output: ImageShape
  /// The activations that made both.
  let activation: Activation
  let skipActivation: Activation
  let granularity: Granularity
}

/// Lets two layers read one value: it writes nothing, because both read it where it lies, and adds their errors.
///
///     dx = a'(x) (d + d'),   d of the first reader, d' of the second
struct PlannedFork: PlannedLayer {
  let name: String
  let shape: ImageShape
  let inputActivation: Activation
  let granularity: Granularity

  var kind: String { "Fork" }
  var input: ImageShape { shape }
  var output: ImageShape { shape }
  var activation: Activation { .linear }
  var followsTangents: Bool { true }

  func reads(_ use: Use) -> [Read] {
    [Read(.values(use.input), inputActivation == .linear ? [] : [.backward])]
      + use.outputs.map { Read(.error($0), [.backward]) }
  }

  func inPlace(_ use: Use) -> [Read.Source: Read.Source] {
    var places: [Read.Source: Read.Source] = [.error(use.output): .error(use.input)]
    for output in use.outputs { places[.values(output)] = .values(use.input) }
    return places
  }

  func forward(_ pass: Pass) {}
  func forwardTangent(_ pass: Pass) {}

  func backward(_ pass: Pass) {
    guard let dy = pass.dy, let dx = pass.dx else { return }
    let count = pass.samples * shape.count
    guard let other = pass.dbranch else {
      return pass.inputActivation.backward(count: count, y: pass.x, dy: dy, dx: dx, threads: pass.threads)
    }
    pass.withParallel { checked(hg_fork_backward(pass.inputActivation.kernel, count, pass.x, dy, other, dx, $0)) }
  }

  func addNodes(to graph: inout ONNXBuilder) {}
}

/// Adds two values:  y = a(x + skip).
struct PlannedJoin: PlannedLayer {
  let join: Meeting
  /// The layer of a model file that it belongs to.
  let kind: String
  let activation: Activation

  init(join: Meeting, kind: String, result activation: Activation) {
    (self.join, self.kind, self.activation) = (join, kind, activation)
  }

  var name: String { join.name }
  var input: ImageShape { join.shape }
  var output: ImageShape { join.output }
  var granularity: Granularity { join.granularity }
  var followsTangents: Bool { true }

  func reads(_ use: Use) -> [Read] { join.reads(use) }

  /// The errors of both are that of the sum, where no activation lies between.
  func inPlace(_ use: Use) -> [Read.Source: Read.Source] {
    var places: [Read.Source: Read.Source] = [:]
    if join.activation == .linear { places[.error(use.input)] = .error(use.output) }
    if join.skipActivation == .linear, let skip = use.skip { places[.error(skip)] = .error(use.output) }
    return places
  }

  func forward(_ pass: Pass) { add(pass, activation) }
  func forwardTangent(_ pass: Pass) { add(pass, .linear) }

  private func add(_ pass: Pass, _ activation: Activation) {
    guard let skip = pass.skip else { return }
    pass.withParallel {
      checked(hg_join_forward(activation.kernel, pass.samples * output.count, pass.x, skip, pass.y, $0))
    }
  }

  func backward(_ pass: Pass) {
    guard let dy = pass.dy else { return }
    func gate(_ values: UnsafePointer<Float>?, _ activation: Activation, _ error: UnsafeMutablePointer<Float>?) {
      guard let values, let error, error != dy else { return }
      activation.backward(count: pass.samples * output.count, y: values, dy: dy, dx: error, threads: pass.threads)
    }
    gate(pass.x, pass.inputActivation, pass.dx)
    gate(pass.skip, pass.skipActivation, pass.dskip)
  }

  func addNodes(to graph: inout ONNXBuilder) {
    let inputs = [graph.form(output), graph.skip(output)]
    graph.put(graph.node("Add", inputs))
  }
}

extension Meeting {
  /// Both values forward, back again where an activation made them, and the error of what they make.
  func reads(_ use: Use) -> [Read] {
    func moments(_ activation: Activation) -> Set<Read.Moment> {
      activation == .linear ? [.forward] : [.forward, .backward]
    }
    var reads = [Read(.values(use.input), moments(activation)), Read(.error(use.output), [.backward])]
    if let skip = use.skip { reads.append(Read(.values(skip), moments(skipActivation))) }
    return reads
  }
}

/// Puts two values one behind the other, channel by channel at each position:  y = [x | skip], or [skip | x].
struct PlannedConcat: PlannedLayer {
  let join: Meeting
  let isSkipFirst: Bool

  var name: String { join.name }
  var kind: String { Concat.kind }
  var input: ImageShape { join.shape }
  var output: ImageShape { join.output }
  var activation: Activation { .linear }
  var granularity: Granularity { join.granularity }
  var followsTangents: Bool { true }

  func reads(_ use: Use) -> [Read] { join.reads(use) }

  private func positions(_ pass: Pass) -> Int { pass.samples * output.height * output.width }
  private var channels: (left: Int, right: Int) {
    isSkipFirst ? (join.skip.channels, input.channels) : (input.channels, join.skip.channels)
  }

  func forward(_ pass: Pass) {
    guard let skip = pass.skip else { return }
    let (left, right) = isSkipFirst ? (skip, pass.x) : (pass.x, skip)
    pass.withParallel {
      checked(hg_concat_forward(positions(pass), channels.left, channels.right, left, right, pass.y, $0))
    }
  }

  func forwardTangent(_ pass: Pass) { forward(pass) }

  func backward(_ pass: Pass) {
    guard let dy = pass.dy else { return }
    let (left, right) = isSkipFirst ? (pass.dskip, pass.dx) : (pass.dx, pass.dskip)
    pass.withParallel {
      checked(hg_concat_backward(positions(pass), channels.left, channels.right, dy, left, right, $0))
    }
    func gate(
      _ values: UnsafePointer<Float>?, _ activation: Activation, _ error: UnsafeMutablePointer<Float>?, _ n: Int
    ) {
      guard let values, let error, activation != .linear else { return }
      activation.backward(count: pass.samples * n, y: values, dy: error, dx: error, threads: pass.threads)
    }
    gate(pass.x, pass.inputActivation, pass.dx, input.count)
    gate(pass.skip, pass.skipActivation, pass.dskip, join.skip.count)
  }

  func addNodes(to graph: inout ONNXBuilder) {
    let inputs = [graph.form(input), graph.skip(join.skip)]
    graph.put(graph.node("Concat", isSkipFirst ? inputs.reversed() : inputs, ["axis": .integer(1)]))
  }
}
