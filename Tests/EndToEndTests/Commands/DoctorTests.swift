import Foundation
import TestSupport
import Testing

@Suite("Doctor, backup and prune", .programs)
struct DoctorTests {
    private struct Finding: Decodable {
        let level: String
        let check: String
        let message: String
        let advice: String?
    }

    private func findings(
        _ koobatch: Koobatch,
        _ arguments: [String] = [],
        environment: [String: String] = [:]
    ) throws -> (status: Int32, findings: [Finding]) {
        let run = try koobatch.run(["doctor", "--json"] + arguments, environment: environment)
        return (run.status, try JSONDecoder().decode([Finding].self, from: Data(run.output.utf8)))
    }

    /// The one finding that is a problem.
    private func problem(
        _ koobatch: Koobatch,
        _ arguments: [String] = [],
        environment: [String: String] = [:]
    ) throws -> Finding {
        let (status, found) = try findings(koobatch, arguments, environment: environment)
        #expect(status == 1)
        let problems = found.filter { $0.level == "problem" }
        #expect(problems.count == 1, "\(problems)")
        let problem = try #require(problems.first)
        #expect(problem.advice != nil)
        return problem
    }

    @Test("finds nothing wrong with a daemon at work")
    func healthy() throws {
        let koobatch = try Koobatch()
        let daemon = try koobatch.start()
        let (status, found) = try findings(koobatch, ["--full"])
        #expect(status == 0, "\(found)")
        #expect(found.filter { $0.level != "ok" }.allSatisfy { $0.check == "sqlite" && $0.advice != nil })
        #expect(found.contains { $0.check == "daemon" && $0.message.contains("pid \(daemon.identifier) on") })
        #expect(found.contains { $0.check == "endpoint" && $0.message == "it answers and accepts the credentials" })
        #expect(found.contains { $0.check == "database" && $0.message.contains("integrity_check") })
        let text = try koobatch.run(["doctor"])
        #expect(text.status == 0 && text.output.contains("ok       endpoint       it answers"))
        #expect(try koobatch.simulator.journal().isEmpty)
        #expect(try koobatch.stop() == 0)
    }

    @Test("tells that no daemon runs, which is no problem of its own")
    func noDaemon() throws {
        let koobatch = try Koobatch()
        let (status, found) = try findings(koobatch)
        #expect(status == 0)
        let daemon = try #require(found.first { $0.check == "daemon" })
        #expect(daemon.level == "warning" && daemon.message.contains("there never was one"))
        // Before that a signal ends it at once, with nothing to record.
        try koobatch.start().waitUntilItSays("Started")
        #expect(try koobatch.stop() == 0)
        #expect(try findings(koobatch).findings.contains { $0.message.contains("it stopped at") })
    }

    @Test("tells every problem of the configuration, and looks at the rest all the same")
    func configuration() throws {
        let koobatch = try Koobatch()
        try koobatch.configure("submit: {chunk_size: 0, timeouts: 3}")
        let (status, found) = try findings(koobatch, environment: ["KOOBATCH_SUBMIT_TIMOUT": "3"])
        #expect(status == 1)
        let told = found.filter { $0.check == "configuration" }
        #expect(told.map(\.level) == ["problem", "problem", "warning"])
        #expect(told.contains { $0.message.contains("koobatch.yaml:") && $0.message.contains("submit.chunk_size") })
        #expect(told.contains { $0.advice == "Did you mean KOOBATCH_SUBMIT_TIMEOUT?" })
        #expect(found.contains { $0.check == "endpoint" && $0.level == "ok" })
        let missing = try ChildProcess("koobatch", ["doctor", "--config", "/nowhere.yaml"], in: koobatch.folder)
        #expect(missing.wait() == 1)
        #expect(try missing.output.contains("/nowhere.yaml: cannot be read: No such file or directory"))
    }

