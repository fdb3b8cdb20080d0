import KoobatchCore
import ServiceConformance
import Testing

@testable import KoobatchCloud

/// Whatever a server sends, the process lives and at worst the request fails.
@Suite
struct HostileHeadTests {
    private static let accepted =
        #"{"data":{"task_id":"t","cmd_jobs":[{"instance_id":"a","job_id":"1"},{"instance_id":"b","job_id":"2"}]},"error_code":"0"}"#

    private static func head(_ status: Int) -> String {
        let digits = String(status)
        return "HTTP/1.1 " + String(repeating: "0", count: 3 - digits.count) + digits + " X\r\n"
    }

    @Test
    func `Every status, with a body and without, fails or answers its request`() async throws {
        let bodies = ["Content-Length: 2\r\n\r\n{}", "Content-Length: 0\r\n\r\n", "\r\n"]
        let answers = (0...999).flatMap { status in bodies.map { Self.head(status) + $0 } }
        let twice = answers.flatMap { [Array($0.utf8), Array($0.utf8)] }
        try await RawServer.serving(.answerEachAndClose(twice)) { server, port in
            try await withClient(of: "http://127.0.0.1:\(port)") { client in
                for answer in answers {
                    #expect(await client.failure() != nil, "\(answer)")
                    #expect(await client.failure(ofTask: "t") != nil, "\(answer)")
                }
            }
            // Now and then a request meets a connection that is just being closed, and is not sent.
            #expect(server.received.count > twice.count * 9 / 10)
        }
    }

    static let oddities: [String] = [
        "HTTP/1.1 100 Continue\r\nContent-Length: 2\r\n\r\n{}",
        "HTTP/1.1 103 Early Hints\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n\u{1}\u{2}",
        String(repeating: "HTTP/1.1 100 Continue\r\n\r\n", count: 10_000),
        "HTTP/1.1 099 X\r\nContent-Length: 2\r\n\r\n{}HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}",
        "HTTP/1.1 200 OK\r\nX: " + String(repeating: "x", count: 1 << 20) + "\r\n\r\n",
        "HTTP/1.1 200 OK\r\n" + String(repeating: "X: y\r\n", count: 100_000) + "\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffff\r\n{}",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n"
            + String(repeating: "T: y\r\n", count: 10_000) + "\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 18446744073709551617\r\n\r\n{}",
        "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n{}",
        "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n{}x",
        "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n{}",
        "HTTP/1.1 204 No Content\r\nContent-Length: 2\r\n\r\n{}", "HTTP/1.1 304 X\r\nContent-Length: 2\r\n\r\n{}",
        "HTTP/9.9 200 OK\r\n\r\n", "HTTP/2.0 200 OK\r\n\r\n", "ICY 200 OK\r\n\r\n", "\r\n\r\n\r\n", "\u{0}\u{0}",
        "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    ]

    @Test(arguments: oddities.indices)
    func `What no server should send fails its request`(index: Int) async throws {
        let answer = Array(Self.oddities[index].utf8)
        let submitted = try await RawExchange.submitting(answer).failure
        #expect(submitted?.outcome == .unknown)
        #expect(try await RawExchange.querying(answer).failure != nil)
    }

    @Test
    func `Informational responses before the answer are passed over`() async throws {
        let answer =
            String(repeating: "HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n", count: 16)
            + RawServer.http("200 OK", Self.accepted)
        let accepted = try await RawExchange.submitting(answer).get()
        #expect(accepted.missing.isEmpty)
    }

    @Test(arguments: ["HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}", "HTTP/1.1 500 X\r\n\r\n", "garbage"])
    func `An answer that nobody asked for is given to no request`(extra: String) async throws {
        let answer = RawServer.http("200 OK", Self.accepted)
        try await RawServer.serving(.answer(answer + extra)) { server, port in
            try await withClient(of: "http://127.0.0.1:\(port)") { client in
                for _ in 0..<5 {
                    let answer = try await client.submit(.sample())
                    #expect(answer.missing.isEmpty)
                }
            }
            #expect(server.connectionCount == 5)
        }
    }

    @Test
    func `An answer before the request ends no process and is not trusted for another`() async throws {
        try await RawServer.serving(.answerAtOnce(RawServer.http("200 OK", "{}"))) { _, port in
            // The second request on a connection is never answered.
            try await withClient(of: "http://127.0.0.1:\(port)", timeout: .milliseconds(100)) { client in
                for _ in 0..<20 { #expect(await client.failure() != nil) }
                for _ in 0..<20 { #expect(await client.failure(ofTask: "t") != nil) }
            }
        }
    }

    @Test
    func `A connection that carried another request's answer is not used again`() async throws {
        let crossed = Self.accepted.replacing(#""a""#, with: #""x""#).replacing(#""b""#, with: #""y""#)
        try await RawServer.serving(.answer(RawServer.http("200 OK", crossed))) { server, port in
            try await withClient(of: "http://127.0.0.1:\(port)") { client in
                for _ in 0..<3 {
                    let failure = await client.failure()
                    #expect(failure?.outcome == .unknown)
                    #expect(failure?.errorCode == ServiceFailure.Code.contradiction)
                    await server.waitForHangUp()
                }
            }
            #expect(server.connectionCount == 3)
        }
    }
}
