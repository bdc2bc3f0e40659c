import HourglassKernels

/// The latent of a vector-quantised autoencoder: each position of an image of features becomes the nearest of K
/// vectors, the codes of a codebook.
///
///     y[n,h,w] = e[k],   k = the first of those that make |x[n,h,w] - e[k]|^2 least
///     term[n] = sum over h, w of |x - sg(e)|^2 commitment + |sg(x) - e|^2
///
/// The error of y reaches x as it is (straight through). By gradient the codebook follows the second part of the term;
/// with a decay there is no such part, and codes are running means of the features that became them:
///
///     size[k] = decay size[k] + (1 - decay) n[k],   sum[k] = decay sum[k] + (1 - decay) (sum of the x of code k)
///     e[k] = sum[k] / ((size[k] + eps) / (S + K eps) S),   S = sum of size, eps = 1e-5
///
/// A code whose size is below a hundredth of the mean S / K starts anew at a feature of the step, drawn at random, with
/// the mean as its size. Several codebooks share the channels: each has its own part of them, C / G.
///
/// Cost: N H W C K multiply-adds. Sources: van den Oord, Vinyals & Kavukcuoglu, "Neural discrete representation
/// learning", NIPS 2017, with appendix A.1 for means; restarts as in Dhariwal et al., "Jukebox", 2020.
public struct VectorQuantizer: Layer, Hashable {
  /// The number of codes of a codebook, K.
  public var codes: Int
  /// The number of codebooks, G.
  public var codebooks: Int
  /// How much it costs features to be far from their codes.
  public var commitment: Float
  /// The decay of running means, at least 0 and below 1; nil where the codebook is trained by gradient.
  public var decay: Float?

  /// A quantiser with K = `codes`: N x H x W x C in and out.
  public init(_ codes: Int, codebooks: Int = 1, commitment: Float = 0.25, decay: Float? = nil) {
    (self.codes, self.codebooks, self.commitment, self.decay) = (codes, codebooks, commitment, decay)
  }

  private enum CodingKeys: String, CodingKey { case codes, codebooks, commitment, decay }

  public init(from decoder: any Decoder) throws {
    let fields = try decoder.container(keyedBy: CodingKeys.self)
    codes = try fields.decode(Int.self, forKey: .codes)
    codebooks = try fields.decode(.codebooks, or: 1)
    commitment = try fields.decode(.commitment, or: 0.25)
    decay = try fields.decodeIfPresent(Float.self, forKey: .decay)
  }

  public func encode(to encoder: any Encoder) throws {
    var fields = encoder.container(keyedBy: CodingKeys.self)
    try fields.encode(codes, forKey: .codes)
    try fields.encode(codebooks, .codebooks, unless: 1)
    try fields.encode(commitment, .commitment, unless: 0.25)
    try fields.encodeIfPresent(decay, forKey: .decay)
  }

  /// The most codes of a codebook.
  public static let mostCodes = 1 << 16

  public func plan(_ planner: inout Planner) throws(ModelError) {
    let (name, shape) = (planner.name, planner.shape)
    guard name == Planner.latentName else {
      throw ModelError(name, "a VectorQuantizer belongs in the place of the latent, not in \(name)")
    }
    guard (2...Self.mostCodes).contains(codes) else {
      throw ModelError(name, "wanted 2 to \(Self.mostCodes) codes, found \(codes)")
    }
    guard codebooks >= 1, shape.channels % codebooks == 0 else {
      throw ModelError(
        name, "wanted codebooks that divide the \(shape.channels) channels of \(shape), found \(codebooks)")
    }
    guard commitment >= 0, commitment.isFinite else {
      throw ModelError(name, "wanted a commitment of at least 0, found \(commitment)")
    }
    guard decay.map({ (0..<1).contains($0) }) ?? true else {
      throw ModelError(name, "wanted a decay of at least 0 and below 1, found \(decay ?? 0)")
    }
    try planner.append(PlannedVectorQuantizer(name: name, shape: shape, quantizer: self, number: planner.count))
  }
}

