import KooPhoneSimulator
import KoobatchCore
import Testing

@testable import KoobatchCloud

/// What is said to IAM and what its answers mean.
@Suite
struct PasswordLoginTests {
    @Test
    func `A password buys a token that the API accepts`() async throws {
        try await Self.serving { client, _ in
            let accepted = try await client.submit(.sample())
            _ = try await client.query(taskID: accepted.taskID, requestID: RequestID(rawValue: "q"))
        }
    }

    @Test(arguments: ["2001-01-01T00:00:00.000Z", "2100-01-01T00:00:00.000Z"])
    func `A token is used again however wrong our clock is`(time: String) async throws {
        let now = try #require(Timestamp(time))
        try await Self.serving(now: { now }) { client, file in
            #expect(await client.failure() == nil)
            // Whoever asks for another one now gets none.
            try file.write("sim-passwort")
            #expect(await client.failure() == nil)
        }
    }

    @Test
    func `A token that the API does not accept any more is replaced`() async throws {
        var refusal = FaultRule(.status)
        refusal.status = 401
        refusal.times = 1
        try await Self.serving(FaultPlan(rules: [refusal])) { client, _ in
            #expect(await client.failure()?.outcome == .unauthenticated)
            #expect(await client.failure() == nil)
        }
    }

    @Test
    func `A wrong password is a failure of credentials, and is read again`() async throws {
        try await Self.serving(password: "sim-passwort") { client, file in
            let failure = await client.failure()
            #expect(failure?.outcome == .unauthenticated)
            #expect(failure?.errorCode == ServiceFailure.Code.credentials)
            #expect(failure?.httpStatus == 401)
            #expect(failure?.message.contains("The username or password is wrong.") == true)
            try file.overwriteUnseen(with: "sim-password")
            #expect(await client.failure() == nil)
        }
    }

    @Test(arguments: [FaultRule.Kind.status, .dropBefore])
    func `Without IAM nothing is sent`(_ kind: FaultRule.Kind) async throws {
        var rule = FaultRule(kind, on: .token)
        rule.retryAfter = "9"
        try await Self.serving(FaultPlan(rules: [rule])) { client, _ in
            let failure = await client.failure()
            #expect(failure?.outcome == .unauthenticated)
            #expect(failure?.errorCode == ServiceFailure.Code.credentials)
            #expect(failure?.message.contains("sim-password") == false)
            #expect(failure?.retryAfter == (kind == .status ? .seconds(9) : nil))
        }
    }

    @Test
    func `An IAM that does not answer is given up in time`() async throws {
        try await RawServer.serving(.silence) { iam, port in
            let file = try ScratchFile("sim-password")
            let credentials = try Self.credentials("http://127.0.0.1:\(port)", file)
            let timeIsUp = LimitTimer.up { await iam.waitForArrival() }
            try await withClient(of: "http://127.0.0.1:9", credentials: credentials, timer: timeIsUp) { client in
                let failure = await client.failure()
                #expect(failure?.outcome == .unauthenticated)
                #expect(failure?.message.contains("20 seconds") == true)
            }
        }
    }

    @Test
    func `The request is what IAM documents`() async throws {
        let answer = RawServer.http("201 Created", headers: ["X-Subject-Token: MII"], "{}")
        try await RawServer.serving(.answer(answer)) { server, port in
            let file = try ScratchFile("pass \"word\"\n")
            let credentials = try Self.credentials("http://127.0.0.1:\(port)/iam", file)
            try await RawServer.serving(.answer(RawServer.http("401 Unauthorized", ""))) { api, apiPort in
                try await withClient(of: "http://127.0.0.1:\(apiPort)", credentials: credentials) { client in
                    _ = await client.failure()
                }
                let text = try #require(api.received.first)
                #expect(text.contains("X-Auth-Token: MII\r\n"))
                #expect(!text.contains("word"))
            }
            let text = try #require(server.received.first)
            #expect(text.hasPrefix("POST /iam/v3/auth/tokens?nocatalog=true HTTP/1.1\r\n"))
            #expect(text.contains("Content-Type: application/json\r\n"))
            #expect(
                text.hasSuffix(
                    #"{"auth":{"identity":{"methods":["password"],"password":{"user":{"name":"sim-user","#
                        + #""password":"pass \"word\"","domain":{"name":"sim-domain"}}}},"#
                        + #""scope":{"project":{"name":"sim-project"}}}}"#
                )
            )
        }
    }

    private static func credentials(_ endpoint: String, _ file: ScratchFile) throws -> Credentials {
        .password(
            try PasswordLogin(
                endpoint: endpoint,
                user: "sim-user",
                domain: "sim-domain",
                project: "sim-project",
                passwordFile: file.path
            )
        )
    }

    private static func serving(
        _ faults: FaultPlan = FaultPlan(),
        password: String = "sim-password",
        now: @escaping @Sendable () -> Timestamp = WallClock.now,
        _ body: (KooPhoneClient, ScratchFile) async throws -> Void
    ) async throws {
        let file = try ScratchFile(password)
        try await SimulatedAPI.serving(faults) { api in
            let credentials = try Self.credentials(api.endpoint, file)
            try await withClient(of: api.endpoint, credentials: credentials, now: now) { client in
                try await body(client, file)
            }
        }
    }
}
