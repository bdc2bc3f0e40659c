import Foundation
import HourglassKernels
import Testing

extension KernelTests {
  @Test("A visit reaches each thread's number once, with OpenMP each on a thread of its own")
  static func visits() {
    for division in Division.all {
      var parallel = division.parallel
      var counts = [UInt](repeating: 0, count: parallel.threads)
      var threads = counts
      counts.withUnsafeMutableBufferPointer { counts in
        threads.withUnsafeMutableBufferPointer { threads in
          var both = (counts.baseAddress!, threads.baseAddress!)
          hg_on_each_thread(
            &parallel,
            { argument, thread in
              let (counts, threads) = argument!.load(
                as: (UnsafeMutablePointer<UInt>, UnsafeMutablePointer<UInt>).self)
              counts[thread] += 1
              threads[thread] = UInt(pthread_self())
            }, &both)
        }
      }
      #expect(counts.allSatisfy { $0 == 1 }, "\(division)")
      if parallel.parallel_for == nil && hg_has_openmp() {
        #expect(Set(threads).count == threads.count && threads[0] == UInt(pthread_self()), "\(division)")
      }
    }
  }

  /// Arrays of 7 samples of 37 elements, which no number of parts divides.
  @Test("Losses, latents and updates have the same bits for any division")
  static func divisions() {
    let (samples, count) = (7, 37), all = samples * count
    let x = randomValues(2 * all, -3, 3), targets = randomValues(all, 0, 3, seed: 2)
    let noise = randomValues(all, -2, 2, seed: 3), errors = randomValues(2 * all, -1, 1, seed: 4)
    let labels = (0..<samples).map { Int32(5 * $0) }
    var adam = hg_adam_options(
      size: MemoryLayout<hg_adam_options>.size, gradient_scale: 0.5, learning_rate: 0.1, beta1: 0.9, beta2: 0.99,
      epsilon: 1e-3, weight_decay: 0.1, correction1: 0.1, correction2: 0.01)
    var sgd = hg_sgd_options(
      size: MemoryLayout<hg_sgd_options>.size, gradient_scale: 0.5, learning_rate: 0.1, momentum: 0.9,
      weight_decay: 0.1, nesterov: true)
    var rmsprop = hg_rmsprop_options(
      size: MemoryLayout<hg_rmsprop_options>.size, gradient_scale: 0.5, learning_rate: 0.1, alpha: 0.9, epsilon: 1e-3,
      momentum: 0.9)
    var adagrad = hg_adagrad_options(
      size: MemoryLayout<hg_adagrad_options>.size, gradient_scale: 0.5, learning_rate: 0.1, epsilon: 1e-3)
    var adadelta = hg_adadelta_options(
      size: MemoryLayout<hg_adadelta_options>.size, gradient_scale: 0.5, learning_rate: 0.1, rho: 0.9, epsilon: 1e-3)
    /// Weights, two moments behind them, after an update by a call.
    func updated(
      _ update: (UnsafeMutablePointer<Float>, UnsafeMutablePointer<Float>, UnsafeMutablePointer<Float>) -> Void
    )
      -> [Float]
    {
      output(3 * all) {
        for i in 0..<all { ($0[i], $0[all + i], $0[2 * all + i]) = (x[i], targets[i], noise[i] * noise[i]) }
        update($0, $0 + all, $0 + 2 * all)
      }
    }
    func outputs(_ p: UnsafePointer<hg_parallel>?) -> [[Float]] {
      let elements = Array(x[..<all])
      let losses = likelihoods.map { run($0, samples: samples, elements, targets, p) }
      let heads = ([hg_gaussian_heads, hg_negative_binomial, hg_discretized_logistic] as [Heads]).map {
        run($0, samples, 1, x, targets, p)
      }
      return (losses + heads).flatMap { [$0.loss, $0.gradient] } + [
        output(all + samples) { hg_softmax_cross_entropy(samples, count, x, labels, $0 + all, $0, p) },
        output(all + samples) { hg_gaussian_latent_forward(samples, count, x, noise, $0, $0 + all, p) },
        output(2 * all) { hg_gaussian_latent_backward(samples, count, x, noise, errors, 2, $0, p) },
        output(2 * all) {
          $0.update(from: errors, count: 2 * all)
          hg_gaussian_free_bits(samples, count, x, 0.5, 2, $0, p)
        },
        output(samples) { hg_gaussian_log_ratio(samples, count, x, noise, targets, $0, p) },
        output(2 * all) {
          hg_gaussian_log_ratio_backward(samples, count, x, noise, targets, targets, errors, $0, p)
        },
        output(2 * all + samples) {
          $0.update(from: errors, count: all)
          hg_importance_bound(samples, count, 1, targets, noise, $0 + 2 * all, $0 + all, $0, p)
        },
        output(count) { hg_sum_shards(count, samples, count, x, false, $0, p) },
        updated { w, m, v in hg_adam(&adam, all, errors, w, m, v, p) },
        updated { w, m, _ in hg_sgd(&sgd, all, errors, w, m, p) },
        updated { w, m, v in hg_rmsprop(&rmsprop, all, errors, w, v, m, p) },
        updated { w, _, v in hg_adagrad(&adagrad, all, errors, w, v, p) },
        updated { w, m, v in hg_adadelta(&adadelta, all, errors, w, v, m, p) },
        updated { w, m, _ in hg_penalize(all, 0.5, 0.1, 0.2, m, w, p) },
        updated { w, _, _ in hg_clip(all, 0.5, 0.25, w, p) },
        updated { w, m, _ in hg_moving_average(all, 0.9, m, w, p) },
      ]
    }
    let wanted = outputs(nil)
    #expect(wanted.allSatisfy { $0.contains { $0 != 0 } && $0.allSatisfy(\.isFinite) })
    for division in Division.all {
      var parallel = division.parallel
      #expect(outputs(&parallel) == wanted, "\(division)")
    }
  }

