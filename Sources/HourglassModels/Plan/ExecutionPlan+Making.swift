/// How a plan comes about, once the layers are known.
extension ExecutionPlan {
  /// In place of a value that makes it: the persistent chains of contrastive divergence are no layer's state.
  static let chains = -1

  static func segments(of uses: [Use]) -> [Range<Int>] {
    var segments: [Range<Int>] = []
    for i in uses.indices {
      if let last = segments.last, uses[last.lowerBound].layer.granularity == uses[i].layer.granularity {
        segments[segments.count - 1] = last.lowerBound..<i + 1
      } else {
        segments.append(i..<i + 1)
      }
    }
    return segments
  }

  /// Gives all parameters their places, first those whose gradients are summed shard by shard, and finds who lends what
  /// to whom.
  static func placeParameters(_ uses: inout [Use]) -> (sharded: Int, all: Int) {
    var next = 0
    var sharded = 0
    for isProduct in [false, true] {
      for i in uses.indices where uses[i].layer.parameterCount > 0 && uses[i].hasProducts == isProduct {
        (uses[i].parameterOffset, uses[i].isSharded) = (next, !isProduct)
        next += Planner.aligned(uses[i].layer.parameterCount)
      }
      if !isProduct { sharded = next }
    }
    for i in uses.indices {
      for read in uses[i].layer.reads(uses[i]) {
        guard let value = read.source.lender(of: uses[i]),
          let lender = uses.firstIndex(where: { $0.outputs.contains(value) })
        else { continue }
        uses[i].lender = lender
        if case .weight = read.source, read.moments.contains(.backward) { uses[lender].isWeightLent = true }
      }
    }
    return (sharded, next)
  }

  /// The products in the order of the uses, each with the terms of its own layer, then those of layers that borrow its
  /// weight, then scaled ones.
  static func products(of uses: [Use], tangible: Set<Int>) -> [Product<Read.Source>] {
    var products: [Product<Read.Source>] = []
    var first: [Int: Int] = [:]
    for (i, use) in uses.enumerated() {
      for work in use.layer.work(use) {
        switch work {
        case .shardSum, .own: continue
        case .product(var product):
          product.offset += use.parameterOffset
          product.use = i
          if first[i] == nil { first[i] = products.count }
          products.append(product)
        case .lent(let terms):
          guard let lender = use.lender, let product = first[lender] else { continue }
          products[product].terms += terms
        }
      }
    }
    for i in products.indices {
      let terms = products[i].terms.flatMap { term in
        [term]
          + [term.ofTangents].compactMap(\.self).filter { tangents in
            tangents.operands.allSatisfy { $0.value.map(tangible.contains) ?? false }
          }
      }
      products[i].terms = terms.filter { !$0.isScaled } + terms.filter(\.isScaled)
    }
    return products
  }

  static func owned(of uses: [Use]) -> [(range: Range<Int>, follow: Work.Follow)] {
    uses.flatMap { use in
      use.layer.work(use).compactMap { work in
        guard case .own(let range, let follow) = work else { return nil }
        return (use.parameterOffset + range.lowerBound..<use.parameterOffset + range.upperBound, follow)
      }
    }.sorted { $0.range.lowerBound < $1.range.lowerBound }
  }

  /// The values that have tangents: all up to the one that the layer reads which wants them.
  static func tangible(_ uses: [Use]) -> Set<Int> {
    guard let end = uses.firstIndex(where: { $0.layer.wantsTangents }) else { return [] }
    return Set(uses[...end].flatMap(\.inputs))
  }

