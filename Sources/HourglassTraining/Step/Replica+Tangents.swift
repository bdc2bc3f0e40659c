import HourglassModels

/// The way of tangents along that of the values, layer by layer and piece by piece; nothing where the plan has none or
/// the step draws no directions.
extension Replica {
  /// Through a layer whose values went forward.
  func forwardTangents(layer i: Int, _ pass: Pass, first: Int, group: Int) {
    guard let tangents = tangents(layer: i, pass, first: first, group: group) else { return }
    if i == 0 { pass.drawDirections(count: plan.model.input.count) }
    plan.linearized[i].forward(tangents: tangents, y: pass.y)
  }

  /// A layer's pass with tangents in the place of values.
  func tangents(layer i: Int, _ pass: Pass, first: Int, group: Int) -> Pass? {
    guard plan.linearized.indices.contains(i), let tangent = pass.tangent else { return nil }
    let after = plan.tangents[i + 1]
    var tangents = pass
    (tangents.x, tangents.y) = (tangent, address(after.values, first, group))
    (tangents.dx, tangents.dy) = (pass.tangentError, after.error.map { address($0, first, group) })
    tangents.inputActivation = .linear
    return tangents
  }
}
