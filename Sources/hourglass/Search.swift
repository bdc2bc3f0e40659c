import ArgumentParser
import FoundationEssentials
import Glibc
import HourglassAnalysis
import HourglassData
import HourglassModels
import HourglassTraining

extension Neighbours.Metric: ExpressibleByArgument {}

struct Search: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Finds the images whose codes are nearest to those of query images.",
    discussion: """
      Queries are the test images; they are searched among the images trained on. Where both have labels, precision at \
      k is the part of a query's first k neighbours that have its label, mean over queries. --beside DIR with another \
      run, such as one of `hourglass pca`, and --pixels show what other numbers find.

      The picture has a row for each of the first queries: the query, then its neighbours. The CSV file has a row for \
      each neighbour, the nearest of a query first, with query, query_name, rank, then index, name and class of the \
      neighbour, and distance: |x - y|, or 1 less the cosine.

      Example:
        hourglass search --run runs/first --k 1,10 --pixels --beside runs/pca
      """)

  @OptionGroup var trained: RunOptions

  @Option(
    help: ArgumentHelp(
      "Search among the images at this path. (default: the images that the run was trained on)", valueName: "path"),
    completion: .images)
  var database: String?

  @OptionGroup var images: ImageOptions

  @Option(help: "How many neighbours each query has; several numbers with commas give a precision each.")
  var k = IntegerList([10])

  @Option(help: "The distance between codes: euclidean, or 1 less the cosine of their angle.")
  var metric: Neighbours.Metric = .euclidean

  @Option(
    help: ArgumentHelp("Measure the codes of this other run too; may be repeated.", valueName: "dir"), completion: .runs
  )
  var beside: [String] = []

  @Flag(help: "Measure the pixels of the images, without a model, too.")
  var pixels = false

  @Option(
    help: ArgumentHelp(
      "Draw queries and neighbours into this file. (default: pictures/search.png in the run's folder)",
      valueName: "file.png"), completion: .file())
  var picture: String?

  @Option(
    help: ArgumentHelp("Write the neighbours of every query into this file.", valueName: "file.csv"),
    completion: .file())
  var output: String?

  @OptionGroup var replacing: ReplacementOptions

  @Flag(help: "Print one JSON object for each kind of codes.")
  var json = false

  func validate() throws {
    for value in k.values { try requirePositive("--k", value) }
    if let picture, !OutputFile.isPicture(picture) {
      throw ValidationError("--picture: wanted a name that ends in .png, found \(picture)")
    }
    if let output, !output.lowercased().hasSuffix(".csv") {
      throw ValidationError("--output: wanted a name that ends in .csv, found \(output)")
    }
  }

  private struct Report: Encodable {
    var codes: String
    /// Numbers in a code.
    var units: Int
    var metric: String
    /// Precision by k; nil without labels.
    var precision: [String: Double]?
  }

  func run() throws {
    let loaded = try trained.load()
    let picture = OutputFile(flag: "--picture", picture, or: loaded.run.picture("search.png"))
    let table = output.map { OutputFile($0, or: $0) }
    try replacing.check([picture] + [table].compactMap(\.self), reading: loaded.inputs + [images.path, database])
    let kept = try keptCodes(loaded)
    let searched =
      try kept ?? database.map { try loaded.images(at: $0, .train, images.images) } ?? loaded.trainedOn()
    let queries = try images.open(loaded).relabelled(as: searched)
    noteUnknownClasses(of: queries, queries.unknownClasses, from: searched)
    let most = k.values.max() ?? 1
    guard most <= searched.count else {
      throw ValidationError("--k: wanted at most \(searched.count), the images to search, found \(most)")
    }
    try GrantedMemory.require(
      queries.count.timesClamping(32 * most), for: queries.source, "hold \(most) neighbours of \(queries.count) images",
      advice: "take a smaller --k or fewer images with --limit")
    let hasLabels = searched.labels != nil && queries.labels != nil
    guard hasLabels || (beside.isEmpty && !pixels) else {
      throw DataError(
        path: queries.source, reason: "--beside, --pixels: wanted labels to measure precision by, found none")
    }
    let codes = try kept.map { try $0.images(0..<$0.count) } ?? loaded.codes(of: searched)
    let nearest = Neighbours(codes, length: loaded.inference.codeCount, metric: metric)
      .nearest(to: try loaded.codes(of: queries), count: most)
    if let table { try write(nearest, searched, queries, to: table.path) }
    try draw(nearest, searched, kept == nil ? searched : try? loaded.trainedOn(), queries, to: picture.path)
    guard json || hasLabels else { return }
    var reports = [report(loaded.model.name, loaded.inference.codeCount, nearest, searched, queries)]
    for path in beside {
      let other = try loaded.beside(path)
      let found = try self.nearest(other, searched, queries, most)
      reports.append(report(other.model.name, other.inference.codeCount, found, searched, queries))
    }
    if pixels {
      let images = searched.count + queries.count
      try GrantedMemory.require(
        images.timesClamping(12 * searched.shape.count), for: searched.source, "hold \(images) images as numbers",
        advice: "take fewer with --limit, or leave --pixels out")
      let points = try searched.images(0..<searched.count)
      let found = Neighbours(points, length: searched.shape.count, metric: metric)
        .nearest(to: try queries.images(0..<queries.count), count: most)
      reports.append(report("pixels", searched.shape.count, found, searched, queries))
    }
    write(reports)
  }

  /// The codes of the images trained on as the run keeps them; nil where the images themselves must be there, because
  /// other images are searched or more than codes is wanted.
  private func keptCodes(_ loaded: LoadedRun) throws -> Dataset? {
    guard database == nil, beside.isEmpty, !pixels, let kept = try loaded.keptTraining(), let codes = kept.codes,
      let table = kept.table
    else { return nil }
    return try Dataset(
      codes, shape: ImageShape(vector: loaded.inference.codeCount), of: table,
      source: loaded.recipe.data.path ?? loaded.run.path)
  }

  private func nearest(
    _ loaded: LoadedRun, _ searched: Dataset, _ queries: Dataset, _ count: Int
  ) throws -> [[Neighbours.Neighbour]] {
    let codes = try loaded.codes(of: searched)
    return Neighbours(codes, length: loaded.inference.codeCount, metric: metric)
      .nearest(to: try loaded.codes(of: queries), count: count)
  }

  /// A row for each neighbour of each query.
  private func write(
    _ nearest: [[Neighbours.Neighbour]], _ searched: Dataset, _ queries: Dataset, to path: String
  ) throws {
    let columns = ["query", "query_name", "rank"] + searched.identityColumns + ["distance"]
    let queriesAtOnce = 256
    let pieces = 1 + (nearest.count + queriesAtOnce - 1) / queriesAtOnce
    try AtomicFile.write(pieces: pieces, to: path) { piece in
      if piece == 0 { return Data((columns.joined(separator: ",") + "\n").utf8) }
      let some = (piece - 1) * queriesAtOnce..<min(nearest.count, piece * queriesAtOnce)
      let rows = some.flatMap { query in
        nearest[query].enumerated().map { rank, neighbour in
          (["\(queries.number(query))", csvCell(queries.name(query)), "\(rank + 1)"]
            + searched.identity(neighbour.place) + ["\(neighbour.distance)\n"]).joined(separator: ",")
        }
      }
      return Data(rows.joined().utf8)
    }
  }

  private func report(
    _ codes: String, _ units: Int, _ nearest: [[Neighbours.Neighbour]], _ searched: Dataset, _ queries: Dataset
  ) -> Report {
    var report = Report(codes: codes, units: units, metric: metric.rawValue)
    if let points = searched.labels, let wanted = queries.labels {
      let precision = k.values.map { ("\($0)", Neighbours.precision(nearest, at: $0, labels: (points, wanted))) }
      report.precision = Dictionary(precision, uniquingKeysWith: { first, _ in first })
    }
    return report
  }

  /// Draws the first queries, each followed by its neighbours.
  ///
  /// - Parameter pictures: the images that were searched, as far as they are there.
  private func draw(
    _ nearest: [[Neighbours.Neighbour]], _ searched: Dataset, _ pictures: Dataset?, _ queries: Dataset,
    to path: String
  ) throws {
    guard Pictures.refusal(of: queries.shape) == nil else { return }
    let places = (0..<(pictures?.count ?? 0)).map { (pictures?.name($0) ?? "", $0) }
    let byName = Dictionary(places) { first, _ in first }
    var missing: Set<String> = []
    func picture(_ place: Int) throws -> [Float] {
      let name = searched.name(place)
      if let pictures, let found = byName[name] { return try pictures.image(found) }
      missing.insert(name)
      return [Float](repeating: 1, count: queries.shape.count)
    }
    let rows = try nearest.prefix(8).enumerated().map { query, neighbours in
      try [queries.image(query)] + neighbours.prefix(10).map { try picture($0.place) }
    }
    let zoom = max(1, 48 / max(queries.shape.height, queries.shape.width))
    let grid = ImageGrid(shape: queries.shape, rows: rows, zoom: zoom)
    try grid.image().write(to: path)
    if !json { StandardOutput.write("\(path): \(rows.count) queries, each followed by its neighbours") }
    guard !missing.isEmpty else { return }
    StandardError.write(
      "hourglass: \(path): note: \(missing.count) neighbours are white, for their pictures are not there any more: "
        + missing.sorted().prefix(3).joined(separator: ", ") + (missing.count > 3 ? ", ..." : ""))
  }

  private func write(_ reports: [Report]) {
    if json { return reports.forEach { StandardOutput.write(json: $0) } }
    let header = ["codes", "units"] + k.values.map { "precision at \($0)" }
    let rows = reports.map { report in
      [report.codes, "\(report.units)"] + k.values.map { decimal(report.precision?["\($0)"] ?? 0) }
    }
    StandardOutput.write(table: [header] + rows, rightAligned: Set(1..<header.count))
  }
}
