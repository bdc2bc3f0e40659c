import Foundation
import HourglassData
import HourglassModels
import Testing
import TestSupport

@testable import HourglassAnalysis
@testable import HourglassTraining

@Suite struct PrincipalComponentsTests {
  /// A v = lambda v, V^T V = 1, and the trace is the sum of the eigenvalues.
  @Test(arguments: [1, 2, 3, 17, 40], [0, 1, 2, 3]) func eigenvectorsSolveTheirEquation(_ n: Int, _ kind: Int) {
    let draws = RandomStream(seed: 2, .sampling, sample: n).normal(n * n).map(Double.init)
    var matrix = [Double](repeating: 0, count: n * n)
    for i in 0..<n {
      for j in 0...i {
        // Any numbers; a matrix of rank 1, whose other eigenvalues are all equal; a diagonal one; one of rank 2.
        let value = [
          draws[i * n + j], draws[i] * draws[j], i == j ? Double(i % 3) : 0, i % 3 == j % 3 ? 1 : -0.5,
        ][kind]
        (matrix[i * n + j], matrix[j * n + i]) = (value, value)
      }
    }
    let found = SymmetricEigen(matrix, size: n)
    let scale = matrix.reduce(0) { $0 + $1 * $1 }.squareRoot()
    #expect(found.values == found.values.sorted(by: >) && found.vectors.count == n)
    let trace = (0..<n).reduce(0) { $0 + matrix[$1 * n + $1] }
    #expect(abs(found.values.reduce(0, +) - trace) <= 1e-13 * Double(n) * scale)
    for (i, v) in found.vectors.enumerated() {
      for row in 0..<n {
        let product = (0..<n).reduce(0) { $0 + matrix[row * n + $1] * v[$1] }
        #expect(abs(product - found.values[i] * v[row]) <= 1e-13 * Double(n) * scale)
      }
      for j in 0...i {
        let dot = zip(v, found.vectors[j]).reduce(0) { $0 + $1.0 * $1.1 }
        #expect(abs(dot - (i == j ? 1 : 0)) <= 1e-13 * Double(n))
      }
    }
  }

  private static let shape = ImageShape(5, 4, 3)

  private static func data(_ count: Int = 300) throws -> Dataset {
    try TestImages.waves(batchSizes: [count / 3, count / 3, count / 3], shape: shape)
  }

  private static func inference(_ components: PrincipalComponents) throws -> Inference {
    let model = PrincipalComponents.autoencoder("pca", input: shape, components: components.directions.count)
    let inference = try Inference(model: model, parallel: ParallelPlan(workers: 1, threads: 1))
    components.store(in: inference.parameters, plan: inference.plan)
    return inference
  }

  /// The network is the projection, in colour too, where files have another order of elements than memory.
  @Test(arguments: [true, false]) func theAutoencoderProjects(_ isCentred: Bool) throws {
    let data = try Self.data()
    let found = try PrincipalComponents(data, components: 4, isCentred: isCentred)
    #expect(isCentred || found.mean.allSatisfy { $0 == 0 })
    let images = try data.images(0..<40)
    let inference = try Self.inference(found)
    let codes = inference.encode(images)
    let output = inference.reconstruct(images)
    let coordinates = found.coordinates(of: images)
    for n in 0..<40 {
      for k in 0..<4 { #expect(abs(Double(codes[4 * n + k]) - coordinates[k][n]) < 1e-5) }
      for d in 0..<60 {
        let wanted = (0..<4).reduce(found.mean[d]) { $0 + coordinates[$1][n] * found.directions[$1][d] }
        #expect(abs(Double(output[60 * n + d]) - wanted) < 1e-5)
      }
    }
  }

  /// What the code leaves out is the sum of the other eigenvalues (Eckart & Young 1936).
  @Test func theErrorIsTheVarianceThatIsLeft() throws {
    let data = try Self.data()
    let all = try PrincipalComponents(data, components: 60)
    #expect(abs(all.shares.reduce(0, +) - 1) < 1e-5)
    for components in [1, 3, 8] {
      let found = try PrincipalComponents(data, components: components)
      let loss = try Evaluator(Self.inference(found), beta: 1, seed: 0).evaluate(data).loss
      let left = all.variances[components...].reduce(0, +)
      #expect(abs(loss - left) < 1e-5 * all.variance)
      #expect(abs(loss - (found.variance - found.variances.reduce(0, +))) < 1e-5 * all.variance)
    }
  }

  @Test(arguments: [true, false]) func bothMethodsFindTheSame(_ isCentred: Bool) throws {
    let data = try Self.data()
    let exact = try PrincipalComponents(data, components: 3, isCentred: isCentred, method: .exact)
    let other = try PrincipalComponents(data, components: 3, isCentred: isCentred, method: .randomised, seed: 4)
    for i in 0..<3 {
      #expect(abs(exact.variances[i] - other.variances[i]) < 1e-5 * exact.variances[0])
      let dot = zip(exact.directions[i], other.directions[i]).reduce(0) { $0 + $1.0 * $1.1 }
      #expect(abs(dot - 1) < 1e-4)
    }
  }
}
