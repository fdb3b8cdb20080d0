/// JSON that is written by hand: a general encoder costs more than the few strings of a request or a row are worth.
public enum JSONText {
    /// A JSON string.
    public static func string(_ string: String) -> String {
        var bytes: [UInt8] = []
        bytes.appendJSON(string)
        return String(decoding: bytes, as: UTF8.self)
    }

    /// A JSON array of strings.
    public static func array(_ strings: some Sequence<String>) -> String {
        optionalArray(strings.lazy.map { $0 })
    }

    /// A JSON array of strings; `nil` is `null`.
    public static func optionalArray(_ strings: some Sequence<String?>) -> String {
        var bytes = [UInt8(ascii: "[")]
        for string in strings {
            if bytes.count > 1 { bytes.append(UInt8(ascii: ",")) }
            if let string { bytes.appendJSON(string) } else { bytes += "null".utf8 }
        }
        bytes.append(UInt8(ascii: "]"))
        return String(decoding: bytes, as: UTF8.self)
    }

    /// A JSON array of numbers.
    public static func array(_ ids: some Sequence<Int64>) -> String {
        "[" + ids.map { "\($0)" }.joined(separator: ",") + "]"
    }
}

extension [UInt8] {
    private static let hexadecimal = Array("0123456789abcdef".utf8)

    /// Appends a text as a string of JSON (RFC 8259, section 7), quotes included.
    public mutating func appendJSON(_ text: String) {
        appendJSON(text.utf8)
    }

    /// Appends the UTF-8 of a text as a string of JSON, quotes included.
    public mutating func appendJSON(_ text: some Sequence<UInt8>) {
        append(UInt8(ascii: "\""))
        for byte in text {
            switch byte {
            case UInt8(ascii: "\""), UInt8(ascii: "\\"):
                self += [UInt8(ascii: "\\"), byte]
            case UInt8(ascii: "\n"): self += "\\n".utf8
            case UInt8(ascii: "\r"): self += "\\r".utf8
            case UInt8(ascii: "\t"): self += "\\t".utf8
            case 0..<0x20:
                self += Array("\\u00".utf8) + [Self.hexadecimal[Int(byte >> 4)], Self.hexadecimal[Int(byte & 15)]]
            default:
                append(byte)
            }
        }
        append(UInt8(ascii: "\""))
    }
}
