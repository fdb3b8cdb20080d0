/// A field of a CSV file (RFC 4180) that may be opened in a spreadsheet.
///
/// A spreadsheet takes a cell that begins with `=`, `+`, `-`, `@` or a control character for a formula, and the output of a
/// device may be one (https://owasp.org/www-community/attacks/CSV_Injection). An apostrophe before it makes it a text; where
/// such a text has apostrophes already it gets one more, so that taking one away gives it back.
enum CSVField {
    /// Characters that begin a formula; the wide ones do where the locale is Japanese.
    private static let formula: Set<Unicode.Scalar> = [
        "=", "+", "-", "@", "\t", "\r", "\n", "\u{FF1D}", "\u{FF0B}", "\u{FF0D}", "\u{FF20}",
    ]

    /// The field, quoted where it holds a comma, a quote or a line end.
    ///
    /// - Parameter isMarked: whether what may be a formula gets its apostrophe.
    static func written(_ text: String, isMarked: Bool) -> String {
        let text = isMarked && mayBeFormula(text) ? "'" + text : text
        // By bytes: a line end CR LF is one Character.
        let special: [UInt8] = [0x22, 0x2C, 0x0A, 0x0D]
        guard text.utf8.contains(where: special.contains) else { return text }
        return "\"\(text.replacing("\"", with: "\"\""))\""
    }

    /// The text without the apostrophe that marks it.
    static func unmarked(_ text: String) -> String {
        text.hasPrefix("'") && mayBeFormula(text) ? String(text.dropFirst()) : text
    }

    /// Whether a formula begins after any apostrophes.
    private static func mayBeFormula(_ text: String) -> Bool {
        text.unicodeScalars.first { $0 != "'" }.map(formula.contains) ?? false
    }
}
