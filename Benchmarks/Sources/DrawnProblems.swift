import ArgumentParser
import Foundation
import HourglassModels

/// The kinds of nets that layers are drawn from.
enum NetFamily: String, CaseIterable, ExpressibleByArgument {
  /// Autoencoders that find defects: 4 x 4 with stride 2 on images of 128 to 512 pixels, 16 to 512 channels.
  case inspection
  /// Faces: 5 x 5 with stride 2 and its transpose, 4 to 64 pixels, up to 1024 channels.
  case faces
  /// Decoders that upsample and convolve by 3 x 3, and their encoders by 3 x 3 with stride 2.
  case upsampling
  /// U-Nets: pairs of 3 x 3, transposed 2 x 2 with stride 2, a last layer of 1 x 1.
  case unet
  /// Residual nets: 3 x 3, 1 x 1, both with stride 2 as well, and a first layer of 7 x 7.
  case residual
  /// Quantising autoencoders: 4 x 4 with stride 2, 3 x 3 and 1 x 1, 128 or 256 channels.
  case vq
  /// Series of sensors: height 1, kernels of 1 x 3 to 1 x 11, few channels in.
  case sensors
  /// Sounds: spectrograms by 3 x 3, 5 x 5 and 1 x 1, and the dense layers of DCASE's baseline, 640 to 128 to 8.
  case sounds
  /// No net: any geometry that a convolution may have.
  case odd

  /// The families of real nets.
  static let nets = allCases.filter { $0 != .odd }
}

extension KernelCase {
  /// The ratio to a peer that no drawn layer should miss.
  static let wantedOfDrawn = 0.9

  /// Drawn layers, from each family in turn. A name and a seed mean the same layer on every machine, and in every list
  /// of families.
  static func drawn(_ count: Int, of families: [NetFamily], seed: UInt64) -> [KernelCase] {
    (0..<count).map { i in
      let (family, number) = (families[i % families.count], i / families.count)
      let problem = Problem.drawn(from: family, seed: seed, number: number)
      return KernelCase(
        name: "\(family.rawValue).\(number)/\(problem.pass.rawValue)", problem: problem, family: family.rawValue)
    }
  }
}

extension Problem {
  /// The flops that a drawn pass may have: enough to be timed, and few enough for a list of hundreds.
  static let drawnFlops = 4e6...4e9
  /// The most bytes that a drawn pass may touch.
  static let drawnBytes = Double(512 << 20)

  /// The layer of a family that has this number; passes follow each other, forward, data gradient, filter gradient. It
  /// is drawn again until its flops and bytes are within bounds.
  static func drawn(from family: NetFamily, seed: UInt64, number: Int) -> Problem {
    let stream = NetFamily.allCases.firstIndex(of: family) ?? 0
    for attempt in 0..<10_000 {
      let random = RandomStream(seed: seed, .synthesis, number: stream, step: number, sample: attempt)
      var draw = Draw(uniforms: random.uniform(24).makeIterator())
      guard var problem = draw.layer(of: family) else { continue }
      let isFirst = family != .odd && problem.operation == .conv && problem.input.channels < 16
      problem.pass = problem.operation.passes[number % problem.operation.passes.count]
      // Nobody wants the error of an image.
      if isFirst && problem.pass == .backwardData { continue }
      let isPossible = (try? Problem(problem.description)) != nil
      if isPossible, drawnFlops.contains(problem.flops), problem.bytes <= drawnBytes { return problem }
    }
    fatalError("none of ten thousand drawn layers was of a sensible size")
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

  /// The samples of a minibatch: powers of two more often than numbers between them.
  mutating func batch(_ range: ClosedRange<Int>) -> Int {
    let any = magnitude(range)
    let powers = [8, 16, 32, 64, 128].filter(range.contains)
    return uniform() < 0.75 ? one(of: powers) : any
  }
}

extension Draw {
  /// A layer of a net of the family, its forward pass; nil where the numbers make no layer.
  mutating func layer(of family: NetFamily) -> Problem? {
    switch family {
    case .inspection: inspection()
    case .faces: faces()
    case .upsampling: upsampling()
    case .unet: unet()
    case .residual: residual()
    case .vq: vq()
    case .sensors: sensors()
    case .sounds: sounds()
    case .odd: odd()
    }
  }

  /// The channels of an image, and of its halves: grey or colours, then the base, doubled with each halving.
  private mutating func channels(base: Int, most: Int) -> (Int) -> Int {
    let image = one(of: [1, 3, 3])
    return { level in level == 0 ? image : min(base << (level - 1), most) }
  }

