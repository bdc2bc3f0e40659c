import ArgumentParser
import HourglassData
import HourglassTraining

struct Encode: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Writes the codes of images; a variational model gives the means.",
    discussion: """
      An NPY file holds the codes, N,Z, float32. An NPZ file holds the array codes beside the arrays index, names and, \
      where there are labels, classes, which tell to which image each code belongs; np.load reads it without pickle.

      Example:
        hourglass encode --run runs/first --data images.npy --output codes.npy
        hourglass encode --run runs/first --data photos --output codes.npz
      """)

  @OptionGroup var trained: RunOptions
  @OptionGroup var images: ImageOptions
  @OptionGroup var output: OutputOptions

  func validate() throws {
    guard let file = output.output, !isTable, !file.lowercased().hasSuffix(".npy") else { return }
    throw ValidationError("--output: wanted a name that ends in .npy or .npz, found \(file)")
  }

  private var isTable: Bool { output.output?.lowercased().hasSuffix(".npz") ?? false }

  func run() throws {
    let (loaded, file, data) = try Processes.together {
      let loaded = try trained.load()
      let file = OutputFile(output.output, or: loaded.run.file("codes.npy"))
      if Processes.isFirst { try output.replacing.check([file], reading: loaded.inputs + [images.path]) }
      return (loaded, file, try images.open(loaded))
    }
    try Processes.requireEqual(loaded, data)
    let (count, size) = (output.limit(file, data.count, inPicture: 0), loaded.inference.codeCount)
    if isTable {
      let codes = try loaded.codes(of: data, 0..<count)
      if Processes.isFirst { try write(codes, size, of: data, count, to: file.path) }
    } else {
      var batches = try loaded.inference.batchesOfCodes(of: data, 0..<count, sharedBy: Processes.transport)
      try file.write(count, of: [size]) { _ in try batches.next()?.numbers ?? [] }
    }
    StandardOutput.write("\(file.path): \(count) codes of \(size)")
  }

  private func write(_ codes: [Float], _ size: Int, of data: Dataset, _ count: Int, to path: String) throws {
    var columns: [(name: String, column: NPZFile.Column)] = [
      ("codes", .floats(codes, width: size)), ("index", .integers((0..<count).map(data.number))),
      ("names", .texts((0..<count).map { data.name($0) })),
    ]
    if data.labels != nil { columns.append(("classes", .texts((0..<count).compactMap(data.className)))) }
    try NPZFile.write(columns: columns, to: path)
  }
}
