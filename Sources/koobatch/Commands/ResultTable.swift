import KoobatchCore
import KoobatchStore

/// The instances of a job as a table, of which only one row at a time is in memory.
struct ResultTable {
    private static let columns: [TableLayout.Column] = [
        .text("INSTANCE"), .fixed("STATE"), .text("ERROR"), .text("MESSAGE"), .text("OUTPUT"), .fixed("FINISHED"),
    ]

    private let results: InstanceResults

    init(_ results: InstanceResults) {
        self.results = results
    }

    /// Reads the results twice: how wide they are, then the rows.
    func print(to printer: StandardOutput) throws {
        var widths = Self.columns.map { _ in 0 }
        var count = 0
        try results.forEach { result in
            count += 1
            for (index, cell) in Self.cells(result).enumerated() where !cell.text.isEmpty {
                widths[index] = max(widths[index], cell.text.columns)
            }
        }
        if count == 0 { return try printer.line("no instance of the job is in such a state") }
        let used = widths.indices.filter { widths[$0] > 0 }
        let layout = TableLayout(
            used.map { Self.columns[$0] },
            widths: used.map { widths[$0] },
            terminal: printer.terminal
        )
        try printer.lines([layout.header])
        try results.forEach { result in
            let cells = Self.cells(result)
            try printer.lines(layout.lines(used.map { cells[$0] }))
        }
    }

    private static func cells(_ result: InstanceStatus) -> [Span] {
        [
            Span(result.instanceID.visible),
            Span(result.state.rawValue, result.state.style),
            Span((result.errorCode ?? "").visible),
            Span((result.errorMessage ?? "").visible),
            Span((result.output ?? "").visible),
            Span(result.finishedAt.map { String($0.prefix(19).replacing("T", with: " ")) } ?? ""),
        ]
    }
}