/// A quantiser that runs. Its state is the number of each position's code, position after position, for each codebook.
public struct PlannedVectorQuantizer: PlannedLayer {
  public let name: String
  let shape: ImageShape
  let quantizer: VectorQuantizer
  /// The place of the layer among those that run, part of the address of its random numbers.
  let number: Int

  public var kind: String { VectorQuantizer.kind }
  public var input: ImageShape { shape }
  public var output: ImageShape { shape }
  public var activation: Activation { .linear }
  public var granularity: Granularity { .chunk }
  public var notesTerm: Bool { true }
  public var multiplyAdds: Int { shape.count * codes }
  public var stateCount: Int { positions * codebooks }

  /// K, G, H W and C / G.
  var codes: Int { quantizer.codes }
  public var codebooks: Int { quantizer.codebooks }
  private var positions: Int { shape.height * shape.width }
  var width: Int { shape.channels / codebooks }

  // MARK: Parameters

  /// The codes of a codebook, and of running means behind them sizes and sums.
  private var tableCount: Int { Planner.aligned(codes * width) }
  private var sizesCount: Int { Planner.aligned(codes) }
  private var bookCount: Int { quantizer.decay == nil ? tableCount : 2 * tableCount + sizesCount }
  public var parameterCount: Int { codebooks * bookCount }

  public var parameters: [Parameter] {
    (0..<codebooks).flatMap { book in
      let (stem, offset) = (codebooks == 1 ? name : "\(name).\(book)", book * bookCount)
      // Codes start uniform within 1 / K.
      let embedding = Parameter(
        name: "\(stem).embedding.weight", shape: [codes, width], fanIn: codes * codes, fanOut: 1, offset: offset,
        axes: [.init(codes, stride: width), .init(width, stride: 1)], initializer: .pytorch)
      guard quantizer.decay != nil else { return [embedding] }
      let sums = Parameter(
        zeros: "\(stem).ema_w", rows: codes, columns: width, offset: offset + tableCount + sizesCount)
      let sizes = Parameter(scale: "\(stem).ema_cluster_size", count: codes, start: 0, offset: offset + tableCount)
      return [embedding, sizes, sums].map(\.asStatistic)
    }
  }

  public func work(_ use: Use) -> [Work] {
    guard let decay = quantizer.decay else { return [.shardSum(0..<parameterCount)] }
    let (codes, width, table, sizes) = (codes, width, tableCount, sizesCount)
    let follow: Work.Follow = { book, notes, _, _ in
      func moved(_ i: Int) { book[i] = decay * book[i] + (1 - decay) * notes[i] }
      for k in 0..<codes { moved(table + k) }
      for i in 0..<codes * width { moved(table + sizes + i) }
      let total = (0..<codes).reduce(0.0) { $0 + Double(book[table + $1]) }
      let (mean, epsilon) = (total / Double(codes), 1e-5)
      for k in 0..<codes {
        let (code, sum, fresh) = (book + k * width, book + table + sizes + k * width, notes + k * width)
        let size = Double(book[table + k])
        guard size < 0.01 * mean else {
          let smoothed = (size + epsilon) / (total + Double(codes) * epsilon) * total
          for i in 0..<width { code[i] = Float(Double(sum[i]) / smoothed) }
          continue
        }
        // A last minibatch may be without the sample that was drawn.
        guard (0..<width).contains(where: { fresh[$0] != 0 }) else { continue }
        book[table + k] = Float(mean)
        for i in 0..<width { (code[i], sum[i]) = (fresh[i], Float(mean) * fresh[i]) }
      }
    }
    return (0..<codebooks).map { .own($0 * bookCount..<($0 + 1) * bookCount, follow: follow) }
  }

  // MARK: Forward

  /// The codes transposed times -2, and their squared norms, with which x makes |e|^2 - 2 x e.
  private var preparedBookCount: Int { tableCount + sizesCount }
  public var preparedCount: Int { codebooks * preparedBookCount }

