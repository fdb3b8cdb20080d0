import Foundation
import TestSupport
import Testing

/// The columns that make a rollout careful, from the insert to the end and across the death of the daemon.
@Suite("Rollout", .programs)
struct RolloutTests {
    private static let settings = """
        submit: {max_in_flight: 4}
        retry: {base_delay: 0.02, max_delay: 0.2}
        poll: {initial_delay: 0.02, max_delay: 0.1}
        """
    /// Every command fails on every instance.
    private static let failing = #"{"commands": {"ls -l /system": {"fail": {"error_code": "CPS0005"}}}}"#

    @Test("a failed canary of 8: those are executed and no others, until a user says so")
    func failedCanary() throws {
        let koobatch = try Koobatch(settings: Self.settings)
        try koobatch.simulator.faults(#"{"instances": {"i3": {"fail": {"error_code": "CPS0005"}}}}"#)
        try koobatch.start()
        _ = try koobatch.insert(instances: 320, columns: [("canary", "8")])
        try koobatch.wait(for: "SELECT state = 'paused' FROM command_jobs")
        koobatch.crash()
        try koobatch.start()
        // Another job runs past it.
        _ = try koobatch.insert(instances: 320, prefix: "other", columns: [("canary", "8")])
        try koobatch.wait(for: "SELECT state = 'succeeded' FROM command_jobs WHERE id = 2")
        let canary = Set((0..<8).map { "i\($0)" })
        #expect(Set(try koobatch.executions().keys.filter { $0.hasPrefix("i") }) == canary)
        #expect(try koobatch.counts() == "pending 312, succeeded 7, failed 1")
        #expect(
            try koobatch.shell.run("SELECT blocker, explanation FROM why WHERE command_job_id = 1")
                == "canary|canary: 1 of 8 instances did not succeed; resume to run the rest all the same, or cancel"
        )
        try koobatch.shell.run("UPDATE command_jobs SET state = 'running' WHERE id = 1")
        try koobatch.waitUntilFinished()
        #expect(try koobatch.counts() == "succeeded 319, failed 1")
        #expect(try koobatch.executions().values.allSatisfy { $0 == 1 })
        try koobatch.expectTruth()
    }

    @Test("a canary that fails, is cancelled and run again goes first again")
    func canaryAgain() throws {
        let koobatch = try Koobatch(settings: Self.settings)
        try koobatch.simulator.faults(#"{"instances": {"i3": {"fail": {"error_code": "CPS0005"}}}}"#)
        try koobatch.start()
        _ = try koobatch.insert(instances: 100, columns: [("canary", "8")])
        for round in 1...2 {
            try koobatch.wait(for: "SELECT state = 'paused' FROM command_jobs")
            #expect(try koobatch.executions().count == 8)
            #expect(try koobatch.executions()["i3"] == round)
            try koobatch.shell.run("UPDATE command_jobs SET state = 'cancelled'")
            if round == 2 { try koobatch.simulator.faults("{}") }
            try koobatch.shell.run("UPDATE command_jobs SET state = 'queued'")
        }
        try koobatch.waitUntilFinished()
        #expect(try koobatch.counts() == "succeeded 100")
        #expect(try koobatch.executions().filter { $0.value > 1 } == ["i3": 3])
        try koobatch.expectTruth()
    }

    @Test("a canary that is out when the daemon dies still lets the rest follow, and only then")
    func canaryAcrossACrash() throws {
        let koobatch = try Koobatch(settings: Self.settings)
        try koobatch.simulator.faults(#"{"duration": 0.5}"#)
        try koobatch.start()
        _ = try koobatch.insert(instances: 320, columns: [("canary", "40")])
        try koobatch.wait(for: "SELECT submitted = 40 FROM job_progress")
        koobatch.crash()
        #expect(try koobatch.executions().count == 40)
        try koobatch.start()
        try koobatch.waitUntilFinished()
        #expect(try koobatch.counts() == "succeeded 320")
        #expect(try koobatch.executions().values.allSatisfy { $0 == 1 })
        // The last result of the canary came before the first request of the rest.
        #expect(
            try koobatch.shell.run(
                """
                SELECT (SELECT max(finished_at) FROM chunks WHERE id <= 2)
                       <= (SELECT min(started_at) FROM attempts WHERE chunk_id > 2)
                """
            ) == "1"
        )
        try koobatch.expectTruth()
    }

    @Test(
        "max_errors stops the job with the reason, and a resume counts from there",
        arguments: [("5", 32, "32 instances failed, more than 5"), ("10%", 64, "64 instances failed, more than 10%")]
    )
    func maxErrors(budget: String, failed: Int, reason: String) throws {
        let koobatch = try Koobatch(settings: Self.settings)
        try koobatch.simulator.faults(Self.failing)
        try koobatch.start()
        _ = try koobatch.insert(instances: 400, columns: [("max_errors", "'\(budget)'"), ("max_concurrency", "1")])
        for round in 1...2 {
            try koobatch.wait(for: "SELECT state = 'paused' AND failed >= \(round * failed) FROM job_status")
            #expect(try koobatch.counts() == "pending \(400 - round * failed), failed \(round * failed)")
            #expect(try koobatch.executions().count == round * failed)
            let said = try koobatch.shell.run("SELECT state_reason FROM job_status")
            #expect(said == "max_errors: \(reason); resume to go on counting from here, or cancel")
            #expect(try koobatch.shell.run("SELECT blocker, explanation FROM why") == "max_errors|\(said)")
            if round == 1 {
                koobatch.crash()
                try koobatch.start()
                try koobatch.shell.run("UPDATE command_jobs SET state = 'running'")
            }
        }
        try koobatch.simulator.faults("{}")
        try koobatch.shell.run("UPDATE command_jobs SET max_errors = NULL, state = 'running'")
        try koobatch.waitUntilFinished()
        #expect(try koobatch.counts() == "succeeded \(400 - 2 * failed), failed \(2 * failed)")
        try koobatch.expectTruth()
    }

    @Test("a smaller max_errors than what has failed stops a running job at once")
    func smallerBudget() throws {
        let koobatch = try Koobatch(settings: Self.settings)
        try koobatch.simulator.faults(
            #"{"instances": {"i1": {"fail": {"error_code": "CPS0005"}}, "i99": {"duration": 3600}}}"#
        )
        try koobatch.start()
        _ = try koobatch.insert(instances: 3_200, columns: [("max_concurrency", "1")])
        try koobatch.wait(for: "SELECT failed = 1 AND succeeded >= 127 - 32 FROM job_status")
        try koobatch.shell.run("UPDATE command_jobs SET max_errors = 0")
        #expect(
            try koobatch.shell.run(
                "SELECT state, state_reason LIKE 'max_errors: 1 instances failed, more than 0;%' FROM job_status"
            )
                == "paused|1"
        )
    }

