import Foundation
import KoobatchCore
import ServiceConformance
import Testing

@testable import KoobatchCloud

/// Codings of answers that nobody asked for.
@Suite
struct ContentCodingTests {
    private static let accepted =
        #"{"data":{"task_id":"t","cmd_jobs":[{"instance_id":"a","job_id":"1"},{"instance_id":"b","job_id":"2"}]},"error_code":"0"}"#

    /// `accepted` as gzip and as zlib (which HTTP calls deflate), with stored blocks: no compressor is needed for them.
    private static func stored(_ coding: String) -> [UInt8] {
        let bytes = Array(accepted.utf8)
        let length = UInt16(bytes.count)
        let block: [UInt8] =
            [1, UInt8(length & 255), UInt8(length >> 8), UInt8(~length & 255), UInt8(~length >> 8)] + bytes
        if coding == "deflate" {
            var (a, b): (UInt32, UInt32) = (1, 0)
            for byte in bytes { (a, b) = ((a + UInt32(byte)) % 65_521, (b + (a + UInt32(byte)) % 65_521) % 65_521) }
            return [0x78, 0x01] + block + bigEndian(b << 16 | a)
        }
        var crc: UInt32 = ~0
        for byte in bytes {
            crc ^= UInt32(byte)
            for _ in 0..<8 { crc = crc >> 1 ^ (crc & 1 == 1 ? 0xEDB8_8320 : 0) }
        }
        return [0x1F, 0x8B, 8, 0, 0, 0, 0, 0, 0, 3] + block + bigEndian((~crc).byteSwapped)
            + bigEndian(UInt32(bytes.count).byteSwapped)
    }

    private static func bigEndian(_ value: UInt32) -> [UInt8] {
        (0..<4).map { UInt8(truncatingIfNeeded: value >> (24 - $0 * 8)) }
    }

    private static func answer(_ status: String, _ coding: String, _ body: [UInt8]) -> [UInt8] {
        Array("HTTP/1.1 \(status)\r\nContent-Encoding: \(coding)\r\nContent-Length: \(body.count)\r\n\r\n".utf8) + body
    }

    @Test
    func `Requests ask for no coding`() async throws {
        try await RawServer.serving(.answer(RawServer.http("200 OK", Self.accepted))) { server, port in
            try await withClient(of: "http://127.0.0.1:\(port)") { client in
                _ = try await client.submit(.sample())
                _ = await client.failure(ofTask: "t")
            }
            #expect(server.received.count == 2)
            #expect(server.received.allSatisfy { $0.lowercased().contains("accept-encoding: identity\r\n") })
        }
    }

    @Test(arguments: ["gzip", "GZIP", "x-gzip", "deflate"])
    func `A compressed answer is understood`(coding: String) async throws {
        let answer = Self.answer("200 OK", coding, Self.stored(coding == "deflate" ? coding : "gzip"))
        let accepted = try await RawExchange.submitting(answer).get()
        #expect(accepted.jobIDs == #"["1","2"]"#)
    }

    @Test(
        arguments: ["br", "zstd", "compress", "gzip, br", "gzip, gzip", "x-unknown"],
        ["200 OK", "400 No", "429 No"]
    )
    func `Any other coding may have acted, and is the endpoint's fault`(coding: String, status: String) async throws {
        let failure = try await RawExchange.submitting(Self.answer(status, coding, Array("{}".utf8))).failure
        #expect(failure?.outcome == .unknown)
        #expect(failure?.endpointFault == .certain)
        #expect(failure?.errorCode == ServiceFailure.Code.contentCoding)
        #expect(failure?.message.contains(coding) == true)
    }

    @Test
    func `Compressed garbage, a cut stream and what follows a stream mean unknown`() async throws {
        let whole = Self.stored("gzip")
        for body in [Array("{}".utf8), Array(whole.prefix(40)), whole + [1, 2, 3]] {
            let failure = try await RawExchange.submitting(Self.answer("200 OK", "gzip", body)).failure
            #expect(failure?.outcome == .unknown)
            #expect(failure?.errorCode == ServiceFailure.Code.badAnswer)
        }
    }
}
