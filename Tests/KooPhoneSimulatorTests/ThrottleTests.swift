import Foundation
import Testing

/// The limit of requests a second.
@Suite struct ThrottleTests {
    @Test(arguments: [true, false])
    func moreThanTheLimitIsThrottledUntilTheWindowEnds(retryAfter: Bool) async throws {
        try await withSimulator { client in
            try await client.putFaults(#"{"limit": {"per_second": 2, "retry_after": \#(retryAfter)}}"#)
            let task = try await client.submit().decode(SubmitResponse.self).data.task_id
            #expect(try await client.query(task).status == 200)
            client.clock.advance(0.99)
            let exchange = try await client.submit()
            #expect(exchange.status == 429)
            #expect(exchange.fields["retry-after"] == (retryAfter ? "1" : nil))
            #expect(
                try exchange.decode(ErrorAnswer.self)
                    == ErrorAnswer(
                        error_code: "APIGW.0308",
                        error_msg: "The throttling threshold has been reached: "
                            + "policy user over ratelimit,limit:2,time:1 second."
                    )
            )
            #expect(try await client.query(task).status == 429)
            client.clock.advance(0.01)
            #expect(try await client.submit().status == 200)

            #expect(try await client.journal().map(\.answer) == ["200", "429", "200"])
            let statistics = try await client.statistics()
            #expect(statistics["submissions_throttled"] == 1)
            #expect(statistics["queries_throttled"] == 1)
        }
    }

    @Test func theMessageNamesTheLimitUnlessItIsToldNotTo() async throws {
        try await withSimulator { client in
            try await client.putFaults(#"{"limit": {"per_second": 0, "named": false}}"#)
            #expect(
                try await client.submit().decode(ErrorAnswer.self).error_msg
                    == "The throttling threshold has been reached: policy user over ratelimit"
            )
        }
    }

    @Test func unauthenticatedRequestsDoNotCount() async throws {
        try await withSimulator { client in
            try await client.putFaults(#"{"limit": {"per_second": 1}}"#)
            #expect(try await client.submit(headers: ["X-Auth-Token": "wrong"]).status == 401)
            #expect(try await client.submit().status == 200)
        }
    }
}