    @Test("unique_key: one unfinished job a key")
    func uniqueKey() throws {
        let koobatch = try Koobatch(settings: Self.settings)
        try koobatch.start()
        _ = try koobatch.insert(instances: 32, columns: [("unique_key", "'nightly'"), ("state", "'paused'")])
        let refusal = #expect(throws: SQLiteShell.Refusal.self) {
            try koobatch.insert(instances: 32, columns: [("unique_key", "'nightly'")])
        }
        #expect(refusal?.message.contains("unique_key: an unfinished job has this key") == true)
        try koobatch.shell.run("UPDATE command_jobs SET state = 'running'")
        try koobatch.waitUntilFinished()
        _ = try koobatch.insert(instances: 32, columns: [("unique_key", "'nightly'")])
        try koobatch.waitUntilFinished()
        #expect(try koobatch.executions().values.allSatisfy { $0 == 2 })
    }

    @Test("expires_at: what is not submitted by then never is, what is in flight is recorded")
    func expiry() throws {
        let koobatch = try Koobatch(settings: Self.settings)
        try koobatch.simulator.faults(#"{"rules": [{"on":"submit","kind":"delay","seconds":0.2}]}"#)
        try koobatch.start()
        _ = try koobatch.insert(
            instances: 3_200,
            columns: [("expires_at", "strftime('%Y-%m-%d %H:%M:%f', 'now', '+1 seconds')")]
        )
        try koobatch.waitUntilFinished()
        #expect(try koobatch.shell.run("SELECT state FROM job_status") == "expired")
        let sent = try koobatch.simulator.journal().count
        #expect(sent > 0)
        #expect(try koobatch.counts() == "succeeded \(32 * sent), cancelled \(3_200 - 32 * sent)")
        #expect(
            try koobatch.shell.run(
                "SELECT count(*) FROM attempts JOIN command_jobs WHERE attempts.started_at > expires_at"
            ) == "0"
        )
        try koobatch.expectTruth()
    }

    @Test("jobs of one priority take turns, also after the death of the daemon: a big one starves nobody")
    func fairness() throws {
        let koobatch = try Koobatch(settings: Self.settings)
        try koobatch.simulator.faults(#"{"rules": [{"on":"submit","kind":"delay","seconds":0.02}]}"#)
        try koobatch.start()
        _ = try koobatch.insert(instances: 6_400, prefix: "big")
        try koobatch.wait(for: "SELECT count(*) > 10 FROM attempts")
        koobatch.crash()
        for name in ["a", "b"] { _ = try koobatch.insert(instances: 320, prefix: name) }
        let before = try koobatch.shell.run("SELECT count(*) FROM attempts")
        try koobatch.start()
        try koobatch.waitUntilFinished()
        let order = try koobatch.journal(after: try #require(Int(before))).map {
            String($0.instance_ids[0].prefix { $0.isLetter })
        }
        // Ten chunks each: with turns they are through after about 30 requests, in order of age after about 180.
        for name in ["a", "b"] { #expect(try #require(order.lastIndex(of: name)) < 45, "\(order.prefix(60))") }
        #expect(order.prefix(45).contains("big"))
        try koobatch.expectTruth(answersMayBeLost: true)
    }
}