  public func prepare(_ pass: Pass) {
    for book in 0..<codebooks {
      let table = pass.parameters + book * bookCount
      let (transposed, norms) = (
        pass.prepared + book * preparedBookCount, pass.prepared + book * preparedBookCount + tableCount
      )
      pass.withParallel { checked(hg_transpose(codes, width, table, transposed, $0)) }
      for i in 0..<codes * width { transposed[i] *= -2 }
      for k in 0..<codes {
        var sum = 0.0
        for i in k * width..<(k + 1) * width { sum += Double(table[i]) * Double(table[i]) }
        norms[k] = Float(sum)
      }
    }
  }

  /// So many positions at a time, so that their distances stay in cache.
  private static let block = 128

  private func geometry(_ rows: Int) -> hg_dense {
    hg_dense(size: MemoryLayout<hg_dense>.size, samples: rows, inputs: width, outputs: codes)
  }

  /// A block's distances, numbers of codes, and features of one codebook, and what the product needs.
  public func scratchCount(samples: Int, threads: Int) -> Int {
    var geometry = geometry(Self.block)
    var parallel = Planner.parallel(threads: threads)
    let product = hg_dense_forward_scratch(&geometry, &parallel)
    return max(Self.block * (codes + 1 + width) + product, 2 * codes)
  }

  public func forward(_ pass: Pass) {
    let (rows, channels) = (pass.samples * positions, shape.channels)
    let found = UnsafeMutableRawPointer(pass.scratch).assumingMemoryBound(to: Int32.self)
    let features = pass.scratch + Self.block
    let distances = features + Self.block * width
    let product = distances + Self.block * codes
    for book in 0..<codebooks {
      let prepared = pass.prepared + book * preparedBookCount
      let table = pass.parameters + book * bookCount
      for first in stride(from: 0, to: rows, by: Self.block) {
        let count = min(Self.block, rows - first)
        for row in 0..<count {
          (features + row * width).update(from: pass.x + (first + row) * channels + book * width, count: width)
        }
        var geometry = geometry(count)
        pass.withParallel {
          checked(
            hg_dense_forward(
              &geometry, features, prepared, prepared + tableCount, HG_ACTIVATION_LINEAR, distances, product, $0))
        }
        checked(hg_argmin(count, codes, distances, found))
        for row in 0..<count {
          let code = Int(found[row])
          pass.state[(first + row) * codebooks + book] = Float(code)
          (pass.y + (first + row) * channels + book * width).update(from: table + code * width, count: width)
        }
      }
    }
    let weight = Double(quantizer.commitment) + (quantizer.decay == nil ? 1 : 0)
    for n in 0..<pass.samples {
      var sum = 0.0
      for i in n * shape.count..<(n + 1) * shape.count {
        let difference = Double(pass.x[i]) - Double(pass.y[i])
        sum += difference * difference
      }
      pass.term[n] = Float(weight * sum)
    }
  }

  /// Calls with each position's features in each codebook, the number of their code, and its values.
  private func forEachFeature(
    _ pass: Pass, _ body: (_ place: Int, _ book: Int, _ code: Int, _ values: UnsafePointer<Float>) -> Void
  ) {
    for row in 0..<pass.samples * positions {
      for book in 0..<codebooks {
        let code = Int(clamping: pass.state[row * codebooks + book])
        let table = UnsafePointer(pass.parameters + book * bookCount)
        body(row * shape.channels + book * width, book, code, table + code * width)
      }
    }
  }

  // MARK: Backward

  /// The gradient of the codes, 2 beta (e - x); or in place of one how many features became each code, their sum, and
  /// in the place of the codes features from which they may start anew.
  public func backwardParameters(_ pass: Pass) {
    guard let gradients = pass.gradients else { return }
    if !pass.accumulate { gradients.update(repeating: 0, count: parameterCount) }
    let (width, slope) = (width, 2 * pass.beta)
    guard quantizer.decay != nil else {
      return forEachFeature(pass) { place, book, code, values in
        let gradient = gradients + book * bookCount + code * width
        for i in 0..<width { gradient[i] += slope * (values[i] - pass.x[place + i]) }
      }
    }
    forEachFeature(pass) { place, book, code, _ in
      let sizes = gradients + book * bookCount + tableCount
      sizes[code] += 1
      let sum = sizes + sizesCount + code * width
      for i in 0..<width { sum[i] += pass.x[place + i] }
    }
    for book in 0..<codebooks { noteFreshCodes(pass, book, gradients + book * bookCount) }
  }

