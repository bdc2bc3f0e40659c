import HourglassData
import HourglassTraining

/// The section of the report on a model that puts out labels.
extension RunReport {
  /// A matrix of more classes is drawn, without numbers.
  private static let mostColumns = 24

  var labels: [String] {
    guard let findings else { return [HTML.paragraph(portable(missing))] }
    let introduction = "The model puts out labels, not images, so there are no reconstructions."
    let found = findings.evaluation
    guard let confusion = found.confusion, let columns = confusion.first?.count, let names = found.classes else {
      return [HTML.paragraph(introduction)]
    }
    let text = HTML.paragraph(
      "\(introduction) Of \(grouped(found.samples)) \(portable(findings.name)) (\(portable(findings.source))): "
        + "a row for each label, a column for the likeliest class.")
    let matrix =
      columns > Self.mostColumns
      ? HTML.figures([
        HTML.figure(
          svg: ConfusionPicture(counts: confusion).svg(),
          caption: "Each label is a row, in the order of the classes: blue is right, orange is wrong, the darker the "
            + "more of the row.")
      ]) : HTML.matrix(["label"] + names.prefix(columns), zip(names, confusion).map { ($0, $1) })
    return [text, matrix] + confusions(found)
  }

  /// The pairs of classes that are most often taken for each other.
  private func confusions(_ found: Evaluation) -> [String] {
    let worst = found.worstConfusions
    guard !worst.isEmpty, found.classes?.count ?? 0 > 2 else { return [] }
    return [
      HTML.heading("Most often wrong"),
      HTML.table(
        ["label", "taken for", "images", "of that label"],
        worst.map { [$0.label, $0.takenFor, grouped($0.images), decimal(100 * $0.share, 1) + " %"] }),
    ]
  }
}

/// A label whose images are taken for another class.
struct Confusion: Encodable, Sendable {
  var label: String
  var takenFor: String
  /// How many images are.
  var images: Int
  /// Their share of the images of the label.
  var share: Double
}

extension Evaluation {
  /// The ten confusions of the most images, the worst first; empty for a model that puts out no classes.
  var worstConfusions: [Confusion] {
    guard let confusion, let classes else { return [] }
    var pairs: [(row: Int, column: Int, count: Int)] = []
    for (row, counts) in confusion.enumerated() {
      for (column, count) in counts.enumerated() where column != row && count > 0 { pairs.append((row, column, count)) }
    }
    return pairs.sorted { (-$0.count, $0.row, $0.column) < (-$1.count, $1.row, $1.column) }.prefix(10).map { pair in
      let sum = confusion[pair.row].reduce(0, +)
      return Confusion(
        label: classes[pair.row], takenFor: classes[pair.column], images: pair.count,
        share: Double(pair.count) / Double(sum))
    }
  }
}

/// A matrix of the counts of labels, by row, and likeliest classes, by column, as SVG: each cell in one of four shades.
struct ConfusionPicture {
  let counts: [[Int]]

  private static let (left, top, side) = (34.0, 62.0, 412.0)
  private static let shades = [0.25, 0.5, 0.75, 1]

  func svg() -> String {
    let size = Self.side / Double(max(counts.count, counts.first?.count ?? 1))
    let (width, height) = (size * Double(counts.first?.count ?? 1), size * Double(counts.count))
    var parts = [
      SVG.opening(width: 460, height: Self.top + height + 14),
      SVG.text("Labels and likeliest classes", x: 14, y: 26, style: "title"),
      SVG.text("likeliest class", x: Self.left + width / 2, y: Self.top - 10, style: "middle"),
      "<g transform=\"rotate(-90 20 \(SVG.number(Self.top + height / 2)))\">"
        + SVG.text("label", x: 20, y: Self.top + height / 2, style: "middle") + "</g>",
      "<path class=\"axis\" fill=\"none\" d=\"M\(SVG.number(Self.left)) \(SVG.number(Self.top))"
        + "h\(SVG.number(width))v\(SVG.number(height))h-\(SVG.number(width))z\"/>",
    ]
    for isRight in [true, false] {
      for (shade, most) in Self.shades.enumerated() {
        let least = shade == 0 ? 0 : Self.shades[shade - 1]
        let cells = cells(size) { row, column, share in
          (row == column) == isRight && share > least && share <= most
        }
        guard !cells.isEmpty else { continue }
        parts.append("<path class=\"f\(isRight ? 0 : 1)\" fill-opacity=\"\(decimal(most, 2))\" d=\"\(cells)\"/>")
      }
    }
    return parts.joined(separator: "\n") + "\n</svg>\n"
  }

  /// The cells that are wanted, by the root of their share of the row.
  private func cells(_ size: Double, _ isWanted: (Int, Int, Double) -> Bool) -> String {
    var path = ""
    for (row, counts) in counts.enumerated() {
      let sum = Double(max(1, counts.reduce(0, +)))
      for (column, count) in counts.enumerated() where isWanted(row, column, (Double(count) / sum).squareRoot()) {
        let (x, y) = (Self.left + size * Double(column), Self.top + size * Double(row))
        let step = decimal(size, 2)
        path += "M\(decimal(x, 2)) \(decimal(y, 2))h\(step)v\(step)h-\(step)z"
      }
    }
    return path
  }
}
