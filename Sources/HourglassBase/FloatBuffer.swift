import Glibc

/// A vector of floats at a 64-byte boundary.
public typealias FloatBuffer = AlignedBuffer<Float>

/// The bytes of a huge page. Large buffers begin at a huge page and ask the system for them, because matrices whose
/// rows lie pages apart otherwise wait for address translation. Where the system has none to give, nothing changes.
private let hugePage = 1 << 21

/// Plain values at a 64-byte boundary, as many as the buffer was made for.
///
/// This is the one type of Hourglass that threads share without the compiler's supervision: whoever hands out pointers
/// into a buffer must see to it that no two threads touch the same element, as the two phases of a training step do by
/// construction.
public final class AlignedBuffer<Element: BitwiseCopyable>: @unchecked Sendable {
  /// The number of elements.
  public let count: Int
  /// The address of the first element, a multiple of 64.
  public let pointer: UnsafeMutablePointer<Element>
  /// What the memory belongs to; nil where it is the buffer's own.
  private let owner: AnyObject?

  /// Makes a buffer whose bytes are all zero.
  public convenience init(count: Int) {
    self.init(unwritten: count)
    clear()
  }

  /// Makes a buffer with arbitrary contents, which whoever uses it must write first. Memory that is fresh from the
  /// system stays untouched, so that each page comes to lie near the core that writes it first.
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
    owner = nil
  }

  /// Makes a buffer over memory at a 64-byte boundary that belongs to another object, which the buffer keeps.
  public init(at memory: UnsafeMutableRawPointer, count: Int, of owner: AnyObject) {
    (self.count, pointer) = (count, memory.assumingMemoryBound(to: Element.self))
    self.owner = owner
  }

  /// Makes a buffer that holds a copy of some elements.
  public convenience init(_ elements: some Collection<Element>) {
    self.init(count: elements.count)
    _ = UnsafeMutableBufferPointer(start: pointer, count: count).update(fromContentsOf: elements)
  }

  /// Sets all bytes of a range of elements to zero.
  public func clear(_ range: Range<Int>) {
    precondition(range.lowerBound >= 0 && range.upperBound <= count, "\(range) outside a buffer of \(count) elements")
    memset(pointer + range.lowerBound, 0, range.count * MemoryLayout<Element>.stride)
  }

  /// Sets all bytes to zero.
  public func clear() { clear(0..<count) }

  deinit { if owner == nil { UnsafeMutableRawPointer(pointer).deallocate() } }

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

  /// The elements in place, without a copy.
  public var elements: UnsafeMutableBufferPointer<Element> { UnsafeMutableBufferPointer(start: pointer, count: count) }
  /// A copy of the elements.
  public var array: [Element] { Array(elements) }
}
