import HourglassKernels

/// What layers have in common that draw random numbers while training, each from a stream of its own, and are the
/// identity otherwise.
protocol PlannedNoise: PlannedLayer {
  var site: Site { get }

  /// `pass.y` from `pass.x`, with random numbers from the stream of the pass's first sample and those that follow.
  func disturb(_ pass: Pass, _ stream: hg_random_stream)
  /// `dx` from `dy` after `disturb`.
  func disturbBackward(_ pass: Pass, dy: UnsafePointer<Float>, dx: UnsafeMutablePointer<Float>)
}

extension PlannedNoise {
  var name: String { site.name }
  var input: ImageShape { site.shape }
  var output: ImageShape { site.shape }
  var activation: Activation { .linear }
  var granularity: Granularity { site.granularity }
  var followsTangents: Bool { true }

  func forward(_ pass: Pass) {
    if let stream = pass.noise.layer(site.number, sample: pass.firstSample) {
      disturb(pass, stream.address)
    } else {
      pass.y.update(from: pass.x, count: pass.samples * site.shape.count)
    }
  }

  func backward(_ pass: Pass) {
    guard let dy = pass.dy, let dx = pass.dx else { return }
    if pass.noise.layer(site.number, sample: pass.firstSample) != nil {
      disturbBackward(pass, dy: dy, dx: dx)
    } else {
      passBackward(pass, dy: dy, dx: dx)
    }
  }

  /// Each value depends on itself alone, so that forward and back are the same.
  func forwardTangent(_ pass: Pass) {
    var pass = pass
    (pass.dy, pass.dx) = (pass.x, pass.y)
    backward(pass)
  }

  /// Nothing: without noise it is the identity.
  func addNodes(to graph: inout ONNXBuilder) {}

  /// The way back through the identity, or a sum with what does not depend on the input.
  func passBackward(_ pass: Pass, dy: UnsafePointer<Float>, dx: UnsafeMutablePointer<Float>) {
    pass.inputActivation.backward(
      count: pass.samples * site.shape.count, y: pass.x, dy: dy, dx: dx, threads: pass.threads)
  }
}
