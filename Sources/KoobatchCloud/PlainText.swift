import KoobatchCore

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

    /// Whether the text has between one and so many characters, no control characters, and more than white space.
    static func isIdentifier(_ text: String, longest: Int) -> Bool {
        let scalars = text.unicodeScalars
        return (1...longest).contains(scalars.count)
            && scalars.allSatisfy { $0.properties.generalCategory != .control }
            && !scalars.allSatisfy(\.properties.isWhitespace)
    }
}

extension ServiceFailure {
    /// The failure without a secret that the other side has put into its answer.
    func hiding(_ secret: String) -> ServiceFailure {
        guard message.contains(secret) || errorCode.contains(secret) else { return self }
        return ServiceFailure(
            outcome,
            httpStatus: httpStatus,
            errorCode: errorCode.replacing(secret, with: "[secret]"),
            message: message.replacing(secret, with: "[secret]"),
            retryAfter: retryAfter
        )
    }
}
