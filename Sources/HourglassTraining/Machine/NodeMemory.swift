import CThreads
import Glibc
import HourglassBase
import Synchronization

/// Memory that the processes of a node share, all zero at first.
///
/// It is a file in memory, which is limited by the memory of the machine alone, not by the size of /dev/shm as it is in
/// a container.
public final class NodeMemory: Sendable {
  private let file: Int32
  private let bytes: Int
  /// The address of the memory, which stays as long as this.
  private let start: UInt

  /// Makes memory that other processes can open. Nil where the system refuses.
  public convenience init?(bytes: Int) { self.init(file: memory_file(bytes), bytes: bytes) }

  /// Opens the memory that another process of this node has made, by its name. Nil where the system refuses, or where
  /// processes of another container hide that one.
  convenience init?(bytes: Int, of name: String) {
    let words = name.split(separator: " ").map(String.init)
    let file = words.count == 2 ? open(words[0], O_RDWR) : -1
    guard file >= 0, Self.identity(of: file) == words[1] else {
      close(file)
      return nil
    }
    self.init(file: file, bytes: bytes)
  }

  /// What other processes open it by: the file, and which one it is.
  var name: String { "/proc/\(getpid())/fd/\(file) \(Self.identity(of: file))" }

  private static func identity(of file: Int32) -> String {
    var status = stat()
    fstat(file, &status)
    return "\(status.st_dev).\(status.st_ino)"
  }

  private init?(file: Int32, bytes: Int) {
    guard file >= 0, let memory = mmap(nil, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0), memory != MAP_FAILED
    else {
      close(file)
      return nil
    }
    madvise(memory, bytes, MADV_HUGEPAGE)
    (self.file, self.bytes, start) = (file, bytes, UInt(bitPattern: memory))
  }

  deinit {
    munmap(UnsafeMutableRawPointer(bitPattern: start), bytes)
    close(file)
  }

  /// The memory as plain values.
  func buffer<Element>(of count: Int) -> AlignedBuffer<Element> {
    guard let memory = UnsafeMutableRawPointer(bitPattern: start), count * MemoryLayout<Element>.stride <= bytes else {
      preconditionFailure("\(count) values in \(bytes) bytes")
    }
    return AlignedBuffer(at: memory, count: count, of: self)
  }
}

extension AlignedBuffer<Int> {
  /// One of the numbers, for threads and processes to count with.
  func atomic(_ index: Int) -> UnsafeMutablePointer<Atomic<Int>> {
    UnsafeMutableRawPointer(pointer + index).assumingMemoryBound(to: Atomic<Int>.self)
  }
}
