import HourglassKernels
import TestSupport
import Testing

/// Arguments that an operation must refuse, each wrong in one place of otherwise good ones.
private struct Arguments {
  var window = hg_geometry2d.make(samples: 1, large: (4, 4, 2), small: (2, 2, 2), filter: (2, 2), stride: (2, 2))
  var dense = hg_dense(size: MemoryLayout<hg_dense>.size, samples: 1, inputs: 3, outputs: 2)
  var parallel = hg_parallel(size: MemoryLayout<hg_parallel>.size, threads: 2, parallel_for: nil, context: nil)
  var activation = HG_ACTIVATION_SIGMOID
  var input: UnsafeMutablePointer<Float>?
  var switches: UnsafeMutablePointer<UInt8>?
}

private struct Mistake: Sendable, CustomTestStringConvertible {
  let make: @Sendable (inout Arguments) -> Void
  let sentence: String
  var testDescription: String { sentence }
}

extension KernelTests {
  @Suite struct RefusalTests {
    /// More than any operand here needs; the outputs take one half, scratch the other.
    private static let count = 4096

    /// The operations with a geometry, an activation, arrays and a parallel; all write to `output`.
    private static func answers(_ a: Arguments, output: Floats) -> [String: String?] {
      var (g, d, p) = (a.window, a.dense, a.parallel)
      let (x, out, scratch) = (a.input, output.pointer, output.pointer + Self.count / 2)
      let gather = x.map { UnsafeMutableRawPointer($0).assumingMemoryBound(to: hg_gather_filter.self) }
      let scatter = x.map { UnsafeMutableRawPointer($0).assumingMemoryBound(to: hg_scatter_filter.self) }
      return [
        "conv forward": text(hg_conv2d_forward(&g, x, gather, nil, a.activation, out, nil, &p)),
        "conv data": text(hg_conv2d_backward_data(&g, x, scatter, a.activation, x, out, scratch, &p)),
        "transpose forward": text(hg_conv2d_transpose_forward(&g, x, scatter, nil, a.activation, out, scratch, &p)),
        "transpose data": text(hg_conv2d_transpose_backward_data(&g, x, gather, a.activation, x, out, nil, &p)),
        "pool backward": text(hg_max_pool2d_backward(&g, x, a.switches, a.activation, x, out, &p)),
        "dense forward": text(hg_dense_forward(&d, x, x, nil, a.activation, out, scratch, &p)),
        "dense data": text(hg_dense_backward_data(&d, x, x, a.activation, x, out, scratch, &p)),
      ]
    }

    @Test(
      "a wrong argument is answered with a sentence, and nothing is written",
      arguments: [
        Mistake(
          make: {
            $0.window.samples = -1; $0.dense.samples = -1
          }, sentence: "the number of samples is negative"),
        Mistake(
          make: { $0.parallel.size -= 1 }, sentence: "parallel.size is not sizeof(hg_parallel)"),
        Mistake(make: { $0.parallel.threads = -1 }, sentence: "the number of threads is negative"),
        Mistake(make: { $0.parallel.threads = 65537 }, sentence: "there are more than 65536 threads"),
        Mistake(make: { $0.activation = hg_activation(77) }, sentence: "there is no such activation"),
        Mistake(make: { $0.input = nil }, sentence: "an input, output or scratch that the call needs is NULL"),
      ])
    fileprivate func refused(_ mistake: Mistake) {
      let (input, output) = (Floats(count: Self.count), Floats(count: Self.count))
      let switches = Guarded<UInt8>(count: Self.count)
      for i in 0..<Self.count { output.pointer[i] = 77 }
      var arguments = Arguments(input: input.pointer, switches: switches.pointer)
      mistake.make(&arguments)
      for (operation, answer) in Self.answers(arguments, output: output) {
        #expect(answer == mistake.sentence, "\(operation)")
      }
      #expect(output.array.allSatisfy { $0 == 77 })
    }

