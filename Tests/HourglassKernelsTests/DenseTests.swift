import HourglassKernels
import TestSupport
import Testing

private struct Shape: Sendable, CustomStringConvertible {
  let samples, inputs, outputs: Int
  var geometry: hg_dense {
    hg_dense(size: MemoryLayout<hg_dense>.size, samples: samples, inputs: inputs, outputs: outputs)
  }
  var description: String { "\(samples) x \(inputs) -> \(outputs)" }
}

/// The dense layers of the flagships with few samples, and sizes around the groups of 16 and the blocks of the kernels.
private let shapes: [Shape] = [
  .init(samples: 3, inputs: 3136, outputs: 64), .init(samples: 5, inputs: 256, outputs: 40),
  .init(samples: 20, inputs: 20, outputs: 256), .init(samples: 4, inputs: 256, outputs: 3136),
  .init(samples: 70, inputs: 64, outputs: 65), .init(samples: 1, inputs: 1, outputs: 1),
  .init(samples: 1, inputs: 513, outputs: 17), .init(samples: 2, inputs: 512, outputs: 16),
  .init(samples: 7, inputs: 1025, outputs: 33), .init(samples: 16, inputs: 97, outputs: 15),
  .init(samples: 17, inputs: 15, outputs: 48), .init(samples: 65, inputs: 33, outputs: 100),
  .init(samples: 129, inputs: 5, outputs: 3), .init(samples: 0, inputs: 6, outputs: 20),
  .init(samples: 40, inputs: 140, outputs: 512), .init(samples: 140, inputs: 512, outputs: 40),
  .init(samples: 33, inputs: 1024, outputs: 512),
]

private struct Problem {
  var geometry: hg_dense
  let x, dy, weight, bias, gate: Floats

  init(_ shape: Shape, _ fill: (Int, inout SplitMix64) -> Floats) {
    var generator = SplitMix64(seed: 2)
    geometry = shape.geometry
    x = fill(shape.samples * shape.inputs, &generator)
    dy = fill(shape.samples * shape.outputs, &generator)
    weight = fill(shape.inputs * shape.outputs, &generator)
    bias = fill(shape.outputs, &generator)
    gate = fill(shape.samples * shape.inputs, &generator)
  }

  init(magnitudesOf p: Problem) {
    geometry = p.geometry
    x = p.x.magnitudes
    dy = p.dy.magnitudes
    weight = p.weight.magnitudes
    bias = p.bias.magnitudes
    gate = p.gate
  }
}

private struct Outputs {
  let forward, data, weight, bias: Floats

  init(_ g: hg_dense) {
    forward = Floats(count: g.samples * g.outputs)
    data = Floats(count: g.samples * g.inputs)
    weight = Floats(count: g.inputs * g.outputs)
    bias = Floats(count: g.outputs)
  }
  var all: [(String, Floats)] {
    [("forward", forward), ("backward data", data), ("backward weight", weight), ("backward bias", bias)]
  }
}

private func reference(_ p: Problem, _ activation: hg_activation, bias: Bool) -> Outputs {
  let out = Outputs(p.geometry)
  withUnsafePointer(to: p.geometry) { g in
    hg_reference_dense_forward(
      g, p.x.pointer, p.weight.pointer, bias ? p.bias.pointer : nil, activation, out.forward.pointer)
    hg_reference_dense_backward_data(
      g, p.dy.pointer, p.weight.pointer, activation, p.gate.pointer, out.data.pointer)
    hg_reference_dense_backward_weight(g, p.x.pointer, p.dy.pointer, false, out.weight.pointer, out.bias.pointer)
  }
  return out
}

/// Runs the kernels, the weight gradient in two slices of rows that meet at `split`.
private func kernels(
  _ p: Problem, _ activation: hg_activation, bias: Bool, _ division: Division, split: Int = 0
) -> Outputs {
  let out = Outputs(p.geometry)
  var parallel = division.parallel
  withUnsafePointer(to: p.geometry) { g in
    let scratch = [
      hg_dense_forward_scratch(g, &parallel), hg_dense_backward_data_scratch(g, &parallel),
      hg_dense_backward_weight_scratch(g, &parallel),
    ].map { Floats(count: $0) }
    hg_dense_forward(
      g, p.x.pointer, p.weight.pointer, bias ? p.bias.pointer : nil, activation, out.forward.pointer,
      scratch[0].pointer, &parallel)
    hg_dense_backward_data(
      g, p.dy.pointer, p.weight.pointer, activation, p.gate.pointer, out.data.pointer, scratch[1].pointer,
      &parallel)
    for (first, last) in [(0, split), (split, p.geometry.inputs)] {
      hg_dense_backward_weight(
        g, first, last, p.x.pointer, p.dy.pointer, false, out.weight.pointer, scratch[2].pointer, &parallel)
    }
    hg_dense_backward_bias(g, p.dy.pointer, false, out.bias.pointer, nil)
    for buffer in scratch + out.all.map(\.1) {
      #expect(buffer.isIntact, "a kernel wrote before the start of a buffer")
    }
  }
  return out
}

