import Foundation
import TestSupport
import Testing

/// A rollout steered with nothing but the shell: checked against what the simulator was asked to do.
@Suite("Control", .programs)
struct ControlScenarioTests {
    private static let settings = """
        submit: {max_in_flight: 4}
        retry: {base_delay: 0.02, max_delay: 0.2}
        poll: {initial_delay: 0.02, max_delay: 0.1}
        """
    private static let slow = #"{"rules": [{"on":"submit","kind":"delay","seconds":0.1}]}"#

    /// A daemon at work on a job of 40 chunks, four of which are in flight.
    private func busy(_ columns: [(String, String)] = []) throws -> Koobatch {
        let koobatch = try Koobatch(settings: Self.settings)
        try koobatch.simulator.faults(Self.slow)
        try koobatch.start()
        _ = try koobatch.insert(instances: 1_280, columns: columns)
        try koobatch.wait(for: "SELECT count(*) > 4 AND (SELECT in_flight FROM daemon) > 0 FROM attempts")
        return koobatch
    }

    @Test("cancelled: nothing more is sent, and what is in flight is recorded and its results asked for")
    func cancel() throws {
        let koobatch = try busy()
        let sent = try koobatch.attempts(at: "UPDATE command_jobs SET state = 'cancelled' WHERE id = 1")
        try koobatch.waitUntilFinished()
        #expect(try koobatch.simulator.journal().count == sent)
        #expect(try koobatch.counts() == "succeeded \(32 * sent), cancelled \(1_280 - 32 * sent)")
        #expect(try koobatch.shell.run("SELECT state, state_reason FROM job_status") == "cancelled|cancelled by hand")
        try koobatch.expectTruth()
    }

