/// What a network does with messages, by three numbers: a message of n bytes alone arrives after overhead + latency +
/// n / bandwidth, and one way carries the next message overhead + n / bandwidth after the last (the parameters o, L and
/// G of LogGP, Alexandrov et al., SPAA 1995).
struct Network: Codable, Equatable {
  var name: String
  /// The seconds on the way.
  var latency: Double
  /// The seconds for which a message, however short, keeps its sender.
  var overhead: Double
  /// The bytes a second of one way, in pieces of 48 KB.
  var bandwidth: Double

  /// Networks as they are sold, with the latency and overhead that MPI usually has on them.
  static let presets = [
    Network(name: "1 GbE", latency: 40e-6, overhead: 8e-6, bandwidth: 117e6),
    Network(name: "10 GbE", latency: 20e-6, overhead: 5e-6, bandwidth: 1.17e9),
    Network(name: "100 Gb InfiniBand", latency: 2e-6, overhead: 0.7e-6, bandwidth: 12e9),
  ]
}
