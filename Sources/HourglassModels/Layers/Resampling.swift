import HourglassKernels

/// One axis of a linear map that acts on rows and columns apart: each output is the sum of a few inputs times weights,
/// its taps.
struct ResamplingAxis: Sendable {
  let inputs: Int
  let outputs: Int
  /// Taps starts[i] up to starts[i + 1] are those of output i.
  private var starts = [0]
  private var taps: [Int] = []
  private var weights: [Float] = []

  typealias Tap = (input: Int, weight: Float)

  /// Far more than any real layer has; they take 24 bytes each, both ways.
  private static let mostTaps = 1 << 22

  /// - Parameter row: the taps of an output, of which those of weight 0 do not count.
  init(inputs: Int, outputs: Int, at name: String, row: (_ output: Int) -> [Tap]) throws(ModelError) {
    (self.inputs, self.outputs) = (inputs, outputs)
    for i in 0..<outputs {
      for tap in row(i) where tap.weight != 0 {
        taps.append(tap.input)
        weights.append(tap.weight)
      }
      guard taps.count <= Self.mostTaps else {
        throw ModelError(name, "wanted windows of at most \(Self.mostTaps) rows, or columns, in all, found more")
      }
      starts.append(taps.count)
    }
  }

  /// The adjoint: from the errors of the outputs to those of the inputs.
  var transposed: ResamplingAxis {
    var columns = [[Tap]](repeating: [], count: inputs)
    for i in 0..<outputs {
      for t in starts[i]..<starts[i + 1] { columns[taps[t]].append((i, weights[t])) }
    }
    var axis = self
    (axis.starts, axis.taps, axis.weights) = ([0], [], [])
    for column in columns {
      axis.taps += column.map(\.input)
      axis.weights += column.map(\.weight)
      axis.starts.append(axis.taps.count)
    }
    return ResamplingAxis(inputs: outputs, outputs: inputs, axis)
  }

  private init(inputs: Int, outputs: Int, _ axis: ResamplingAxis) {
    (self.inputs, self.outputs) = (inputs, outputs)
    (starts, taps, weights) = (axis.starts, axis.taps, axis.weights)
  }

  /// The map as a matrix, outputs x inputs.
  var matrix: [Float] {
    var matrix = [Float](repeating: 0, count: outputs * inputs)
    for i in 0..<outputs {
      for t in starts[i]..<starts[i + 1] { matrix[i * inputs + taps[t]] += weights[t] }
    }
    return matrix
  }

  /// What the kernels take.
  fileprivate func withKernelAxis(_ body: (hg_resampling_axis) -> Void) {
    starts.withUnsafeBufferPointer { start in
      taps.withUnsafeBufferPointer { input in
        weights.withUnsafeBufferPointer { weight in
          body(
            hg_resampling_axis(
              size: MemoryLayout<hg_resampling_axis>.size, inputs: inputs, outputs: outputs, start: start.baseAddress,
              input: input.baseAddress, weight: weight.baseAddress))
        }
      }
    }
  }
}

/// A linear map that acts on rows and columns apart, and on all channels alike:
///
///     y[n,p,q,c] = sum over the taps a of row p and b of column q of  x[n, a, b, c] v[p,a] h[q,b]
///
/// Means over windows, interpolation and padding are such maps; the way back is the transposed one.
struct PlannedResampling: PlannedLayer {
  let name: String
  let kind: String
  let input: ImageShape
  let inputActivation: Activation
  /// Down and across.
  let axes: (vertical: ResamplingAxis, horizontal: ResamplingAxis)
  private let adjoint: (vertical: ResamplingAxis, horizontal: ResamplingAxis)
  /// What ONNX calls the map: operations from images N, C, H, W to images.
  private let nodes: @Sendable (_ graph: inout ONNXBuilder, _ image: String) -> String

  /// The map at the planner's place.
  ///
  /// - Parameter name: that of the layer, or of a part of it.
  init(
    _ planner: Planner, name: String? = nil, kind: String, vertical: ResamplingAxis, horizontal: ResamplingAxis,
    nodes: @escaping @Sendable (_ graph: inout ONNXBuilder, _ image: String) -> String
  ) {
    (self.name, self.kind, self.nodes) = (name ?? planner.name, kind, nodes)
    (input, inputActivation) = (planner.shape, planner.activation)
    axes = (vertical, horizontal)
    adjoint = (vertical.transposed, horizontal.transposed)
  }

  var output: ImageShape { ImageShape(axes.vertical.outputs, axes.horizontal.outputs, input.channels) }
  var activation: Activation { .linear }
  var granularity: Granularity { .chunk }
  var followsTangents: Bool { true }

  func reads(_ use: Use) -> [Read] { use.gatingReads(inputActivation) }

  func forward(_ pass: Pass) { resample(pass, axes, pass.x, pass.y) }

  func forwardTangent(_ pass: Pass) { forward(pass) }

  func backward(_ pass: Pass) {
    guard let dy = pass.dy, let dx = pass.dx else { return }
    resample(pass, adjoint, dy, dx)
    pass.applyInputDerivative(count: input.count)
  }

  private func resample(
    _ pass: Pass, _ axes: (vertical: ResamplingAxis, horizontal: ResamplingAxis), _ x: UnsafePointer<Float>,
    _ y: UnsafeMutablePointer<Float>
  ) {
    axes.vertical.withKernelAxis { vertical in
      axes.horizontal.withKernelAxis { horizontal in
        var geometry = hg_resampling2d(
          size: MemoryLayout<hg_resampling2d>.size, samples: pass.samples, channels: input.channels,
          vertical: vertical, horizontal: horizontal)
        pass.withParallel { checked(hg_resample2d(&geometry, x, y, $0)) }
      }
    }
  }

  func addNodes(to graph: inout ONNXBuilder) {
    let image = graph.image(input)
    graph.put(nodes(&graph, image))
  }
}
