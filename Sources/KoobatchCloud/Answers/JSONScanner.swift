/// Reads JSON (RFC 8259) from bytes as they are, without building a tree of it.
///
/// It is strict about the structure, and lenient about the content of strings: control characters are taken as they are, and
/// so is a backslash that begins no escape; bytes that are not UTF-8 and halves of surrogate pairs read as U+FFFD. So does
/// U+0000: it ends a text in C, in the sqlite3 shell and in `length()`, so that what follows it would be there and not be seen.
///
/// The bytes must stay valid while it is used.
struct JSONScanner {
    /// The text is no JSON, or nested too deeply.
    struct Malformed: Error {}

    /// A string as it stands in the text, without its quotes.
    struct RawString {
        let bytes: UnsafeRawBufferPointer
        let hasEscapes: Bool

        /// Whether the string, which may hold escapes, is this text.
        func equals(_ text: StaticString) -> Bool {
            if hasEscapes { return self.text == text.description }
            return bytes.count == text.utf8CodeUnitCount
                && text.withUTF8Buffer { bytes.elementsEqual($0) }
        }

        /// Whether the string, which may hold escapes, is this text.
        func equals(_ text: String) -> Bool {
            if hasEscapes { return self.text == text }
            return bytes.count == text.utf8.count && bytes.elementsEqual(text.utf8)
        }

        /// The string with its escapes resolved.
        var text: String {
            if !hasEscapes, !bytes.contains(0) { return String(decoding: bytes, as: UTF8.self) }
            return String(decoding: resolved, as: UTF8.self)
        }
    }

    private static let deepest = 64

    private let bytes: UnsafeRawBufferPointer
    private var position = 0
    private var depth = 0

    init(_ bytes: UnsafeRawBufferPointer) {
        self.bytes = bytes
        if bytes.count >= 3, bytes[0] == 0xEF, bytes[1] == 0xBB, bytes[2] == 0xBF { position = 3 }
    }

    /// Calls the body at the value of each member; the body must read the value or skip it.
    mutating func object(_ member: (inout JSONScanner, RawString) throws -> Void) throws {
        try enter(UInt8(ascii: "{"))
        defer { depth -= 1 }
        if takes(UInt8(ascii: "}")) { return }
        while true {
            try require(UInt8(ascii: "\""))
            let key = try restOfString()
            try require(UInt8(ascii: ":"))
            try member(&self, key)
            if takes(UInt8(ascii: "}")) { return }
            try require(UInt8(ascii: ","))
        }
    }

    /// Calls the body at each element; the body must read it or skip it.
    mutating func array(_ element: (inout JSONScanner) throws -> Void) throws {
        try enter(UInt8(ascii: "["))
        defer { depth -= 1 }
        if takes(UInt8(ascii: "]")) { return }
        while true {
            try element(&self)
            if takes(UInt8(ascii: "]")) { return }
            try require(UInt8(ascii: ","))
        }
    }

    /// The kind of the value that is next.
    enum Kind {
        case object
        case array
        case string
        case number
        case literal
    }

    /// What the next value is, without reading it.
    mutating func next() throws -> Kind {
        skipWhiteSpace()
        guard position < bytes.count else { throw Malformed() }
        switch bytes[position] {
        case UInt8(ascii: "{"): return .object
        case UInt8(ascii: "["): return .array
        case UInt8(ascii: "\""): return .string
        case UInt8(ascii: "-"), UInt8(ascii: "0")...UInt8(ascii: "9"): return .number
        default: return .literal
        }
    }

    /// Reads a string, or a whole number in its place; skips anything else, which reads as nothing.
    mutating func scalar() throws -> RawString? {
        switch try next() {
        case .string:
            position += 1
            return try restOfString()
        case .number:
            let start = position
            try number()
            let digits = UnsafeRawBufferPointer(rebasing: bytes[start..<position])
            let isWhole = digits.allSatisfy { $0 == UInt8(ascii: "-") || Self.isDigit($0) } && digits.count <= 20
            return isWhole ? RawString(bytes: digits, hasEscapes: false) : nil
        case .object, .array, .literal:
            try skip()
            return nil
        }
    }

