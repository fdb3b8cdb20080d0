/// Makes text of others fit for a log line and a database column.
enum PlainText {
    /// The longest sentence that is kept, in characters.
    static let longestMessage = 500

    /// The text without control characters, cut to a length.
    static func bounded(_ text: String, to length: Int = longestMessage) -> String {
        var plain = String.UnicodeScalarView()
        var count = 0
        for scalar in text.unicodeScalars where scalar.properties.generalCategory != .control {
            guard count < length else { break }
            plain.append(scalar)
            count += 1
        }
        return String(plain)
    }

    /// Whether the text has between one and so many characters, and no control characters.
    static func isIdentifier(_ text: String, longest: Int) -> Bool {
        let scalars = text.unicodeScalars
        return (1...longest).contains(scalars.count)
            && scalars.allSatisfy { $0.properties.generalCategory != .control }
    }
}