    @Test(
        "paused and resumed: nothing is sent meanwhile, not even by the next daemon, and nothing twice",
        arguments: [false, true]
    )
    func pause(crash: Bool) throws {
        let koobatch = try busy([("on_unknown", "'hold'")])
        let sent = try koobatch.attempts(at: "UPDATE command_jobs SET state = 'paused' WHERE id = 1")
        if crash {
            koobatch.crash()
            try koobatch.start()
        }
        try koobatch.wait(for: "SELECT in_flight_chunks = 0 FROM job_progress")
        #expect(try koobatch.simulator.journal().count <= sent)
        #expect(try koobatch.shell.run("SELECT count(*) FROM attempts") == "\(sent)")
        #expect(try koobatch.shell.run("SELECT blocker FROM why WHERE chunk_id IS NULL") == "pause")
        try koobatch.simulator.faults("{}")
        try koobatch.shell.run("UPDATE command_jobs SET state = 'running' WHERE id = 1")
        try koobatch.wait(
            for: "SELECT planned = total AND waiting_chunks + in_flight_chunks = 0 FROM job_progress"
        )
        #expect(try koobatch.executions().values.allSatisfy { $0 == 1 })
        if !crash { #expect(try koobatch.counts() == "succeeded 1280") }
        try koobatch.expectTruth(answersMayBeLost: crash)
    }

    @Test("run again: only what did not succeed, in new attempts beside the old ones")
    func runAgain() throws {
        let koobatch = try Koobatch(settings: Self.settings)
        try koobatch.simulator.faults(
            """
            {"instances": {
              "i3": {"fail": {"error_code": "CPS0005"}}, "i40": {"fail": {"error_code": "CPS0005"}},
              "i100": {"refuse": {"status": 200, "error_code": "KOOPHONE.API.2004"}}}}
            """
        )
        try koobatch.start()
        _ = try koobatch.insert(instances: 128)
        try koobatch.waitUntilFinished()
        #expect(try koobatch.counts() == "succeeded 125, failed 2, rejected 1")
        let old = try koobatch.shell.rows("SELECT id, chunk_id, request_id, outcome FROM attempts ORDER BY id")

        try koobatch.simulator.faults("{}")
        let begin = try koobatch.attempts(at: "UPDATE command_jobs SET state = 'queued' WHERE id = 1")
        try koobatch.waitUntilFinished()
        #expect(try koobatch.shell.run("SELECT state FROM job_status") == "succeeded")
        #expect(try koobatch.counts() == "succeeded 128")
        #expect(Set(try koobatch.journal(after: begin).flatMap(\.instance_ids)) == ["i3", "i40", "i100"])
        let executions = try koobatch.executions()
        #expect(executions.filter { $0.value == 2 }.keys.sorted() == ["i3", "i40"])
        #expect(executions.count == 128)
        let new = try koobatch.shell.rows("SELECT id, chunk_id, request_id, outcome FROM attempts ORDER BY id")
        #expect(Array(new.prefix(old.count)) == old)
        #expect(new.count > old.count)
        try koobatch.expectTruth()
    }

    @Test("held chunks: one is sent again, one is given up, and their instances tell of it")
    func held() throws {
        let koobatch = try Koobatch(settings: Self.settings)
        try koobatch.simulator.faults(#"{"rules": [{"on":"submit","kind":"drop_after","times":2}]}"#)
        try koobatch.start()
        _ = try koobatch.insert(instances: 96, columns: [("on_unknown", "'hold'")])
        try koobatch.wait(for: "SELECT held_chunks = 2 AND succeeded = 32 FROM job_progress")
        let why = try koobatch.shell.rows("SELECT blocker, chunk_id FROM why ORDER BY chunk_id")
        let held = why.filter { $0[1] != "" }.map { $0[1] }
        #expect(why.map { $0[0] } == ["hold", "hold", "hold"])
        try #require(held.count == 2)
        try koobatch.shell.run("UPDATE chunks SET state = 'pending' WHERE id = \(held[0])")
        try koobatch.wait(for: "SELECT succeeded = 64 FROM job_progress")
        #expect(try koobatch.shell.run("SELECT state, finished_at IS NULL FROM job_status") == "running|1")
        try koobatch.shell.run("UPDATE chunks SET state = 'failed' WHERE id = \(held[1])")
        try koobatch.waitUntilFinished()
        #expect(try koobatch.shell.run("SELECT state FROM job_status") == "partial")
        #expect(try koobatch.counts() == "succeeded 64, unknown 32")
        let released = Set(
            try koobatch.shell.rows("SELECT instance_id FROM instance_status WHERE chunk_id = \(held[0])")
        )
        let executions = try koobatch.executions()
        #expect(executions.filter { $0.value == 2 }.keys.sorted() == released.map { $0[0] }.sorted())
        #expect(executions.values.max() == 2)
        try koobatch.expectTruth(answersMayBeLost: true)
    }

    @Test("a job of raised priority goes next, its equals wait")
    func priority() throws {
        let koobatch = try busy()
        _ = try koobatch.insert(instances: 640, prefix: "late", columns: [("priority", "-1")])
        let before = try koobatch.attempts(at: "UPDATE command_jobs SET priority = 9 WHERE id = 2")
        try koobatch.waitUntilFinished()
        let next = try koobatch.journal(after: before).map { $0.instance_ids[0].hasPrefix("late") }
        #expect(next.count { $0 } == 20)
        // The last of them may share their turn with the first of the others.
        #expect(next.prefix(16).allSatisfy { $0 })
        try koobatch.expectTruth()
    }

    @Test("max_concurrency raised and lowered while a job runs bounds what is in flight from then on")
    func maxConcurrency() throws {
        let koobatch = try Koobatch(settings: "submit: {max_in_flight: 8}\npoll: {enabled: false}")
        try koobatch.simulator.faults(Self.slow)
        try koobatch.start()
        _ = try koobatch.insert(instances: 1_920, columns: [("max_concurrency", "2")])
        _ = try koobatch.insert(instances: 320, prefix: "other")
        try koobatch.wait(for: "SELECT count(*) >= 8 FROM attempts")
        let raised = try koobatch.attempts(at: "UPDATE command_jobs SET max_concurrency = 6 WHERE id = 1")
        try koobatch.wait(for: "SELECT count(*) >= 40 FROM attempts")
        let lowered = try koobatch.attempts(at: "UPDATE command_jobs SET max_concurrency = 1 WHERE id = 1")
        try koobatch.waitUntilFinished()
        let journal = try koobatch.simulator.journal()
        let order = try koobatch.shell.rows("SELECT request_id FROM attempts ORDER BY id").map { $0[0] }
        func mine(_ range: Range<Int>) -> [SimulatorProcess.Entry] {
            let ids = Set(order[range])
            return journal.filter { ids.contains($0.request_id) && $0.instance_ids[0].hasPrefix("i") }
        }
        #expect(try koobatch.peak(of: mine(0..<raised), seconds: 0.1) == 2)
        #expect(try (3...6).contains(koobatch.peak(of: mine(raised..<lowered), seconds: 0.1)))
        #expect(try koobatch.peak(of: mine(lowered..<order.count), seconds: 0.1) == 1)
        #expect(mine(lowered..<order.count).count > 10)
        #expect(try koobatch.executions().count == 2_240)
    }

    @Test("deleted: a finished job goes with all that hangs on it, an unfinished one stays")
    func delete() throws {
        let koobatch = try busy()
        #expect(throws: SQLiteShell.Refusal.self) { try koobatch.shell.run("DELETE FROM command_jobs WHERE id = 1") }
        _ = try koobatch.insert(instances: 64, prefix: "kept")
        try koobatch.waitUntilFinished()
        try koobatch.shell.run("DELETE FROM command_jobs WHERE id = 1")
        let left = try koobatch.shell.rows(
            """
            SELECT 'command_jobs', count(*) FROM command_jobs UNION ALL SELECT 'job_progress', count(*) FROM job_progress
            UNION ALL SELECT 'chunks', count(*) FROM chunks UNION ALL SELECT 'attempts', count(*) FROM attempts
            UNION ALL SELECT 'chunk_instances', count(*) FROM chunk_instances
            """
        ).map { $0.joined(separator: " ") }
        #expect(
            left == ["command_jobs 1", "job_progress 1", "chunks 2", "attempts 2", "chunk_instances 2"]
        )
        #expect(try koobatch.shell.run("PRAGMA integrity_check; PRAGMA foreign_key_check;") == "ok")
        #expect(try koobatch.shell.run("SELECT count(*) FROM instance_status WHERE command_job_id = 1") == "0")
        // The daemon goes on.
        _ = try koobatch.insert(instances: 32, prefix: "after")
        try koobatch.waitUntilFinished()
    }

    @Test("run_at and expires_at edited while a job waits hold at once")
    func times() throws {
        let koobatch = try Koobatch(settings: Self.settings)
        try koobatch.start()
        _ = try koobatch.insert(instances: 32, columns: [("run_at", "'2099-01-01'")])
        _ = try koobatch.insert(instances: 32, prefix: "x", columns: [("state", "'paused'")])
        #expect(
            try koobatch.shell.run("SELECT blocker, earliest_at FROM why WHERE command_job_id = 1")
                == "run_at|2099-01-01T00:00:00.000Z"
        )
        #expect(try koobatch.simulator.journal().isEmpty)
        try koobatch.shell.run(
            """
            UPDATE command_jobs SET run_at = datetime('now') WHERE id = 1;
            UPDATE command_jobs SET run_at = datetime('now', '-1 minute'), expires_at = datetime('now', '-1 second') WHERE id = 2;
            """
        )
        try koobatch.waitUntilFinished()
        #expect(try koobatch.shell.rows("SELECT state FROM job_status ORDER BY id") == [["succeeded"], ["expired"]])
        #expect(try koobatch.counts(2) == "cancelled 32")
        #expect(try koobatch.executions().count == 32)
        try koobatch.shell.run(
            "UPDATE command_jobs SET state = 'queued', expires_at = datetime('now', '+1 hour') WHERE id = 2"
        )
        try koobatch.waitUntilFinished()
        #expect(try koobatch.executions().count == 64)
        try koobatch.expectTruth()
    }

