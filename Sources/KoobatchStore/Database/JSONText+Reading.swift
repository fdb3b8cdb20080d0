import Foundation
import GRDB
import KoobatchCore

extension JSONText {
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
