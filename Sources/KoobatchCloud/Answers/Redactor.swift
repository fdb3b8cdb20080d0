/// Hides a secret in what the other side has written, before anything is cut, logged or stored.
///
/// A text that was cut on its way may hold the beginning of the secret only: that is hidden too, from 12 bytes on.
struct Redactor: Sendable {
    private static let leastPart = 12

    private let secret: [UInt8]

    /// Hides this secret; an empty one hides nothing.
    init(_ secret: String) {
        self.secret = Array(secret.utf8)
    }

    /// Whether the bytes hold the secret or its beginning as it is.
    func isIn(_ bytes: UnsafeRawBufferPointer) -> Bool {
        first(in: bytes, from: 0) != nil
    }

    /// What has to be hidden in the strings of a JSON text: nothing where the secret is not in it and cannot come about by
    /// resolving escapes or dropping control characters.
    func reduced(to json: UnsafeRawBufferPointer) -> Redactor {
        // Without a way out of the loop, so that the compiler takes many bytes at a time.
        let odd = json.reduce(into: UInt8(0)) { odd, byte in
            odd |= (byte &- 0x20 > 0x5E ? 1 : 0) | (byte == UInt8(ascii: "\\") ? 1 : 0)
        }
        return odd == 0 && !isIn(json) ? Redactor("") : self
    }

    /// The text as it is shown and stored: plain, without the secret, and cut to a length.
    ///
    /// In this order: control characters that are dropped must not put the secret together, and a cut must not leave a
    /// part of it that is not found.
    func shown(_ text: String, to length: Int = PlainText.longestMessage) -> String {
        if secret.isEmpty { return PlainText.bounded(PlainText.bounded(text, to: .max), to: length) }
        let joined = PlainText.bounded(text, to: .max, joinsLines: true)
        // Nor what stands in place of a U+0000 or of bytes that are no text.
        let whole = joined.replacing("\u{FFFD}", with: "")
        return PlainText.bounded(hiding(isIn(whole) ? whole : PlainText.bounded(text, to: .max)), to: length)
    }

    /// Whether the text holds the secret or its beginning.
    func isIn(_ text: String) -> Bool {
        var text = text
        return text.withUTF8 { isIn(UnsafeRawBufferPointer($0)) }
    }

    /// The text with `[secret]` in place of the secret, and of its beginning.
    func hiding(_ text: String) -> String {
        guard isIn(text) else { return text }
        let bytes = Array(text.utf8)
        var hidden: [UInt8] = []
        var index = 0
        bytes.withUnsafeBytes { buffer in
            while let start = first(in: buffer, from: index) {
                hidden += buffer[index..<start]
                hidden += Array("[secret]".utf8)
                index = start
                for byte in secret {
                    guard index < buffer.count, buffer[index] == byte else { break }
                    index += 1
                }
            }
            hidden += buffer[index...]
        }
        return String(decoding: hidden, as: UTF8.self)
    }

    private func first(in bytes: UnsafeRawBufferPointer, from start: Int) -> Int? {
        secret.withUnsafeBytes { secret in
            bytes.offset(of: UnsafeRawBufferPointer(rebasing: secret.prefix(Self.leastPart)), from: start)
        }
    }
}
