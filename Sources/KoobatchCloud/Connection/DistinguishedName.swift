/// Who a certificate names as its subject or its issuer, in the order of the certificate, such as `CN=Example CA, O=Example`.
///
/// Read from the certificate's DER (RFC 5280, section 4.1): what NIOSSL tells of a certificate leaves its issuer out.
struct DistinguishedName {
    /// The attributes that people know, by their object identifiers below 2.5.4.
    private static let known: [UInt8: String] = [3: "CN", 6: "C", 7: "L", 8: "ST", 10: "O", 11: "OU"]

    /// For people: plain, and cut to a length.
    let text: String

    /// Reads subject and issuer; `nil` if the bytes are no certificate.
    static func names(ofCertificate der: [UInt8]) -> (subject: DistinguishedName, issuer: DistinguishedName)? {
        var outer = DER(der[...])
        guard var certificate = outer.enter(DER.sequence), var fields = certificate.enter(DER.sequence) else {
            return nil
        }
        _ = fields.enter(DER.version)
        guard fields.next() != nil, fields.enter(DER.sequence) != nil, let issuer = fields.enter(DER.sequence),
            fields.enter(DER.sequence) != nil, let subject = fields.enter(DER.sequence)
        else { return nil }
        return (DistinguishedName(subject), DistinguishedName(issuer))
    }

    private init(_ name: DER) {
        var (sets, parts) = (name, [String]())
        while var set = sets.enter(DER.set) {
            while var attribute = set.enter(DER.sequence) {
                guard let type = attribute.next(), let value = attribute.next() else { break }
                guard type.content.starts(with: [0x55, 4]), type.content.count == 3,
                    let key = type.content.last.flatMap({ Self.known[$0] })
                else { continue }
                parts.append("\(key)=\(String(decoding: value.content, as: UTF8.self))")
            }
        }
        text = PlainText.bounded(parts.isEmpty ? "a name without parts" : parts.joined(separator: ", "), to: 200)
    }
}

/// A reader of elements in DER, one after the other.
private struct DER {
    static let sequence: UInt8 = 0x30
    static let set: UInt8 = 0x31
    static let version: UInt8 = 0xA0

    private var rest: ArraySlice<UInt8>

    init(_ bytes: ArraySlice<UInt8>) {
        rest = bytes
    }

    /// The next element; `nil` at the end and where there is none.
    mutating func next() -> (tag: UInt8, content: ArraySlice<UInt8>)? {
        var bytes = rest
        guard let tag = bytes.popFirst(), let first = bytes.popFirst() else { return nil }
        var length = Int(first)
        if first & 0x80 != 0 {
            let count = Int(first & 0x7F)
            guard (1...3).contains(count), bytes.count >= count else { return nil }
            length = bytes.prefix(count).reduce(0) { $0 << 8 | Int($1) }
            bytes = bytes.dropFirst(count)
        }
        guard bytes.count >= length else { return nil }
        rest = bytes.dropFirst(length)
        return (tag, bytes.prefix(length))
    }

    /// The elements in the next element, if it has this tag; else nothing is read.
    mutating func enter(_ tag: UInt8) -> DER? {
        guard rest.first == tag, let element = next() else { return nil }
        return DER(element.content)
    }
}
