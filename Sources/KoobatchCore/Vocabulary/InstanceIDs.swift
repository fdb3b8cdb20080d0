/// Distinct instance ids in their order, as the JSON array that is stored and sent: one text in place of many.
///
/// The ids are of visible ASCII characters other than `"` and `\`, so the array has neither white space nor escapes.
public struct InstanceIDs: Hashable, Sendable {
    /// The JSON array.
    public let json: String
    /// How many ids it has.
    public let count: Int

    /// Creates a list; each id is of the characters above.
    public init(_ ids: some Collection<String>) {
        json = ids.isEmpty ? "[]" : "[\"" + ids.joined(separator: "\",\"") + "\"]"
        count = ids.count
    }

    /// Reads a JSON array; `nil` unless it is one as described.
    public init?(json: String) {
        var text = json
        let count = text.withUTF8 { Self.count(in: $0) }
        guard let count else { return nil }
        (self.json, self.count) = (text, count)
    }

    /// The ids one by one.
    public var list: [String] {
        guard count > 0 else { return [] }
        var ids: [String] = []
        ids.reserveCapacity(count)
        var text = json
        text.withUTF8 { bytes in
            var start = 2
            for index in 2..<bytes.count where bytes[index] == UInt8(ascii: "\"") {
                // Between two ids there are three bytes, of which the first and the last are quotes.
                if index < start { continue }
                ids.append(String(decoding: bytes[start..<index], as: UTF8.self))
                start = index + 3
            }
        }
        return ids
    }

    private static func count(in bytes: UnsafeBufferPointer<UInt8>) -> Int? {
        guard bytes.count >= 2, bytes.first == UInt8(ascii: "["), bytes.last == UInt8(ascii: "]") else { return nil }
        if bytes.count == 2 { return 0 }
        let end = bytes.count - 1
        var count = 0
        var at = 1
        while true {
            guard at < end, bytes[at] == UInt8(ascii: "\"") else { return nil }
            at += 1
            let start = at
            while at < end, bytes[at] != UInt8(ascii: "\"") {
                guard bytes[at] > 0x20, bytes[at] < 0x7F, bytes[at] != UInt8(ascii: "\\") else { return nil }
                at += 1
            }
            guard at < end, at > start else { return nil }
            count += 1
            at += 1
            if at == end { return count }
            guard bytes[at] == UInt8(ascii: ",") else { return nil }
            at += 1
        }
    }
}
