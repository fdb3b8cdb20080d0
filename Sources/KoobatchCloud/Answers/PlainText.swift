/// Makes text of others fit for a log line and a database column.
enum PlainText {
    /// The longest sentence that is kept, in characters.
    static let longestMessage = 500

    /// The text cut to a length, without control characters.
    ///
    /// A space stands for line ends and tabs. Characters that are not seen or that change the order in which others are shown
    /// (bidirectional controls, zero-width characters, line and paragraph separators) stand as `\u{202E}`.
    ///
    /// - Parameter joinsLines: whether line ends and tabs are dropped like other control characters.
    static func bounded(_ text: String, to length: Int = longestMessage, joinsLines: Bool = false) -> String {
        let utf8 = text.utf8
        if utf8.count <= length, utf8.allSatisfy({ $0 >= 0x20 && $0 < 0x7F }) { return text }
        var plain = String.UnicodeScalarView()
        var count = 0
        for scalar in text.unicodeScalars {
            guard count < length else { break }
            switch scalar.properties.generalCategory {
            case .control where !joinsLines && (scalar == "\n" || scalar == "\r" || scalar == "\t"):
                if plain.last == " " { continue }
                plain.append(" ")
            case .control: continue
            case .format, .lineSeparator, .paragraphSeparator:
                plain.append(contentsOf: "\\u{\(String(scalar.value, radix: 16, uppercase: true))}".unicodeScalars)
            default: plain.append(scalar)
            }
            count += 1
        }
        return String(plain)
    }

    /// Whether the text has between one and so many characters, all of them visible ASCII: what goes into a path, a column and
    /// a terminal as it is.
    static func isIdentifier(_ text: String, longest: Int) -> Bool {
        isIdentifier(text.utf8, longest: longest)
    }

    /// The same of the text's UTF-8.
    static func isIdentifier(_ text: some Collection<UInt8>, longest: Int) -> Bool {
        (1...longest).contains(text.count) && text.allSatisfy { $0 > 0x20 && $0 < 0x7F }
    }
}
