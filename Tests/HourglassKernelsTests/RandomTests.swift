import Foundation
import HourglassKernels
import Testing

extension KernelTests {
  static func stream(
    _ seed: UInt64, _ stream: UInt32 = 0, step: UInt32 = 0, sample: UInt32 = 0
  ) -> hg_random_stream {
    hg_random_stream(size: MemoryLayout<hg_random_stream>.size, seed: seed, stream: stream, step: step, sample: sample)
  }

  static func bits(_ stream: hg_random_stream, _ first: Int, _ count: Int) -> [UInt32] {
    var out = [UInt32](repeating: 0, count: count)
    withUnsafePointer(to: stream) { _ = hg_random_bits($0, first, count, &out) }
    return out
  }

  static func uniform(_ stream: hg_random_stream, _ first: Int, _ count: Int) -> [Float] {
    output(count) { out in withUnsafePointer(to: stream) { _ = hg_random_uniform($0, first, count, out) } }
  }

  static func normal(_ stream: hg_random_stream, _ first: Int, _ count: Int) -> [Float] {
    output(count) { out in withUnsafePointer(to: stream) { _ = hg_random_normal($0, first, count, out) } }
  }

  /// A block of Philox4x32-10: counter and key as in the file kat_vectors of Random123, and the four words out.
  struct KnownAnswer: Sendable {
    let counter: [UInt32], key: UInt64, words: [UInt32]
  }

  static let knownAnswers = [
    KnownAnswer(counter: [0, 0, 0, 0], key: 0, words: [0x6627_e8d5, 0xe169_c58d, 0xbc57_ac4c, 0x9b00_dbd8]),
    KnownAnswer(
      counter: [.max, .max, .max, .max], key: .max, words: [0x408f_276d, 0x41c8_3b0e, 0xa20b_c7c6, 0x6d54_51fd]),
    KnownAnswer(
      counter: [0x243f_6a88, 0x85a3_08d3, 0x1319_8a2e, 0x0370_7344], key: 0x299f_31d0_a409_3822,
      words: [0xd16c_fe09, 0x94fd_cceb, 0x5001_e420, 0x2412_6ea1]),
  ]

