import KoobatchCore
import Testing

@testable import KoobatchCloud

@Suite
struct RetryAfterTests {
    @Test(
        arguments: [
            ("0", 0), ("7", 7), (" 7", 7), ("3600", 3_600), ("3601", 3_600), ("99999999999999999999999", 3_600),
            ("Sun, 06 Nov 1994 08:49:47 GMT", 10), ("Sun, 06 Nov 1994 08:49:37 GMT", 0),
            ("Sat, 05 Nov 1994 08:49:37 GMT", 0), ("Mon, 07 Nov 1994 08:49:37 GMT", 3_600),
            ("10.5", 11), ("0.001", 1), ("3.0", 3), ("3599.5", 3_600), ("99999999999999999999999.5", 3_600), ("7 ", 7),
            ("Sunday, 06-Nov-94 08:49:47 GMT", 10), ("Sun Nov  6 08:49:47 1994", 10), ("Sun Nov 06 08:49:47 1994", 10),
            ("", nil), (" ", nil), ("-1", nil), ("-1.5", nil), ("+1", nil), ("1.", nil), (".5", nil), ("1.2.3", nil),
            ("1e9", nil), ("0x10", nil), ("10s", nil), ("1,5", nil), ("NaN", nil), ("Infinity", nil), ("soon", nil),
            ("120, 60", nil), ("Sun, 06 Nov 1994 08:49:37 UTC", nil), ("Sun, 31 Feb 1994 08:49:37 GMT", nil),
            ("Sunday, 06-Foo-94 08:49:37 GMT", nil), ("Sun, 06 Nov 1994", nil),
        ] as [(String, Int?)]
    )
    func `A value is a number of seconds or a date, within an hour`(value: String, seconds: Int?) throws {
        let now = try #require(Timestamp("1994-11-06T08:49:37.000Z"))
        #expect(RetryAfter.duration(value, now: now) == seconds.map { .seconds($0) })
    }

    @Test(arguments: [([], nil), (["5", "soon", "7", "-1"], 7), (["soon", "-1"], nil)] as [([String], Int?)])
    func `Of several headers the longest wait counts that can be read`(values: [String], seconds: Int?) throws {
        let now = try #require(Timestamp("1994-11-06T08:49:37.000Z"))
        #expect(RetryAfter.duration(values, now: now) == seconds.map { .seconds($0) })
    }

    @Test(arguments: [
        "Retry-After: Sun, 06 Nov 1994 08:50:07 GMT", "Retry-After: 10.5\r\nRetry-After: 29.001",
    ])
    func `A date in an answer is compared with the clock of the server, where it tells`(header: String) async throws {
        let ours = try #require(Timestamp("2031-01-01T00:00:00.000Z"))
        let answer = RawServer.http(
            "503 Service Unavailable",
            headers: ["Date: Sun, 06 Nov 1994 08:49:37 GMT", header],
            ""
        )
        try await RawServer.serving(.answer(answer)) { _, port in
            try await withClient(of: "http://127.0.0.1:\(port)", now: { ours }) { client in
                #expect(await client.failure()?.retryAfter == .seconds(30))
                let date = try #require(Timestamp("1994-11-06T08:49:37.000Z"))
                #expect(client.serverTime == ServerTime(date: date, wall: ours))
            }
        }
    }

    @Test
    func `A date in an answer without one is compared with the clock of the client`() async throws {
        let now = try #require(Timestamp("1994-11-06T08:49:37.000Z"))
        let answer = RawServer.http(
            "503 Service Unavailable",
            headers: ["Retry-After: Sun, 06 Nov 1994 08:50:07 GMT"],
            ""
        )
        try await RawServer.serving(.answer(answer)) { _, port in
            try await withClient(of: "http://127.0.0.1:\(port)", now: { now }) { client in
                #expect(await client.failure()?.retryAfter == .seconds(30))
            }
        }
    }
}
