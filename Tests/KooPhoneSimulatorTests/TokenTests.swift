import Foundation
import KooPhoneSimulator
import Testing

/// Static and issued tokens.
@Suite struct TokenTests {
    static let identity = #"""
        {"auth": {"identity": {"methods": ["password"], "password": {"user": {"name": "sim-user",
         "password": "sim-password", "domain": {"name": "sim-domain"}}}}, "scope": {"project": {"name": "sim-project"}}}}
        """#

    @Test(arguments: [
        (String?.none, "Incorrect IAM authentication information: decrypt token fail"),
        ("wrong", "Incorrect IAM authentication information: decrypt token fail"), ("old", "The token must be updated"),
    ])
    func aTokenThatIsNotValidIsRefused(token: String?, message: String) async throws {
        try await withSimulator {
            $0.expiredTokens = ["old"]
        } _: { client in
            let exchange = try await client.submit(headers: ["X-Auth-Token": token])
            #expect(exchange.status == 401)
            #expect(
                try exchange.decode(ErrorAnswer.self) == ErrorAnswer(error_code: "APIGW.0301", error_msg: message)
            )
            let line = try #require(try await client.journal().first)
            #expect((line.executed, line.answer, line.command) == (false, "401", "ls -l /system"))
            #expect(try await client.statistics()["unauthenticated"] == 1)
        }
    }

    @Test func tokensRotateWhileItRuns() async throws {
        try await withSimulator { client in
            let answer = try await client.send("PUT", "/sim/tokens", body: #"{"valid": ["t1"], "expired": ["t9"]}"#)
            #expect(answer.status == 204)
            #expect(try await client.submit(headers: ["X-Auth-Token": "t1"]).status == 200)
            for retired in ["t0", "t9"] {
                let exchange = try await client.submit(headers: ["X-Auth-Token": retired])
                #expect(try exchange.decode(ErrorAnswer.self).error_msg == "The token must be updated")
            }
        }
    }

    @Test func anIssuedTokenWorksUntilItExpires() async throws {
        try await withSimulator {
            $0.tokenLifetime = 60
        } _: { client in
            let exchange = try await client.send("POST", "/v3/auth/tokens?nocatalog=true", body: Self.identity)
            #expect(exchange.status == 201)
            #expect(exchange.body.contains(#""expires_at":"2025-06-15T15:07:40.000000Z""#))
            let token = try #require(exchange.fields["x-subject-token"])
            let second = try await client.send("POST", "/v3/auth/tokens", body: Self.identity)
            #expect(second.fields["x-subject-token"] != token)

            client.clock.advance(59.9)
            #expect(try await client.submit(headers: ["X-Auth-Token": token]).status == 200)
            client.clock.advance(0.1)
            let late = try await client.submit(headers: ["X-Auth-Token": token])
            #expect(late.status == 401)
            #expect(try late.decode(ErrorAnswer.self).error_msg == "The token must be updated")
            #expect(try await client.statistics()["tokens_issued"] == 2)
        }
    }

    @Test func issuedTokensCanBeRevoked() async throws {
        try await withSimulator { client in
            let exchange = try await client.send("POST", "/v3/auth/tokens", body: Self.identity)
            let token = try #require(exchange.fields["x-subject-token"])
            _ = try await client.send("PUT", "/sim/tokens", body: #"{"valid": ["t0"], "revoke_issued": true}"#)
            #expect(try await client.submit(headers: ["X-Auth-Token": token]).status == 401)
            #expect(try await client.submit().status == 200)
        }
    }

    @Test(arguments: ["sim-user", "sim-password", "sim-domain", "sim-project"])
    func aWrongNameOrPasswordIsRefused(right: String) async throws {
        try await withSimulator { client in
            let body = Self.identity.replacingOccurrences(of: #""\#(right)""#, with: #""wrong""#)
            let exchange = try await client.send("POST", "/v3/auth/tokens", body: body)
            #expect(exchange.status == 401)
            #expect(exchange.fields["x-subject-token"] == nil)
        }
    }

    @Test func aBodyThatIsNoPasswordAuthenticationIsABadRequest() async throws {
        try await withSimulator { client in
            let exchange = try await client.send("POST", "/v3/auth/tokens", body: #"{"auth": {}}"#)
            #expect(exchange.status == 400)
        }
    }

    @Test func rulesApplyToTokensToo() async throws {
        try await withSimulator { client in
            try await client.putFaults(#"{"rules": [{"on": "token", "kind": "status", "status": 503, "times": 1}]}"#)
            #expect(try await client.send("POST", "/v3/auth/tokens", body: Self.identity).status == 503)
            #expect(try await client.send("POST", "/v3/auth/tokens", body: Self.identity).status == 201)
        }
    }
}
