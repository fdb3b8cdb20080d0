import NIOCore

/// Content codings without compression: gzip (RFC 1952) and zlib (RFC 1950) around stored blocks (RFC 1951, section 3.2.4).
enum StoredStream {
    /// The body in a coding; as it is for a coding that is neither gzip nor deflate.
    static func encode(_ body: ByteBuffer, as coding: String) -> ByteBuffer {
        let bytes = Array(body.readableBytesView)
        var stream = ByteBuffer()
        switch coding {
        case "gzip":
            stream.writeBytes([0x1F, 0x8B, 8, 0, 0, 0, 0, 0, 0, 255])
            write(bytes, to: &stream)
            stream.writeInteger(crc32(bytes), endianness: .little)
            stream.writeInteger(UInt32(truncatingIfNeeded: bytes.count), endianness: .little)
        case "deflate":
            stream.writeBytes([0x78, 0x01])
            write(bytes, to: &stream)
            stream.writeInteger(adler32(bytes))
        default:
            return body
        }
        return stream
    }

    private static func write(_ bytes: [UInt8], to stream: inout ByteBuffer) {
        var rest = bytes[...]
        repeat {
            let block = rest.prefix(Int(UInt16.max))
            rest = rest.dropFirst(block.count)
            stream.writeInteger(UInt8(rest.isEmpty ? 1 : 0))
            stream.writeInteger(UInt16(block.count), endianness: .little)
            stream.writeInteger(~UInt16(block.count), endianness: .little)
            stream.writeBytes(block)
        } while !rest.isEmpty
    }

    private static func crc32(_ bytes: [UInt8]) -> UInt32 {
        ~bytes.reduce(~0) { crc, byte in
            (0..<8).reduce(crc ^ UInt32(byte)) { crc, _ in crc >> 1 ^ (crc & 1 == 1 ? 0xEDB8_8320 : 0) }
        }
    }

    private static func adler32(_ bytes: [UInt8]) -> UInt32 {
        var (low, high): (UInt32, UInt32) = (1, 0)
        for byte in bytes {
            low = (low + UInt32(byte)) % 65_521
            high = (high + low) % 65_521
        }
        return high << 16 | low
    }
}
