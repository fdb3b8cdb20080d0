extension JSONScanner {
    /// A string as it stands in the text, without its quotes.
    struct RawString {
        let bytes: UnsafeRawBufferPointer
        let hasEscapes: Bool

        /// Whether the string, which may hold escapes, is this text.
        func equals(_ text: StaticString) -> Bool {
            if hasEscapes { return self.text == text.description }
            return bytes.isEqual(to: UnsafeRawBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount))
        }

        /// The string with its escapes resolved.
        var text: String {
            if !hasEscapes, !bytes.contains(0) { return String(decoding: bytes, as: UTF8.self) }
            return String(decoding: resolved, as: UTF8.self)
        }
    }

    /// The length of the escape that a backslash begins; 1 if it begins none and stands for itself.
    static func escapeLength(in bytes: UnsafeRawBufferPointer, at position: Int) -> Int {
        guard position + 1 < bytes.count else { return 1 }
        switch bytes[position + 1] {
        case UInt8(ascii: "u"):
            let isWhole =
                position + 6 <= bytes.count && bytes[position + 2..<position + 6].allSatisfy { hex($0) != nil }
            return isWhole ? 6 : 1
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"), UInt8(ascii: "b"), UInt8(ascii: "f"),
            UInt8(ascii: "n"), UInt8(ascii: "r"), UInt8(ascii: "t"):
            return 2
        default:
            return 1
        }
    }

    fileprivate static func hex(_ byte: UInt8) -> UInt32? {
        switch byte {
        case UInt8(ascii: "0")...UInt8(ascii: "9"): UInt32(byte - UInt8(ascii: "0"))
        case UInt8(ascii: "a")...UInt8(ascii: "f"): UInt32(byte - UInt8(ascii: "a") + 10)
        case UInt8(ascii: "A")...UInt8(ascii: "F"): UInt32(byte - UInt8(ascii: "A") + 10)
        default: nil
        }
    }
}

extension JSONScanner.RawString {
    private static let replacement = Array("\u{FFFD}".utf8)

    /// The bytes with escapes resolved.
    fileprivate var resolved: [UInt8] {
        var text: [UInt8] = []
        text.reserveCapacity(bytes.count)
        var index = 0
        while index < bytes.count {
            let byte = bytes[index]
            if byte == UInt8(ascii: "\\") {
                index += append(escapeAt: index, to: &text)
            } else {
                if byte == 0 { text += Self.replacement } else { text.append(byte) }
                index += 1
            }
        }
        return text
    }

    private func append(escapeAt index: Int, to text: inout [UInt8]) -> Int {
        guard JSONScanner.escapeLength(in: bytes, at: index) > 1 else {
            text.append(bytes[index])
            return 1
        }
        switch bytes[index + 1] {
        case UInt8(ascii: "b"): text.append(0x08)
        case UInt8(ascii: "f"): text.append(0x0C)
        case UInt8(ascii: "n"): text.append(0x0A)
        case UInt8(ascii: "r"): text.append(0x0D)
        case UInt8(ascii: "t"): text.append(0x09)
        case UInt8(ascii: "u"): return append(codePointAt: index, to: &text)
        case let byte: text.append(byte)
        }
        return 2
    }

    private func append(codePointAt index: Int, to text: inout [UInt8]) -> Int {
        let first = codeUnit(at: index + 2)
        var value = first
        var length = 6
        if (0xD800..<0xDC00).contains(first), index + 6 < bytes.count, bytes[index + 6] == UInt8(ascii: "\\"),
            JSONScanner.escapeLength(in: bytes, at: index + 6) == 6
        {
            let second = codeUnit(at: index + 8)
            if (0xDC00..<0xE000).contains(second) {
                value = 0x10000 + (first - 0xD800) << 10 + (second - 0xDC00)
                length = 12
            }
        }
        if value != 0, let scalar = Unicode.Scalar(value) {
            text += Array(String(Character(scalar)).utf8)
        } else {
            text += Self.replacement
        }
        return length
    }

    private func codeUnit(at index: Int) -> UInt32 {
        bytes[index..<index + 4].reduce(0) { $0 << 4 | (JSONScanner.hex($1) ?? 0) }
    }
}
