import Foundation

/// What the reader of an output can take.
struct Terminal: Sendable {
    /// Columns; `nil` where lines may be as long as they like.
    var width: Int?
    /// Rows of the window.
    var height = 24
    /// Whether lines can be drawn again in place.
    var isLive = false
    /// Whether to colour.
    var isColoured = false
    /// Whether text beyond ASCII of our own, such as `…`, can be read there.
    var isUnicode = true

    /// What stands for text that was cut off.
    var ellipsis: String { isUnicode ? "…" : "~" }
}

extension Terminal {
    /// What is behind a descriptor now; windows change their size.
    ///
    /// The window's size counts, or `COLUMNS` and `LINES` of the environment, which programs such as `watch(1)` set for
    /// what they show. There are no colours with `NO_COLOR` (https://no-color.org), with `TERM=dumb` or without `TERM`.
    init(descriptor: Int32, environment: [String: String] = ProcessInfo.processInfo.environment) {
        let isTerminal = isatty(descriptor) == 1
        var window = winsize()
        if !isTerminal || ioctl(descriptor, UInt(TIOCGWINSZ), &window) != 0 { window = winsize() }
        func size(_ name: String, _ measured: UInt16) -> Int? {
            if let number = environment[name].flatMap({ Int($0) }), number > 0 { return number }
            return measured > 0 ? Int(measured) : nil
        }
        width = size("COLUMNS", window.ws_col) ?? (isTerminal ? 80 : nil)
        height = size("LINES", window.ws_row) ?? 24
        isLive = isTerminal && !["", "dumb"].contains(environment["TERM", default: ""])
        isColoured = isLive && environment["NO_COLOR", default: ""].isEmpty
        let locale = ["LC_ALL", "LC_CTYPE", "LANG"].lazy.compactMap { environment[$0] }.first { !$0.isEmpty } ?? ""
        isUnicode = locale.uppercased().replacing("-", with: "").hasSuffix("UTF8")
    }

    static var output: Terminal { Terminal(descriptor: STDOUT_FILENO) }
    static var errors: Terminal { Terminal(descriptor: STDERR_FILENO) }

    /// A line as it is written: cut to the width where it is longer, then coloured.
    func text(_ line: [Span]) -> String {
        var room = width ?? .max
        var text = ""
        let total = line.reduce(0) { $0 + $1.text.columns }
        for span in line {
            let part = total > (width ?? .max) ? span.text.cut(to: room, ellipsis: ellipsis) : span.text
            room -= part.columns
            text += isColoured ? span.style.applied(to: part) : part
            if room <= 0 { break }
        }
        return text
    }
}

/// A piece of a line in one style.
struct Span: Hashable, Sendable {
    /// How a piece looks on a terminal with colours.
    enum Style: String, Sendable {
        case plain = ""
        case bold = "1"
        case dim = "2"
        case red = "31"
        case green = "32"
        case yellow = "33"
        case cyan = "36"

        /// The text between the escape sequences of the style (ECMA-48, SGR).
        func applied(to text: String) -> String {
            self == .plain || text.isEmpty ? text : "\u{1B}[\(rawValue)m\(text)\u{1B}[0m"
        }
    }

    var text: String
    var style: Style

    init(_ text: String, _ style: Style = .plain) {
        self.text = text
        self.style = style
    }
}
