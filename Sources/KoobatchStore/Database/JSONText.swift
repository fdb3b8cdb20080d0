import Foundation
import GRDB
import KoobatchCore

/// JSON that goes into or comes out of the database as text.
enum JSONText {
    /// A JSON array of strings.
    static func array(_ strings: some Sequence<String>) -> String {
        optionalArray(strings.lazy.map { $0 })
    }

    /// A JSON array of strings; `nil` is `null`.
    static func optionalArray(_ strings: some Sequence<String?>) -> String {
        var text = "["
        var first = true
        for string in strings {
            if !first { text += "," }
            first = false
            if let string { append(string, to: &text) } else { text += "null" }
        }
        text += "]"
        return text
    }

    /// A JSON string.
    static func string(_ string: String) -> String {
        var text = ""
        append(string, to: &text)
        return text
    }

    /// A JSON array of numbers.
    static func array(_ ids: some Sequence<Int64>) -> String {
        "[" + ids.map { "\($0)" }.joined(separator: ",") + "]"
    }

    /// The strings and nulls of a JSON array; throws what the decoder throws for anything else.
    static func optionalStrings(_ text: String) throws -> [String?] {
        try plain(text) ?? JSONDecoder().decode([String?].self, from: Data(text.utf8))
    }

    /// Reads what koobatch writes most: an array without spaces and escapes; `nil` for everything else.
    private static func plain(_ text: String) -> [String?]? {
        var text = text
        return text.withUTF8 { bytes in
            guard bytes.count >= 2, bytes[0] == UInt8(ascii: "["), bytes[bytes.count - 1] == UInt8(ascii: "]") else {
                return nil
            }
            var strings: [String?] = []
            var at = 1
            let end = bytes.count - 1
            while at < end {
                if bytes[at] == UInt8(ascii: "\"") {
                    var close = at + 1
                    while close < end, bytes[close] != UInt8(ascii: "\"") {
                        if bytes[close] == UInt8(ascii: "\\") { return nil }
                        close += 1
                    }
                    guard close < end else { return nil }
                    strings.append(String(decoding: bytes[(at + 1)..<close], as: UTF8.self))
                    at = close + 1
                } else if at + 4 <= end, bytes[at..<(at + 4)].elementsEqual("null".utf8) {
                    strings.append(nil)
                    at += 4
                } else {
                    return nil
                }
                if at == end { return strings }
                guard bytes[at] == UInt8(ascii: ","), at + 1 < end else { return nil }
                at += 1
            }
            return strings
        }
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

extension InstanceIDs {
    /// Reads a document of `chunk_instances`.
    ///
    /// - Throws: an error that concerns its row only, for what koobatch does not write.
    init(document: String) throws {
        guard let ids = InstanceIDs(json: document) else {
            throw DatabaseError(resultCode: .SQLITE_CONSTRAINT, message: "instance_ids of a chunk are damaged")
        }
        self = ids
    }
}
