import Foundation
import TestSupport
import Testing

/// The subcommands for people, beside a daemon.
@Suite(.programs)
struct FollowTests {
    private static let phones = ["submit", "--command", "ls -l /system", "--wait", "--instances"]

    private func outcome(_ koobatch: Koobatch, _ arguments: [String]) throws -> (Int32, String, String) {
        let child = try koobatch.program(arguments)
        let status = child.wait()
        return (status, try child.output, try child.errors)
    }

    @Test func `submit waits for a job that succeeds, and exits 0`() throws {
        let koobatch = try Koobatch()
        try koobatch.start()
        let ids = (0..<100).map { "i\($0)" }.joined(separator: ",")
        let (status, output, errors) = try outcome(koobatch, Self.phones + [ids])
        #expect(status == 0, "\(errors)")
        let lines = output.split(separator: "\n")
        #expect(lines.count == 2)
        #expect(lines.first == "job 1: 100 instances")
        #expect(lines.last?.hasPrefix("job 1 succeeded: 100 instances in ") == true, "\(output)")
        #expect(errors.split(separator: "\n").last == "job 1 succeeded, 100.0% (100 of 100)")
    }

    @Test func `submit waits for a job that fails in part, names the failures and exits 1`() throws {
        let koobatch = try Koobatch()
        try koobatch.simulator.faults(
            #"{"instances": {"gone*": {"fail": {"error_code": "CPS0005", "error_msg": "Phone not found."}}}}"#
        )
        try koobatch.start()
        let (status, output, _) = try outcome(koobatch, Self.phones + ["a,b,gone01,gone02"])
        #expect(status == 1)
        #expect(output.contains("job 1 partial: 2 of 4 instances succeeded, 2 failed, in "), "\(output)")
        #expect(
            output.contains(
                """

                INSTANCES  STATE   ERROR    EXAMPLE
                        2  failed  CPS0005  gone01

                all of them: koobatch results 1 --state failed --config
                """
            ),
            "\(output)"
        )
        let json = try outcome(koobatch, ["submit", "--json", "--wait", "--command", "ls", "--instances", "gone01"])
        #expect(json.0 == 1)
        #expect(json.1.hasPrefix(#"{"id":2,"label":null,"command":"ls","state":"failed""#), "\(json.1)")
        #expect(json.1.split(separator: "\n").count == 1)
    }

    @Test func `submit says that no daemon runs while it waits, and the job goes on after Ctrl-C`() throws {
        let koobatch = try Koobatch()
        let child = try koobatch.program(Self.phones + ["a,b"])
        try child.waitUntilItSays("the daemon is not running; start it with: systemctl start koobatch")
        child.signal(SIGINT)
        #expect(child.wait() == 130)
        let errors = try child.errors
        #expect(errors.contains("job 1 queued, 0.0% (0 of 2)\n"), "\(errors)")
        #expect(errors.contains("koobatch: job 1 goes on; follow it with: koobatch watch 1 --config"), "\(errors)")
        try koobatch.start()
        try koobatch.wait(for: "SELECT state = 'succeeded' FROM job_status")
    }

    @Test func `watch follows a job to its end with its exit code, and all jobs until none is left`() throws {
        let koobatch = try Koobatch()
        let good = try koobatch.insert(instances: 40)
        let all = try koobatch.program(["watch"])
        let one = try koobatch.program(["watch", "\(good)"])
        let json = try koobatch.program(["watch", "\(good)", "--json"])
        try koobatch.start()
        for child in [all, one, json] { #expect(child.wait() == 0) }
        #expect(try all.output.hasSuffix("job 1 succeeded, 100.0% (40 of 40)\n"))
        #expect(try one.output.contains("job 1 succeeded, 100.0% (40 of 40)\njob 1 succeeded: 40 instances in "))
        let objects = try json.output.split(separator: "\n")
        #expect(objects.allSatisfy { $0.hasPrefix(#"{"id":1,"#) })
        #expect(objects.last?.contains(#""state":"succeeded""#) == true)
        let none = try outcome(koobatch, ["watch"])
        #expect(none.0 == 0)
        #expect(none.1.hasPrefix("no job is unfinished"))
        #expect(try outcome(koobatch, ["watch", "9"]).0 == 1)
        try koobatch.shell.run(
            "INSERT INTO command_jobs (command, instance_ids, run_at) VALUES ('ls', '[\"a\"]', '2099-01-01');"
        )
        let cancelled = try koobatch.program(["watch", "2"])
        #expect(try outcome(koobatch, ["cancel", "2"]).0 == 0)
        #expect(cancelled.wait() == 1)
    }

    @Test func `results are complete in every form, and feed the next job`() throws {
        let koobatch = try Koobatch()
        try koobatch.simulator.faults(
            #"""
            {"instances": {"bad*": {"fail": {"error_code": "CPS0005", "error_msg": "Phone \"x\", not found."}}}}
            """#
        )
        try koobatch.start()
        #expect(try outcome(koobatch, Self.phones + ["a,bad1,b"]).0 == 1)
        let csv = try outcome(koobatch, ["results", "1", "--format", "csv", "--state", "failed"]).1
        let records = csv.components(separatedBy: "\r\n")
        try #require(records.count == 3 && records[2].isEmpty, "\(csv)")
        #expect(
            records[0]
                == "instance_id,state,error_code,error_msg,output,chunk_id,task_id,job_id,submitted_at,finished_at"
        )
        #expect(records[1].hasPrefix("bad1,failed,CPS0005,\"Phone \"\"x\"\", not found.\","), "\(csv)")
        let table = try outcome(koobatch, ["results", "1", "--state", "failed"]).1
        #expect(
            table.hasPrefix(
                """
                INSTANCE  STATE   ERROR    MESSAGE                FINISHED
                bad1      failed  CPS0005  Phone "x", not found.  2
                """
            ),
            "\(table)"
        )
        let lines = try outcome(koobatch, ["results", "1", "--format", "jsonl"]).1.split(separator: "\n")
        #expect(lines.count == 3)
        let next = try Command.run(
            [
                ChildProcess.builtPrograms.appending(path: "koobatch").path, "submit", "--database",
                koobatch.shell.database, "--command", "reboot", "-",
            ],
            input: csv
        )
        #expect(next.status == 0, "\(next.errors)")
        #expect(try koobatch.shell.run("SELECT instance_ids FROM command_jobs WHERE id = 2") == #"["bad1"]"#)
    }

    @Test func `chunks on hold are released or given up`() throws {
        let koobatch = try Koobatch()
        try koobatch.simulator.faults(
            #"{"rules": [{"on": "submit", "kind": "status_after", "status": 504, "error_code": "APIGW.0203", "times": 2}]}"#
        )
        try koobatch.start()
        for prefix in ["a", "b"] {
            _ = try koobatch.insert(instances: 2, prefix: prefix, columns: [("on_unknown", "'hold'")])
        }
        try koobatch.wait(for: "SELECT count(*) = 2 FROM chunks WHERE state = 'unknown'")
        let why = try outcome(koobatch, ["why", "1"]).1
        #expect(why.contains("hold"), "\(why)")
        let released = try outcome(koobatch, ["release", "--job", "1"])
        #expect(released.1 == "1 chunk with 2 instances: sent again\n", "\(released)")
        let chunk = try koobatch.shell.run("SELECT id FROM chunks WHERE command_job_id = 2")
        let given = try outcome(koobatch, ["give-up", chunk, chunk])
        #expect(given.1 == "1 chunk with 2 instances: given up, their results stay unknown\n", "\(given)")
        try koobatch.waitUntilFinished()
        #expect(try koobatch.shell.run("SELECT state, unknown FROM job_status") == "succeeded|0\nfailed|2")
        let again = try outcome(koobatch, ["give-up", chunk])
        #expect(again.2 == "koobatch: chunk \(chunk) is not on hold: it is failed\n")
        #expect(again.0 == 1)
    }
}
