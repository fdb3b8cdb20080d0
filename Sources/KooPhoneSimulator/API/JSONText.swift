import NIOCore

extension UInt8 {
    /// Whether a byte of a JSON string stands for itself.
    var isPlainInJSON: Bool {
        self >= 0x20 && self != UInt8(ascii: "\"") && self != UInt8(ascii: "\\")
    }

    /// The JSON escape of a byte that does not stand for itself.
    var escapedInJSON: String {
        switch self {
        case UInt8(ascii: "\""): "\\\""
        case UInt8(ascii: "\\"): "\\\\"
        default: "\\u00" + (self < 0x10 ? "0" : "") + String(self, radix: 16)
        }
    }
}

extension ByteBuffer {
    /// Writes the inside of a JSON string.
    mutating func writeEscaped(_ text: String) {
        guard !text.utf8.allSatisfy(\.isPlainInJSON) else {
            writeString(text)
            return
        }
        for byte in text.utf8 {
            if byte.isPlainInJSON {
                writeInteger(byte)
            } else {
                writeString(byte.escapedInJSON)
            }
        }
    }
}

extension [UInt8] {
    /// Appends the inside of a JSON string.
    mutating func appendEscaped(_ bytes: some Sequence<UInt8>) {
        for byte in bytes {
            if byte.isPlainInJSON {
                append(byte)
            } else {
                append(contentsOf: byte.escapedInJSON.utf8)
            }
        }
    }
}
