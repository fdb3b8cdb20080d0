import KooPhoneSimulator
import KoobatchCore
import ServiceConformance
import Testing

@testable import KoobatchCloud

@Suite
struct SignedRequestTests {
    private static let accessKey = "QTWAOYTTINDUT2QVKYUC"
    private static let secretKey = "MFyfvK41ba2giqM7Uio6PznpdUKGpownRZlmVmHc"

    /// The example of the API Request Signing Guide.
    private static let published = SignedRequest(
        method: "GET",
        path: "/v1/77b6a44cba5143ab91d13ab9a8ff44fd/vpcs",
        query: [("marker", "13551d6b-755d-4757-b956-536f674975c0"), ("limit", "2")],
        headers: [
            ("x-sdk-date", "20191115T033655Z"), ("host", "service.region.example.com"),
            ("content-type", "application/json"),
        ],
        body: []
    )

    @Test
    func `The published example is signed as published`() {
        #expect(
            Self.published.canonicalDigest == "b25362e603ee30f4f25e7858e8a7160fd36e803bb2dfe206278659d71a9bcd7a"
        )
        let signature = "7be6668032f70418fcc22abc52071e57aff61b84a1d2381bb430d6870f4f6ebe"
        #expect(Self.published.signature(secretKey: Self.secretKey, date: "20191115T033655Z") == signature)
        #expect(
            Self.published.authorization(
                accessKey: Self.accessKey,
                secretKey: Self.secretKey,
                date: "20191115T033655Z"
            ) == "SDK-HMAC-SHA256 Access=\(Self.accessKey), SignedHeaders=content-type;host;x-sdk-date,"
                + " Signature=\(signature)"
        )
    }

    @Test
    func `The API accepts the signatures of a submission and of a query`() async throws {
        try await Self.serving(secretKey: Self.secretKey) { client, _ in
            let answer = try await client.submit(.sample())
            let report = try await client.query(taskID: answer.taskID, requestID: RequestID(rawValue: "q"))
            #expect(report.results.count == 2)
            #expect(await client.failure(ofTask: "no such/task")?.errorCode == "KOOPHONE.API.1323")
        }
    }

    @Test
    func `A secret key that is refused is read again`() async throws {
        try await Self.serving(secretKey: String(repeating: "x", count: Self.secretKey.utf8.count)) { client, scratch in
            let failure = await client.failure()
            #expect(failure?.outcome == .unauthenticated)
            #expect(failure?.message.contains("signature") == true)
            try scratch.overwriteUnseen(with: Self.secretKey)
            #expect(await client.failure() == nil)
        }
    }

    @Test
    func `A project is named in a signed header`() async throws {
        try await RawServer.serving(.answer(RawServer.http("401 Unauthorized", ""))) { server, port in
            let file = try ScratchFile(Self.secretKey)
            let credentials = Credentials.accessKey(
                AccessKey(id: Self.accessKey, secretKeyFile: file.path, projectID: "p1")
            )
            let now = try #require(Timestamp("2026-01-02T03:04:05.678Z"))
            try await withClient(of: "http://127.0.0.1:\(port)", credentials: credentials, now: { now }) { client in
                _ = await client.failure()
            }
            let text = try #require(server.received.first)
            #expect(text.contains("X-Project-Id: p1\r\n"))
            #expect(text.contains("X-Sdk-Date: 20260102T030405Z\r\n"))
            #expect(text.contains("SignedHeaders=content-type;host;x-project-id;x-sdk-date,"))
            #expect(!text.contains("X-Auth-Token"))
            #expect(!text.contains(Self.secretKey))
        }
    }

    private static func serving(
        secretKey: String,
        _ body: (KooPhoneClient, ScratchFile) async throws -> Void
    ) async throws {
        let scratch = try ScratchFile(secretKey)
        let credentials = Credentials.accessKey(
            AccessKey(id: accessKey, secretKeyFile: scratch.path, projectID: nil)
        )
        try await SimulatedAPI.serving(
            configure: { $0.accessKey = .init(id: accessKey, secret: Self.secretKey) }
        ) { api in
            try await withClient(of: api.endpoint, credentials: credentials) { client in
                try await body(client, scratch)
            }
        }
    }
}