  /// As the header says: for four threads, and four times the floats of the arrays.
  @Test("Scratch has a bound, however many the threads")
  static func scratchBound() {
    typealias Scratch = (_ parallel: UnsafePointer<hg_parallel>?) -> Int
    var calls: [(name: String, arrays: Int, scratch: Scratch)] = []
    let sides = [(32, 28, 1, 32), (1, 2048, 3, 16), (2, 512, 64, 64), (64, 64, 16, 16), (1, 9, 1, 1), (8, 33, 130, 7)]
    for (samples, side, large, small) in sides {
      for (filter, stride, groups) in [(3, 1, 1), (4, 2, 1), (5, 3, 1), (3, 1, min(large, small)), (11, 2, 1)] {
        guard large % groups == 0 && small % groups == 0 else { continue }
        for algorithm in [HG_ALGORITHM_DIRECT, HG_ALGORITHM_WINOGRAD] {
          var g = hg_geometry2d.make(
            samples: samples, large: (side, side, large), small: ((side + stride - 1) / stride, side / stride, small),
            filter: (filter, filter), stride: (stride, stride), padding: (1, 1), algorithm: algorithm)
          g.groups = groups
          guard hg_conv2d_check(&g) == nil else { continue }
          let arrays = g.largeCount + g.smallCount + g.filterCount
          let scratches: [(UnsafePointer<hg_geometry2d>?, UnsafePointer<hg_parallel>?) -> Int] = [
            hg_conv2d_forward_scratch, hg_conv2d_backward_data_scratch, hg_conv2d_backward_filter_scratch,
            hg_conv2d_transpose_forward_scratch, hg_conv2d_transpose_backward_data_scratch,
            hg_conv2d_transpose_backward_filter_scratch,
          ]
          for (pass, scratch) in scratches.enumerated() {
            calls.append(("pass \(pass) of \(g)", arrays, { [g] p in withUnsafePointer(to: g) { scratch($0, p) } }))
          }
        }
      }
      let (height, elements) = (max(side, 11), samples * max(side, 11) * max(side, 11) * large)
      calls.append(("ssim \(side)", 3 * elements, { hg_ssim_scratch(samples, height, height, large, $0) }))
      calls.append(("ms-ssim \(side)", 3 * elements, { hg_ms_ssim_scratch(samples, height, height, large, $0) }))
      let dense = hg_dense(
        size: MemoryLayout<hg_dense>.size, samples: samples, inputs: side * large, outputs: side * small)
      let arrays = samples * (dense.inputs + dense.outputs) + dense.inputs * dense.outputs
      for scratch in [
        hg_dense_forward_scratch, hg_dense_backward_data_scratch, hg_dense_backward_weight_scratch,
      ] as [(UnsafePointer<hg_dense>?, UnsafePointer<hg_parallel>?) -> Int] {
        calls.append(("dense \(dense)", arrays, { [dense] p in withUnsafePointer(to: dense) { scratch($0, p) } }))
      }
    }
    for (name, arrays, scratch) in calls {
      func wanted(_ threads: Int) -> Int {
        var parallel = hg_parallel(
          size: MemoryLayout<hg_parallel>.size, threads: threads, parallel_for: nil, context: nil)
        return scratch(&parallel)
      }
      for threads in [5, 64, 65536] { #expect(wanted(threads) <= wanted(4) + 4 * arrays, "\(name)") }
    }
    #expect(calls.count > 200)
  }
}