  /// Notes when each array is written and read, and places all.
  ///
  /// - Parameter code: the value, and the use that writes it.
  static func lifetimes(
    _ uses: [Use], _ values: [Value], _ segments: [Range<Int>], _ products: [Product<Read.Source>],
    code: (value: Int, use: Int),
    tangible: Set<Int>, objective: Objective?, isTraining: Bool
  ) -> Lifetimes {
    var lifetimes = Lifetimes(
      segments: segments, goesByChunks: segments.map { uses[$0.lowerBound].layer.granularity == .chunk },
      hasWayBack: isTraining)
    for use in uses {
      for (array, other) in use.layer.inPlace(use) {
        lifetimes.share(array, with: other)
        if let array = array.ofTangents, let other = other.ofTangents { lifetimes.share(array, with: other) }
      }
    }
    let last = uses.count - 1
    // Nobody wants the error of what no parameters lie before; the likelihood finds that of the output all the same.
    var wanted: Set<Int> = []
    for use in uses where use.layer.parameterCount > 0 || use.inputs.contains(where: wanted.contains) {
      wanted.formUnion(use.outputs)
    }
    wanted.insert(uses[last].output)

    func note(_ source: Read.Source, at moment: Int) {
      let count: Int
      switch source {
      case .values(let v): count = values[v].shape.count
      case .error(let v):
        guard isTraining, wanted.contains(v) else { return }
        count = values[v].shape.count
      case .tangent(let v):
        guard tangible.contains(v) else { return }
        count = values[v].shape.count
      case .tangentError(let v):
        guard isTraining, tangible.contains(v), wanted.contains(v) else { return }
        count = values[v].shape.count
      case .state(let v):
        guard let use = uses.first(where: { $0.outputs.contains(v) }), use.layer.stateCount > 0 else { return }
        count = use.layer.stateCount
      case .weight: return
      }
      lifetimes.note(source, count: count, at: moment)
    }

    note(.values(0), at: Lifetimes.start)
    for (i, use) in uses.enumerated() {
      let back = lifetimes.backward(i)
      for value in use.inputs + use.outputs {
        note(.values(value), at: i)
        note(.tangent(value), at: i)
        note(.error(value), at: back)
        note(.tangentError(value), at: back)
      }
      note(.state(use.output), at: i)
      for read in use.layer.reads(use) where read.moments.contains(.forward) { note(read.source, at: i) }
      guard isTraining else { continue }
      note(.state(use.output), at: back)
      for read in use.layer.reads(use) where read.moments.contains(.backward) { note(read.source, at: back) }
      for value in use.inputs where tangible.contains(value) {
        // The way back of tangents goes through the slope of the activation, and where that is curved through its
        // change along the tangent; the gradient of a convolution has a term of its own.
        if values[value].activation != .linear { note(.values(value), at: back) }
        let isCurved = values[value].activation.isCurved
        if isCurved || use.layer.wantsTangents || use.layer.parameterCount > 0 { note(.tangent(value), at: back) }
      }
    }
    note(.values(0), at: lifetimes.likelihood)
    note(.values(uses[last].output), at: lifetimes.likelihood)
    note(.error(uses[last].output), at: lifetimes.likelihood)
    for source in products.flatMap(\.terms).flatMap(\.operands) where isTraining { note(source, at: lifetimes.sums) }
    switch objective {
    case .contrastiveDivergence(_, let isPersistent) where isTraining:
      // Chains run where the output lies until all is through, or in a place of their own that outlives the step.
      note(.values(uses[last].output), at: lifetimes.backward(0))
      if isPersistent {
        lifetimes.note(.state(chains), count: values[uses[last].output].shape.count, at: lifetimes.sums)
      }
    default: break
    }
    if !isTraining {
      // A code may be drawn and decoded many times, and all that was seen on the way is looked at.
      let end = lifetimes.likelihood
      for value in [code.value, uses[code.use].input] { note(.values(value), at: end) }
      note(.state(code.value), at: end)
      lifetimes.keep(across: code.use + 1, until: end)
    }
    lifetimes.place()
    return lifetimes
  }
}

extension Use {
  /// Whether a gradient of the layer's parameters is a product over the minibatch.
  var hasProducts: Bool {
    layer.work(self).contains { if case .product = $0 { true } else { false } }
  }
}

extension Read.Source {
  /// The value that the use of another layer writes, of whose state or weight this is a part.
  fileprivate func lender(of use: Use) -> Int? {
    switch self {
    case .state(let v) where v != use.output: v
    case .weight(let v): v
    default: nil
    }
  }
}

extension Product<Read.Source>.Term {
  fileprivate var isScaled: Bool { if case .scaled = self { true } else { false } }
}
