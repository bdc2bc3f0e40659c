import Foundation
import HourglassModels

extension Problem {
  /// A sensible convolution drawn from a seed, equal for each number on every machine.
  ///
  /// It has a kernel of 1 to 11, in a quarter of the cases not square; a stride of 1 to 4, no larger than the kernel; a
  /// padding below the kernel; 1 to 1024 channels and 1 to 32 samples, small numbers as likely as large ones, even as
  /// odd; images of 4 to 160 pixels a side. It is drawn again until the pass is between 0.02 and 2 GFLOP and touches at
  /// most 256 MiB.
  static func random(seed: UInt64, number: Int) -> Problem {
    for attempt in 0..<1000 {
      let uniforms = RandomStream(seed: seed, .synthesis, step: number, sample: attempt).uniform(16)
      var draw = Draw(uniforms: uniforms.makeIterator())
      let operation = draw.one(of: [Operation.conv, .convt])
      let pass = draw.one(of: operation.passes)
      let kernel = draw.extent { $0.one(of: [1, 2, 3, 3, 3, 4, 4, 5, 5, 6, 7, 8, 9, 10, 11]) }
      let stride = Extent2D(
        draw.integer(1...min(4, kernel.height)), draw.integer(1...min(4, kernel.width)))
      let padding = Extent2D(draw.integer(0...kernel.height - 1), draw.integer(0...kernel.width - 1))
      let image = draw.extent { $0.magnitude(4...160) }
      let problem = Problem(
        operation: operation, pass: pass, samples: draw.magnitude(1...32),
        input: ImageShape(image.height, image.width, draw.magnitude(1...1024)),
        outputChannels: draw.magnitude(1...1024), kernel: kernel, stride: stride, padding: padding)
      let checked = try? Problem(problem.description)
      if checked != nil, (0.02e9...2e9).contains(problem.flops), problem.bytes <= 256 * 1024 * 1024 { return problem }
    }
    fatalError("none of a thousand random problems was of a sensible size")
  }
}

/// Numbers drawn one after the other.
private struct Draw {
  var uniforms: IndexingIterator<[Float]>

  mutating func uniform() -> Double {
    guard let value = uniforms.next() else { fatalError("a problem draws more numbers than it was given") }
    return Double(value)
  }

  mutating func integer(_ range: ClosedRange<Int>) -> Int {
    min(range.upperBound, range.lowerBound + Int(clamping: uniform() * Double(range.count)))
  }

  /// A number of a range, each factor of two as likely as any other.
  mutating func magnitude(_ range: ClosedRange<Int>) -> Int {
    let (low, high) = (log(Double(range.lowerBound)), log(Double(range.upperBound) + 1))
    return min(range.upperBound, Int(clamping: exp(low + uniform() * (high - low))))
  }

  mutating func one<Element>(of elements: [Element]) -> Element { elements[integer(0...elements.count - 1)] }

  /// An extent, in three of four cases square.
  mutating func extent(_ side: (inout Draw) -> Int) -> Extent2D {
    let height = side(&self)
    let width = side(&self)
    return uniform() < 0.75 ? Extent2D(height, height) : Extent2D(height, width)
  }
}
