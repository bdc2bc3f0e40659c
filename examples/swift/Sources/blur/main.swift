// Blurs an image with one kernel, on OpenMP's threads and on those of Dispatch, and compares the bits.
import Dispatch
import HourglassKernels

/// What a kernel refuses, it says in a sentence.
struct Refusal: Error { var sentence: String }

func run(_ refusal: UnsafePointer<CChar>?) throws {
  if let refusal { throw Refusal(sentence: String(cString: refusal)) }
}

/// Parts of a kernel on the threads of Dispatch.
func dispatched(_ threads: Int) -> hg_parallel {
  hg_parallel(
    size: MemoryLayout<hg_parallel>.size, threads: threads,
    parallel_for: { _, parts, body, argument in
      nonisolated(unsafe) let (body, argument) = (body!, argument)
      DispatchQueue.concurrentPerform(iterations: parts) { body(argument, $0) }
    }, context: nil)
}

var geometry = hg_geometry2d()
geometry.size = MemoryLayout<hg_geometry2d>.size
geometry.samples = 1
(geometry.large_height, geometry.large_width, geometry.large_channels) = (64, 64, 16)
(geometry.small_height, geometry.small_width, geometry.small_channels) = (64, 64, 16)
(geometry.filter_height, geometry.filter_width) = (3, 3)
(geometry.stride_vertical, geometry.stride_horizontal) = (1, 1)
(geometry.pad_top, geometry.pad_left) = (1, 1)
try run(hg_conv2d_check(&geometry))

let image = (0..<64 * 64 * 16).map { Float($0 % 251) / 250 }
// Each channel to itself, with the binomial weights 1 2 1 in both directions.
var filter = [Float](repeating: 0, count: 9 * 16 * 16)
for tap in 0..<9 {
  for channel in 0..<16 { filter[(tap * 16 + channel) * 16 + channel] = [1, 2, 1][tap / 3] * [1, 2, 1][tap % 3] / 16 }
}
var prepared = [hg_gather_filter](repeating: hg_gather_filter(), count: hg_conv2d_prepared_gather_count(&geometry))
try run(hg_conv2d_prepare_gather(&geometry, filter, &prepared, nil))

var openMP = hg_parallel(size: MemoryLayout<hg_parallel>.size, threads: 2, parallel_for: nil, context: nil)
var dispatch = dispatched(2)
var (first, second) = ([Float](repeating: 0, count: image.count), [Float](repeating: 0, count: image.count))
try run(hg_conv2d_forward(&geometry, image, prepared, nil, HG_ACTIVATION_LINEAR, &first, nil, &openMP))
try run(hg_conv2d_forward(&geometry, image, prepared, nil, HG_ACTIVATION_LINEAR, &second, nil, &dispatch))
guard first == second else { throw Refusal(sentence: "the bits depend on the threads") }
print("kernels \(String(cString: hg_version())), OpenMP: \(hg_has_openmp()), the same bits on both kinds of threads")
