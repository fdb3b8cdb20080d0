/// A table whose rows are all known.
struct Table {
    private let columns: [TableLayout.Column]
    private var rows: [[Span]] = []

    init(_ columns: [TableLayout.Column]) {
        self.columns = columns
    }

    var isEmpty: Bool { rows.isEmpty }

    /// Adds a row with a cell for every column; what would harm the terminal is spelt out.
    mutating func add(_ cells: [Span]) {
        rows.append(cells.map { Span($0.text.visible, $0.style) })
    }

    /// The lines, without the columns in which no row has anything or for which there is no room.
    func lines(for terminal: Terminal) -> [[Span]] {
        let filled = columns.indices.filter { index in rows.contains { !$0[index].text.isEmpty } }
        let widths = filled.map { index in rows.map { $0[index].text.columns }.max() ?? 0 }
        let kept = TableLayout.fitting(filled.map { columns[$0] }, widths: widths, terminal: terminal)
        let used = kept.map { filled[$0] }
        let layout = TableLayout(used.map { columns[$0] }, widths: kept.map { widths[$0] }, terminal: terminal)
        return rows.isEmpty ? [] : [layout.header] + rows.flatMap { row in layout.lines(used.map { row[$0] }) }
    }
}
