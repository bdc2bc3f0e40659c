import HourglassModels

/// The way of tangents along that of the values, use by use and piece by piece; nothing where the plan has none or the
/// step draws no directions.
extension Replica {
  /// Through a layer whose values went forward.
  func forwardTangents(use i: Int, _ pass: Pass, first: Int, group: Int) {
    guard let tangents = tangents(use: i, pass, first: first, group: group) else { return }
    if i == 0 { pass.drawDirections(count: plan.model.input.count) }
    plan.uses[i].layer.forward(tangents: tangents, y: pass.y)
  }

  /// The pass of a use with tangents in the place of values, and their errors in that of errors.
  func tangents(use i: Int, _ pass: Pass, first: Int, group: Int) -> Pass? {
    let use = plan.uses[i]
    guard plan.tangents.contains(i), let tangent = pass.tangent, let after = plan.values[use.output].tangent else {
      return nil
    }
    func error(of value: Int?) -> UnsafeMutablePointer<Float>? {
      value.flatMap { plan.values[$0].tangentError }.map { address($0, first, group) }
    }
    var tangents = pass
    (tangents.x, tangents.y) = (tangent, address(after, first, group))
    tangents.skip = use.skip.flatMap { plan.values[$0].tangent }.map { address($0, first, group) }
    (tangents.dx, tangents.dskip) = (pass.tangentError, error(of: use.skip))
    (tangents.dy, tangents.dbranch) = (error(of: use.output), error(of: use.branch))
    (tangents.inputActivation, tangents.skipActivation) = (.linear, .linear)
    return tangents
  }

  /// The way back of the tangents through a layer, after that of the values, and what they have to do with each other.
  func joinTangents(use i: Int, _ pass: Pass, _ tangents: Pass?) {
    if let tangents { plan.uses[i].layer.backward(tangents) }
    let use = plan.uses[i]
    pass.joinTangents(
      pass.x, pass.inputActivation, pass.dx, pass.tangent, pass.tangentError, count: plan.values[use.input].shape.count)
    guard let tangents, let skip = pass.skip, let value = use.skip else { return }
    pass.joinTangents(
      skip, pass.skipActivation, pass.dskip, tangents.skip, tangents.dskip, count: plan.values[value].shape.count)
  }
}
