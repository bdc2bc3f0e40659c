import CHourglass
import Glibc
import HourglassData
import HourglassModels
import HourglassTraining
import Synchronization

/// Where a call puts the sentence about what was wrong.
typealias Sentence = UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>

/// What was wrong with a call, where the code does not follow from the error's type.
struct CallError: Error, CustomStringConvertible {
  let code: hourglass_code
  let description: String

  init(_ code: hourglass_code, _ description: String) { (self.code, self.description) = (code, description) }

  /// An argument that cannot be taken.
  init(_ argument: String, wanted: String, found: String) {
    self.init(HOURGLASS_INVALID, "\(argument): wanted \(wanted), found \(found)")
  }
}

/// The process that made the first call; 0 before it.
private let firstProcess = Atomic<pid_t>(0)

/// Whether this process was made by fork after its parent had made a call, so that it has no threads that work.
func isForked() -> Bool {
  let own = getpid()
  let (_, first) = firstProcess.compareExchange(expected: 0, desired: own, ordering: .relaxed)
  return first != 0 && first != own
}

/// Runs the body of a call and answers its code, with the sentence in place where there is one.
func call(_ sentence: Sentence?, _ body: () throws -> Void) -> Int32 {
  sentence?.pointee = nil
  do {
    guard !isForked() else {
      throw CallError(
        HOURGLASS_FORKED,
        "wanted the process that made the first model, found one that was forked from it and has none of its threads; "
          + "start such processes anew (multiprocessing's \"spawn\", joblib's \"loky\"), or before the first model")
    }
    try body()
    return answer(HOURGLASS_OK)
  } catch {
    sentence?.pointee = strdup("\(error)")
    return answer(code(of: error))
  }
}

private func answer(_ code: hourglass_code) -> Int32 { Int32(truncatingIfNeeded: code.rawValue) }

private func code(of error: any Error) -> hourglass_code {
  switch error {
  case let error as CallError: error.code
  case let error as DataError where error.lacksMemory: HOURGLASS_MEMORY
  case let error as DataError where error.isOutput: HOURGLASS_IO
  case let error as DataError where isMissing(error.path): HOURGLASS_NOT_FOUND
  case let error as ModelError where error.lacksMemory: HOURGLASS_MEMORY
  case is ThreadError: HOURGLASS_MEMORY
  case TrainingError.unreadable: HOURGLASS_IO
  case is TrainingError: HOURGLASS_DIVERGED
  default: HOURGLASS_INVALID
  }
}

/// Whether a path names nothing. What errors call images in no file, such as "the array", is no path.
private func isMissing(_ path: String) -> Bool {
  (path.contains("/") || path.hasSuffix(".json")) && (try? InputFile.isThere(path)) == false
}

/// The value of an argument that must not be NULL.
func given<T>(_ argument: T?, _ name: String) throws(CallError) -> T {
  guard let argument else { throw CallError(name, wanted: "an address", found: "NULL") }
  return argument
}

/// The text of an argument that must not be NULL.
func text(_ argument: UnsafePointer<CChar>?, _ name: String) throws(CallError) -> String {
  String(cString: try given(argument, name))
}

/// One of the words that an argument may be.
func word<Word: RawRepresentable & CaseIterable>(
  _ argument: UnsafePointer<CChar>?, _ name: String, default standard: Word? = nil
) throws(CallError) -> Word where Word.RawValue == String {
  if argument == nil, let standard { return standard }
  let found = try text(argument, name)
  guard let word = Word(rawValue: found) else {
    let words = Word.allCases.map(\.rawValue).joined(separator: ", ")
    throw CallError(name, wanted: "one of \(words)", found: found)
  }
  return word
}

/// Room for some numbers, as many as the caller says and the call needs.
func room<T>(
  _ values: UnsafeMutablePointer<T>?, _ name: String, count: Int64, needed: Int
) throws(CallError) -> UnsafeMutablePointer<T> {
  let values = try given(values, name)
  guard count == Int64(needed) else { throw CallError(name, wanted: "room for \(needed) numbers", found: "\(count)") }
  return values
}

/// A new handle of an object, which `release` frees.
func handle(_ object: AnyObject) -> OpaquePointer { OpaquePointer(Unmanaged.passRetained(object).toOpaque()) }

/// The object behind a handle.
func object<T: AnyObject>(_ handle: OpaquePointer?, _ name: String) throws(CallError) -> T {
  Unmanaged<T>.fromOpaque(UnsafeRawPointer(try given(handle, name))).takeUnretainedValue()
}

/// Frees a handle. A process that was forked leaves it, for the object would wait for threads that are not there.
func release<T: AnyObject>(_ handle: OpaquePointer?, _: T.Type) {
  guard let handle, !isForked() else { return }
  Unmanaged<T>.fromOpaque(UnsafeRawPointer(handle)).release()
}

/// Calls the body with a model that has its turn.
func with(
  _ model: OpaquePointer?, _ sentence: Sentence?, _ body: (EngineModel) throws -> Void
) -> Int32 {
  call(sentence) {
    let model: EngineModel = try object(model, "model")
    try model.inTurn { try body(model) }
  }
}
