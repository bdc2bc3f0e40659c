import Foundation
import HourglassKernels
import Testing

extension KernelTests {
  private static func softmax(_ logits: [Float], _ labels: [Int32]) -> (loss: [Float], gradient: [Float]) {
    var loss = [Float](repeating: .nan, count: labels.count)
    let gradient = output(logits.count) {
      _ = hg_softmax_cross_entropy(labels.count, logits.count / labels.count, logits, labels, &loss, $0, nil)
    }
    return (loss, gradient)
  }

  private static func labels(_ samples: Int, classes: Int) -> [Int32] { (0..<samples).map { Int32(7 * $0 % classes) } }

  /// An exponential of a difference d <= 24 carries 4 roundoffs and |d| of the difference's own, so the sum 28 and
  /// classes / 16 + 5 of itself; the loss that and 4 of its logarithm (below 10 for 10,000 classes) and one each of the
  /// differences; a probability twice that of the sum and 2 more.
  @Test(
    "The softmax cross-entropy and its gradient are within bounds of the definition",
    arguments: [1, 2, 10, 16, 17, 100])
  static func softmaxCrossEntropy(_ classes: Int) {
    let samples = 7, labels = labels(7, classes: classes), logits = randomValues(7 * classes, -12, 12)
    var (loss, gradient) = ([Float](repeating: .nan, count: samples), logits)
    hg_reference_softmax_cross_entropy(samples, classes, logits, labels, &loss, &gradient)
    let ofSum = roundoff * (34 + Double(classes) / 16)
    withEachInstructionSet { isa in
      let got = softmax(logits, labels)
      expectClose("\(isa) loss", got.loss, loss) { _ in ofSum + roundoff * (40 + 3 * 24) }
      expectClose("\(isa) gradient", got.gradient, gradient) { i in
        let isLabel = i % classes == Int(labels[i / classes])
        return (2 * ofSum + 2 * roundoff) * Double(abs(gradient[i]) + (isLabel ? 1 : 0)) + 2 * roundoff
      }
    }
  }

  /// The gradient sums to zero, and to the slope of the loss, found in double by central differences.
  @Test("The gradient of the softmax cross-entropy is the slope of the loss")
  static func softmaxSlope() {
    let logits = randomValues(10, -3, 3), h = 1e-5
    func loss(_ l: [Double]) -> Double { log(l.reduce(0) { $0 + exp($1) }) - l[4] }
    let got = softmax(logits, [4]).gradient
    let wanted = logits.indices.map { j in
      let l = logits.map(Double.init)
      let moved = [h, -h].map { d in loss(l.enumerated().map { $0.offset == j ? $0.element + d : $0.element }) }
      return Float((moved[0] - moved[1]) / (2 * h))
    }
    expectClose("gradient", got, wanted) { _ in 100 * roundoff }
    #expect(abs(got.reduce(0, +)) < 20 * Float(roundoff))
  }

  @Test("Softmax: samples do not touch one another, outputs may be left out, the gradient may overwrite the logits")
  static func softmaxOutputs() {
    let samples = 3, classes = 21, labels: [Int32] = [0, 20, 9]
    var logits = randomValues(samples * classes, -6, 6)
    let all = softmax(logits, labels)
    for n in 0..<samples {
      let range = n * classes..<(n + 1) * classes
      let one = softmax(Array(logits[range]), [labels[n]])
      #expect(one.loss == [all.loss[n]] && one.gradient == Array(all.gradient[range]))
    }
    #expect(
      output(samples) { _ = hg_softmax_cross_entropy(samples, classes, logits, labels, $0, nil, nil) } == all.loss)
    var loss = [Float](repeating: 0, count: samples)
    logits.withUnsafeMutableBufferPointer {
      _ = hg_softmax_cross_entropy(samples, classes, $0.baseAddress, labels, &loss, $0.baseAddress, nil)
    }
    #expect(logits == all.gradient && loss == all.loss)
  }

  @Test("Large logits stay finite, NaN reaches its own sample, and bits are equal on every instruction set with FMA")
  static func softmaxExtremes() {
    withEachInstructionSet { isa in
      let got = softmax([1e30, 0, -1e30, 0, .nan, 0, 0, 0, 0, -200, 0, 0], [0, 1, 2, 0])
      #expect(got.loss[0] == 0 && got.loss[1].isNaN && abs(got.loss[2] - log(3)) < 1e-6, "\(isa)")
      #expect(Array(got.gradient[..<3]) == [0, 0, 0] && got.gradient[3].isNaN, "\(isa)")
      #expect(got.loss[3] == 200 + Float(log(2.0)) && got.gradient[9] == -1, "\(isa)")
    }
    for classes in [1, 2, 10, 16, 17, 100] {
      let logits = randomValues(5 * classes, -20, 20), labels = labels(5, classes: classes)
      expectEqualBitsOnEachISA("\(classes) classes") {
        let got = softmax(logits, labels)
        return got.loss + got.gradient
      }
    }
  }

  @Test("A label that is none of the classes is refused and nothing is written")
  static func softmaxRefusals() {
    for bad: Int32 in [-1, 3, .max] {
      var loss: [Float] = [7, 7]
      let answer = hg_softmax_cross_entropy(2, 3, [1, 2, 3, 4, 5, 6], [0, bad], &loss, nil, nil)
      #expect(answer.map { String(cString: $0) } == "a label is none of the classes" && loss == [7, 7])
    }
    #expect(hg_softmax_cross_entropy(0, 0, nil, nil, nil, nil, nil) == nil)
    #expect(hg_softmax_cross_entropy(1, 2, nil, [0], nil, nil, nil) != nil)
    #expect(hg_softmax_cross_entropy(-1, 2, nil, nil, nil, nil, nil) != nil)
  }
}
