/// JSON to print, with the members of objects in the order given.
enum JSONValue {
    case null
    case flag(Bool)
    case whole(Int64)
    case number(Double)
    case text(String)
    case array([JSONValue])
    case object([(String, JSONValue)])

    /// A text, or `null`.
    static func optional(_ text: String?) -> JSONValue {
        text.map(JSONValue.text) ?? .null
    }

    /// A whole number, or `null`.
    static func optional(_ number: Int64?) -> JSONValue {
        number.map(JSONValue.whole) ?? .null
    }

    static func count(_ number: Int) -> JSONValue { .whole(Int64(number)) }

    /// The value in one line (RFC 8259).
    var line: String {
        switch self {
        case .null: "null"
        case .flag(let flag): "\(flag)"
        case .whole(let number): "\(number)"
        case .number(let number): number.isFinite ? "\(number)" : "null"
        case .text(let text): Self.literal(text)
        case .array(let values): "[" + values.map(\.line).joined(separator: ",") + "]"
        case .object(let members):
            "{" + members.map { "\(Self.literal($0)):\($1.line)" }.joined(separator: ",") + "}"
        }
    }

    /// An array with a line for every element.
    static func lines(_ values: [JSONValue]) -> String {
        values.isEmpty ? "[]" : "[\n" + values.map(\.line).joined(separator: ",\n") + "\n]"
    }

    private static func literal(_ text: String) -> String {
        if text.utf8.allSatisfy({ $0 >= 0x20 && $0 != UInt8(ascii: "\"") && $0 != UInt8(ascii: "\\") }) {
            return "\"\(text)\""
        }
        var literal = "\""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\"": literal += "\\\""
            case "\\": literal += "\\\\"
            case "\n": literal += "\\n"
            case "\r": literal += "\\r"
            case "\t": literal += "\\t"
            case _ where scalar.value < 0x20:
                let digits = String(scalar.value, radix: 16)
                literal += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
            default: literal.unicodeScalars.append(scalar)
            }
        }
        return literal + "\""
    }
}
