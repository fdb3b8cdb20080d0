import Foundation
import TestSupport
import Testing

/// The wall clock of the daemon's process is set, both ways.
@Suite("A system clock that is set", .programs)
struct ClockTests {
    private static let year = Duration.seconds(400 * 86_400)
    private static let isAhead = "SELECT julianday(heartbeat_at) > julianday('now') + 399 FROM daemon"

    /// Sets the clock and has the daemon look at once; returns when it has.
    private func set(_ clock: ShiftedClock, ahead: Duration, _ koobatch: Koobatch) throws {
        try clock.set(ahead: ahead)
        koobatch.daemon?.signal(SIGHUP)
        try koobatch.wait(for: ahead == .zero ? "SELECT running FROM daemon" : Self.isAhead)
    }

    @Test("deletes, expires and gives up nothing while it is ahead for a moment, and work goes on")
    func forward() throws {
        let clock = try ShiftedClock()
        let koobatch = try Koobatch(
            settings: """
                retry: {base_delay: 0.02, max_delay: 0.2}
                poll: {initial_delay: 0.02, max_delay: 0.2, result_timeout: 600}
                retention: {finished_jobs: 3600}
                """
        )
        try koobatch.start(environment: clock.environment)
        _ = try koobatch.insert(instances: 2, prefix: "finished")
        try koobatch.waitUntilFinished()
        let tomorrow = "strftime('%Y-%m-%dT%H:%M:%fZ', 'now', '1 day')"
        _ = try koobatch.insert(
            instances: 2,
            prefix: "waits",
            columns: [("state", "'paused'"), ("expires_at", tomorrow)]
        )
        try koobatch.simulator.faults(#"{"duration": 3600}"#)
        _ = try koobatch.insert(instances: 2, prefix: "runs")
        try koobatch.wait(for: "SELECT state = 'submitted' FROM chunks WHERE command_job_id = 3")

        try set(clock, ahead: Self.year, koobatch)
        // What the same turn of the housekeeper does is over at its next heartbeat; the poller looks meanwhile.
        let seen = try koobatch.shell.run("SELECT heartbeat_at FROM daemon")
        try koobatch.wait(for: "SELECT heartbeat_at > '\(seen)' FROM daemon")
        try koobatch.wait(for: "SELECT polls > 3 AND next_poll_at > '\(seen)' FROM chunks WHERE command_job_id = 3")
        #expect(
            try koobatch.shell.rows("SELECT id, state, succeeded, submitted FROM job_status ORDER BY id") == [
                ["1", "succeeded", "2", "0"], ["2", "paused", "0", "0"], ["3", "running", "0", "2"],
            ]
        )
        try koobatch.simulator.faults("{}")
        try clock.run(
            "INSERT INTO command_jobs (command, instance_ids) VALUES ('id', '[\"new\"]');",
            in: koobatch.shell
        )
        try koobatch.wait(for: "SELECT state = 'succeeded' FROM command_jobs WHERE id = 4")

        try set(clock, ahead: .zero, koobatch)
        let log = try #require(try koobatch.daemon?.errors)
        #expect(log.contains("System clock jumped forward; "))
        #expect(!log.contains("System clock has proved right"))
        #expect(try koobatch.shell.run("SELECT count(*) FROM command_jobs") == "4")
        #expect(try koobatch.stop() == 0)
    }

    @Test("puts nothing off for longer than its rule once it is set back", arguments: [false, true])
    func back(overARestart: Bool) throws {
        let clock = try ShiftedClock()
        let koobatch = try Koobatch(settings: "retry: {base_delay: 60, max_delay: 60}\npoll: {initial_delay: 0.1}")
        try koobatch.start(environment: clock.environment)
        try set(clock, ahead: Self.year, koobatch)
        try koobatch.simulator.faults(#"{"rules": [{"on":"submit","kind":"drop_after","times":1}]}"#)
        try clock.run(
            "INSERT INTO command_jobs (command, instance_ids) VALUES ('id', '[\"a\"]');",
            in: koobatch.shell
        )
        try koobatch.wait(for: "SELECT count(*) FROM chunks WHERE state = 'pending'")
        try clock.run(
            "INSERT INTO command_jobs (command, instance_ids, state) VALUES ('id', '[\"b\"]', 'paused');",
            in: koobatch.shell
        )
        if overARestart {
            #expect(try koobatch.stop() == 0)
            // One that stopped by a clock that was ahead does not run.
            #expect(try koobatch.shell.run("SELECT running FROM daemon") == "0")
            try clock.set(ahead: .zero)
            try koobatch.start(environment: clock.environment)
        } else {
            try set(clock, ahead: .zero, koobatch)
            let log = try #require(try koobatch.daemon?.errors)
            #expect(log.contains("System clock was set back; ") || log.contains("System clock is back where it was"))
        }
        try koobatch.shell.run("UPDATE command_jobs SET state = 'running' WHERE id = 2")
        // After 60 seconds at most, and what the way to the result takes.
        try koobatch.waitUntilFinished()
        #expect(try koobatch.shell.run("SELECT group_concat(state) FROM command_jobs") == "succeeded,succeeded")
        // Says in its log that a job has finished, whatever the clock did.
        #expect(try koobatch.stop() == 0)
    }
}
