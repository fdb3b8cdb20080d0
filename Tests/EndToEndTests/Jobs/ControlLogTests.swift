import Foundation
import TestSupport
import Testing

@Suite("The log of jobs that stop", .programs)
struct ControlLogTests {
    /// Blocks until the daemon has logged a line with the words; returns its level, job and reason.
    private func line(_ koobatch: Koobatch, _ words: String, job: Int) throws -> [String] {
        var found: [String]?
        try #require(koobatch.daemon).follow { said in
            for text in said.split(separator: "\n") where text.hasSuffix("}") {
                let line = try JSONDecoder().decode([String: String].self, from: Data(text.utf8))
                guard line["message"]?.hasPrefix(words) == true, line["command_job.id"] == "\(job)" else { continue }
                found = [line["level"] ?? "", line["command_job.state_reason"] ?? ""]
            }
            return found != nil
        }
        return try #require(found, "no \(words)")
    }

    private func set(_ koobatch: Koobatch, _ job: Int, _ state: String) throws {
        try koobatch.shell.run("UPDATE command_jobs SET state = '\(state)' WHERE id = \(job)")
    }

    @Test("warns of a job that its canary or max_errors paused, with the reason")
    func byRule() throws {
        let koobatch = try Koobatch()
        try koobatch.simulator.faults(
            #"{"instances": {"bad*": {"fail": {"error_code": "CPS0005", "error_msg": "no"}}}}"#
        )
        try koobatch.start()
        let canary = try koobatch.insert(instances: 40, prefix: "bad", columns: [("canary", "2")])
        #expect(
            try line(koobatch, "Job paused by its own rule", job: canary) == [
                "warning", "canary: 2 of 2 instances did not succeed; resume to run the rest all the same, or cancel",
            ]
        )
        let errors = try koobatch.insert(
            instances: 100,
            prefix: "bad-x",
            columns: [("max_errors", "'1'"), ("max_concurrency", "1")]
        )
        let said = try line(koobatch, "Job paused by its own rule", job: errors)
        #expect(said[0] == "warning")
        #expect(said[1].hasPrefix("max_errors: 32 instances failed, more than 1"), "\(said)")
    }

    @Test("tells that a user paused, resumed and cancelled a job, and of what was so before it began nothing")
    func byUser() throws {
        let koobatch = try Koobatch()
        let before = try koobatch.insert(instances: 1, prefix: "p", columns: [("state", "'paused'")])
        try koobatch.start()
        try koobatch.simulator.faults(#"{"rules": [{"on":"submit","kind":"delay","seconds":2}]}"#)
        let job = try koobatch.insert(instances: 3)
        try koobatch.wait(for: "SELECT count(*) = 1 FROM chunks WHERE state = 'submitting'")
        let other = try koobatch.insert(instances: 3, prefix: "o", columns: [("run_at", "'2099-01-01'")])
        try set(koobatch, other, "paused")
        #expect(try line(koobatch, "Job paused", job: other) == ["info", "paused by hand"])
        try set(koobatch, other, "running")
        #expect(try line(koobatch, "Job resumed", job: other) == ["info", ""])
        try set(koobatch, job, "cancelled")
        #expect(try line(koobatch, "Job cancelled", job: job)[0] == "info")
        #expect(try line(koobatch, "Job finished", job: job)[0] == "info")
        let log = try #require(koobatch.daemon).errors
        #expect(!log.contains(#""command_job.id":"\#(before)""#), "\(log)")
    }
}
