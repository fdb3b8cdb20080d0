import Foundation
import TestSupport
import Testing

@Suite("Error policies that a user edits while the daemon runs", .programs)
struct ErrorPolicyTests {
    @Test(
        "decide about the next answer",
        arguments: [
            ("UPDATE error_policies SET action = 'fail' WHERE code = 'KOOPHONE.API.2006'", "failed"),
            ("UPDATE error_policies SET action = 'split' WHERE code = 'KOOPHONE.API.2006'", "rejected"),
            ("DELETE FROM error_policies WHERE code = 'KOOPHONE.API.2006'", "rejected"),
        ]
    )
    func edited(statement: String, state: String) throws {
        let koobatch = try Koobatch()
        try koobatch.simulator.faults(
            #"{"instances": {"i5": {"refuse": {"error_code": "KOOPHONE.API.2006", "error_msg": "in backup"}}}}"#
        )
        try koobatch.start()
        _ = try koobatch.insert(instances: 32, columns: [("max_attempts", "1000")])
        try koobatch.wait(
            for:
                "SELECT max(attempts) >= 3 FROM chunks JOIN chunk_instances ON chunk_id = id WHERE instance_ids = '[\"i5\"]'"
        )
        #expect(try koobatch.shell.run("SELECT state FROM job_status") == "running")
        try koobatch.shell.run("\(statement);")
        try koobatch.waitUntilFinished()
        #expect(try koobatch.shell.run("SELECT state, succeeded, \(state) FROM job_status") == "partial|31|1")
        #expect(
            try koobatch.row("SELECT instance_id, error_code FROM instance_status WHERE state = '\(state)'")
                == ["i5", "KOOPHONE.API.2006"]
        )
        try Truth(koobatch: koobatch).expectRepetitionsOnlyAfterUnknown()
    }

    @Test("learn a code that nobody foresaw")
    func added() throws {
        let koobatch = try Koobatch()
        try koobatch.simulator.faults(
            #"{"instances": {"i5": {"refuse": {"error_code": "KOOPHONE.API.7777", "times": 3}}}}"#
        )
        try koobatch.shell.run(
            "INSERT INTO error_policies (code, action, note) VALUES ('KOOPHONE.API.7777', 'retry', 'passes');"
        )
        try koobatch.start()
        _ = try koobatch.insert(instances: 32)
        try koobatch.waitUntilFinished()
        #expect(try koobatch.shell.run("SELECT state, succeeded FROM job_status") == "succeeded|32")
        #expect(try koobatch.shell.run("SELECT attempts FROM chunks") == "4")
    }
}
