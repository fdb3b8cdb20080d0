import Foundation
import TestSupport
import Testing

@Suite("A refused command, late results, and one job at a time on an instance", .programs)
struct RefusedCommandTests {
    @Test("a command that the API refuses pauses its job of 10,000 instances after at most 70 requests")
    func refusedCommand() throws {
        let koobatch = try Koobatch()
        try koobatch.simulator.faults(
            #"{"commands": {"ls -l /system": {"refuse": {"status": 400, "error_code": "KOOPHONE.API.1000", "error_msg": "bad"}}}}"#
        )
        try koobatch.start()
        _ = try koobatch.insert(instances: 10_000)
        try koobatch.wait(for: "SELECT pause_cause = 'refused' AND in_flight_chunks = 0 FROM job_progress")
        #expect(try koobatch.shell.run("SELECT state, pending + rejected FROM job_status") == "paused|10000")
        let reason = try koobatch.shell.run("SELECT state_reason FROM job_status")
        #expect(reason.contains("KOOPHONE.API.1000 bad") && reason.contains("resume"))
        let journal = try koobatch.simulator.journal()
        #expect((64...70).contains(journal.count))
        #expect(journal.filter(\.executed).isEmpty)
        // Rejected is what was refused in a request of its own, and nothing else.
        let alone = journal.filter { $0.instance_ids.count == 1 }.map { $0.instance_ids[0] }
        let rejected = try koobatch.shell.rows("SELECT instance_id FROM instance_status WHERE state = 'rejected'")
        #expect(Set(rejected.map { $0[0] }) == Set(alone))

        // Mended and resumed, it goes on with everything that was not refused by itself.
        try koobatch.simulator.faults("{}")
        try koobatch.shell.run("UPDATE command_jobs SET state = 'running'")
        try koobatch.waitUntilFinished()
        #expect(
            try koobatch.shell.run("SELECT state, succeeded + rejected FROM job_status")
                == (rejected.isEmpty ? "succeeded|10000" : "partial|10000")
        )
        #expect(try koobatch.shell.run("SELECT rejected FROM job_status") == "\(rejected.count)")
    }

    @Test("a list that begins with two chunks of frozen instances is run all the same")
    func frozenAtTheFront() throws {
        let koobatch = try Koobatch()
        let bad = (0..<64).map {
            #""i\#($0)": {"refuse": {"status": 200, "error_code": "KOOPHONE.API.2004", "error_msg": "frozen"}}"#
        }
        try koobatch.simulator.faults(#"{"instances": {\#(bad.joined(separator: ","))}}"#)
        try koobatch.start()
        _ = try koobatch.insert(instances: 640)
        try koobatch.waitUntilFinished()
        #expect(try koobatch.shell.run("SELECT state, succeeded, rejected FROM job_status") == "partial|576|64")
        let executed = try koobatch.simulator.journal().filter(\.executed).flatMap(\.instance_ids)
        #expect(executed.count == 576)
        #expect(Set(executed).count == 576)
    }

    @Test("a result that comes after its deadline is still folded in")
    func late() throws {
        let koobatch = try Koobatch()
        try koobatch.simulator.faults(#"{"duration": 0.6}"#)
        try koobatch.start()
        _ = try koobatch.insert(instances: 3, columns: [("result_timeout", "0.3")])
        try koobatch.waitUntilFinished()
        #expect(try koobatch.shell.run("SELECT state, unknown FROM job_status") == "failed|3")
        try koobatch.wait(for: "SELECT state = 'succeeded' AND succeeded = 3 FROM job_status")
        let journal = try koobatch.simulator.journal()
        #expect(journal.count == 1)
    }

    @Test("jobs with serialize_instances run on an instance one after the other")
    func serialized() throws {
        let koobatch = try Koobatch()
        try koobatch.simulator.faults(#"{"instances": {"i1": {"duration": 0.5}}}"#)
        try koobatch.start()
        _ = try koobatch.insert(instances: 3)
        let second = try koobatch.insert(instances: 2, columns: [("serialize_instances", "1")])
        try koobatch.waitUntilFinished()
        #expect(try koobatch.shell.run("SELECT DISTINCT state FROM job_status") == "succeeded")
        #expect(
            try koobatch.shell.run(
                """
                SELECT count(*)
                  FROM instance_status AS mine
                  JOIN instance_status AS theirs USING (instance_id)
                 WHERE mine.command_job_id = \(second)
                   AND theirs.command_job_id < mine.command_job_id
                   AND mine.submitted_at >= theirs.finished_at
                """
            ) == "2"
        )
        // i0 did not wait for i1.
        let journal = try koobatch.simulator.journal()
        #expect(journal.count == 3)
    }
}
