import Foundation
import HourglassKernels
import Testing

extension KernelTests {
  /// Height, width and channels; rows of fewer elements than a register has, of whole ones and of odd ends, images of
  /// one window, of fewer rows of windows than the window has and of more.
  static let similarityShapes = [[11, 11, 1], [12, 13, 1], [11, 16, 3], [28, 28, 1], [33, 14, 2], [13, 12, 17]]

  /// Pairs of images in [0, 1]: noise, one close to its target, a flat one, the target itself.
  static func similarityImages(_ shape: [Int]) -> (y: [Float], targets: [Float]) {
    let count = shape.reduce(1, *)
    let targets = randomValues(4 * count, 0, 1, seed: 2), noise = randomValues(4 * count, 0, 1)
    let y = (0..<4 * count).map { (i: Int) -> Float in
      switch i / count {
      case 0: return noise[i]
      case 1: return targets[i] + 0.01 * (noise[i] - 0.5)
      case 2: return 0.5
      default: return targets[i]
      }
    }
    return (y, targets)
  }

  static func similarity(
    _ shape: [Int], _ y: [Float], _ targets: [Float], _ division: Division = Division.openMP[0],
    isMultiScale: Bool = false
  ) -> (loss: [Float], gradient: [Float]) {
    var parallel = division.parallel
    let samples = y.count / shape.reduce(1, *)
    let room = (isMultiScale ? hg_ms_ssim_scratch : hg_ssim_scratch)(
      samples, shape[0], shape[1], shape[2], &parallel)
    let scratch = Floats(count: room)
    let (a, t, loss, gradient) = (Floats(y), Floats(targets), Floats(count: samples), Floats(count: y.count))
    let refusal = (isMultiScale ? hg_ms_ssim : hg_ssim)(
      samples, shape[0], shape[1], shape[2], a.pointer, t.pointer, loss.pointer, gradient.pointer, scratch.pointer,
      &parallel)
    #expect(refusal == nil && scratch.isIntact && loss.isIntact && gradient.isIntact)
    return (loss.array, gradient.array)
  }

  /// Moments carry some 22 roundoffs of double, 2.4e-15, which variances of 0 divide by C2 = 9e-4; the slopes of a
  /// window, again, by C2.
  @Test("The structural dissimilarity and its gradient are those of the definition", arguments: similarityShapes)
  static func similarityValues(_ shape: [Int]) {
    let (y, targets) = similarityImages(shape), count = shape.reduce(1, *)
    var loss = [Float](repeating: .nan, count: 4)
    let gradient = output(y.count) { hg_reference_ssim(4, shape[0], shape[1], shape[2], y, targets, &loss, $0) }
    #expect(loss[0] > 0.5 * Float(count) && loss[1] > 0 && loss[1] < 0.01 * Float(count))
    withEachInstructionSet { isa in
      let got = similarity(shape, y, targets)
      expectClose("\(isa) loss", got.loss, loss) { 2 * roundoff * Double(abs(loss[$0])) + 1e-11 * Double(count) }
      expectClose("\(isa) gradient", got.gradient, gradient) { 2 * roundoff * Double(abs(gradient[$0])) + 1e-8 }
    }
  }

  /// The product of the scales is that of floats, whose logarithm and exponential carry some 8 roundoffs. The pixels of
  /// halved images are rounded to floats, by 2^-25 each, of y and of t at two scales at most, so by 2^-23 together. The
  /// gradient goes by their difference, which in the nearest pair is some 1/400 at the first scale, half of it at the
  /// second and less at the third: 2^-23 over 1/800 is a part of 1e-4.
  @Test(
    "The multi-scale dissimilarity and its gradient are those of the definition, with equal bits in every division",
    arguments: [[11, 11, 1], [24, 23, 1], [22, 29, 3], [47, 45, 1]])
  static func multiScaleSimilarity(_ shape: [Int]) {
    let (y, targets) = similarityImages(shape), count = shape.reduce(1, *)
    var loss = [Float](repeating: .nan, count: 4)
    let gradient = output(y.count) { hg_reference_ms_ssim(4, shape[0], shape[1], shape[2], y, targets, &loss, $0) }
    let all = similarity(shape, y, targets, isMultiScale: true)
    expectEqualBitsOnEachISA("\(shape)") {
      let got = similarity(shape, y, targets, isMultiScale: true)
      expectClose("loss", got.loss, loss) { _ in 20 * roundoff * Double(count) }
      // Noise may have a mean that is hardly above 0, whose power is steep.
      for n in 1..<4 {
        let range = n * count..<(n + 1) * count
        let greatest = gradient[range].reduce(0) { max($0, abs($1)) }
        expectClose("gradient", Array(got.gradient[range]), Array(gradient[range])) { _ in
          1e-4 * Double(greatest) + 1e-6
        }
      }
      return got.loss + got.gradient
    }
    for division in Division.all {
      let got = similarity(shape, y, targets, division, isMultiScale: true)
      #expect(got.loss == all.loss && got.gradient == all.gradient, "\(division)")
    }
    // An image without a halved one has the similarity of one scale.
    guard shape == [11, 11, 1] else { return }
    let one = similarity(shape, y, targets)
    expectClose("one scale", Array(all.loss[1...]), Array(one.loss[1...])) { _ in 20 * roundoff * Double(count) }
  }

