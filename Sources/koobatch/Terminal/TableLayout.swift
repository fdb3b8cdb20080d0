/// How wide the columns of a table are, and its lines.
struct TableLayout {
    /// A column.
    struct Column {
        /// On which side of its column a text stands.
        enum Alignment {
            case left
            case right
        }

        /// What becomes of a text that is too long.
        enum Overflow {
            case cut
            case wrap
            /// The other columns give way: a part of a number or of a time would mislead.
            case keep
        }

        let title: String
        var alignment = Alignment.left
        var overflow = Overflow.cut
        /// The higher, the sooner it is left out where there is no room for all columns; 0 never is.
        var sacrifice = 0

        /// The column, left out where there is no room and no other column has a higher number.
        func sacrificed(_ order: Int) -> Column {
            var column = self
            column.sacrifice = order
            return column
        }

        /// The width below which it is of no use when its longest text has this one.
        func least(_ natural: Int) -> Int {
            let whole = max(title.columns, natural)
            return overflow == .keep ? whole : min(whole, max(TableLayout.narrowest, title.columns))
        }

        /// A column of text.
        static func text(_ title: String) -> Column { Column(title: title) }

        /// A column of words of a known size, such as states and times.
        static func fixed(_ title: String) -> Column { Column(title: title, overflow: .keep) }

        /// A column of numbers.
        static func number(_ title: String) -> Column { Column(title: title, alignment: .right, overflow: .keep) }

        /// A column of sentences.
        static func sentences(_ title: String) -> Column { Column(title: title, overflow: .wrap) }
    }

    /// What is between two columns.
    static let gap = "  "
    /// A column is not made narrower than this, nor than its title.
    static let narrowest = 6

    /// Which of some columns there is room for, by index.
    static func fitting(_ columns: [Column], widths: [Int], terminal: Terminal) -> [Int] {
        var kept = Array(columns.indices)
        guard let room = terminal.width else { return kept }
        func least() -> Int {
            kept.reduce(0) { $0 + columns[$1].least(widths[$1]) } + gap.count * (kept.count - 1)
        }
        while least() > room, let last = kept.max(by: { columns[$0].sacrifice < columns[$1].sacrifice }),
            columns[last].sacrifice > 0
        {
            kept.removeAll { $0 == last }
        }
        return kept
    }

    private let columns: [Column]
    private let widths: [Int]
    private let ellipsis: String

    /// Lays out columns whose longest texts have these widths: the widest ones give way until the lines fit.
    init(_ columns: [Column], widths natural: [Int], terminal: Terminal) {
        self.columns = columns
        ellipsis = terminal.ellipsis
        var widths = zip(columns, natural).map { max($0.title.columns, $1) }
        if let room = terminal.width {
            var excess = widths.reduce(0, +) + Self.gap.count * (columns.count - 1) - room
            let least = columns.map { $0.overflow == .keep ? .max : max(Self.narrowest, $0.title.columns) }
            while excess > 0,
                let widest = columns.indices.filter({ widths[$0] > least[$0] }).max(by: { widths[$0] < widths[$1] })
            {
                widths[widest] -= 1
                excess -= 1
            }
        }
        self.widths = widths
    }

    /// The line of titles.
    var header: [Span] {
        line(columns.map { Span($0.title, .bold) })
    }

    /// The lines of a row: several where a sentence is wrapped.
    func lines(_ cells: [Span]) -> [[Span]] {
        let wrapped = zip(columns, zip(widths, cells)).map { column, cell in
            column.overflow == .wrap ? cell.1.text.wrapped(to: cell.0) : [cell.1.text]
        }
        return (0..<(wrapped.map(\.count).max() ?? 0)).map { index in
            line(zip(cells, wrapped).map { Span(index < $1.count ? $1[index] : "", $0.style) })
        }
    }

    private func line(_ cells: [Span]) -> [Span] {
        let last = cells.lastIndex { !$0.text.isEmpty } ?? 0
        var line: [Span] = []
        for index in 0...last {
            let column = columns[index]
            var cell = cells[index]
            if column.overflow == .cut { cell.text = cell.text.cut(to: widths[index], ellipsis: ellipsis) }
            let padding = Span(String(repeating: " ", count: max(0, widths[index] - cell.text.columns)))
            if index > 0 { line.append(Span(Self.gap)) }
            switch column.alignment {
            case .right: line += [padding, cell]
            case .left: line += index == last ? [cell] : [cell, padding]
            }
        }
        return line.filter { !$0.text.isEmpty }
    }
}
