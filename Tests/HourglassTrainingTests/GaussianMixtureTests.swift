import Foundation
import HourglassBase
import HourglassTraining
import TestSupport
import Testing

@testable import HourglassAnalysis

/// Mixtures fitted to codes whose distribution is known.
@Suite struct GaussianMixtureTests {
  /// Two thirds about (4, 0, 1) with correlated units, one third about (-3, 2, 0).
  private static func codes(_ count: Int) -> [Float] {
    (0..<count).flatMap { n -> [Float] in
      let e = RandomStream(seed: 5, .synthesis, sample: n).normal(3)
      return n % 3 > 0
        ? [4 + e[0], 0.8 * e[0] + 0.6 * e[1], 1 + 0.5 * e[2]] : [-3 + 0.5 * e[0], 2 + e[1], 0.3 * e[2]]
    }
  }

  /// One component has the mean and the covariance of the codes in closed form.
  @Test func oneComponentHasTheMomentsOfTheCodes() {
    let codes = Self.codes(300)
    let mixture = GaussianMixture(of: codes, units: 3, components: 1, seed: 1)
    let rows = (0..<300).map { n in (0..<3).map { Double(codes[3 * n + $0]) } }
    let means = (0..<3).map { i in rows.reduce(0) { $0 + $1[i] } / 300 }
    var c = [[Double]](repeating: [0, 0, 0], count: 3)
    for row in rows { for i in 0..<3 { for j in 0..<3 { c[i][j] += (row[i] - means[i]) * (row[j] - means[j]) / 300 } } }
    // The mean of log density of a fitted normal distribution is -(log det(2 pi C) + Z) / 2.
    let determinant =
      c[0][0] * (c[1][1] * c[2][2] - c[1][2] * c[2][1]) - c[0][1] * (c[1][0] * c[2][2] - c[1][2] * c[2][0])
      + c[0][2] * (c[1][0] * c[2][1] - c[1][1] * c[2][0])
    let wanted = -(log(determinant) + 3 * log(2 * .pi) + 3) / 2
    #expect(abs(mixture.meanLogDensity(of: codes) - wanted) < 1e-4)
    let normal = GaussianMixture(standardNormalOf: 3)
    let plain = -rows.joined().reduce(0) { $0 + $1 * $1 } / 600 - 1.5 * log(2 * .pi)
    #expect(abs(normal.meanLogDensity(of: codes) - plain) < 1e-9)
  }

  /// Two components find the two groups, and what they draw is like other codes of the same distribution.
  @Test func twoComponentsAreLikelierAndDrawWhatTheyWereFittedTo() {
    let (codes, others) = (Self.codes(900), Array(Self.codes(1500)[2700...]))
    let one = GaussianMixture(of: codes, units: 3, components: 1, seed: 2)
    let two = GaussianMixture(of: codes, units: 3, components: 2, seed: 2)
    // The entropy of the groups is that of the choice and of two normal distributions.
    func entropy(_ deviations: Double...) -> Double {
      1.5 * (1 + log(2 * .pi)) + deviations.reduce(0) { $0 + log($1) }
    }
    let choice = -(2 * log(2.0 / 3) + log(1.0 / 3)) / 3
    let wanted = -(choice + (2 * entropy(1, 0.6, 0.5) + entropy(0.5, 1, 0.3)) / 3)
    #expect(abs(two.meanLogDensity(of: others) - wanted) < 0.1)
    #expect(one.meanLogDensity(of: others) < wanted - 0.5 && two.rounds < 100)
    let drawn = two.codes(600, seed: 9)
    let normal = GaussianMixture(standardNormalOf: 3)
    #expect(GaussianMixture.discrepancy(others, drawn, units: 3) < 0.03)
    #expect(GaussianMixture.discrepancy(others, normal.codes(600, seed: 9), units: 3) > 0.3)
    // A draw depends on its number alone, and fits are the same whenever they are made.
    #expect(Array(drawn[30...]) == two.codes(590, from: 10, seed: 9))
    #expect(GaussianMixture(of: codes, units: 3, components: 2, seed: 2).codes(600, seed: 9) == drawn)
  }

  /// Fewer codes than a covariance has directions, and equal codes: nothing is infinite.
  @Test func fewAndEqualCodesMakeFiniteMixtures() {
    for codes in [[Float](repeating: 2, count: 30), Array(Self.codes(4))] {
      let mixture = GaussianMixture(of: codes, units: 3, components: 3, seed: 1)
      #expect(mixture.meanLogDensity(of: codes).isFinite)
      let isFinite = mixture.codes(50, seed: 1).allSatisfy(\.isFinite)
      #expect(isFinite)
    }
  }
}
