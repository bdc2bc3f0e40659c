import HourglassKernels

/// A stream of random numbers, each of which is a function of (seed, purpose, number, step, sample) and its place in
/// the stream, and of nothing else. So no division of the work and no resume changes them.
///
/// The generator is Philox4x32-10 (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", SC 2011).
public struct RandomStream: Sendable {
  /// What random numbers are for. Each purpose has a stream of its own. Its number is part of the file format of runs:
  /// a run that is resumed draws the same numbers again.
  public enum Purpose: UInt32, Sendable, BitwiseCopyable {
    case initialization = 1
    case shuffle = 2
    case latent = 3
    case synthesis = 4
    case sampling = 5
    case evaluation = 6
    case layer = 7
    case holdout = 10
    case augmentation = 11
    case corruption = 12
    case importance = 16
    case gibbs = 17
    case binarization = 18
    case direction = 19
  }

  package let address: hg_random_stream

  /// The stream at an address.
  ///
  /// - Parameters:
  ///   - seed: the seed of the run.
  ///   - number: which stream of the purpose, below 2^24; 0 where a purpose has one.
  ///   - step: the training step, 0 where numbers do not change from step to step.
  ///   - sample: the place of the sample in its minibatch or set, 0 where samples share the numbers.
  public init(seed: UInt64, _ purpose: Purpose, number: Int = 0, step: Int = 0, sample: Int = 0) {
    address = hg_random_stream(
      size: MemoryLayout<hg_random_stream>.size, seed: seed,
      stream: purpose.rawValue | UInt32(truncatingIfNeeded: number) << 8,
      step: UInt32(truncatingIfNeeded: step), sample: UInt32(truncatingIfNeeded: sample))
  }

  /// Uniform numbers in the open interval (0, 1), from place `first` of the stream on.
  public func uniform(_ count: Int, first: Int = 0) -> [Float] {
    [Float](unsafeUninitializedCapacity: count) { buffer, initialized in
      fillUniform(buffer.baseAddress, count, first: first)
      initialized = count
    }
  }

  /// Writes `count` uniform numbers in the open interval (0, 1), from place `first` of the stream on. Nothing is
  /// allocated.
  public func fillUniform(_ out: UnsafeMutablePointer<Float>?, _ count: Int, first: Int = 0) {
    withUnsafePointer(to: address) { checked(hg_random_uniform($0, first, count, out)) }
  }

  /// The first `count` standard normal numbers of the stream.
  public func normal(_ count: Int) -> [Float] {
    [Float](unsafeUninitializedCapacity: count) { buffer, initialized in
      fillNormal(buffer.baseAddress, count)
      initialized = count
    }
  }

  /// Writes the first `count` standard normal numbers of the stream. Nothing is allocated.
  public func fillNormal(_ out: UnsafeMutablePointer<Float>?, _ count: Int) {
    withUnsafePointer(to: address) { checked(hg_random_normal($0, 0, count, out)) }
  }

  /// Numbers of 32 random bits each, from place `first` of the stream on.
  public func bits(_ count: Int, first: Int = 0) -> [UInt32] {
    [UInt32](unsafeUninitializedCapacity: count) { buffer, initialized in
      withUnsafePointer(to: address) { checked(hg_random_bits($0, first, count, buffer.baseAddress)) }
      initialized = count
    }
  }
}
