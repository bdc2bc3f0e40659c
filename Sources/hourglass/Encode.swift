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
    let loaded = try trained.load()
    let file = OutputFile(output.output, or: loaded.run.file("codes.npy"))
    try output.replacing.check([file], reading: loaded.inputs + [images.path])
    let data = try images.open(loaded)
    let (count, size) = (output.limit(file, data.count, inPicture: 0), loaded.inference.codeCount)
    if isTable {
      try write(Array(try loaded.codes(of: data)[..<(count * size)]), size, of: data, count, to: file.path)
    } else {
      try file.write(count, of: [size]) { loaded.inference.encode(try data.images($0), labels: data.labels?[$0]) }
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
