import Foundation
import HTTPTypes
import NIOCore
import Testing

@testable import KooPhoneSimulator

/// Requests that are signed with an access key.
@Suite struct SignatureTests {
    static let key = SimulatorConfiguration.AccessKey(
        id: "QTWAOYTTINDUT2QVKYUC",
        secret: "MFyfvK41ba2giqM7Uio6PznpdUKGpownRZlmVmHc"
    )

    /// The known answer that the API's documentation publishes.
    static var known: HTTPRequest {
        HTTPRequest(
            method: .get,
            scheme: "https",
            authority: "service.region.example.com",
            path: "/v1/77b6a44cba5143ab91d13ab9a8ff44fd/vpcs"
                + "?limit=2&marker=13551d6b-755d-4757-b956-536f674975c0",
            headerFields: [
                .contentType: "application/json", .signingDate: "20191115T033655Z",
            ]
        )
    }

    static let signature = "7be6668032f70418fcc22abc52071e57aff61b84a1d2381bb430d6870f4f6ebe"

    @Test func thePublishedKnownAnswerComesOut() throws {
        let canonical = try #require(
            SignatureVerifier.canonicalRequest(
                Self.known,
                body: ByteBuffer(),
                signedHeaders: ["content-type", "host", "x-sdk-date"]
            )
        )
        #expect(
            SignatureVerifier.digest(canonical.utf8)
                == "b25362e603ee30f4f25e7858e8a7160fd36e803bb2dfe206278659d71a9bcd7a"
        )
        let verifier = SignatureVerifier(Self.key)
        #expect(verifier.signature(ofCanonical: canonical, at: "20191115T033655Z") == Self.signature)
    }

    @Test(arguments: [
        (access: key.id, headers: "content-type;host;x-sdk-date", secondsLater: 0, isRight: true),
        (access: key.id, headers: "content-type;host;x-sdk-date", secondsLater: 899, isRight: true),
        (access: key.id, headers: "content-type;host;x-sdk-date", secondsLater: 901, isRight: false),
        (access: key.id, headers: "content-type;host;x-sdk-date", secondsLater: -901, isRight: false),
        (access: "other", headers: "content-type;host;x-sdk-date", secondsLater: 0, isRight: false),
        (access: key.id, headers: "host;x-sdk-date", secondsLater: 0, isRight: false),
        (access: key.id, headers: "absent;content-type;host;x-sdk-date", secondsLater: 0, isRight: false),
    ])
    func aClaimIsJudged(access: String, headers: String, secondsLater: Double, isRight: Bool) {
        let claim = "SDK-HMAC-SHA256 Access=\(access), SignedHeaders=\(headers), Signature=\(Self.signature)"
        #expect((Self.flaw(of: claim, secondsLater: secondsLater) == nil) == isRight)
    }

    @Test(arguments: [
        "", "Bearer x", "SDK-HMAC-SHA256", "SDK-HMAC-SHA256 Access=\(key.id), Signature=\(signature)",
        "SDK-HMAC-SHA256 Access=\(key.id), SignedHeaders=content-type;host;x-sdk-date",
    ])
    func aMalformedClaimIsRefused(claim: String) {
        #expect(Self.flaw(of: claim, secondsLater: 0) == "Authorization format incorrect")
    }

    private static func flaw(of authorization: String, secondsLater: Double) -> String? {
        SignatureVerifier(key).flaw(
            of: authorization,
            in: known,
            body: ByteBuffer(),
            at: Date(timeIntervalSince1970: 1_573_789_015 + secondsLater)
        )
    }

    @Test func aSignedRequestNeedsNoTokenAndAWrongOneLocksTheKey() async throws {
        let clock = TestClock()
        try await withSimulator(clock: clock) {
            $0.accessKey = Self.key
        } _: { client in
            let body = try SimulatorClient.body("ls", ["a"])
            let right = try Self.headers(body: body, secret: Self.key.secret)
            let wrong = try Self.headers(body: body, secret: "wrong")
            #expect(try await client.submit(body: body, headers: right).status == 200)
            #expect(try await client.submit(body: body + " ", headers: right).status == 401)
            for _ in 0..<5 {
                let exchange = try await client.submit(body: body, headers: wrong)
                #expect(exchange.status == 401)
                #expect(try exchange.decode(ErrorAnswer.self).error_code == "APIGW.0301")
            }
            #expect(try await client.submit(body: body, headers: right).status == 401)
            clock.advance(300)
            #expect(try await client.submit(body: body, headers: right).status == 200)
            #expect(try await client.submit(body: body).status == 200)
        }
    }

    private static func headers(body: String, secret: String) throws -> [String: String?] {
        let stamp = "20250615T150640Z"
        let request = HTTPRequest(
            method: .post,
            scheme: "http",
            authority: "localhost",
            path: "/v1/instances/async-command",
            headerFields: [.signingDate: stamp]
        )
        let canonical = try #require(
            SignatureVerifier.canonicalRequest(
                request,
                body: ByteBuffer(string: body),
                signedHeaders: ["host", "x-sdk-date"]
            )
        )
        let signature = SignatureVerifier(.init(id: key.id, secret: secret)).signature(
            ofCanonical: canonical,
            at: stamp
        )
        return [
            "X-Auth-Token": nil, "X-Sdk-Date": stamp,
            "Authorization":
                "SDK-HMAC-SHA256 Access=\(key.id), SignedHeaders=host;x-sdk-date, Signature=\(signature)",
        ]
    }
}
