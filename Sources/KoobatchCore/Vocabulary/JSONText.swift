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
        var text = text
        text.withUTF8 { appendJSON(utf8: $0) }
    }

    /// Appends UTF-8 as a string of JSON, quotes included.
    public mutating func appendJSON(_ utf8: ArraySlice<UInt8>) {
        utf8.withUnsafeBufferPointer { appendJSON(utf8: $0) }
    }

    /// What needs no escape is copied in one go.
    private mutating func appendJSON(utf8: UnsafeBufferPointer<UInt8>) {
        append(UInt8(ascii: "\""))
        defer { append(UInt8(ascii: "\"")) }
        // Without a way out of the loop, so that the compiler takes many bytes at a time.
        let odd = utf8.reduce(into: UInt8(0)) { odd, byte in
            odd |= (byte < 0x20 ? 1 : 0) | (byte == UInt8(ascii: "\"") ? 1 : 0) | (byte == UInt8(ascii: "\\") ? 1 : 0)
        }
        if odd == 0 { return append(contentsOf: utf8) }
        var copied = utf8.startIndex
        for (index, byte) in utf8.enumerated()
        where byte < 0x20 || byte == UInt8(ascii: "\"") || byte == UInt8(ascii: "\\") {
            append(contentsOf: UnsafeBufferPointer(rebasing: utf8[copied..<index]))
            copied = index + 1
            switch byte {
            case UInt8(ascii: "\n"): self += "\\n".utf8
            case UInt8(ascii: "\r"): self += "\\r".utf8
            case UInt8(ascii: "\t"): self += "\\t".utf8
            case 0..<0x20:
                self += Array("\\u00".utf8) + [Self.hexadecimal[Int(byte >> 4)], Self.hexadecimal[Int(byte & 15)]]
            default: self += [UInt8(ascii: "\\"), byte]
            }
        }
        append(contentsOf: UnsafeBufferPointer(rebasing: utf8[copied...]))
    }
}
