import NIOCore

/// The 128 bits that the API shows as 32 lowercase hexadecimal digits.
struct Identifier: Sendable, Equatable {
    let high: UInt64
    let low: UInt64

    /// An identifier that belongs to no task, for answers that lie.
    static var random: Identifier {
        Identifier(high: .random(in: .min ... .max), low: .random(in: .min ... .max))
    }

    /// The digits as text.
    var text: String {
        var buffer = ByteBuffer()
        buffer.writeIdentifier(self)
        return String(buffer: buffer)
    }
}

extension Identifier {
    /// Reads exactly 32 lowercase hexadecimal digits.
    init?(_ digits: Substring.UTF8View) {
        guard digits.count == 32 else { return nil }
        var words = (high: UInt64(0), low: UInt64(0))
        for digit in digits {
            let value: UInt8
            switch digit {
            case UInt8(ascii: "0")...UInt8(ascii: "9"): value = digit - UInt8(ascii: "0")
            case UInt8(ascii: "a")...UInt8(ascii: "f"): value = digit - UInt8(ascii: "a") + 10
            default: return nil
            }
            words.high = words.high << 4 | words.low >> 60
            words.low = words.low << 4 | UInt64(value)
        }
        self.init(high: words.high, low: words.low)
    }
}

extension ByteBuffer {
    /// Writes the 32 digits of an identifier.
    mutating func writeIdentifier(_ identifier: Identifier) {
        writeMultipleIntegers(
            Self.digits(UInt32(truncatingIfNeeded: identifier.high >> 32)),
            Self.digits(UInt32(truncatingIfNeeded: identifier.high)),
            Self.digits(UInt32(truncatingIfNeeded: identifier.low >> 32)),
            Self.digits(UInt32(truncatingIfNeeded: identifier.low))
        )
    }

    /// Spreads the eight nibbles of a word over eight bytes and turns all of them into digits at once.
    private static func digits(_ word: UInt32) -> UInt64 {
        var x = UInt64(word)
        x = (x & 0xFFFF_0000) << 16 | (x & 0xFFFF)
        x = (x & 0x0000_FF00_0000_FF00) << 8 | (x & 0x0000_00FF_0000_00FF)
        x = (x & 0x00F0_00F0_00F0_00F0) << 4 | (x & 0x000F_000F_000F_000F)
        let letters = ((x &+ 0x0606_0606_0606_0606) >> 4) & 0x0101_0101_0101_0101
        return x &+ 0x3030_3030_3030_3030 &+ letters &* 0x27
    }
}
