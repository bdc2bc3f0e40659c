import Foundation
import HourglassKernels
import HourglassTraining
import TestSupport
import Testing

/// All tests of the kernels. The choice of the instruction set is global, so they run one after the other.
@Suite(.serialized) enum KernelTests {}

/// The instruction set that HOURGLASS_ISA names, if any.
private let namedInstructionSet = ProcessInfo.processInfo.environment["HOURGLASS_ISA"]

/// The instruction sets with FMA that this machine has; or the one that HOURGLASS_ISA names.
///
/// Tests of other suites run at the same time and meet whichever is chosen here. With FMA that changes no bit of
/// theirs, so `baseline`, which has none, is tested in a process of its own.
let instructionSets = namedInstructionSet.map { [$0] } ?? fusedInstructionSets

extension KernelTests {
  @Test("the library lists the instruction sets that can be chosen, and at least one with FMA is tested")
  static func instructionSetsAreListed() {
    let before = String(cString: hg_isa_name())
    defer { _ = hg_isa_select(before) }
    let names = RunEnvironment.instructionSetNames
    #expect(names.last == "baseline" && Set(names).count == names.count)
    #expect(Set(instructionSets).isSubset(of: names))
    for name in instructionSets { #expect(hg_isa_select(name) == nil && String(cString: hg_isa_name()) == name) }
    #expect(hg_isa_names(-1) == nil && hg_isa_names(names.count) == nil)
    #expect(text(hg_isa_select("sse")) == "this machine, or this build, has no such instruction set")
    #expect(namedInstructionSet != nil || !instructionSets.isEmpty, "this machine has no instruction set with FMA")
  }
}

/// Runs `body` with each instruction set in use in turn, then returns to the one before.
func withEachInstructionSet(onlyFMA: Bool = false, _ body: (String) throws -> Void) rethrows {
  let before = String(cString: hg_isa_name())
  defer { _ = hg_isa_select(before) }
  for name in instructionSets {
    _ = hg_isa_select(name)
    if !onlyFMA || hg_isa_has_fma() { try body(name) }
  }
}

/// Who runs the parts of a call: OpenMP with 1 to 3 threads, and hosts of their own.
struct Division: CustomStringConvertible {
  let description: String
  let parallel: hg_parallel

  static var openMP: [Division] {
    (1...3).map { threads in
      Division(
        description: "\(threads) threads",
        parallel: hg_parallel(
          size: MemoryLayout<hg_parallel>.size, threads: threads, parallel_for: nil, context: nil))
    }
  }
  static var hosts: [Division] {
    [
      Division(
        description: "4 parts backwards",
        parallel: hg_parallel(
          size: MemoryLayout<hg_parallel>.size, threads: 4,
          parallel_for: { _, parts, body, argument in for part in (0..<parts).reversed() { body!(argument, part) } },
          context: nil)),
      Division(
        description: "5 parts on threads of the host",
        parallel: hg_parallel(
          size: MemoryLayout<hg_parallel>.size, threads: 5,
          parallel_for: { _, parts, body, argument in
            nonisolated(unsafe) let body = body!
            nonisolated(unsafe) let argument = argument
            DispatchQueue.concurrentPerform(iterations: parts) { body(argument, $0) }
          },
          context: nil)),
    ]
  }
  static var all: [Division] { openMP + hosts }
}

/// Elements that end at a page which cannot be touched, so that reading or writing beyond them stops the test; 256
/// bytes before them must keep their pattern. Their address is a multiple of the element's size only.
final class Guarded<Element: BitwiseCopyable> {
  let count: Int
  let pointer: UnsafeMutablePointer<Element>
  private let memory: UnsafeMutableRawPointer
  private let bytes: Int
  private static var pattern: UInt8 { 0xA5 }
  private static var margin: Int { 256 }

  /// All bits set: NaN for floats, so that what was not written shows.
  init(count: Int) {
    self.count = count
    let page = Int(sysconf(Int32(_SC_PAGESIZE)))
    let payload = count * MemoryLayout<Element>.stride
    bytes = (payload + Self.margin + page - 1) / page * page
    memory = mmap(nil, bytes + page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)!
    precondition(memory != MAP_FAILED && mprotect(memory + bytes, page, PROT_NONE) == 0)
    let start = memory + (bytes - payload)
    memset(start - Self.margin, Int32(Self.pattern), Self.margin)
    memset(start, 0xFF, payload)
    pointer = start.assumingMemoryBound(to: Element.self)
  }

  convenience init(_ elements: [Element]) {
    self.init(count: elements.count)
    elements.withUnsafeBufferPointer { if let base = $0.baseAddress { pointer.update(from: base, count: count) } }
  }

  deinit { munmap(memory, bytes + Int(sysconf(Int32(_SC_PAGESIZE)))) }

  var array: [Element] { Array(UnsafeBufferPointer(start: pointer, count: count)) }
  var isIntact: Bool {
    let start = UnsafeRawPointer(pointer) - Self.margin
    return (0..<Self.margin).allSatisfy { start.load(fromByteOffset: $0, as: UInt8.self) == Self.pattern }
  }
}

typealias Floats = Guarded<Float>

extension Guarded where Element == Float {
  /// Integers from -3 to 3, sums of which are exact in float as long as they stay below 2^24.
  static func integers(_ count: Int, _ generator: inout SplitMix64) -> Floats {
    Floats((0..<count).map { _ in Float(Int(generator.next() % 7) - 3) })
  }
  /// Uniform in [-1, 1).
  static func uniform(_ count: Int, _ generator: inout SplitMix64) -> Floats {
    Floats((0..<count).map { _ in Float(Int64(bitPattern: generator.next()) >> 40) * 0x1p-23 })
  }
  var magnitudes: Floats { Floats(array.map(abs)) }
}

/// The first difference between two arrays, as text; nil when all elements are equal (bits: to the bit).
func difference(_ got: Floats, _ wanted: Floats, bits: Bool = false) -> String? {
  if got.count != wanted.count { return "\(got.count) elements instead of \(wanted.count)" }
  if memcmp(got.pointer, wanted.pointer, got.count * 4) == 0 { return nil }
  for i in 0..<got.count {
    let (a, b) = (got.pointer[i], wanted.pointer[i])
    if bits ? a.bitPattern != b.bitPattern : a != b { return "element \(i) is \(a) instead of \(b)" }
  }
  return nil
}

/// The first element further from `wanted` than depth * 2^-24 * magnitude (and `extra`), as text. A sum of `depth`
/// products in any order of rounding stays within depth * u * sum of |terms| (Higham, "Accuracy and Stability of
/// Numerical Algorithms", section 3.1), u = 2^-24; one term more for the rounding of the reference to float.
func excess(_ got: Floats, _ wanted: Floats, depth: Int, magnitudes: Floats, scale: Float = 1, extra: Float = 0)
  -> String?
{
  for i in 0..<wanted.count {
    let bound = Float(depth + 2) * 0x1p-24 * magnitudes.pointer[i] * scale + extra
    let error = abs(got.pointer[i] - wanted.pointer[i])
    if !(error <= bound) {
      return "element \(i) is \(got.pointer[i]) instead of \(wanted.pointer[i]), bound \(bound)"
    }
  }
  return nil
}

/// The inner product in double.
func inner(_ a: Floats, _ b: Floats) -> Double {
  (0..<a.count).reduce(0) { $0 + Double(a.pointer[$1]) * Double(b.pointer[$1]) }
}

func text(_ answer: UnsafePointer<CChar>?) -> String? { answer.map { String(cString: $0) } }