  /// A layer between two sizes of image, of which the small one is the large one over the stride, rounded up: the
  /// convolution down, or its transpose up.
  private func between(
    _ size: Extent2D, _ channels: Int, and smallChannels: Int, kernel: Extent2D, stride: Extent2D, batch: Int,
    up: Bool
  ) -> Problem {
    let large = ImageShape(size.height, size.width, channels)
    let small = ImageShape(
      (size.height + stride.height - 1) / stride.height, (size.width + stride.width - 1) / stride.width, smallChannels)
    let (input, output) = up ? (small, large) : (large, small)
    return Problem(
      up ? .convt : .conv, .forward, samples: batch, input: input, outputChannels: output.channels, kernel: kernel,
      stride: stride, padding: Problem.samePadding(large, small, kernel, stride),
      outputSize: Extent2D(output.height, output.width))
  }

  /// A convolution that keeps the size of its image.
  private func keeping(_ size: Int, _ inputs: Int, _ outputs: Int, kernel: Int, batch: Int) -> Problem {
    between(
      Extent2D(size, size), inputs, and: outputs, kernel: Extent2D(kernel, kernel), stride: 1, batch: batch, up: false)
  }

  private mutating func inspection() -> Problem? {
    let image = one(of: [128, 160, 192, 224, 256, 256, 320, 384, 512])
    let channels = channels(base: one(of: [16, 32, 32, 32, 48, 64]), most: 512)
    let level = integer(0...5)
    let size = image >> level
    guard size >= 8 else { return nil }
    return between(
      Extent2D(size, size), channels(level), and: channels(level + 1), kernel: 4, stride: 2, batch: batch(8...64),
      up: uniform() < 0.5)
  }

  private mutating func faces() -> Problem? {
    let channels = channels(base: one(of: [64, 64, 128]), most: 1024)
    let (level, batch) = (integer(0...4), batch(8...128))
    let size = 64 >> level
    // A last layer that keeps the size of the image makes its colours.
    if level == 0 && uniform() < 0.5 { return keeping(size, channels(1), 3, kernel: 5, batch: batch) }
    guard size >= 8 else { return nil }
    return between(
      Extent2D(size, size), channels(level), and: channels(level + 1), kernel: 5, stride: 2, batch: batch,
      up: uniform() < 0.5)
  }

  private mutating func upsampling() -> Problem? {
    let channels = channels(base: one(of: [16, 32, 32, 64]), most: 512)
    let (level, batch) = (integer(0...4), batch(8...128))
    let size = one(of: [28, 32, 64, 64, 96, 128]) >> level
    guard size >= 4 else { return nil }
    if uniform() < 0.75 { return keeping(size, channels(level + 1), channels(level), kernel: 3, batch: batch) }
    return between(
      Extent2D(size, size), channels(level), and: channels(level + 1), kernel: 3, stride: 2, batch: batch, up: false)
  }

  private mutating func unet() -> Problem? {
    let image = one(of: [64, 96, 128, 128, 192, 256])
    let base = one(of: [16, 32, 64, 64])
    let (level, batch) = (integer(0...4), batch(8...32))
    let (size, own) = (image >> level, base << level)
    guard size >= 8, own <= 512 else { return nil }
    let (ends, kind) = (one(of: [1, 3]), integer(0...5))
    return switch kind {
    case 0: keeping(size, level == 0 ? ends : own / 2, own, kernel: 3, batch: batch)
    case 1, 2: keeping(size, own, own, kernel: 3, batch: batch)
    case 3: keeping(size, 2 * own, own, kernel: 3, batch: batch)  // behind a skip connection
    case 4 where own < 512:
      between(Extent2D(size, size), own, and: 2 * own, kernel: 2, stride: 2, batch: batch, up: true)
    case 5 where level == 0: keeping(size, own, ends, kernel: 1, batch: batch)
    default: nil
    }
  }

