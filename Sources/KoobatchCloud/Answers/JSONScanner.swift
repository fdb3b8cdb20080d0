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
        guard var end = bytes.offset(of: UInt8(ascii: "\""), from: start) else { throw Malformed() }
        var next = start
        // A quote that belongs to an escape ends nothing.
        while let escape = UnsafeRawBufferPointer(rebasing: bytes[..<end]).offset(of: UInt8(ascii: "\\"), from: next) {
            next = escape + Self.escapeLength(in: bytes, at: escape)
            if next > end {
                guard let quote = bytes.offset(of: UInt8(ascii: "\""), from: next) else { throw Malformed() }
                end = quote
            }
        }
        position = end + 1
        return RawString(bytes: UnsafeRawBufferPointer(rebasing: bytes[start..<end]), hasEscapes: next > start)
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
}
