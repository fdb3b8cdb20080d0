import Foundation

/// A few lines at the end of a terminal that are drawn again and again in place.
struct LiveScreen {
    private let handle: FileHandle
    /// The widths of the lines that are shown.
    private var shown: [Int] = []
    private var drawn = ""

    init(_ handle: FileHandle) {
        self.handle = handle
    }

    /// Draws lines over those that are shown.
    ///
    /// In one write, so that nothing flickers; the sequences are those of ECMA-48. Lines that are shown take more rows
    /// once the window has become narrower.
    mutating func draw(_ lines: [[Span]], on terminal: Terminal) throws {
        let width = terminal.width ?? 80
        let rows = shown.reduce(0) { $0 + max(1, ($1 + width - 1) / width) }
        let up = rows > 1 ? "\u{1B}[\(rows - 1)A" : ""
        let text = lines.map { terminal.text($0) + "\u{1B}[K" }.joined(separator: "\r\n")
        if text == drawn { return }
        drawn = text
        try handle.show(Data("\r\(up)\(text)\u{1B}[J".utf8))
        shown = lines.map { line in
            min(line.reduce(0) { $0 + $1.text.columns }, width)
        }
    }

    /// Leaves what is shown and goes to a new line.
    mutating func leave() throws {
        if !shown.isEmpty { try handle.show(Data("\r\n".utf8)) }
        shown = []
        drawn = ""
    }
}
