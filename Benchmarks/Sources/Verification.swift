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
    reference(samples, into: results, accumulate: false)
    return results
  }

  /// The gradients over some samples by their definition.
  func gradients(_ samples: [Int]) -> Results {
    let results = Results(problem, samples: 1)
    for sample in samples { reference(sample..<sample + 1, into: results, accumulate: sample != samples[0]) }
    return results
  }

  private func reference(_ samples: Range<Int>, into results: Results, accumulate: Bool) {
    let x = x.pointer + samples.lowerBound * problem.input.count
    let dy = dy.pointer + samples.lowerBound * problem.output.count
    let (w, main) = (filter.pointer, results.main.pointer)
    let (linear, parameters) = (HG_ACTIVATION_LINEAR, results.bias.pointer)
    var window = problem.geometry(samples: samples.count)
    var dense = problem.dense(samples: samples.count)
    switch (problem.operation, problem.pass) {
    case (.conv, .forward): hg_reference_conv2d_forward(&window, x, w, bias.pointer, linear, main)
    case (.conv, .backwardData): hg_reference_conv2d_backward_data(&window, dy, w, linear, nil, main)
    case (.conv, _): hg_reference_conv2d_backward_filter(&window, x, dy, accumulate, main, parameters)
    case (.convt, .forward): hg_reference_conv2d_transpose_forward(&window, x, w, bias.pointer, linear, main)
    case (.convt, .backwardData): hg_reference_conv2d_transpose_backward_data(&window, dy, w, linear, nil, main)
    case (.convt, _):
      hg_reference_conv2d_transpose_backward_filter(&window, x, dy, accumulate, main, parameters)
    case (.dense, .forward): hg_reference_dense_forward(&dense, x, w, bias.pointer, linear, main)
    case (.dense, .backwardData): hg_reference_dense_backward_data(&dense, dy, w, linear, nil, main)
    case (.dense, _): hg_reference_dense_backward_weight(&dense, x, dy, accumulate, main, parameters)
    case (.pool, .forward): hg_reference_max_pool2d_forward(&window, x, main, results.switches.pointer)
    case (.pool, _):
      let first = switches.pointer + samples.lowerBound * problem.output.count
      hg_reference_max_pool2d_backward(&window, dy, first, linear, nil, main)
    }
  }

  /// Clears the errors of all samples but some while `body` runs.
  func withErrors<Result>(ofOnly samples: [Int], _ body: () -> Result) -> Result {
    let (all, count) = (FloatBuffer(dy.elements), problem.output.count)
    for sample in 0..<problem.samples where !samples.contains(sample) {
      (dy.pointer + sample * count).update(repeating: 0, count: count)
    }
    defer { dy.pointer.update(from: all.pointer, count: dy.count) }
    return body()
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
    case .forward: return (taps * input.channels / groups + 1, 0)
    case .backwardData: return (taps * output.channels / groups, 0)
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
  /// Where samples do not meet in a sum only the first and the last are compared. Large sums over all samples have
  /// errors in the first, the middle and the last sample alone. So a definition takes about a second.
  func verify() -> String? {
    let problem = operands.problem
    let ends = Set([0, problem.samples - 1])
    if problem.hasGradient {
      let few = problem.flops > 2e8 ? ends.union([problem.samples / 2]).sorted() : Array(0..<problem.samples)
      return operands.withErrors(ofOnly: few) {
        callAfresh()
        let terms = Double(few.count) / Double(problem.samples)
        return difference(operands.gradients(few), operands.magnitudes.gradients(few), first: 0, terms: terms)
      }
    }
    callAfresh()
    let magnitudes = operands.magnitudes
    return ends.sorted().lazy.compactMap { [self] sample in
      let run = sample..<sample + 1
      return difference(operands.reference(run), magnitudes.reference(run), first: sample, terms: 1)
    }.first
  }

  private func callAfresh() {
    results.main.elements.update(repeating: .nan)
    results.bias.elements.update(repeating: .nan)
    call()
  }

  /// Where the results from sample `first` on differ; nil where they agree. `terms` is the share of the terms of a sum
  /// that are not zero.
  private func difference(_ wanted: Results, _ magnitudes: Results, first: Int, terms: Double) -> String? {
    let problem = operands.problem
    let first = first * wanted.main.count
    func depth(_ depth: Int) -> Int { Int(clamping: (terms * Double(depth)).rounded(.up)) }
    let main = depth(problem.depths.main) * (problem.algorithm == .winograd ? 100 : 1)
    if let wrong = Self.difference(results.main.pointer + first, wanted.main, magnitudes.main, depth: main) {
      return wrong
    }
    if let wrong = Self.difference(
      results.bias.pointer, wanted.bias, magnitudes.bias, depth: depth(problem.depths.bias))
    {
      return "bias gradient: \(wrong)"
    }
    for i in 0..<wanted.switches.count where results.switches[first + i] != wanted.switches[i] {
      return "switch \(i): wanted \(wanted.switches[i]), found \(results.switches[first + i])"
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