    @Test(
        "what makes no sense is refused with a sentence while the daemon works",
        arguments: [
            ("UPDATE command_jobs SET command = 'rm' WHERE id = 1", "command: cannot be changed"),
            ("UPDATE command_jobs SET instance_ids = '[\"z\"]' WHERE id = 1", "instance_ids: cannot be changed"),
            ("UPDATE command_jobs SET state = 'queued' WHERE id = 1", "to resume a paused job set running"),
            ("UPDATE command_jobs SET state = 'succeeded' WHERE id = 1", "to stop the job set cancelled"),
            ("UPDATE command_jobs SET canary = 4 WHERE id = 1", "canary: cannot be changed once the job has started"),
            ("UPDATE command_jobs SET started_at = 'now' WHERE id = 1", "started_at: set by koobatch"),
            ("UPDATE command_jobs SET run_at = 'soon' WHERE id = 1", "run_at: a date and time"),
            ("DELETE FROM command_jobs", "only a finished job can be deleted"),
            ("UPDATE chunks SET state = 'failed'", "only a held (unknown) chunk can be changed by hand"),
            ("DELETE FROM chunks", "chunks: go with their command job"),
            (
                "REPLACE INTO chunks SELECT * FROM chunks LIMIT 1",
                "chunks: written by koobatch; insert a row of command_jobs"
            ),
        ]
    )
    func refused(_ statement: String, _ sentence: String) throws {
        let koobatch = try busy()
        let refusal = #expect(throws: SQLiteShell.Refusal.self) { try koobatch.shell.run(statement) }
        #expect(refusal?.message.contains(sentence) == true, "\(refusal?.message ?? "")")
        try koobatch.waitUntilFinished()
        #expect(try koobatch.counts() == "succeeded 1280")
    }
}
