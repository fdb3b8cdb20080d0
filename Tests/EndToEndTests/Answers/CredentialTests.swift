import Foundation
import TestSupport
import Testing

@Suite("Credentials that the API refuses", .programs)
struct CredentialTests {
    private static let password = ["method: password", "user: sim-user", "domain: sim-domain", "project: sim-project"]

    private func configurePassword(_ koobatch: Koobatch, settings: String = Koobatch.eager) throws {
        let file = try koobatch.write(secret: "sim-password", to: "password")
        let auth = Self.password + ["iam_endpoint: \(koobatch.simulator.endpoint)", "password_file: \(file)"]
        try koobatch.configure(auth: auth, settings: settings)
    }

    @Test("a token that is replaced in mid-job costs a few refused requests and no chunk an attempt")
    func rotation() throws {
        let koobatch = try Koobatch(settings: "submit: {max_in_flight: 8}\n\(Koobatch.eager)")
        try koobatch.simulator.faults(#"{"rules": [{"on": "any", "kind": "delay", "seconds": 0.02}]}"#)
        try koobatch.start()
        _ = try koobatch.insert(instances: 6_400, columns: [("max_attempts", "1")])
        try koobatch.wait(for: "SELECT count(*) >= 40 FROM chunks WHERE task_id IS NOT NULL")
        try koobatch.simulator.tokens(valid: ["t1"])
        try koobatch.wait(for: "SELECT credentials = 'refused' FROM daemon")
        #expect(try koobatch.shell.run("SELECT blocker FROM why WHERE chunk_id IS NULL") == "credentials")
        // A line is paused before the answers that paused it are recorded.
        try koobatch.wait(for: "SELECT count(*) > 0 FROM chunks WHERE state = 'pending'")
        #expect(try koobatch.shell.run("SELECT max(attempts) FROM chunks WHERE state = 'pending'") == "0")
        try koobatch.write(secret: "t1", to: "token")
        try koobatch.waitUntilFinished()
        #expect(try koobatch.shell.run("SELECT state, succeeded FROM job_status") == "succeeded|6400")
        #expect(try koobatch.shell.run("SELECT max(attempts) FROM chunks") == "1")
        #expect(try koobatch.shell.run("SELECT credentials FROM daemon") == "accepted")
        // Eight submissions and eight queries may be on their way; the rest are probes.
        let refused = try koobatch.simulator.statistics()["unauthenticated"] ?? 0
        #expect((1...24).contains(refused), "\(refused) refused")
        print("token rotation: \(refused) requests refused")
    }

    @Test("a new token in the file is tried at once, however long the pause is")
    func newToken() throws {
        let koobatch = try Koobatch(settings: "retry: {base_delay: 200, max_delay: 300}")
        try koobatch.simulator.tokens(valid: ["t1"])
        try koobatch.start()
        _ = try koobatch.insert(instances: 320, columns: [("max_attempts", "1")])
        try koobatch.wait(for: "SELECT credentials = 'refused' FROM daemon")
        #expect(try koobatch.simulator.statistics()["unauthenticated"] == 1)
        #expect(
            try koobatch.row("SELECT blocker, earliest_at > heartbeat_at FROM why JOIN daemon") == ["credentials", "1"]
        )
        try koobatch.write(secret: "t2", to: "token")
        try koobatch.wait(for: "SELECT count(*) = 2 FROM attempts WHERE outcome = 'unauthenticated'")
        try koobatch.write(secret: "t1", to: "token")
        try koobatch.waitUntilFinished()
        #expect(try koobatch.simulator.statistics()["unauthenticated"] == 2)
    }

    @Test("a token that expires during a job is renewed before, and none is refused")
    func expiry() throws {
        let koobatch = try Koobatch(simulator: ["--token-lifetime", "2"])
        try configurePassword(koobatch)
        try koobatch.simulator.faults(#"{"duration": 2.5}"#)
        try koobatch.start()
        _ = try koobatch.insert(instances: 320)
        try koobatch.waitUntilFinished()
        #expect(try koobatch.shell.run("SELECT state FROM job_status") == "succeeded")
        let statistics = try koobatch.simulator.statistics()
        #expect(statistics["unauthenticated"] == 0)
        #expect(try #require(statistics["tokens_issued"]) >= 2)
        #expect(try #require(statistics["tokens_issued"]) <= 12)
    }

    @Test("a token that is refused before its end is renewed once, not once for each chunk")
    func revocation() throws {
        let koobatch = try Koobatch()
        try configurePassword(koobatch)
        try koobatch.simulator.faults(#"{"rules": [{"on": "any", "kind": "delay", "seconds": 0.02}]}"#)
        try koobatch.start()
        _ = try koobatch.insert(instances: 6_400, columns: [("max_attempts", "1")])
        try koobatch.wait(for: "SELECT count(*) >= 40 FROM chunks WHERE task_id IS NOT NULL")
        try koobatch.simulator.tokens(revokesIssued: true)
        try koobatch.waitUntilFinished()
        #expect(try koobatch.shell.run("SELECT state, succeeded FROM job_status") == "succeeded|6400")
        #expect(try koobatch.shell.run("SELECT max(attempts) FROM chunks") == "1")
        let statistics = try koobatch.simulator.statistics()
        #expect(statistics["tokens_issued"] == 2)
        #expect(try #require(statistics["unauthenticated"]) > 0)
    }

    @Test(
        "401 with KOOPHONE.API.1001 is a matter of an instance: it is rejected, and the credentials are fine"
    )
    func noPermission() throws {
        let koobatch = try Koobatch()
        try koobatch.simulator.faults(
            """
            {"instances": {"i5": {"refuse": {"status": 401, "error_code": "KOOPHONE.API.1001",
                                             "error_msg": "no permission for the instance"}}}}
            """
        )
        try koobatch.start()
        _ = try koobatch.insert(instances: 64, columns: [("max_attempts", "1")])
        try koobatch.waitUntilFinished()
        #expect(try koobatch.shell.run("SELECT state, succeeded, rejected FROM job_status") == "partial|63|1")
        #expect(try koobatch.shell.run("SELECT instance_id FROM instance_status WHERE state = 'rejected'") == "i5")
        #expect(try koobatch.shell.run("SELECT DISTINCT outcome FROM attempts ORDER BY 1") == "accepted\nrefused")
        #expect(try koobatch.shell.run("SELECT credentials FROM daemon") == "accepted")
        #expect(try !#require(koobatch.daemon).errors.contains("Circuit open: requests paused"))
    }
}