  private mutating func residual() -> Problem? {
    let image = one(of: [28, 32, 32, 56, 64, 64])
    let (level, batch, kind) = (integer(0...3), batch(16...128), integer(0...6))
    let (size, own) = (image >> level, min(one(of: [16, 32, 64]) << level, 512))
    guard size >= 4 else { return nil }
    func halving(_ size: Int, _ inputs: Int, _ outputs: Int, kernel: Extent2D) -> Problem {
      between(Extent2D(size, size), inputs, and: outputs, kernel: kernel, stride: 2, batch: batch, up: false)
    }
    return switch kind {
    case 0: keeping(size, own, own, kernel: 3, batch: batch)
    case 1: halving(size, own, 2 * own, kernel: 3)
    case 2: halving(size, own, 2 * own, kernel: 1)
    case 3 where own <= 256: keeping(size, own, 4 * own, kernel: 1, batch: batch)
    case 4 where own <= 256: keeping(size, 4 * own, own, kernel: 1, batch: batch)
    case 5 where level == 0: halving(2 * image, 3, own, kernel: 7)
    case 6 where level == 0: keeping(size, own, one(of: [1, 3]), kernel: 3, batch: batch)
    default: keeping(size, own, own, kernel: 3, batch: batch)
    }
  }

  private mutating func vq() -> Problem? {
    let own = one(of: [128, 128, 256])
    let image = one(of: [32, 64, 64, 128, 256])
    let (batch, kind, up) = (batch(8...128), integer(0...6), uniform() < 0.5)
    func halving(_ size: Int, _ large: Int, _ small: Int) -> Problem {
      between(Extent2D(size, size), large, and: small, kernel: 4, stride: 2, batch: batch, up: up)
    }
    return switch kind {
    case 0: halving(image, 3, own / 2)
    case 1: halving(image / 2, own / 2, own)
    case 2: halving(image / 2, own, own)
    case 3: keeping(image / 4, own, own, kernel: 3, batch: batch)
    case 4: keeping(image / 4, own, own / 4, kernel: 3, batch: batch)  // inside a residual block
    case 5: keeping(image / 4, own / 4, own, kernel: 1, batch: batch)  // and out of it
    default: keeping(image / 4, own, 64, kernel: 1, batch: batch)  // to the codes
    }
  }

  private mutating func sensors() -> Problem? {
    let length = one(of: [64, 128, 128, 200, 256, 300, 512])
    let base = one(of: [16, 32, 32, 64])
    let sensors = one(of: [1, 2, 3, 4, 6, 8, 9, 12])
    let (level, batch) = (integer(0...3), batch(16...128))
    let kernel = one(of: [3, 5, 7, 9, 11])
    func channels(_ level: Int) -> Int { level == 0 ? sensors : min(base << (level - 1), 256) }
    return between(
      Extent2D(1, length >> level), channels(level), and: channels(level + 1), kernel: Extent2D(1, kernel),
      stride: Extent2D(1, one(of: [1, 2, 2])), batch: batch, up: uniform() < 0.4)
  }

  private mutating func sounds() -> Problem? {
    let batch = batch(8...128)
    if uniform() < 0.2 {
      let (inputs, outputs) = one(of: [(640, 128), (128, 128), (128, 640), (128, 8), (8, 128)])
      return Problem(dense: .forward, samples: batch, inputs: inputs, outputs: outputs)
    }
    let spectrogram = Extent2D(one(of: [64, 80, 128]), one(of: [32, 64, 64, 100, 128, 313]))
    let channels = channels(base: one(of: [16, 32, 32, 64]), most: 256)
    let level = integer(0...3)
    let kernel = one(of: [3, 3, 5, 1])
    let stride = kernel == 1 ? 1 : one(of: [1, 2, 2])
    let size = Extent2D(spectrogram.height >> level, spectrogram.width >> level)
    let image = level == 0 ? 1 : channels(level)
    return between(
      size, image, and: channels(level + 1), kernel: Extent2D(kernel, kernel), stride: Extent2D(stride, stride),
      batch: batch, up: stride > 1 && uniform() < 0.5)
  }

  /// A kernel of 1 to 11; a stride of 1 to 4, no larger than the kernel; a padding below the kernel; 1 to 1024 channels
  /// and 1 to 32 samples, small numbers as likely as large ones, even as odd; images of 4 to 160 pixels a side.
  private mutating func odd() -> Problem? {
    let operation = one(of: [Problem.Operation.conv, .convt])
    let kernel = extent { $0.one(of: [1, 2, 3, 3, 3, 4, 4, 5, 5, 6, 7, 8, 9, 10, 11]) }
    let stride = Extent2D(integer(1...min(4, kernel.height)), integer(1...min(4, kernel.width)))
    let padding = Extent2D(integer(0...kernel.height - 1), integer(0...kernel.width - 1))
    let image = extent { $0.magnitude(4...160) }
    return Problem(
      operation, .forward, samples: magnitude(1...32),
      input: ImageShape(image.height, image.width, magnitude(1...1024)),
      outputChannels: magnitude(1...1024), kernel: kernel, stride: stride, padding: padding)
  }
}
