import Foundation

/// The figures as a user reads them, and as a program does.
struct FigureTable: Encodable {
    let machine: Machine
    let options: Setup.Options
    var figures: [Figure] = []

    /// Columns that are as wide as they need to be.
    var text: String {
        let head = ["measure", "median", "lowest to highest", "n", "bound", "goal", "reached"]
        let rows = [head] + figures.map(Self.cells)
        let widths = head.indices.map { column in rows.map { $0[column].count }.max() ?? 0 }
        let lines = zip([nil] + figures, rows).flatMap { figure, row in
            let cells = zip(row, widths).enumerated().map { column, cell in
                let space = String(repeating: " ", count: cell.1 - cell.0.count)
                return column == 0 ? cell.0 + space : space + cell.0
            }
            let line = cells.joined(separator: "  ")
            return [line] + (figure?.note.map { ["    " + $0] } ?? [])
        }
        return (machine.lines + [""] + lines).joined(separator: "\n")
    }

    /// Replaces a file by the figures as JSON.
    func write(to path: String) throws {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
        try encoder.encode(self).write(to: URL(filePath: path), options: .atomic)
    }

    private static func cells(of figure: Figure) -> [String] {
        guard let median = figure.median, let low = figure.values.min(), let high = figure.values.max() else {
            return [figure.name, "-", "-", "0", "", "", ""]
        }
        let unit = figure.unit.rawValue.isEmpty ? "" : " \(figure.unit.rawValue)"
        return [
            figure.name, digits(median) + unit, "\(digits(low)) to \(digits(high))", "\(figure.values.count)",
            figure.target.map { digits($0.bound) } ?? "", figure.target.map { digits($0.goal) } ?? "",
            figure.verdict?.rawValue ?? "",
        ]
    }
}

/// A number with three digits that count, and never fewer than stand before the point.
func digits(_ value: Double) -> String {
    let magnitude = abs(value)
    let places = magnitude >= 100 ? 0 : magnitude >= 10 ? 1 : magnitude >= 1 ? 2 : 3
    let factor = pow(10, Double(places))
    let rounded = (value * factor).rounded() / factor
    return rounded == rounded.rounded() && abs(rounded) < 1e15 ? "\(Int(rounded))" : "\(rounded)"
}
