/// Takes the answer of a kernel. A plan has checked all that a kernel could refuse, so a refusal is a broken invariant.
@inline(__always)
public func checked(_ refusal: UnsafePointer<CChar>?) {
  precondition(refusal == nil, refusal.map { String(cString: $0) } ?? "")
}
