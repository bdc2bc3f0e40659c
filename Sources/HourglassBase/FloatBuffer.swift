import Glibc

/// Floats at a 64-byte boundary.
public typealias FloatBuffer = AlignedBuffer<Float>

/// The bytes of a huge page. Large buffers begin at a huge page and ask for more of them, because matrices whose rows
/// lie pages apart otherwise wait for address translation; where the system has none to give, nothing changes.
private let hugePage = 1 << 21

/// Plain values at a 64-byte boundary, of a length fixed at birth.
///
/// This is the one type of Hourglass that threads share without the compiler's supervision: code that hands out
/// pointers into it must see to it that no two threads touch one element, as the two phases of a training step do by
/// construction.
public final class AlignedBuffer<Element: BitwiseCopyable>: @unchecked Sendable {
  public let count: Int
  public let pointer: UnsafeMutablePointer<Element>

  /// A buffer with all bytes zero.
  public convenience init(count: Int) {
    self.init(unwritten: count)
    clear()
  }

  /// A buffer with arbitrary contents. Memory that is fresh from the system stays untouched, so that a page lies near
  /// the core that writes it first; its user must clear it.
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

  /// Sets all bytes of the elements in a range to zero.
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
