import Glibc

/// Floats at a 64-byte boundary.
public typealias FloatBuffer = AlignedBuffer<Float>

/// Bytes of a huge page. Large buffers begin at one and ask for them, because matrices whose rows lie pages apart
/// otherwise wait for address translation; where the system has none to give, nothing changes.
private let hugePage = 1 << 21

/// Plain values at a 64-byte boundary, of a length fixed at birth.
///
/// The one type of Hourglass that threads share without the compiler's supervision: whoever hands out pointers into it
/// must see to it that no two threads touch the same element, as the two phases of a training step do by construction.
public final class AlignedBuffer<Element: BitwiseCopyable>: @unchecked Sendable {
  public let count: Int
  public let pointer: UnsafeMutablePointer<Element>

  /// All bytes zero.
  public convenience init(count: Int) {
    self.init(unwritten: count)
    clear()
  }

  /// With arbitrary contents, and where the memory is fresh from the system untouched: a page then lies near the core
  /// that writes it first. Whoever is to use the memory must clear it.
  public init(unwritten count: Int) {
    precondition(
      (0...(Int.max - hugePage) / MemoryLayout<Element>.stride).contains(count),
      "a buffer cannot hold \(count) elements")
    self.count = count
    let bytes = max(64, (count * MemoryLayout<Element>.stride + 63) & ~63)
    let isLarge = bytes >= hugePage
    let memory = UnsafeMutableRawPointer.allocate(byteCount: bytes, alignment: isLarge ? hugePage : 64)
    if isLarge { madvise(memory, bytes / hugePage * hugePage, MADV_HUGEPAGE) }
    pointer = memory.assumingMemoryBound(to: Element.self)
  }

  public convenience init(_ elements: some Collection<Element>) {
    self.init(count: elements.count)
    _ = UnsafeMutableBufferPointer(start: pointer, count: count).update(fromContentsOf: elements)
  }

  /// Sets all bytes of some elements to zero.
  public func clear(_ range: Range<Int>) {
    precondition(range.lowerBound >= 0 && range.upperBound <= count, "\(range) outside a buffer of \(count) elements")
    memset(pointer + range.lowerBound, 0, range.count * MemoryLayout<Element>.stride)
  }

  public func clear() { clear(0..<count) }

  deinit { UnsafeMutableRawPointer(pointer).deallocate() }

  public subscript(index: Int) -> Element {
    get {
      precondition(index >= 0 && index < count, "index \(index) outside a buffer of \(count) elements")
      return pointer[index]
    }
    set {
      precondition(index >= 0 && index < count, "index \(index) outside a buffer of \(count) elements")
      pointer[index] = newValue
    }
  }

  public var elements: UnsafeMutableBufferPointer<Element> { UnsafeMutableBufferPointer(start: pointer, count: count) }
  public var array: [Element] { Array(elements) }
}
