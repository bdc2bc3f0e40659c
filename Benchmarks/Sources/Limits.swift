import CLimits
import Foundation
import HourglassKernels
import HourglassModels
import HourglassTraining

/// The most that the machine reaches with the instruction set in use, measured on the spot.
struct Limits: Codable {
  /// A level of memory: a cache, nearest first, or the main memory behind all of them.
  struct Level: Codable {
    var name: String
    /// The bytes that the level holds for one thread; nil for main memory.
    var capacity: Int?
    /// The bytes that each thread read in the measurement.
    var bytes: Int
    /// The GB/s of all threads together; the triad counts two reads and a write.
    var read, triad: Spread

    /// The most bytes a second that any mix of reading and writing reached.
    var bandwidth: Double { max(read.median, triad.median) * 1e9 }
  }

  var processor: String
  var isa: String
  var threads: Int
  /// The GFLOP/s of multiply-adds that never leave the registers, on all threads together.
  var multiplyAdd: Spread
  /// The GFLOP/s of the library's own register tile on one thread, with its operands in the first-level cache.
  var tile: Spread
  var levels: [Level]

  /// The seconds for moving bytes once, when every level holds as many of them as it can. No computation can take less
  /// than this, nor less than flops / peak (Williams, Waterman & Patterson, "Roofline", 2009).
  func seconds(moving bytes: Double) -> Double {
    var (rest, seconds) = (bytes, 0.0)
    for level in levels {
      let part = min(rest, level.capacity.map { Double($0 * threads) } ?? rest)
      seconds += part / level.bandwidth
      rest -= part
    }
    return seconds
  }

  static var isaInUse: String { String(cString: hg_isa_name()) }

  /// Measures the limits, which takes about two seconds.
  init(threads: Int) {
    processor = Machine.current.processor
    let isa = Self.isaInUse
    self.isa = isa
    self.threads = threads
    multiplyAdd = Spread(Samples(PeakMeter(isa: isa, threads: threads).samples(50)))
    tile = Self.tile()
    let memory = FloatBuffer(count: Self.bytesOfMemory / 4)
    levels = Self.sizes(threads: threads).map { Self.level($0, isa: isa, threads: threads, memory) }
  }

  /// The bytes that are read to measure main memory: beyond any cache, without asking too much of a small machine.
  private static var bytesOfMemory: Int { min(max(256 << 20, 3 * (Machine.current.caches.last ?? 0)), 1 << 30) }

  /// Measures the tile by a dense layer whose weights (16 KiB) stay in the first-level cache, while the rows of a tile
  /// pass through it.
  private static func tile() -> Spread {
    var geometry = hg_dense(size: MemoryLayout<hg_dense>.size, samples: 48, inputs: 128, outputs: 32)
    let (x, weight, y) = (FloatBuffer(count: 48 * 128), FloatBuffer(count: 128 * 32), FloatBuffer(count: 48 * 32))
    let scratch = FloatBuffer(count: hg_dense_forward_scratch(&geometry, nil))
    return spread { repeats in
      for _ in 0..<repeats {
        hg_dense_forward(
          &geometry, x.pointer, weight.pointer, nil, HG_ACTIVATION_LINEAR, y.pointer, scratch.pointer, nil)
      }
      return 2 * 48 * 128 * 32 * Double(repeats)
    }
  }

  /// The name, capacity and bytes to read of each level: half of the first two caches, and a slice of the last, which
  /// threads and neighbours share, well larger than the cache before it.
  private static func sizes(threads: Int) -> [(name: String, capacity: Int?, bytes: Int)] {
    let caches = Machine.current.caches
    let levels = caches.enumerated().map { index, size in
      let isShared = index >= 2
      let slice = Int(clamping: (Double(size) * Double(caches[max(0, index - 1)])).squareRoot())
      return (
        name: "L\(index + 1)", capacity: Optional(isShared ? size / threads : size),
        bytes: isShared ? min(slice, size / 2 / threads) : size / 2
      )
    }
    return levels + [(name: "memory", capacity: nil, bytes: bytesOfMemory / threads)]
  }

  private static func level(
    _ size: (name: String, capacity: Int?, bytes: Int), isa: String, threads: Int, _ memory: FloatBuffer
  ) -> Level {
    let floats = size.bytes / 4
    return Level(
      name: size.name, capacity: size.capacity, bytes: size.bytes,
      read: spread { limits_read(isa, threads, floats, $0, memory.pointer) },
      triad: spread { limits_triad(isa, threads, floats, $0, memory.pointer) })
  }

  /// The work per second in units of 10^9, from samples of a millisecond for 50 ms, at least nine of them where a piece
  /// takes longer. `body` does a piece of work so many times and answers how much work that was.
  private static func spread(_ body: (Int) -> Double) -> Spread {
    let repeats = PeakMeter.repeats(filling: 1e-3, body)
    let clock = ContinuousClock()
    let start = clock.now
    var rates: [Double] = []
    while rates.count < 9 || clock.now - start < .milliseconds(50) { rates.append(PeakMeter.rate(repeats, body)) }
    return Spread(Samples(rates), scale: 1e-9)
  }
}
