import HourglassKernels
import HourglassModels

/// The operands of a pass: the operation's input, its output's error and its parameters, with values in [-1, 1).
struct Operands {
  let problem: Problem
  let x, dy, filter, bias: FloatBuffer
  /// The places of the maxima of `x`, for a pooling.
  let switches: AlignedBuffer<UInt8>

  init(_ problem: Problem) {
    func random(_ count: Int, _ sample: Int) -> FloatBuffer {
      FloatBuffer(RandomStream(seed: 1, .synthesis, sample: sample).uniform(count).map { 2 * $0 - 1 })
    }
    self.problem = problem
    x = random(problem.samples * problem.input.count, 0)
    dy = random(problem.samples * problem.output.count, 1)
    filter = random(problem.filterCount, 2)
    bias = random(problem.outputChannels, 3)
    let isPool = problem.operation == .pool
    switches = AlignedBuffer(count: isPool ? problem.samples * problem.output.count : 0)
    if isPool {
      var geometry = problem.geometry(samples: problem.samples)
      let y = FloatBuffer(count: dy.count)
      hg_reference_max_pool2d_forward(&geometry, x.pointer, y.pointer, switches.pointer)
    }
  }

  private init(magnitudesOf other: Operands) {
    func magnitudes(_ buffer: FloatBuffer) -> FloatBuffer { FloatBuffer(buffer.elements.lazy.map(\.magnitude)) }
    (problem, switches) = (other.problem, other.switches)
    (x, dy) = (magnitudes(other.x), magnitudes(other.dy))
    (filter, bias) = (magnitudes(other.filter), magnitudes(other.bias))
  }

  var magnitudes: Operands { Operands(magnitudesOf: self) }

  /// The results of the pass by its definition, over a run of samples.
  func reference(_ samples: Range<Int>) -> Results {
    let results = Results(problem, samples: samples.count)
    let x = x.pointer + samples.lowerBound * problem.input.count
    let dy = dy.pointer + samples.lowerBound * problem.output.count
    let (w, main) = (filter.pointer, results.main.pointer)
    let (linear, parameters) = (HG_ACTIVATION_LINEAR, results.bias.pointer)
    var window = problem.geometry(samples: samples.count)
    var dense = problem.dense(samples: samples.count)
    switch (problem.operation, problem.pass) {
    case (.conv, .forward): hg_reference_conv2d_forward(&window, x, w, bias.pointer, linear, main)
    case (.conv, .backwardData): hg_reference_conv2d_backward_data(&window, dy, w, linear, nil, main)
    case (.conv, _): hg_reference_conv2d_backward_filter(&window, x, dy, false, main, parameters)
    case (.convt, .forward): hg_reference_conv2d_transpose_forward(&window, x, w, bias.pointer, linear, main)
    case (.convt, .backwardData): hg_reference_conv2d_transpose_backward_data(&window, dy, w, linear, nil, main)
    case (.convt, _): hg_reference_conv2d_transpose_backward_filter(&window, x, dy, false, main, parameters)
    case (.dense, .forward): hg_reference_dense_forward(&dense, x, w, bias.pointer, linear, main)
    case (.dense, .backwardData): hg_reference_dense_backward_data(&dense, dy, w, linear, nil, main)
    case (.dense, _): hg_reference_dense_backward_weight(&dense, x, dy, false, main, parameters)
    case (.pool, .forward): hg_reference_max_pool2d_forward(&window, x, main, results.switches.pointer)
    case (.pool, _):
      let first = switches.pointer + samples.lowerBound * problem.output.count
      hg_reference_max_pool2d_backward(&window, dy, first, linear, nil, main)
    }
    return results
  }
}

/// The results of a pass.
struct Results {
  /// The output, the error of the input, or the gradient of the filter.
  let main: FloatBuffer
  /// The gradient of the bias, which comes with the filter's.
  let bias: FloatBuffer
  /// The switches of a pooling's forward pass.
  let switches: AlignedBuffer<UInt8>

  init(_ problem: Problem, samples: Int) {
    let isForward = problem.pass == .forward
    let count =
      switch problem.pass {
      case .forward: samples * problem.output.count
      case .backward, .backwardData: samples * problem.input.count
      case .backwardFilter, .backwardWeight: problem.filterCount
      }
    main = FloatBuffer(count: count)
    bias = FloatBuffer(count: problem.hasGradient ? problem.outputChannels : 0)
    switches = AlignedBuffer(count: isForward && problem.operation == .pool ? count : 0)
  }
}

extension Problem {
  /// Whether the pass sums over samples, as gradients of parameters do.
  var hasGradient: Bool { pass == .backwardFilter || pass == .backwardWeight }

  /// The number of terms in the sum behind an element of the main result, and of the bias gradient.
  var depths: (main: Int, bias: Int) {
    let taps = kernel.height * kernel.width
    let outputs = samples * output.height * output.width
    let small = operation == .convt ? samples * input.height * input.width : outputs
    switch pass {
    case .forward: return (taps * input.channels + 1, 0)
    case .backwardData: return (taps * output.channels, 0)
    case .backward: return (taps, 0)
    case .backwardFilter, .backwardWeight: return (small, outputs)
    }
  }
}

extension KernelRun {
  /// Calls the pass once and compares it with its definition; nil where it agrees, else a sentence.
  ///
  /// An element that sums d products may differ by (d + 2) 2^-24 times the sum of the products' magnitudes (Higham,
  /// "Accuracy and stability of numerical algorithms", 2002, section 3.1), and by 100 times that in Winograd's form.
  /// Where samples do not meet in a sum only the first and the last are compared, which takes seconds.
  func verify() -> String? {
    let problem = operands.problem
    results.main.elements.update(repeating: .nan)
    results.bias.elements.update(repeating: .nan)
    call()
    let runs =
      problem.hasGradient ? [0..<problem.samples] : Set([0, problem.samples - 1]).sorted().map { $0..<$0 + 1 }
    let magnitudes = operands.magnitudes
    let depths = problem.depths
    for run in runs {
      let (wanted, bounds) = (operands.reference(run), magnitudes.reference(run))
      let first = run.lowerBound * wanted.main.count
      let depth = problem.algorithm == .winograd ? 100 * depths.main : depths.main
      if let wrong = Self.difference(results.main.pointer + first, wanted.main, bounds.main, depth: depth) {
        return wrong
      }
      if let wrong = Self.difference(results.bias.pointer, wanted.bias, bounds.bias, depth: depths.bias) {
        return "bias gradient: \(wrong)"
      }
      for i in 0..<wanted.switches.count where results.switches[first + i] != wanted.switches[i] {
        return "switch \(i): wanted \(wanted.switches[i]), found \(results.switches[first + i])"
      }
    }
    return nil
  }

  private static func difference(
    _ got: UnsafePointer<Float>, _ wanted: FloatBuffer, _ magnitudes: FloatBuffer, depth: Int
  ) -> String? {
    for i in 0..<wanted.count {
      let bound = Float(depth + 2) * 0x1p-24 * magnitudes.pointer[i].magnitude
      let error = (got[i] - wanted.pointer[i]).magnitude
      // The comparison is negated so that a value that is not a number is wrong.
      if !(error <= bound) {
        return "element \(i): wanted \(wanted.pointer[i]) within \(bound), found \(got[i])"
      }
    }
    return nil
  }
}