    @Test("good arguments are not refused")
    func accepted() {
      let (input, output) = (Floats(count: Self.count), Floats(count: Self.count))
      let switches = Guarded<UInt8>(count: Self.count)
      for i in 0..<Self.count { (input.pointer[i], switches.pointer[i]) = (0, 0) }
      let arguments = Arguments(input: input.pointer, switches: switches.pointer)
      for (operation, answer) in Self.answers(arguments, output: output) { #expect(answer == nil, "\(operation)") }
    }

    @Test("sizes of what is refused are -1")
    func sizes() {
      var (g, d) = (Arguments().window, Arguments().dense)
      (g.stride_vertical, d.outputs) = (0, 0)
      #expect(hg_conv2d_prepared_gather_count(&g) == -1 && hg_conv2d_prepared_scatter_count(&g) == -1)
      #expect(hg_conv2d_backward_data_scratch(&g, nil) == -1 && hg_conv2d_backward_filter_scratch(&g, nil) == -1)
      #expect(hg_dense_forward_scratch(&d, nil) == -1 && hg_dense_backward_data_scratch(&d, nil) == -1)
      #expect(hg_dense_backward_weight_scratch(&d, nil) == -1)
    }

    @Test("a sentence has the code of what is wrong")
    func codes() {
      var (g, d) = (Arguments().window, Arguments().dense)
      let none: UnsafePointer<Float>? = nil
      #expect(hg_error_of(hg_conv2d_check(&g)) == HG_ERROR_NONE && hg_error_of(nil) == HG_ERROR_NONE)
      #expect(hg_error_of(hg_conv2d_check(nil)) == HG_ERROR_NULL)
      #expect(hg_error_of(hg_dense_forward(&d, none, none, nil, HG_ACTIVATION_RELU, nil, nil, nil)) == HG_ERROR_NULL)
      (g.stride_vertical, d.size) = (0, 1)
      #expect(hg_error_of(hg_conv2d_check(&g)) == HG_ERROR_GEOMETRY && hg_error_of(hg_dense_check(&d)) == HG_ERROR_SIZE)
      #expect(hg_error_of(hg_squared_error(-1, 1, nil, nil, nil, nil, nil)) == HG_ERROR_COUNT)
      #expect(hg_error_of(hg_activation_forward(hg_activation(77), 0, nil, nil, nil)) == HG_ERROR_ACTIVATION)
      #expect(hg_error_of(hg_clip(0, 1, -1, nil, nil)) == HG_ERROR_VALUE)
      var parallel = Arguments().parallel
      parallel.threads = -1
      #expect(hg_error_of(hg_adagrad(nil, 0, nil, nil, nil, nil)) == HG_ERROR_NULL)
      #expect(hg_error_of(hg_squared_error(0, 0, nil, nil, nil, nil, &parallel)) == HG_ERROR_PARALLEL)
      #expect(hg_error_of(hg_isa_select("abacus")) == HG_ERROR_ISA)
    }

    @Test("counts, options and streams are checked as well")
    func others() {
      let a = Floats(count: 32)
      var stream = hg_random_stream(size: MemoryLayout<hg_random_stream>.size, seed: 1, stream: 1, step: 1, sample: 1)
      var adam = hg_adam_options()
      var sgd = hg_sgd_options()
      #expect(text(hg_random_bits(&stream, 0, -1, nil)) == "a count is negative")
      #expect(text(hg_random_uniform(&stream, -1, 2, a.pointer)) == "the first value is before the stream")
      #expect(text(hg_random_normal(&stream, 1, 2, a.pointer)) == "the first normal value must be an even one")
      stream.size = 1
      #expect(text(hg_random_bits(&stream, 0, 1, nil)) == "stream.size is not sizeof(hg_random_stream)")
      #expect(text(hg_adam(&adam, 1, nil, nil, nil, nil, nil)) == "options.size is not sizeof(hg_adam_options)")
      #expect(text(hg_sgd(&sgd, 1, nil, nil, nil, nil)) == "options.size is not sizeof(hg_sgd_options)")
      #expect(text(hg_sum_shards(1, 0, 1, a.pointer, false, a.pointer, nil)) == "there is no shard")
      #expect(text(hg_bernoulli_logits(1 << 30, 1 << 30, nil, nil, nil, nil, nil)) == "there are 2^40 elements or more")
      #expect(text(hg_gaussian_latent_forward(-1, 1, nil, nil, nil, nil, nil)) == "a count is negative")
      #expect(
        text(hg_squared_error(1, 1, nil, nil, nil, nil, nil))
          == "an input, output or scratch that the call needs is NULL")
      var dense = Arguments().dense
      #expect(
        text(hg_dense_backward_weight(&dense, 2, 4, a.pointer, a.pointer, false, a.pointer, a.pointer, nil))
          == "the rows of the weight's gradient are not within the inputs")
    }
  }
}