  /// The feature from which each code may start anew is drawn among all of the step's first minibatch, so that one pass
  /// has it, whatever passes there are.
  private func noteFreshCodes(_ pass: Pass, _ book: Int, _ notes: UnsafeMutablePointer<Float>) {
    guard let stream = pass.noise.layer(number, sample: book) else { return }
    stream.fillUniform(pass.scratch, 2 * codes)
    for k in 0..<codes {
      func drawn(_ i: Int, below end: Int) -> Int {
        min(Int(clamping: (Double(pass.scratch[i]) * Double(end)).rounded(.down)), end - 1)
      }
      let sample = drawn(k, below: pass.batchSize) - pass.firstSample
      guard (0..<pass.samples).contains(sample) else { continue }
      let place = (sample * positions + drawn(codes + k, below: positions)) * shape.channels + book * width
      (notes + k * width).update(from: pass.x + place, count: width)
    }
  }

  /// Straight through, and towards the codes:  dx = dy + 2 beta commitment (x - e).
  public func backward(_ pass: Pass) {
    guard let dy = pass.dy, let dx = pass.dx else { return }
    let (width, slope) = (width, 2 * pass.beta * quantizer.commitment)
    forEachFeature(pass) { place, _, _, values in
      for i in 0..<width { dx[place + i] = dy[place + i] + slope * (pass.x[place + i] - values[i]) }
    }
    pass.applyInputDerivative(count: shape.count)
  }

  // MARK: Elsewhere

  /// The codes of numbers of codes.
  ///
  /// - Parameters:
  ///   - numbers: N x H W G.
  ///   - parameters: the flat vector's part of the layer.
  /// - Returns: N x H x W x C.
  public func values(of numbers: [Float], parameters: UnsafePointer<Float>) -> [Float] {
    numbers.enumerated().flatMap { place, number in
      let code = min(max(Int(clamping: number), 0), codes - 1)
      let table = parameters + place % codebooks * bookCount + code * width
      return (0..<width).map { table[$0] }
    }
  }

  public func addNodes(to graph: inout ONNXBuilder) {
    let tables = parameters.filter { $0.name.hasSuffix("embedding.weight") }.map { graph.tensor($0) }
    var features = graph.form(shape)
    if !shape.isVector { features = graph.node("Transpose", [features], ["perm": .integers([0, 2, 3, 1])]) }
    features = graph.node("Reshape", [features, graph.tensor("features", [-1, shape.channels])])
    let axis = graph.tensor("axis", [1])
    let values = tables.enumerated().map { book, table in
      let range = [graph.tensor("first.\(book)", [book * width]), graph.tensor("end.\(book)", [(book + 1) * width])]
      let own = codebooks == 1 ? features : graph.node("Slice", [features] + range + [axis])
      let products = graph.node("MatMul", [own, graph.node("Transpose", [table], ["perm": .integers([1, 0])])])
      let norms = graph.node("ReduceSum", [graph.node("Mul", [table, table]), axis], ["keepdims": .integer(0)])
      let distances = graph.node("Sub", [norms, graph.node("Mul", [products, graph.tensor("two", 2)])])
      let numbers = graph.node("ArgMin", [distances], ["axis": .integer(1), "keepdims": .integer(0)])
      return graph.node("Gather", [table, numbers], ["axis": .integer(0)])
    }
    let joined = codebooks == 1 ? values[0] : graph.node("Concat", values, ["axis": .integer(1)])
    guard !shape.isVector else { return graph.put(joined) }
    let extents = graph.tensor("shape", [-1, shape.height, shape.width, shape.channels])
    let image = graph.node("Reshape", [joined, extents])
    graph.put(graph.node("Transpose", [image], ["perm": .integers([0, 3, 1, 2])]))
  }
}
