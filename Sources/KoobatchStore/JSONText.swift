import Foundation
import KoobatchCore

/// JSON that goes into or comes out of the database as text.
///
/// Lists of instance ids and mappings enter SQLite as one parameter that `json_each` reads: far cheaper than binding a
/// row per instance.
enum JSONText {
    /// A JSON array of strings.
    static func array(_ strings: some Sequence<String>) -> String {
        var text = "["
        var first = true
        for string in strings {
            if !first { text += "," }
            first = false
            append(string, to: &text)
        }
        text += "]"
        return text
    }

    /// A JSON array of ids.
    static func array(_ jobs: Set<CommandJobID>) -> String {
        "[" + jobs.map { "\($0.rawValue)" }.joined(separator: ",") + "]"
    }

    /// A JSON object in the order given; `nil` is `null`.
    static func object(_ members: some Sequence<(key: String, value: String?)>) -> String {
        var text = "{"
        var first = true
        for (key, value) in members {
            if !first { text += "," }
            first = false
            append(key, to: &text)
            text += ":"
            if let value { append(value, to: &text) } else { text += "null" }
        }
        text += "}"
        return text
    }

    /// The strings of a JSON array; throws what the decoder throws for anything else.
    static func strings(_ text: String) throws -> [String] {
        try JSONDecoder().decode([String].self, from: Data(text.utf8))
    }

    /// Appends a string literal of JSON (RFC 8259, section 7).
    private static func append(_ string: String, to text: inout String) {
        text += "\""
        if string.utf8.allSatisfy({ $0 >= 0x20 && $0 != UInt8(ascii: "\"") && $0 != UInt8(ascii: "\\") }) {
            text += string
        } else {
            for scalar in string.unicodeScalars {
                switch scalar {
                case "\"": text += "\\\""
                case "\\": text += "\\\\"
                case _ where scalar.value < 0x20:
                    let hex = String(scalar.value, radix: 16)
                    text += "\\u" + String(repeating: "0", count: 4 - hex.count) + hex
                default: text.unicodeScalars.append(scalar)
                }
            }
        }
        text += "\""
    }
}
