/// All penalties that a model file may name.
public enum PenaltyCatalog {
  /// The types of all penalties, by name.
  public static let penalties: [any Penalty.Type] = [
    ActivityPenalty.self, ContractivePenalty.self, DIPPenalty.self, L1Penalty.self, L2Penalty.self, MMDPenalty.self,
    TotalCorrelationPenalty.self, ZeroMeanPenalty.self,
  ]
}
