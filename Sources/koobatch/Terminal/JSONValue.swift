import KoobatchCore

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
        case .text(let text): JSONText.string(text)
        case .array(let values): "[" + values.map(\.line).joined(separator: ",") + "]"
        case .object(let members):
            "{" + members.map { "\(JSONText.string($0)):\($1.line)" }.joined(separator: ",") + "}"
        }
    }

    /// An array with a line for every element.
    static func lines(_ values: [JSONValue]) -> String {
        values.isEmpty ? "[]" : "[\n" + values.map(\.line).joined(separator: ",\n") + "\n]"
    }
}