extension KernelTests {
  @Suite struct DenseTests {
    @Test("small integers: every instruction set and division equals the definition", arguments: shapes)
    private func exact(_ shape: Shape) {
      let problem = Problem(shape, Floats.integers)
      for (activation, bias) in [(HG_ACTIVATION_LINEAR, false), (HG_ACTIVATION_RELU, true)] {
        let wanted = reference(problem, activation, bias: bias)
        withEachInstructionSet { name in
          for division in Division.openMP {
            let got = kernels(problem, activation, bias: bias, division, split: shape.inputs / 3)
            for ((pass, a), (_, b)) in zip(got.all, wanted.all) {
              let wrong = difference(a, b)
              #expect(wrong == nil, "\(pass), \(name), \(division): \(wrong ?? "")")
            }
          }
        }
      }
    }

    @Test("random inputs: instruction sets with FMA, divisions and slices give the same bits", arguments: shapes)
    private func sameBits(_ shape: Shape) {
      let problem = Problem(shape, Floats.uniform)
      for activation in [HG_ACTIVATION_RELU, HG_ACTIVATION_SIGMOID] {
        var first: Outputs?
        withEachInstructionSet(onlyFMA: true) { name in
          for (i, division) in Division.all.enumerated() {
            let got = kernels(problem, activation, bias: true, division, split: shape.inputs * i / 5)
            guard let wanted = first else {
              first = got
              continue
            }
            for ((pass, a), (_, b)) in zip(got.all, wanted.all) {
              let wrong = difference(a, b, bits: true)
              #expect(wrong == nil, "\(pass), \(name), \(division): \(wrong ?? "")")
            }
          }
        }
      }
    }

    @Test("the output of a sample does not depend on the samples beside it")
    func samplesAlone() {
      let problem = Problem(.init(samples: 33, inputs: 700, outputs: 37), Floats.uniform)
      let whole = kernels(problem, HG_ACTIVATION_RELU, bias: true, Division.openMP[0])
      var one = problem.geometry
      one.samples = 1
      let y = Floats(count: one.outputs)
      let dx = Floats(count: one.inputs)
      let forwardScratch = Floats(count: hg_dense_forward_scratch(&one, nil))
      let dataScratch = Floats(count: hg_dense_backward_data_scratch(&one, nil))
      for n in [0, 16, 32] {
        hg_dense_forward(
          &one, problem.x.pointer + n * one.inputs, problem.weight.pointer, problem.bias.pointer,
          HG_ACTIVATION_RELU, y.pointer, forwardScratch.pointer, nil)
        hg_dense_backward_data(
          &one, problem.dy.pointer + n * one.outputs, problem.weight.pointer, HG_ACTIVATION_RELU,
          problem.gate.pointer + n * one.inputs, dx.pointer, dataScratch.pointer, nil)
        #expect(y.array == Array(whole.forward.array[n * one.outputs..<(n + 1) * one.outputs]))
        #expect(dx.array == Array(whole.data.array[n * one.inputs..<(n + 1) * one.inputs]))
      }
    }

    @Test("gradients that go on from those of earlier samples have the bits of one call", arguments: shapes)
    private func accumulated(_ shape: Shape) {
      let p = Problem(shape, Floats.uniform)
      let cut = shape.samples / 3
      withEachInstructionSet { name in
        for division in Division.openMP {
          let whole = kernels(p, HG_ACTIVATION_LINEAR, bias: false, division)
          let parts = Outputs(p.geometry)
          var parallel = division.parallel
          for (first, last) in [(0, cut), (cut, shape.samples)] {
            var g = p.geometry
            g.samples = last - first
            let (x, dy) = (p.x.pointer + first * shape.inputs, p.dy.pointer + first * shape.outputs)
            let scratch = Floats(count: hg_dense_backward_weight_scratch(&g, &parallel))
            hg_dense_backward_weight(
              &g, 0, shape.inputs, x, dy, first > 0, parts.weight.pointer, scratch.pointer, &parallel)
            hg_dense_backward_bias(&g, dy, first > 0, parts.bias.pointer, nil)
          }
          for (a, b) in [(parts.weight, whole.weight), (parts.bias, whole.bias)] {
            let wrong = difference(a, b, bits: true)
            #expect(wrong == nil, "\(name), \(division): \(wrong ?? "")")
          }
        }
      }
    }

    @Test("small integers: gradients that go on equal the definition", arguments: shapes)
    private func accumulatedExactly(_ shape: Shape) {
      let p = Problem(shape, Floats.integers)
      let wanted = (weight: Floats(p.weight.array), bias: Floats(p.bias.array))
      var g = p.geometry
      hg_reference_dense_backward_weight(
        &g, p.x.pointer, p.dy.pointer, true, wanted.weight.pointer, wanted.bias.pointer)
      withEachInstructionSet { name in
        let got = (weight: Floats(p.weight.array), bias: Floats(p.bias.array))
        let scratch = Floats(count: hg_dense_backward_weight_scratch(&g, nil))
        hg_dense_backward_weight(
          &g, 0, g.inputs, p.x.pointer, p.dy.pointer, true, got.weight.pointer, scratch.pointer, nil)
        hg_dense_backward_bias(&g, p.dy.pointer, true, got.bias.pointer, nil)
        for (a, b) in [(got.weight, wanted.weight), (got.bias, wanted.bias)] {
          let wrong = difference(a, b)
          #expect(wrong == nil, "\(name): \(wrong ?? "")")
        }
      }
    }

