import Foundation
import Testing

@Suite("Limits of the API, and its absence")
struct LimitTests {
    @Test(
        "a throttling API is used almost fully, and throttles little once its limit is known",
        arguments: [false, true]
    )
    func throttling(retryAfter: Bool) throws {
        let koobatch = try Koobatch(settings: "poll: {enabled: false}")
        try koobatch.simulator.faults(#"{"limit": {"per_second": 40, "retry_after": \#(retryAfter)}}"#)
        try koobatch.start()
        _ = try koobatch.insert(instances: 32 * 500, columns: [("max_attempts", "1")])
        try koobatch.wait(for: "SELECT count(*) > 50 FROM chunks WHERE task_id IS NOT NULL")
        let throttledBefore = try koobatch.simulator.statistics()["submissions_throttled"] ?? 0
        try koobatch.waitUntilFinished()
        let statistics = try koobatch.simulator.statistics()
        let throttled = (statistics["submissions_throttled"] ?? 0) - throttledBefore
        #expect(throttled <= 22, "\(throttled) of 450 throttled")
        #expect(try koobatch.shell.run("SELECT state, submitted FROM job_status") == "submitted|16000")
        let rate = try koobatch.shell.run(
            """
            SELECT 450 / ((julianday(max(submitted_at)) - julianday(min(submitted_at))) * 86400.0)
              FROM (SELECT submitted_at FROM chunks ORDER BY submitted_at LIMIT -1 OFFSET 50)
            """
        )
        #expect(try #require(Double(rate)) >= 40 * 0.8)
        #expect(try koobatch.shell.run("SELECT requests_per_second BETWEEN 30 AND 42 FROM daemon") == "1")
    }

    @Test("an endpoint that is down is probed, and no chunk fails for it")
    func outage() throws {
        let koobatch = try Koobatch(settings: "poll: {initial_delay: 0.05}\nretry: {base_delay: 0.1, max_delay: 1}")
        try koobatch.simulator.faults(#"{"rules": [{"on":"any","kind":"drop_before"}]}"#)
        try koobatch.start()
        _ = try koobatch.insert(instances: 3_200, columns: [("max_attempts", "3")])
        try koobatch.wait(for: "SELECT circuit <> 'closed' FROM daemon")
        try koobatch.wait(for: "SELECT count(*) >= 12 FROM attempts")
        #expect(try koobatch.shell.run("SELECT blocker FROM why WHERE chunk_id IS NULL") == "circuit")
        try koobatch.simulator.faults("{}")
        try koobatch.waitUntilFinished()
        #expect(try koobatch.shell.run("SELECT state, succeeded FROM job_status") == "succeeded|3200")
        #expect(try koobatch.shell.run("SELECT circuit, credentials FROM daemon") == "closed|accepted")
    }
}