    @Test("explains a database that is missing, foreign, older, newer or damaged")
    func database() throws {
        let koobatch = try Koobatch()
        func path(_ name: String) -> String { koobatch.folder.appending(path: name).path }
        let missing = try problem(koobatch, ["--database", path("none.db")])
        #expect(missing.check == "files" && missing.advice == "Create it with: koobatch migrate")
        #expect(try problem(koobatch, ["--database", "/nowhere/none.db"]).message.contains("/nowhere"))
        try SQLiteShell(database: path("other.db")).run("CREATE TABLE t (x);")
        #expect(try problem(koobatch, ["--database", path("other.db")]).message.contains("another program"))
        try koobatch.shell.run("PRAGMA user_version = 99;")
        #expect(try problem(koobatch).message.contains("install a newer koobatch"))
        try koobatch.shell.run("PRAGMA user_version = 0;")
        #expect(try problem(koobatch).message.contains("upgrade it with: koobatch migrate"))
        try koobatch.shell.run("PRAGMA user_version = 5;")
        #expect(try problem(koobatch).message.contains("is of a pre-release of koobatch"))
        _ = try koobatch.run(["migrate", "--database", path("new.db")])
        let new = SQLiteShell(database: path("new.db"))
        try new.run("PRAGMA wal_checkpoint(TRUNCATE);")
        let page = try #require(
            UInt64(try new.run("SELECT rootpage FROM sqlite_schema WHERE name = 'error_policies'"))
        )
        let file = try FileHandle(forUpdating: URL(filePath: path("new.db")))
        try file.seek(toOffset: 4_096 * (page - 1))
        try file.write(contentsOf: Data(repeating: 0x5A, count: 4_096))
        try file.close()
        #expect(try problem(koobatch, ["--database", path("new.db")]).message.hasPrefix("it is damaged"))
        _ = try koobatch.run(["migrate", "--database", path("schema.db")])
        try SQLiteShell(database: path("schema.db")).run(
            "PRAGMA writable_schema = ON; UPDATE sqlite_schema SET sql = 'CREATE VIEW ' || hex(zeroblob(6000)) WHERE name = 'why';"
        )
        let schema = try problem(koobatch, ["--database", path("schema.db")]).message
        #expect(schema.contains("is damaged (malformed database schema (why)") && schema.contains(".dump | sed"))
        #expect(schema.count < 800)
    }

    @Test("explains what keeps another user from the database", .enabled(if: geteuid() == 0))
    func permissions() throws {
        let koobatch = try Koobatch()
        chmod(koobatch.folder.path, 0o750)
        chown(koobatch.folder.path, 0, 4)
        let program = ChildProcess.builtPrograms.appending(path: "koobatch").path
        let copy = FileManager.default.temporaryDirectory.appending(path: "koobatch-\(UUID().uuidString)").path
        defer { unlink(copy) }
        // By another process: a program that is still open for writing here, or in a child of ours, cannot be run.
        #expect(try Command.run(["install", "--mode=755", program, copy]).status == 0)
        let outcome = try Command.run(
            [
                "env", "KOOBATCH_DATABASE=\(koobatch.shell.database)", "setpriv", "--reuid=65534", "--regid=65534",
                "--clear-groups", copy, "doctor", "--json",
            ]
        )
        #expect(outcome.status == 1)
        let found = try JSONDecoder().decode([Finding].self, from: Data(outcome.output.utf8))
        let files = try #require(found.first { $0.check == "files" })
        #expect(files.message.contains("nobody may not look into \(koobatch.folder.path), which belongs to root:adm"))
        chmod(koobatch.folder.path, 0o770)
        let closed = try Command.run(
            [
                "env", "KOOBATCH_DATABASE=\(koobatch.shell.database)", "setpriv", "--reuid=65534", "--regid=65534",
                "--clear-groups", copy, "doctor",
            ]
        )
        #expect(closed.output.contains("sudo usermod -aG adm nobody"), "\(closed.output)")
        let status = try Command.run(
            [
                "env", "KOOBATCH_DATABASE=\(koobatch.shell.database)", "setpriv", "--reuid=65534", "--regid=65534",
                "--clear-groups", copy, "status",
            ]
        )
        #expect(status.status == 1)
        #expect(status.errors.contains("join its group: sudo usermod -aG adm nobody"), "\(status.errors)")
    }

    @Test("explains an endpoint that is not there, does not resolve, does not speak TLS or refuses")
    func endpoint() throws {
        let koobatch = try Koobatch()
        func told(_ endpoint: String) throws -> Finding {
            try problem(koobatch, environment: ["KOOBATCH_KOOPHONE_ENDPOINT": endpoint])
        }
        #expect(try told("http://127.0.0.1:1").advice?.contains("nothing listens at the port") == true)
        #expect(try told("https://koophone.invalid").advice?.contains("DNS does not know the host") == true)
        let plain = koobatch.simulator.endpoint.replacing("http:", with: "https:")
        let tls = try told(plain)
        #expect(tls.advice?.contains("TLS does not") == true)
        #expect(tls.message.contains("TLS handshake failed") && !tls.message.contains("/"), "\(tls)")
        try koobatch.simulator.faults(
            #"{"rules": [{"on":"any","kind":"status","status":404,"error_code":"APIGW.0101","error_msg":"no such API"}]}"#
        )
        let refused = try problem(koobatch)
        #expect(refused.check == "endpoint" && refused.message.contains("APIGW.0101"))
        #expect(refused.advice?.contains("Check koophone.endpoint") == true)
    }

    @Test("explains credentials that are missing, open to everybody or refused")
    func credentials() throws {
        let koobatch = try Koobatch()
        let token = koobatch.folder.appending(path: "token")
        chmod(token.path, 0o644)
        let open = try findings(koobatch).findings.first { $0.check == "credentials" }
        #expect(open?.level == "warning" && open?.advice == "chmod 600 \(token.path)")
        try "wrong".write(to: token, atomically: true, encoding: .utf8)
        let refused = try problem(koobatch)
        #expect(refused.check == "credentials" && refused.message.contains("does not get or accept them"))
        #expect(!refused.message.contains("wrong"))
        try FileManager.default.removeItem(at: token)
        let found = try findings(koobatch).findings.filter { $0.level == "problem" && $0.check == "credentials" }
        #expect(found.map(\.message) == ["there is no file \(token.path)"])
    }

    @Test("tells a token that the daemon's requests were refused with once, and fits a terminal")
    func once() throws {
        let koobatch = try Koobatch()
        try koobatch.simulator.faults(
            #"{"rules": [{"on":"any","kind":"status","status":401,"error_code":"APIGW.0301","error_msg":"no"}]}"#
        )
        try koobatch.start()
        _ = try koobatch.insert(instances: 3)
        try koobatch.wait(for: "SELECT credentials = 'refused' FROM daemon")
        #expect(try problem(koobatch).message.contains("does not get or accept them"))
        let text = try koobatch.run(["doctor"], environment: ["COLUMNS": "60"]).output
        let advice = text.split(separator: "\n").filter { $0.hasPrefix("     ") }
        #expect(advice.count > 2 && advice.allSatisfy { $0.count <= 60 }, "\(text)")
    }

    @Test("backup copies the database of a daemon at work into one whole file and replaces nothing unasked")
    func backup() throws {
        let koobatch = try Koobatch()
        try koobatch.start()
        _ = try koobatch.insert(instances: 3_200)
        let copy = koobatch.folder.appending(path: "copy.db").path
        let made = try koobatch.run(["backup", copy])
        #expect(made.status == 0 && made.output.contains("copy.db: 1 job,"), "\(made)")
        let whole = try SQLiteShell(database: copy).run("PRAGMA integrity_check; SELECT total FROM job_status;")
        #expect(whole == "ok\n3200")
        let again = try koobatch.run(["backup", copy])
        #expect(again.status == 1 && again.errors.contains("--force"))
        #expect(try koobatch.run(["backup", copy, "--force"]).status == 0)
        let itself = try koobatch.run(["backup", koobatch.shell.database, "--force"])
        #expect(itself.status == 1 && itself.errors.contains("belongs to the database itself"))
        try koobatch.waitUntilFinished()
        #expect(try koobatch.shell.run("SELECT state FROM job_status") == "succeeded")
    }

    @Test("prune deletes finished jobs beside the daemon, and only says so with --dry-run")
    func prune() throws {
        let koobatch = try Koobatch()
        try koobatch.start()
        _ = try koobatch.insert(instances: 100)
        try koobatch.waitUntilFinished()
        let none = try koobatch.run(["prune"])
        #expect(none.status == 0 && none.output.hasPrefix("deleted 0 jobs with 0 instances that finished before "))
        let dry = try koobatch.run(["prune", "--older-than", "0s", "--dry-run"])
        #expect(dry.output.hasPrefix("would delete 1 job with 100 instances"))
        #expect(try koobatch.shell.run("SELECT count(*) FROM command_jobs") == "1")
        let real = try koobatch.run(["prune", "--older-than", "0s"])
        #expect(real.output.hasPrefix("deleted 1 job with 100 instances"))
        #expect(try koobatch.shell.run("SELECT count(*) FROM chunks") == "0")
        #expect(try koobatch.run(["prune", "--older-than", "soon"]).status == 64)
        let bare = try koobatch.run(["prune", "--older-than", "7"])
        #expect(bare.status == 64 && bare.errors.contains("a unit is required: 7d is days, 7h is hours"))
        let forever = try koobatch.run(["prune"], environment: ["KOOBATCH_RETENTION_FINISHED_JOBS": "0"])
        #expect(forever.status == 1 && forever.errors.contains("--older-than 30d"))
    }
}