    @Test("the passes are adjoint to one another", arguments: shapes)
    private func adjoint(_ shape: Shape) {
      let p = Problem(shape, Floats.uniform)
      let absolute = Problem(magnitudesOf: p)
      let magnitude = inner(reference(absolute, HG_ACTIVATION_LINEAR, bias: false).forward, absolute.dy)
      let depth = max(shape.samples, shape.inputs, shape.outputs)
      let tolerance = 2 * Double(depth + 2) * 0x1p-24 * magnitude
      withEachInstructionSet { name in
        let out = kernels(p, HG_ACTIVATION_LINEAR, bias: false, Division.openMP[0])
        let form = inner(out.forward, p.dy)
        #expect(abs(form - inner(out.data, p.x)) <= tolerance, "data with \(name)")
        #expect(abs(form - inner(out.weight, p.weight)) <= tolerance, "weight with \(name)")
      }
    }

    @Test("random inputs: within the rounding bound of the definition", arguments: shapes)
    private func bounded(_ shape: Shape) {
      let p = Problem(shape, Floats.uniform)
      let magnitudes = reference(Problem(magnitudesOf: p), HG_ACTIVATION_LINEAR, bias: true)
      let depths = [shape.inputs, shape.outputs, shape.samples, shape.samples]
      for activation in [HG_ACTIVATION_LINEAR, HG_ACTIVATION_RELU, HG_ACTIVATION_SIGMOID] {
        let wanted = reference(p, activation, bias: true)
        withEachInstructionSet { name in
          let got = kernels(p, activation, bias: true, Division.openMP[0])
          for (i, (pass, output)) in got.all.enumerated() {
            let sigmoid = activation == HG_ACTIVATION_SIGMOID  // slope, derivative and rounding as for convolutions
            let wrong = excess(
              output, wanted.all[i].1, depth: depths[i], magnitudes: magnitudes.all[i].1,
              scale: sigmoid ? 2.5 : 1, extra: sigmoid ? 0x1p-21 : 0)
            #expect(wrong == nil, "\(pass) with \(name), activation \(activation.rawValue): \(wrong ?? "")")
          }
        }
      }
    }

    @Test("a refused geometry says why")
    func refused() {
      func why(_ samples: Int, _ inputs: Int, _ outputs: Int, size: Int = MemoryLayout<hg_dense>.size) -> String? {
        var geometry = hg_dense(size: size, samples: samples, inputs: inputs, outputs: outputs)
        return text(hg_dense_check(&geometry))
      }
      #expect(why(0, 1, 1) == nil)
      #expect(why(128, 3136, 256) == nil)
      #expect(text(hg_dense_check(nil)) == "the geometry is NULL")
      #expect(why(1, 1, 1, size: 16) == "geometry.size is not sizeof(hg_dense)")
      #expect(why(-1, 1, 1) == "the number of samples is negative")
      #expect(why(1, 0, 1) == "the dense layer has no inputs")
      #expect(why(1, 1, 0) == "the dense layer has no outputs")
      #expect(why(1, .max, 1) == "the inputs or outputs of the dense layer exceed 2^31")
      #expect(why(1, 1 << 20, 1 << 20) == "the weight has 2^40 elements or more")
      #expect(why(.max, 1, 1) == "the inputs or outputs of all samples have 2^40 elements or more")
    }
  }

  @Test("The transposition is the definition for all edges, instruction sets and thread counts")
  static func transposition() {
    for (rows, columns) in [(1, 1), (16, 16), (17, 5), (3, 40), (48, 33), (100, 1), (1, 100), (35, 64)] {
      let matrix = randomValues(rows * columns, -1, 1, seed: 5)
      let wanted = (0..<rows * columns).map { matrix[$0 % rows * columns + $0 / rows] }
      withEachInstructionSet { isa in
        for threads in [1, 2, 5] {
          var parallel = hg_parallel(
            size: MemoryLayout<hg_parallel>.size, threads: threads, parallel_for: nil, context: nil)
          // What lies behind the matrix must not be touched.
          var found = [Float](repeating: 7, count: rows * columns + 16)
          #expect(hg_transpose(rows, columns, matrix, &found, &parallel) == nil)
          #expect(Array(found.prefix(rows * columns)) == wanted, "\(isa), \(rows) x \(columns)")
          #expect(found.suffix(16).allSatisfy { $0 == 7 })
        }
      }
    }
    #expect(hg_transpose(-1, 2, nil, nil, nil) != nil && hg_transpose(2, 2, nil, nil, nil) != nil)
    #expect(hg_transpose(0, 2, nil, nil, nil) == nil)
  }
}
