import Foundation
import TestSupport
import Testing

@Suite("What an error policy says counts before a request follows", .programs)
struct PolicyTests {
    @Test("where nothing can succeed single requests probe, with growing pauses, and no attempt is charged")
    func stop() throws {
        let koobatch = try Koobatch(settings: "retry: {base_delay: 0.2, max_delay: 300}")
        try koobatch.simulator.faults(
            #"{"rules": [{"on": "any", "kind": "status", "status": 403, "error_code": "APIGW.0302", "error_msg": "no"}]}"#
        )
        try koobatch.start()
        _ = try koobatch.insert(instances: 3_200, columns: [("max_attempts", "1")])
        try koobatch.wait(for: "SELECT count(*) >= 5 FROM attempts WHERE outcome = 'refused'")
        let pauses = try koobatch.shell.rows(
            """
            SELECT (julianday(started_at) - julianday(before)) * 86400.0
              FROM (SELECT id, started_at, lag(finished_at) OVER (ORDER BY id) AS before FROM attempts)
             WHERE before IS NOT NULL
             ORDER BY id
             LIMIT 4
            """
        ).compactMap { Double($0[0]) }
        #expect(zip(pauses, [0.2, 0.4, 0.8, 1.6]).allSatisfy { $0 > $1 - 0.002 }, "\(pauses)")
        #expect(try koobatch.shell.run("SELECT blocker FROM why WHERE chunk_id IS NULL") == "circuit")
        #expect(try koobatch.shell.run("SELECT max(attempts) FROM chunks WHERE state = 'pending'") == "0")
        try koobatch.simulator.faults("{}")
        try koobatch.waitUntilFinished()
        #expect(try koobatch.shell.run("SELECT state, succeeded FROM job_status") == "succeeded|3200")
    }

    @Test(
        "authenticate gets another token, whatever status the code comes with",
        arguments: [
            (403, "APIGW.0301", ""), (400, "X.1", "INSERT INTO error_policies VALUES ('X.1','authenticate','')"),
        ]
    )
    func authenticate(status: Int, code: String, policy: String) throws {
        let koobatch = try Koobatch()
        let file = try koobatch.write(secret: "sim-password", to: "password")
        try koobatch.configure(auth: [
            "method: password", "user: sim-user", "domain: sim-domain", "project: sim-project",
            "iam_endpoint: \(koobatch.simulator.endpoint)", "password_file: \(file)",
        ])
        try koobatch.shell.run("SELECT 1; \(policy)")
        try koobatch.simulator.faults(
            #"{"rules": [{"on": "submit", "kind": "status", "status": \#(status), "error_code": "\#(code)", "times": 1}]}"#
        )
        try koobatch.start()
        _ = try koobatch.insert(instances: 320, columns: [("max_attempts", "1")])
        try koobatch.waitUntilFinished()
        #expect(try koobatch.shell.run("SELECT state, succeeded FROM job_status") == "succeeded|320")
        #expect(
            try koobatch.shell.run("SELECT count(*), min(error_code) FROM attempts WHERE outcome = 'unauthenticated'")
                == "1|\(code)"
        )
        #expect(try koobatch.simulator.statistics()["tokens_issued"] == 2)
    }

    @Test("a code that is to be split is no matter of credentials or of the rate", arguments: [401, 429])
    func split(status: Int) throws {
        let koobatch = try Koobatch()
        try koobatch.shell.run("INSERT INTO error_policies VALUES ('X.2', 'split', 'an instance');")
        try koobatch.simulator.faults(
            #"{"instances": {"i5": {"refuse": {"status": \#(status), "error_code": "X.2", "error_msg": "no"}}}}"#
        )
        try koobatch.start()
        _ = try koobatch.insert(instances: 64, columns: [("max_attempts", "1")])
        try koobatch.waitUntilFinished()
        #expect(try koobatch.shell.run("SELECT state, succeeded, rejected FROM job_status") == "partial|63|1")
        #expect(try koobatch.shell.run("SELECT DISTINCT outcome FROM attempts ORDER BY 1") == "accepted\nrefused")
        #expect(try koobatch.shell.run("SELECT credentials, requests_per_second IS NULL FROM daemon") == "accepted|1")
    }

    @Test("a command whose answers are all lost is executed max_attempts times, even while the circuit is open")
    func lost() throws {
        let koobatch = try Koobatch()
        try koobatch.simulator.faults(#"{"rules": [{"on": "submit", "kind": "drop_after"}]}"#)
        try koobatch.start()
        _ = try koobatch.insert(instances: 480, columns: [("max_attempts", "1")])
        try koobatch.waitUntilFinished()
        let executed = try koobatch.simulator.journal().filter(\.executed).flatMap(\.instance_ids)
        #expect(executed.count == 480)
        #expect(Set(executed).count == 480)
        #expect(try koobatch.shell.run("SELECT DISTINCT attempts FROM chunks") == "1")
    }
}
