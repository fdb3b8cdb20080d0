/// Streams of gzip and zlib whose blocks are stored rather than compressed (RFC 1950 to 1952).
enum StoredStream {
    static func gzip(_ bytes: [UInt8]) -> [UInt8] {
        [0x1F, 0x8B, 8, 0, 0, 0, 0, 0, 0, 0xFF] + blocks(bytes) + little(checksum(bytes)) + little(UInt32(bytes.count))
    }

    static func zlib(_ bytes: [UInt8]) -> [UInt8] {
        let (a, b) = bytes.reduce((1 as UInt32, 0 as UInt32)) { sums, byte in
            let a = (sums.0 + UInt32(byte)) % 65_521
            return (a, (sums.1 + a) % 65_521)
        }
        return [0x78, 0x01] + blocks(bytes) + little(b << 16 | a).reversed()
    }

    private static func blocks(_ bytes: [UInt8]) -> [UInt8] {
        var stream: [UInt8] = []
        var rest = bytes[...]
        repeat {
            let part = rest.prefix(65_535)
            rest = rest.dropFirst(part.count)
            let count = UInt16(part.count)
            stream += [rest.isEmpty ? 1 : 0] + little(UInt32(count)).prefix(2) + little(UInt32(~count)).prefix(2) + part
        } while !rest.isEmpty
        return stream
    }

    private static func little(_ number: UInt32) -> [UInt8] {
        (0..<4).map { UInt8(truncatingIfNeeded: number >> ($0 * 8)) }
    }

    /// CRC-32.
    private static func checksum(_ bytes: [UInt8]) -> UInt32 {
        ~bytes.reduce(0xFFFF_FFFF as UInt32) { sum, byte in
            (0..<8).reduce(sum ^ UInt32(byte)) { sum, _ in sum & 1 == 1 ? sum >> 1 ^ 0xEDB8_8320 : sum >> 1 }
        }
    }
}
