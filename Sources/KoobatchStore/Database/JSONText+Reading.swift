import Foundation
import GRDB
import KoobatchCore

extension JSONText {
    /// The strings and nulls of a JSON array; throws what the decoder throws for anything else.
    static func optionalStrings(_ text: String) throws -> [String?] {
        try plain(text) ?? JSONDecoder().decode([String?].self, from: Data(text.utf8))
    }

    private static func plain(_ text: String) -> [String?]? {
        var strings: [String?] = []
        let isRead = forEachPlain(text) { string in
            strings.append(string.map { String(decoding: $0, as: UTF8.self) })
        }
        return isRead ? strings : nil
    }

    /// Reads what koobatch writes most: a JSON array of strings and nulls without spaces and escapes.
    ///
    /// - Parameter body: gets the bytes of each string, and `nil` for null.
    /// - Returns: `false` for everything else; the body may have got some elements then.
    static func forEachPlain(_ text: String, _ body: (UnsafeRawBufferPointer?) -> Void) -> Bool {
        var text = text
        return text.withUTF8 { text in
            let bytes = UnsafeRawBufferPointer(text)
            let end = bytes.count - 1
            guard let first = bytes.baseAddress, end > 0,
                bytes[0] == UInt8(ascii: "["), bytes[end] == UInt8(ascii: "]"),
                memchr(first, CInt(UInt8(ascii: "\\")), bytes.count) == nil
            else { return false }
            var at = 1
            while at < end {
                if bytes[at] == UInt8(ascii: "\"") {
                    let start = at + 1
                    guard let quote = memchr(first + start, CInt(UInt8(ascii: "\"")), end - start) else {
                        return false
                    }
                    let close = UnsafeRawPointer(quote) - first
                    body(UnsafeRawBufferPointer(rebasing: bytes[start..<close]))
                    at = close + 1
                } else if at + 4 <= end, bytes[at..<(at + 4)].elementsEqual("null".utf8) {
                    body(nil)
                    at += 4
                } else {
                    return false
                }
                if at == end { return true }
                guard bytes[at] == UInt8(ascii: ","), at + 1 < end else { return false }
                at += 1
            }
            return true
        }
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

extension String {
    /// Whether it is the text of these bytes.
    func isEqual(toUTF8 bytes: UnsafeRawBufferPointer) -> Bool {
        var text = self
        return text.withUTF8 { text in
            guard text.count == bytes.count else { return false }
            guard let start = text.baseAddress, let other = bytes.baseAddress else { return true }
            return memcmp(start, other, text.count) == 0
        }
    }
}
