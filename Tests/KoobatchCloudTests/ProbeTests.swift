import KoobatchCloud
import KoobatchCore
import Testing

/// The harmless request that shows whether the API can be used.
@Suite
struct ProbeTests {
    private static func probe(_ status: String, headers: [String] = [], _ body: String) async throws
        -> KooPhoneClient.Probe
    {
        var probe: KooPhoneClient.Probe?
        try await RawServer.serving(.answer(RawServer.http(status, headers: headers, body))) { server, port in
            try await withClient(of: "http://127.0.0.1:\(port)") { client in
                probe = await client.probe(requestID: RequestID(rawValue: "trace"))
            }
            let line = try #require(server.received.first?.split(separator: "\r\n").first)
            #expect(line == "GET /v1/instances/tasks/00000000000000000000000000000000 HTTP/1.1")
        }
        return try #require(probe)
    }

    @Test
    func `An API that knows no such task can be used, and tells its time`() async throws {
        let probe = try await Self.probe(
            "400 Bad Request",
            headers: ["Date: Sun, 06 Nov 2033 08:49:37 GMT"],
            #"{"error_code":"KOOPHONE.API.1323","error_msg":"no such task"}"#
        )
        #expect(probe.failure == nil)
        #expect(probe.date == Timestamp("2033-11-06T08:49:37.000Z"))
    }

    @Test(
        arguments: [
            ("401 Unauthorized", "APIGW.0301", .unauthenticated), ("404 Not Found", "APIGW.0101", .refused),
            ("429 Too Many Requests", "APIGW.0308", .throttled),
        ] as [(String, String, ServiceFailure.Outcome)]
    )
    func `Any other refusal is a failure`(_ status: String, _ code: String, _ outcome: ServiceFailure.Outcome)
        async throws
    {
        let probe = try await Self.probe(status, #"{"error_code":"\#(code)","error_msg":"no"}"#)
        #expect(probe.failure?.outcome == outcome)
        #expect(probe.failure?.errorCode == code)
        #expect(probe.date == nil)
    }
}
