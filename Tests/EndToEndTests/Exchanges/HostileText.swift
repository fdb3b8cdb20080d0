import Foundation

/// Texts that a server may send where koobatch expects a code, a message, an id or output.
struct HostileText {
    /// The secret of the requests, which the server echoes.
    let secret: String
    /// The shortest beginning of the secret that is echoed without the rest.
    static let leastPrefix = 12

    /// Stand for bytes that no text has, see `bytes(of:)`.
    private static let invalid = "\u{E000}"
    private static let overlong = "\u{E001}"
    private static let surrogate = "\u{E002}"
    private static let rawNUL = "\u{E003}"

    /// A text, escaped for JSON but without quotes, and the kind of mutation that it is.
    func text(_ dice: inout Dice) -> (kind: String, text: String) {
        switch dice.int(0...13) {
        case 0: ("invalid-utf8", "a" + dice.pick(Self.invalid, Self.overlong, Self.surrogate, #"\ud800"#) + "b")
        case 1: ("nul", "a" + dice.pick(Self.rawNUL, #"\u0000"#) + "b")
        case 2: ("bidi", dice.pick("\u{202E}", #"\u202e"#, "\u{2066}", "\u{061C}") + "txt.exe")
        case 3: ("zero-width", "a\u{200B}\u{FEFF}\u{2060}" + #"\u200d"# + "b")
        case 4: ("control", #"a\n\r\t\u001b[2J\u0007\u0085\u2028b"#)
        case 5: ("long", String(repeating: dice.pick("x", "é", "\u{1F600}", #"\u0000"#), count: dice.int(500...9_000)))
        case 6: ("quotes", #"'; DROP TABLE chunks; -- \" %s %n {} \\"#)
        case 7: ("combining", "a" + String(repeating: "\u{0301}", count: 400))
        default: secretText(&dice)
        }
    }

    /// A text with the secret in it.
    func secretText(_ dice: inout Dice) -> (kind: String, text: String) {
        let prefix = String(secret.prefix(dice.int(Self.leastPrefix...secret.count)))
        return switch dice.int(0...5) {
        case 0: ("secret", secret)
        case 1: ("secret", "token=" + secret + ", " + secret)
        case 2: ("secret-prefix", prefix)
        case 3: ("secret-at-limit", String(repeating: "x", count: dice.int(430...515)) + secret)
        case 4: ("secret-escaped", escaped(prefix))
        default: ("secret-split", split(dice.pick(#"\u0000"#, #"\n"#, #"\u007f"#, #"\u0085"#), &dice))
        }
    }

    /// The secret as escapes of JSON.
    private func escaped(_ text: String) -> String {
        text.unicodeScalars.map { scalar in
            let digits = String(scalar.value, radix: 16)
            return #"\u"# + String(repeating: "0", count: 4 - digits.count) + digits
        }.joined()
    }

    /// The secret with something in it that is not seen.
    private func split(_ separator: String, _ dice: inout Dice) -> String {
        let position = dice.int(1...11)
        return secret.prefix(position) + separator + secret.dropFirst(position)
    }

    /// The bytes of a text in which characters stand for bytes that UTF-8 does not have.
    static func bytes(of text: String) -> [UInt8] {
        guard text.unicodeScalars.contains(where: { (0xE000...0xE003).contains($0.value) }) else {
            return Array(text.utf8)
        }
        return text.unicodeScalars.flatMap { scalar -> [UInt8] in
            switch scalar.value {
            case 0xE000: [0xFF]
            case 0xE001: [0xC0, 0xAF]
            case 0xE002: [0xED, 0xA0, 0x80]
            case 0xE003: [0]
            default: Array(String(scalar).utf8)
            }
        }
    }
}
