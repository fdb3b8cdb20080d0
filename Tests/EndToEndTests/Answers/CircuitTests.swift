import Foundation
import TestSupport
import Testing

@Suite("An endpoint that fails", .programs)
struct CircuitTests {
    @Test("is probed seldom and alone, charges no chunk, and is remembered over a restart", arguments: [403, 405])
    func storm(status: Int) throws {
        let koobatch = try Koobatch()
        try koobatch.configure(settings: "retry: {base_delay: 0.2, max_delay: 300}")
        // A page is the endpoint's fault and did not act; a 5xx may have, and is charged.
        try koobatch.simulator.faults(
            #"{"rules": [{"on": "any", "kind": "status", "status": \#(status), "body": "<html>"}]}"#
        )
        try koobatch.start()
        _ = try koobatch.insert(instances: 3_200, columns: [("max_attempts", "2")])
        try koobatch.wait(for: "SELECT circuit = 'open' FROM daemon")
        let opened = try #require(Int(try koobatch.shell.run("SELECT count(*) FROM attempts")))
        try koobatch.wait(for: "SELECT count(*) >= \(opened + 2) FROM attempts WHERE outcome IS NOT NULL")
        #expect(try koobatch.shell.run("SELECT max(attempts) <= 1 FROM chunks WHERE state = 'pending'") == "1")
        #expect(try koobatch.shell.run("SELECT sum(attempts) <= 8 FROM chunks WHERE state = 'pending'") == "1")
        let blocked = try koobatch.row("SELECT blocker, explanation FROM why WHERE chunk_id IS NULL")
        #expect(blocked[0] == "circuit")
        #expect(blocked[1].contains(" and requests are paused; "))
        let probes = try self.pauses(koobatch, after: opened)
        #expect(zip(probes, [0.2, 0.4, 0.8]).allSatisfy { $0 > $1 - 0.002 }, "\(probes)")

        koobatch.crash()
        #expect(try koobatch.shell.run("SELECT circuit <> 'closed' FROM daemon") == "1")
        let before = try #require(Int(try koobatch.shell.run("SELECT max(id) FROM attempts")))
        try koobatch.start()
        // One probe at once, then a pause again.
        try koobatch.wait(for: "SELECT count(*) >= 2 FROM attempts WHERE id > \(before) AND outcome IS NOT NULL")
        let again = try pauses(koobatch, after: before + 1)
        #expect(again.first.map { $0 > 0.2 - 0.002 } == true, "\(again)")
        try koobatch.wait(for: "SELECT circuit = 'open' AND paused_until > heartbeat_at FROM daemon")
        #expect(try koobatch.shell.run("SELECT blocker FROM why WHERE chunk_id IS NULL") == "circuit")
        try koobatch.simulator.faults("{}")
        try koobatch.waitUntilFinished()
        #expect(try koobatch.shell.run("SELECT state, succeeded FROM job_status") == "succeeded|3200")
        #expect(try koobatch.shell.run("SELECT circuit FROM daemon") == "closed")
    }

    /// The seconds between each attempt and the one before it.
    private func pauses(_ koobatch: Koobatch, after attempt: Int) throws -> [Double] {
        try koobatch.shell.rows(
            """
            SELECT (julianday(started_at) - julianday(before)) * 86400.0
              FROM (SELECT id, started_at, lag(finished_at) OVER (ORDER BY id) AS before FROM attempts)
             WHERE id > \(attempt)
             ORDER BY id
            """
        ).compactMap { Double($0[0]) }
    }
}
