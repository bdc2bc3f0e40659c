/// What every page is made of: HTML that is XML as well, without scripts and without other files, for screen, dark
/// screen and paper.
package enum HTML {
  /// A whole page.
  ///
  /// - Parameters:
  ///   - facts: the line below the title.
  ///   - banner: a warning before all else.
  package static func page(
    title: String, facts: String, banner: String? = nil, summary: String, sections: [String]
  ) -> String {
    let banner = banner.map { "<p class=\"banner\">\(SVG.escaped($0))</p>\n" } ?? ""
    let text = """
      <!DOCTYPE html>
      <html lang="en">
      <head>
      <meta charset="utf-8"/>
      <meta name="viewport" content="width=device-width, initial-scale=1"/>
      <title>\(SVG.escaped(title))</title>
      <style>
      \(styleSheet)
      </style>
      </head>
      <body>
      <header>
      <h1>\(SVG.escaped(title))</h1>
      <p class="facts">\(SVG.escaped(facts))</p>
      </header>
      \(banner)<p class="summary">\(SVG.escaped(summary))</p>
      \(sections.joined(separator: "\n"))
      </body>
      </html>

      """
    // A non-breaking space keeps a line from beginning with the sign.
    return text.replacing(" %", with: "\u{A0}%")
  }

  package static func section(_ title: String, _ parts: [String]) -> String {
    "<section>\n<h2>\(SVG.escaped(title))</h2>\n\(parts.joined(separator: "\n"))\n</section>"
  }

  package static func paragraph(_ text: String) -> String { "<p>\(SVG.escaped(text))</p>" }
  package static func heading(_ text: String) -> String { "<h3>\(SVG.escaped(text))</h3>" }
  package static func code(_ text: String) -> String { "<pre>\(SVG.escaped(text))</pre>" }

  package static func list(_ items: [String]) -> String {
    "<ul>\n\(items.map { "<li>\(SVG.escaped($0))</li>" }.joined(separator: "\n"))\n</ul>"
  }

  /// How the columns of a table stand behind the first, which is at the left.
  package enum TableStyle: String {
    /// Columns of numbers, aligned at the right.
    case numbers
    /// Columns of text, aligned at the left.
    case facts
    /// Columns of numbers and a last one of text.
    case remarks
  }

  /// A table of rows under optional titles. Text in parentheses behind a figure goes to a line of its own where the
  /// column is narrow.
  package static func table(_ titles: [String] = [], _ rows: [[String]], style: TableStyle = .numbers) -> String {
    func row(_ cells: [String], _ tag: String) -> String {
      "<tr>\(cells.map { "<\(tag)>\(style == .facts ? SVG.escaped($0) : cell($0))</\(tag)>" }.joined())</tr>"
    }
    let head = titles.isEmpty ? "" : "<thead>\(row(titles, "th"))</thead>\n"
    let body = rows.map { row($0, "td") }.joined(separator: "\n")
    return "<div class=\"table \(style.rawValue)\"><table>\n\(head)<tbody>\n\(body)\n</tbody>\n</table></div>"
  }

  /// A table of counts, a row for each label: a cell is the darker the greater its share of its row is, in blue where
  /// the column is that of the row, in orange elsewhere.
  package static func matrix(_ titles: [String], _ rows: [(name: String, counts: [Int])]) -> String {
    let head = titles.map { "<th>\(SVG.escaped($0))</th>" }.joined()
    let body = rows.enumerated().map { index, row in
      let sum = Double(max(1, row.counts.reduce(0, +)))
      let cells = row.counts.enumerated().map { column, count in
        guard count > 0 else { return "<td></td>" }
        let share = decimal(0.7 * (Double(count) / sum).squareRoot(), 2)
        let color = index == column ? "0 114 178" : "194 78 0"
        return "<td style=\"background: rgb(\(color) / \(share))\">\(grouped(count))</td>"
      }
      return "<tr><td>\(SVG.escaped(row.name))</td>\(cells.joined())</tr>"
    }
    return "<div class=\"table matrix\"><table>\n<thead><tr>\(head)</tr></thead>\n<tbody>\n"
      + body.joined(separator: "\n") + "\n</tbody>\n</table></div>"
  }

  private static func cell(_ text: String) -> String {
    guard text.hasSuffix(")"), let open = text.firstRange(of: " (") else { return SVG.escaped(text) }
    let (figure, interval) = (text[..<open.lowerBound], text[open.lowerBound...].dropFirst())
    return "\(SVG.escaped(String(figure))) <span>\(SVG.escaped(String(interval)))</span>"
  }

  /// Figures side by side where the page is wide enough.
  package static func figures(_ figures: [String]) -> String {
    "<div class=\"figures\">\n\(figures.joined(separator: "\n"))\n</div>"
  }

  package static func figure(svg: String, caption: String) -> String {
    "<figure>\n\(svg)<figcaption>\(SVG.escaped(caption))</figcaption>\n</figure>"
  }

  /// A picture inside the page, shown at half its size where there is room, so that it is sharp on fine screens and on
  /// paper too.
  package static func figure(png: PNGImage, description: String, caption: String) throws(DataError) -> String {
    let (width, height) = ((png.width + 1) / 2, (png.height + 1) / 2)
    let source = "data:image/png;base64,\(try png.encoded().base64EncodedString())"
    let alternative = SVG.escaped(description).replacing("\"", with: "&quot;")
    return """
      <figure>
      <img src="\(source)" width="\(width)" height="\(height)" alt="\(alternative)"/>
      <figcaption>\(SVG.escaped(caption))</figcaption>
      </figure>
      """
  }

  private static let styleSheet = """
    :root { color-scheme: light dark;
      --page: #ffffff; --text: #1f2328; --dim: #59636e; --rule: #d1d9e0; --tint: #f6f8fa; }
    @media screen and (prefers-color-scheme: dark) {
    :root { --page: #0d1117; --text: #e6edf3; --dim: #9198a1; --rule: #3d444d; --tint: #151b23; }
    }
    * { box-sizing: border-box; }
    body { margin: 0 auto; padding: 24px; max-width: 1320px; background: var(--page); color: var(--text);
      font: 16px/1.5 system-ui, "Liberation Sans", sans-serif; }
    h1 { margin: 0; font-size: 28px; line-height: 1.25; }
    h2 { margin: 40px 0 12px; padding-bottom: 4px; border-bottom: 1px solid var(--rule); font-size: 21px; }
    h3 { margin: 24px 0 8px; font-size: 17px; }
    p, ul { max-width: 860px; margin: 8px 0; }
    ul { padding-left: 22px; }
    li { margin: 4px 0; }
    p.facts { margin: 4px 0 0; color: var(--dim); }
    .summary { margin: 20px 0; padding: 14px 18px; background: var(--tint);
      border-left: 4px solid #0072b2; font-size: 17px; }
    .banner { margin: 20px 0; padding: 14px 18px; border: 2px solid #c24e00; font-weight: 600; }
    .figures { display: grid; grid-template-columns: 1fr; gap: 20px; margin: 20px 0; justify-items: start; }
    @media screen and (min-width: 960px) { .figures { grid-template-columns: 1fr 1fr; } }
    figure { margin: 0; width: 100%; max-width: 720px; }
    svg { display: block; width: 100%; max-width: 600px; height: auto; }
    img { display: block; max-width: 100%; height: auto; }
    figcaption { margin-top: 6px; color: var(--dim); font-size: 14px; }
    .table { overflow-x: auto; margin: 12px 0; }
    table { border-collapse: collapse; font-size: 14px; line-height: 1.35; font-variant-numeric: tabular-nums; }
    th, td { padding: 5px 10px; border-bottom: 1px solid var(--rule); text-align: right; vertical-align: top; }
    th { vertical-align: bottom; font-weight: 600; }
    th:first-child, td:first-child, .facts td, .facts th, .remarks :is(th, td):last-child { text-align: left; }
    .matrix :is(th, td) { text-align: center; }
    .matrix td { border: 1px solid var(--rule); print-color-adjust: exact; }
    @media (max-width: 900px) { body { padding: 12px; } th, td { padding: 4px; } table { font-size: 13px; } }
    td span { color: var(--dim); font-size: 12.5px; white-space: nowrap; }
    @media print, (max-width: 900px) { td span { display: block; } }
    pre { margin: 8px 0; padding: 10px 14px; background: var(--tint); font: 14px/1.5 ui-monospace, monospace;
      white-space: pre-wrap; overflow-wrap: anywhere; }
    @media print {
    :root { color-scheme: light; }
    body { padding: 0; font-size: 11pt; }
    .summary { font-size: 12pt; }
    table { font-size: 9pt; }
    td span { font-size: 8.5pt; }
    figure, tr, .summary { break-inside: avoid; }
    h2, h3 { break-after: avoid; }
    }
    """
}