  @Test("The structural dissimilarity has equal bits in every division and on every instruction set with FMA")
  static func similarityBits() {
    for shape in similarityShapes {
      let (y, targets) = similarityImages(shape), count = shape.reduce(1, *)
      let all = similarity(shape, y, targets)
      for division in Division.all {
        let got = similarity(shape, y, targets, division)
        #expect(got.loss == all.loss && got.gradient == all.gradient, "\(shape) \(division)")
      }
      expectEqualBitsOnEachISA("\(shape)") {
        let got = similarity(shape, y, targets)
        return got.loss + got.gradient
      }
      for n in 0..<4 {
        let range = n * count..<(n + 1) * count
        let one = similarity(shape, Array(y[range]), Array(targets[range]))
        #expect(one.loss == [all.loss[n]] && one.gradient == Array(all.gradient[range]))
      }
    }
  }

  @Test("Outputs of the structural dissimilarity may be left out, and its gradient may overwrite its input")
  static func similarityOutputs() {
    let shape = [14, 13, 2], (y, targets) = similarityImages(shape)
    let all = similarity(shape, y, targets)
    let scratch = Floats(count: hg_ssim_scratch(4, shape[0], shape[1], shape[2], nil))
    func run(_ y: UnsafePointer<Float>, _ loss: UnsafeMutablePointer<Float>?, _ dy: UnsafeMutablePointer<Float>?) {
      #expect(hg_ssim(4, shape[0], shape[1], shape[2], y, targets, loss, dy, scratch.pointer, nil) == nil)
    }
    #expect(output(4) { run(y, $0, nil) } == all.loss)
    #expect(output(y.count) { run(y, nil, $0) } == all.gradient)
    let own = Floats(y)
    run(own.pointer, nil, own.pointer)
    #expect(own.array == all.gradient)
  }

  @Test("NaN and infinities reach the structural dissimilarity of their own sample only")
  static func similarityNonfinite() {
    let shape = [12, 12, 1], (y, targets) = similarityImages(shape), count = shape.reduce(1, *)
    let all = similarity(shape, y, targets)
    for bad: Float in [.nan, .infinity] {
      var other = y
      other[count] = bad
      withEachInstructionSet { isa in
        let got = similarity(shape, other, targets)
        #expect(got.loss[1].isNaN && got.gradient[count].isNaN, "\(isa)")
        if hg_isa_has_fma() {
          #expect(got.loss[0] == all.loss[0] && Array(got.gradient[..<count]) == Array(all.gradient[..<count]))
          #expect(Array(got.loss[2...]) == Array(all.loss[2...]))
        }
      }
    }
  }

  @Test("The structural dissimilarity refuses images without a window")
  static func similarityRefusals() {
    for (samples, height, width, channels) in [(-1, 11, 11, 1), (1, 10, 11, 1), (1, 11, 10, 1), (1, 11, 11, 0)] {
      #expect(hg_ssim_check(samples, height, width, channels) != nil)
      #expect(hg_ssim(samples, height, width, channels, nil, nil, nil, nil, nil, nil) != nil)
      #expect(hg_ssim_scratch(samples, height, width, channels, nil) == -1)
    }
    #expect(hg_ssim_check(1 << 20, 1 << 10, 1 << 10, 1) != nil)
    #expect(hg_ssim(1, 11, 11, 1, nil, nil, nil, nil, nil, nil) != nil)
    #expect(hg_ssim(0, 11, 11, 1, nil, nil, nil, nil, nil, nil) == nil)
  }
}