  @Test("Philox gives the published known answers", arguments: knownAnswers)
  static func philoxKnownAnswers(_ answer: KnownAnswer) {
    let address = stream(answer.key, answer.counter[3], step: answer.counter[2], sample: answer.counter[1])
    withEachInstructionSet { isa in #expect(bits(address, 4 * Int(answer.counter[0]), 4) == answer.words, "\(isa)") }
    var reference = [UInt32](repeating: 0, count: 4)
    withUnsafePointer(to: address) {
      hg_reference_random_bits($0, 4 * Int(answer.counter[0]), 4, &reference)
    }
    #expect(reference == answer.words)
  }

  @Test("Bits are the definition for every first value and count, also where the block number wraps")
  static func bitsOfAnyRange() {
    let address = stream(0x0123_4567_89ab_cdef, 3, step: 70_000, sample: 59_999)
    for start in [0, 4 * Int(UInt32.max) - 30] {
      var wanted = [UInt32](repeating: 0, count: 160)
      withUnsafePointer(to: address) { hg_reference_random_bits($0, start, 160, &wanted) }
      withEachInstructionSet { isa in
        for first in 0..<36 {
          for count in [0, 1, 3, 4, 5, 31, 32, 33, 64, 100] {
            #expect(bits(address, start + first, count) == Array(wanted[first..<first + count]), "\(isa)")
          }
        }
      }
    }
  }

  @Test("Uniform values are ((bits >> 9) + 1/2) 2^-23 to the bit, for every first value and count")
  static func uniformOfAnyRange() {
    let address = stream(5, 6, step: 7, sample: 8)
    let wanted = bits(address, 0, 160).map { Float((Double($0 >> 9) + 0.5) / 8_388_608) }
    withEachInstructionSet { isa in
      for first in 0..<36 {
        for count in [0, 1, 31, 32, 33, 100] {
          #expect(uniform(address, first, count) == Array(wanted[first..<first + count]), "\(isa)")
        }
      }
    }
  }

  /// ln within 4 roundoffs, halved by the root, which rounds once; sine and cosine within 4; product and reference one
  /// each: 9.
  @Test("Normal values are within nine roundoffs of Box and Muller's formula in double")
  static func normalBound() {
    let address = stream(11), count = 100_000
    let wanted = output(count) { out in withUnsafePointer(to: address) { hg_reference_random_normal($0, 0, count, out) }
    }
    withEachInstructionSet { isa in
      expectClose("\(isa)", normal(address, 0, count), wanted) { 9 * roundoff * Double(abs(wanted[$0])) }
    }
  }

  @Test("The division of a range changes no normal value")
  static func normalOfAnyRange() {
    let address = stream(12, 1, step: 2, sample: 3)
    withEachInstructionSet { isa in
      let all = normal(address, 0, 160)
      for first in stride(from: 0, to: 36, by: 2) {
        for count in [0, 1, 2, 29, 31, 32, 33, 100] {
          #expect(normal(address, first, count) == Array(all[first..<first + count]), "\(isa)")
        }
      }
    }
  }

  @Test("Seed, stream, step, sample and place each address other numbers")
  static func addresses() {
    let streams = [
      stream(1), stream(2), stream(1 << 32 | 1), stream(1, 1), stream(1, step: 1), stream(1, sample: 1),
    ]
    let blocks = streams.map { bits($0, 0, 4) } + [bits(streams[0], 4, 4)]
    #expect(Set(blocks).count == blocks.count)
  }

  /// Standard errors of n independent values: the mean of x^k errs by sqrt((m(2k) - mk^2) / n), where m2, m4, m6 and m8
  /// of a normal value are 1, 3, 15 and 105. Five of them, and the stream is fixed: a wrong distribution fails, chance
  /// does not.
  @Test("A million normal values have the moments and the distribution of the normal law")
  static func normalMoments() {
    let n = 1_000_000
    let values = normal(stream(2024), 0, n)
    var sums = (0.0, 0.0, 0.0, 0.0), product = 0.0, below = [Int](repeating: 0, count: 65)
    var previous = 0.0
    values.withUnsafeBufferPointer { buffer in
      for i in 0..<n {
        let x = Double(buffer[i]), square = x * x
        sums.0 += x
        sums.1 += square
        sums.2 += square * x
        sums.3 += square * square
        product += x * previous
        previous = x
        below[max(0, min(64, Int((x * 10).rounded(.up)) + 32))] += 1
      }
    }
    let error = 5 / Double(n).squareRoot()
    #expect(abs(sums.0 / Double(n)) < error)
    #expect(abs(sums.1 / Double(n) - 1) < error * 2.0.squareRoot())
    #expect(abs(sums.2 / Double(n)) < error * 15.0.squareRoot())
    #expect(abs(sums.3 / Double(n) - 3) < error * 96.0.squareRoot())
    #expect(abs(product / Double(n)) < error)
    // Kolmogorov and Smirnov: the distance exceeds 1.95 / sqrt n with probability 0.001.
    var count = 0
    for bin in 0..<64 {
      count += below[bin]
      let wanted = 0.5 * erfc(-(Double(bin - 32) / 10) / 2.0.squareRoot())
      #expect(abs(Double(count) / Double(n) - wanted) < 1.95 / Double(n).squareRoot(), "at \(bin - 32) tenths")
    }
  }

  @Test("A million uniform values have the moments and the distribution of the uniform law, and avoid 0 and 1")
  static func uniformMoments() {
    let n = 1_000_000
    let values = uniform(stream(2025), 0, n)
    var mean = 0.0, square = 0.0, fourth = 0.0, bins = [Int](repeating: 0, count: 64), outside = 0
    values.withUnsafeBufferPointer { buffer in
      for i in 0..<n {
        let u = buffer[i], x = Double(u) - 0.5
        if !(u > 0 && u < 1) { outside += 1 }
        mean += x
        square += x * x
        fourth += x * x * x * x
        bins[Int(u * 64)] += 1
      }
    }
    // Moments of u - 1/2: m2 = 1/12, m4 = 1/80, m8 = 1/2304.
    let error = 5 / Double(n).squareRoot()
    #expect(outside == 0)
    #expect(abs(mean / Double(n)) < error * (1.0 / 12).squareRoot())
    #expect(abs(square / Double(n) - 1.0 / 12) < error * (1.0 / 80 - 1.0 / 144).squareRoot())
    #expect(abs(fourth / Double(n) - 1.0 / 80) < error * (1.0 / 2304 - 1.0 / 6400).squareRoot())
    var count = 0
    for bin in 0..<64 {
      count += bins[bin]
      #expect(abs(Double(count) / Double(n) - Double(bin + 1) / 64) < 1.95 / Double(n).squareRoot())
    }
  }

  @Test("Random values have equal bits on every instruction set with FMA")
  static func randomBits() {
    expectEqualBitsOnEachISA("normal") { normal(stream(9), 2, 20_001) }
    expectEqualBitsOnEachISA("uniform") { uniform(stream(9), 3, 2001) }
  }
}
