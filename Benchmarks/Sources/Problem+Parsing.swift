import HourglassKernels
import HourglassModels

/// The fault in the text of a problem.
struct ProblemError: Error, Hashable, CustomStringConvertible {
  let text: String
  let description: String

  init(_ text: String, _ sentence: String) {
    self.text = text
    description = "problem \"\(text)\": \(sentence)"
  }
}

extension Problem {
  static let example = "n32 c32 h14 w14 k64 r4 s4 u2 v2 pad1 conv backward-filter"

  /// Reads a text. Strides are 1 and padding is 0 where not given; the order of the sizes does not matter.
  init(_ text: String) throws(ProblemError) {
    let words = text.split(separator: " ").map(String.init)
    guard words.count > 2 else {
      throw ProblemError(text, "wanted sizes, an operation and a pass, as in \(Self.example)")
    }
    let (operation, pass) = try Self.operation(words.suffix(2).map { $0 }, text)
    let isWinograd = words.dropLast(2).last == Conv2D.Algorithm.winograd.rawValue
    var sizes = try Sizes(words.dropLast(isWinograd ? 3 : 2), text)

    let samples = try sizes.take("n")
    switch operation {
    case .dense:
      self.init(dense: pass, samples: samples, inputs: try sizes.take("i"), outputs: try sizes.take("o"))
    case .conv, .convt, .pool:
      let channels = try sizes.take("c")
      let input = ImageShape(try sizes.take("h"), try sizes.take("w"), channels)
      self.init(
        operation, pass, samples: samples, input: input,
        outputChannels: operation == .pool ? channels : try sizes.take("k"),
        kernel: Extent2D(try sizes.take("r"), try sizes.take("s")),
        stride: Extent2D(try sizes.take("u", default: 1), try sizes.take("v", default: 1)),
        padding: sizes.takeExtent("pad", default: 0), dilation: sizes.takeExtent("dil", default: 1),
        groups: try sizes.take("g", default: 1), outputSize: try sizes.takeOutputSize())
    }
    if isWinograd {
      guard operation == .conv || operation == .convt else {
        throw ProblemError(text, "winograd is an algorithm of conv and convt, found \(operation.rawValue)")
      }
      algorithm = .winograd
    }
    if let rest = sizes.values.keys.sorted().first {
      throw ProblemError(text, "\(operation.rawValue) has no size \(rest)")
    }
    try check(text)
  }

  private static func operation(_ words: [String], _ text: String) throws(ProblemError) -> (Operation, Pass) {
    guard let operation = Operation(rawValue: words[0]) else {
      let known = Operation.allCases.map(\.rawValue).joined(separator: ", ")
      throw ProblemError(text, "wanted one of \(known) as the word before the last, found \(words[0])")
    }
    guard let pass = Pass(rawValue: words[1]), operation.passes.contains(pass) else {
      let known = operation.passes.map(\.rawValue).joined(separator: ", ")
      throw ProblemError(text, "wanted one of \(known) as the last word, found \(words[1])")
    }
    return (operation, pass)
  }

  /// Refuses a geometry that the kernels refuse, with their sentence.
  private func check(_ text: String) throws(ProblemError) {
    let refusal: UnsafePointer<CChar>?
    if operation == .dense {
      var geometry = dense(samples: samples)
      refusal = hg_dense_check(&geometry)
    } else {
      guard operation == .convt || min(output.height, output.width) > 0 else {
        throw ProblemError(text, "the kernel is larger than the input with its padding")
      }
      var geometry = geometry(samples: samples)
      refusal =
        switch operation {
        case .pool: hg_max_pool2d_check(&geometry)
        default: hg_conv2d_check(&geometry)
        }
    }
    if let refusal { throw ProblemError(text, String(cString: refusal)) }
  }
}

/// The sizes in a problem's text that are not taken yet.
private struct Sizes {
  let text: String
  var values: [String: Extent2D] = [:]

  init(_ words: some Sequence<String>, _ text: String) throws(ProblemError) {
    self.text = text
    for word in words {
      let letters = String(word.prefix { $0.isLetter && $0 != "x" })
      let numbers = word.dropFirst(letters.count).split(separator: "x", omittingEmptySubsequences: false).map {
        Int($0)
      }
      // Sizes have a third of an integer's bits, so that no product of three overflows.
      guard let height = numbers[0], let width = numbers[numbers.count - 1], (0...1 << 20).contains(height),
        (0...1 << 20).contains(width), numbers.count == 1 || (["pad", "dil"].contains(letters) && numbers.count == 2)
      else { throw ProblemError(text, "wanted a letter with a number of 0 to \(1 << 20), as in n32, found \(word)") }
      guard values.updateValue(Extent2D(height, width), forKey: letters) == nil else {
        throw ProblemError(text, "the size \(letters) is given twice")
      }
    }
  }

  mutating func take(_ letter: String, default missing: Int? = nil) throws(ProblemError) -> Int {
    guard let size = values.removeValue(forKey: letter)?.height ?? missing else {
      throw ProblemError(text, "the size \(letter) is missing, as in \(Problem.example)")
    }
    guard size > 0 else { throw ProblemError(text, "wanted \(letter) of at least 1, found 0") }
    return size
  }

  mutating func takeExtent(_ letters: String, default missing: Extent2D) -> Extent2D {
    values.removeValue(forKey: letters) ?? missing
  }

  mutating func takeOutputSize() throws(ProblemError) -> Extent2D? {
    if values["p"] == nil && values["q"] == nil { return nil }
    return Extent2D(try take("p"), try take("q"))
  }
}
