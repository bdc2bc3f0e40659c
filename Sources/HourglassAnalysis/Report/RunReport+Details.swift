import HourglassTraining

extension RunReport {
  /// What the page shows in pictures, for programs.
  public struct Details: Encodable, Sendable {
    /// An image and the mean squared error per pixel of its reconstruction.
    struct Image: Encodable, Sendable {
      var name: String
      var error: Double
    }

    /// A unit of the code.
    struct Unit: Encodable, Sendable {
      var variance: Double
      /// Its share of the KL divergence, in nats.
      var divergence: Double?
      /// `informative`, `faint` or `inactive`; nil for a model that is not variational.
      var kind: String?
    }

    /// The images with the least errors, with errors around the median, and with the greatest.
    var images: [String: [Image]]?
    /// The units in their order.
    var units: [Unit]
    /// The classes that are most often taken for others, the worst first.
    var confusions: [Confusion]?
  }

  /// What was found in the images; nil until the model has looked at them.
  public var details: Details? {
    findings.map { findings in
      let (units, kinds) = (findings.units, findings.units.kinds)
      return Details(
        images: findings.bands.isEmpty
          ? nil
          : Dictionary(
            uniqueKeysWithValues: findings.bands.map { band in
              (band.title, band.images.map { Details.Image(name: $0.name, error: $0.error) })
            }),
        units: units.variances.indices.map { unit in
          Details.Unit(
            variance: units.variances[unit], divergence: units.divergences?[unit], kind: kinds?[unit].rawValue)
        },
        confusions: findings.evaluation.confusion == nil ? nil : findings.evaluation.worstConfusions)
    }
  }
}
