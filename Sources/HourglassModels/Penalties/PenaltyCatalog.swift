/// All penalties that a model file may name.
public enum PenaltyCatalog {
  /// The types of all penalties, by name.
  public static let penalties: [any Penalty.Type] = [
    ActivityPenalty.self, ContractivePenalty.self, L1Penalty.self, MMDPenalty.self, ZeroMeanPenalty.self,
  ]
}
