import HourglassModels

extension Replica {
  /// Forward and likelihood of a run of shards, and in place of the way back Gibbs chains: see `Objective`.
  ///
  /// With the error of the hidden layer hk - h0, that of the visible one vk - v0, and hk for the code, the terms of
  /// the tied weight's gradient, x^T dy of both layers, add up to contrastive divergence:
  ///
  ///     v0^T (hk - h0) + (vk - v0)^T hk = vk^T hk - v0^T h0
  func contrast(_ machine: PlannedContrastiveDivergence, samples: Range<Int>, mode: Mode) {
    let start = samples.lowerBound
    forward(plan.uses.indices, samples: samples, mode: mode)
    likelihood(samples, group: start, wantsError: false)

    var hidden = pass(use: 0, samples: samples, group: start, mode: mode)
    var visible = pass(use: 1, samples: samples, group: start, mode: mode)
    guard let hiddenError = hidden.dy, let visibleError = visible.dy else { return }
    let (image, chain) = (hidden.x, address(machine.chains, start, start))
    let units = samples.count * machine.hidden.output.count
    let pixels = samples.count * machine.visible.output.count
    (hidden.x, visible.y) = (chain, chain)
    hiddenError.update(from: hidden.y, count: units)
    if machine.isPersistent {
      machine.hidden.forward(hidden)
      clock?.lap(.forward, layer: 0)
    }
    for step in 0..<machine.steps {
      machine.hidden.drawUnits(hidden, halfStep: 2 * step)
      clock?.lap(.forward, layer: 0)
      machine.visible.forward(visible)
      machine.visible.drawUnits(visible, halfStep: 2 * step + 1)
      clock?.lap(.forward, layer: 1)
      machine.hidden.forward(hidden)
      clock?.lap(.forward, layer: 0)
    }
    for i in 0..<units { hiddenError[i] = hidden.y[i] - hiddenError[i] }
    for i in 0..<pixels { visibleError[i] = chain[i] - image[i] }
    clock?.lap(.forward, layer: 0)
  }
}
