import HourglassKernels

/// Random numbers that are a function of (seed, purpose, number, step, sample) alone: Philox4x32-10 addressed by these
/// five, so that no division of the work and no resume changes them.
public struct RandomStream: Sendable {
  /// What the numbers are for. A purpose is a stream of its own; the numbers are part of the file format of runs.
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

  /// - Parameter number: the number of the stream, below 2^24, for purposes that have several.
  public init(seed: UInt64, _ purpose: Purpose, number: Int = 0, step: Int = 0, sample: Int = 0) {
    address = hg_random_stream(
      size: MemoryLayout<hg_random_stream>.size, seed: seed,
      stream: purpose.rawValue | UInt32(truncatingIfNeeded: number) << 8,
      step: UInt32(truncatingIfNeeded: step), sample: UInt32(truncatingIfNeeded: sample))
  }

  /// Uniform values in the open interval (0, 1).
  public func uniform(_ count: Int, first: Int = 0) -> [Float] {
    [Float](unsafeUninitializedCapacity: count) { buffer, initialized in
      fillUniform(buffer.baseAddress, count, first: first)
      initialized = count
    }
  }

  public func fillUniform(_ out: UnsafeMutablePointer<Float>?, _ count: Int, first: Int = 0) {
    withUnsafePointer(to: address) { checked(hg_random_uniform($0, first, count, out)) }
  }

  /// Standard normal values.
  public func normal(_ count: Int) -> [Float] {
    [Float](unsafeUninitializedCapacity: count) { buffer, initialized in
      fillNormal(buffer.baseAddress, count)
      initialized = count
    }
  }

  public func fillNormal(_ out: UnsafeMutablePointer<Float>?, _ count: Int) {
    withUnsafePointer(to: address) { checked(hg_random_normal($0, 0, count, out)) }
  }

  /// Numbers of 32 random bits each.
  public func bits(_ count: Int, first: Int = 0) -> [UInt32] {
    [UInt32](unsafeUninitializedCapacity: count) { buffer, initialized in
      withUnsafePointer(to: address) { checked(hg_random_bits($0, first, count, buffer.baseAddress)) }
      initialized = count
    }
  }
}