    /// Reads a string as it is, `null` as nothing, and anything else as it is written.
    mutating func written() throws -> RawString? {
        if try next() == .string { return try scalar() }
        let start = position
        try skip()
        let value = UnsafeRawBufferPointer(rebasing: bytes[start..<position])
        if value.elementsEqual("null".utf8) { return nil }
        return RawString(bytes: value, hasEscapes: value.contains(UInt8(ascii: "\\")))
    }

    /// Reads over a value of any kind.
    mutating func skip() throws {
        switch try next() {
        case .object: try object { scanner, _ in try scanner.skip() }
        case .array: try array { scanner in try scanner.skip() }
        case .string:
            position += 1
            _ = try restOfString()
        case .number: try number()
        case .literal:
            guard takes("null") || takes("true") || takes("false") else { throw Malformed() }
        }
    }

    /// Throws unless only white space is left.
    mutating func end() throws {
        skipWhiteSpace()
        guard position == bytes.count else { throw Malformed() }
    }

    private mutating func enter(_ bracket: UInt8) throws {
        try require(bracket)
        depth += 1
        guard depth <= Self.deepest else { throw Malformed() }
    }

    private mutating func skipWhiteSpace() {
        while position < bytes.count {
            switch bytes[position] {
            case 0x20, 0x0A, 0x0D, 0x09: position += 1
            default: return
            }
        }
    }

    private mutating func takes(_ byte: UInt8) -> Bool {
        skipWhiteSpace()
        guard position < bytes.count, bytes[position] == byte else { return false }
        position += 1
        return true
    }

    private mutating func takes(_ word: StaticString) -> Bool {
        let length = word.utf8CodeUnitCount
        guard bytes.count - position >= length,
            word.withUTF8Buffer({ bytes[position..<position + length].elementsEqual($0) })
        else { return false }
        position += length
        return true
    }

    private mutating func require(_ byte: UInt8) throws {
        guard takes(byte) else { throw Malformed() }
    }

    private mutating func restOfString() throws -> RawString {
        let start = position
        var hasEscapes = false
        while position < bytes.count {
            switch bytes[position] {
            case UInt8(ascii: "\""):
                defer { position += 1 }
                return RawString(
                    bytes: UnsafeRawBufferPointer(rebasing: bytes[start..<position]),
                    hasEscapes: hasEscapes
                )
            case UInt8(ascii: "\\"):
                hasEscapes = true
                guard position + 1 < bytes.count else { throw Malformed() }
                position += Self.escapeLength(in: bytes, at: position)
            default:
                position += 1
            }
        }
        throw Malformed()
    }

    /// The length of the escape that a backslash begins; 1 if it begins none and stands for itself.
    fileprivate static func escapeLength(in bytes: UnsafeRawBufferPointer, at position: Int) -> Int {
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

    private mutating func number() throws {
        if bytes[position] == UInt8(ascii: "-") { position += 1 }
        let first = position
        try digits()
        if position - first > 1, bytes[first] == UInt8(ascii: "0") { throw Malformed() }
        if position < bytes.count, bytes[position] == UInt8(ascii: ".") {
            position += 1
            try digits()
        }
        if position < bytes.count, bytes[position] | 0x20 == UInt8(ascii: "e") {
            position += 1
            if position < bytes.count, bytes[position] == UInt8(ascii: "+") || bytes[position] == UInt8(ascii: "-") {
                position += 1
            }
            try digits()
        }
    }

    private mutating func digits() throws {
        let start = position
        while position < bytes.count, Self.isDigit(bytes[position]) { position += 1 }
        guard position > start else { throw Malformed() }
    }

    private static func isDigit(_ byte: UInt8) -> Bool { byte &- UInt8(ascii: "0") < 10 }

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
    private var resolved: [UInt8] {
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
