/// Strings of JSON, written by hand: a general encoder costs more than the few strings of a request are worth.
extension [UInt8] {
    private static let hexadecimal = Array("0123456789abcdef".utf8)

    /// Appends a text as a string of JSON, quotes included.
    mutating func appendJSON(_ text: String) {
        appendJSON(text.utf8)
    }

    /// Appends the UTF-8 of a text as a string of JSON, quotes included.
    mutating func appendJSON(_ text: some Sequence<UInt8>) {
        append(UInt8(ascii: "\""))
        for byte in text {
            switch byte {
            case UInt8(ascii: "\""), UInt8(ascii: "\\"):
                self += [UInt8(ascii: "\\"), byte]
            case 0..<0x20:
                self += Array("\\u00".utf8) + [Self.hexadecimal[Int(byte >> 4)], Self.hexadecimal[Int(byte & 15)]]
            default:
                append(byte)
            }
        }
        append(UInt8(ascii: "\""))
    }
}
