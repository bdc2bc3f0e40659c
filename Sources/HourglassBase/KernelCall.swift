/// Takes the answer of a kernel: nil, or why it refuses its arguments. A plan has checked all that a kernel could
/// refuse, so a refusal is a broken invariant and ends the process.
@inline(__always)
public func checked(_ refusal: UnsafePointer<CChar>?) {
  precondition(refusal == nil, refusal.map { String(cString: $0) } ?? "")
}
