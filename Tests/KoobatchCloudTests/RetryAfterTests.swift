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
            ("", nil), ("-1", nil), ("1.5", nil), ("soon", nil), ("Sun, 06 Nov 1994 08:49:37 UTC", nil),
            ("Sunday, 06-Nov-94 08:49:37 GMT", nil), ("Sun, 31 Feb 1994 08:49:37 GMT", nil),
        ] as [(String, Int?)]
    )
    func `A value is a number of seconds or a date, within an hour`(value: String, seconds: Int?) throws {
        let now = try #require(Timestamp("1994-11-06T08:49:37.000Z"))
        #expect(RetryAfter.duration(value, now: now) == seconds.map { .seconds($0) })
    }

    @Test
    func `A date in an answer is compared with the clock of the client`() async throws {
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
