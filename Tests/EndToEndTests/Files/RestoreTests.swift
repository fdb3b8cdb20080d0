import Foundation
import TestSupport
import Testing

@Suite("A restored database", .programs)
struct RestoreTests {
    private static let settings = """
        submit: {chunk_size: 8}
        retry: {base_delay: 0.02, max_delay: 0.2}
        poll: {initial_delay: 0.02, max_delay: 0.2}
        """

    /// How a user makes a copy in the file `copy.db`, and puts it back.
    struct Copy: Sendable, CustomTestStringConvertible {
        let testDescription: String
        let make: String
        let put: String

        init(_ make: String, put: String = "rm koobatch.db koobatch.db-wal koobatch.db-shm; mv copy.db koobatch.db") {
            (testDescription, self.make, self.put) = ("\(make); \(put)", make, put)
        }
    }

    private static let copies = [
        Copy("$koobatch backup copy.db --config koobatch.yaml"), Copy("sqlite3 koobatch.db '.backup copy.db'"),
        Copy("sqlite3 koobatch.db \"VACUUM INTO 'copy.db'\""),
        Copy("sqlite3 koobatch.db '.backup copy.db'", put: "cp copy.db koobatch.db"),
        // On a new machine there is no lock file.
        Copy("sqlite3 koobatch.db '.backup copy.db'", put: "rm koobatch.db*; mv copy.db koobatch.db"),
        // Of the whole directory.
        Copy(
            "sqlite3 koobatch.db '.backup copy.db'; cp koobatch.db.lock copy.lock",
            put: "rm koobatch.db*; mv copy.db koobatch.db; mv copy.lock koobatch.db.lock"
        ),
        Copy(
            "sqlite3 koobatch.db .dump >copy.sql",
            put: "rm koobatch.db*; sqlite3 koobatch.db <copy.sql; $koobatch migrate --config koobatch.yaml"
        ),
    ]

    @Test("comes up paused, however it was copied, and sends nothing before it is resumed", arguments: copies)
    func restored(_ copy: Copy) throws {
        let koobatch = try Koobatch(settings: Self.settings)
        let program = ChildProcess.builtPrograms.appending(path: "koobatch").path
        try koobatch.simulator.faults(#"{"rules": [{"on":"submit","kind":"delay","seconds":0.5}]}"#)
        try koobatch.start()
        let job = try koobatch.insert(
            instances: 40,
            columns: [("on_unknown", "'hold'"), ("max_concurrency", "1")]
        )
        _ = try koobatch.insert(instances: 1, prefix: "p", columns: [("state", "'paused'")])
        try koobatch.wait(
            for: "SELECT in_flight = 1 AND (SELECT count(*) > 0 FROM chunks WHERE state = 'finished') FROM daemon"
        )
        try koobatch.sh("koobatch=\(program); \(copy.make)")
        try koobatch.simulator.faults("{}")
        try koobatch.wait(for: "SELECT state = 'succeeded' FROM command_jobs WHERE id = \(job)")
        #expect(try koobatch.stop() == 0)
        try koobatch.sh("koobatch=\(program); \(copy.put)")
        let sent = try koobatch.simulator.journal().count

        let daemon = try koobatch.start()
        let row = try koobatch.row("SELECT state, state_reason FROM command_jobs WHERE id = \(job)")
        #expect(row[0] == "paused")
        #expect(row[1].hasPrefix("restored from a backup of 2"), "\(row)")
        #expect(
            try koobatch.shell.run("SELECT state_reason FROM command_jobs WHERE id = 2")
                .hasSuffix("; before that: paused")
        )
        #expect(try koobatch.shell.run("SELECT explanation FROM why WHERE command_job_id = \(job)").hasPrefix(row[1]))
        #expect(try koobatch.shell.run("SELECT backup_at IS NULL FROM daemon_state") == "1")
        #expect(try koobatch.shell.run("SELECT count(*) FROM chunks WHERE state = 'submitting'") == "0")
        #expect(try daemon.errors.contains("what is unfinished is paused: operator action required"))

        #expect(try koobatch.run(["resume", "\(job)"]).status == 0)
        // What was in flight is held, and the rest is sent.
        try koobatch.wait(for: "SELECT pending = 0 AND submitted = 0 FROM job_status WHERE id = \(job)")
        #expect(try koobatch.shell.run("SELECT unknown FROM job_status WHERE id = \(job)") == "8")
        #expect(try koobatch.simulator.journal().count > sent)
        #expect(try koobatch.executions()["i8"] == 1, "the second chunk, which was in flight")

        // Resumed is resumed.
        #expect(try koobatch.stop() == 0)
        try koobatch.start()
        #expect(try koobatch.shell.run("SELECT state FROM command_jobs WHERE id = \(job)") == "running")
    }

    @Test(
        "is not what a stop, a kill, a VACUUM or an upgrade leave",
        arguments: ["stop", "kill", "vacuum", "attributes"]
    )
    func same(_ kind: String) throws {
        let koobatch = try Koobatch()
        _ = try koobatch.insert(instances: 1, columns: [("run_at", "'2099-01-01'")])
        _ = try koobatch.insert(instances: 40, prefix: "j")
        for _ in 0..<3 {
            try koobatch.start()
            try koobatch.wait(for: "SELECT state = 'succeeded' FROM command_jobs WHERE id = 2")
            if kind == "kill" { koobatch.crash() } else { #expect(try koobatch.stop() == 0) }
            if kind == "vacuum" { try koobatch.shell.run("VACUUM;") }
            if kind == "attributes" { try koobatch.sh("chmod 660 koobatch.db*; touch koobatch.db koobatch.db.lock") }
        }
        try koobatch.start()
        #expect(try koobatch.shell.run("SELECT state FROM command_jobs WHERE id = 1") == "queued")
    }

    @Test("as text says what to do, also to doctor, and other tables are refused")
    func text() throws {
        let koobatch = try Koobatch()
        _ = try koobatch.insert(instances: 2)
        try koobatch.sh("sqlite3 koobatch.db .dump | sqlite3 text.db; cp text.db other.db")
        let path = koobatch.secretFile("text.db")
        for command in ["run", "status", "doctor"] {
            let said = try koobatch.run([command, "--database", path])
            #expect(said.status == 1)
            #expect((said.output + said.errors).contains("check and set them with: koobatch migrate"), "\(said)")
        }
        let migrated = try koobatch.run(["migrate", "--database", path])
        #expect(migrated.status == 0 && migrated.output.contains("is a text copy and now marked"), "\(migrated)")
        #expect(try koobatch.run(["status", "--database", path]).status == 0)
        #expect(
            try SQLiteShell(database: path).run("PRAGMA application_id; PRAGMA user_version; PRAGMA journal_mode;")
                == (try koobatch.shell.run("PRAGMA application_id; PRAGMA user_version; PRAGMA journal_mode;"))
        )
        let part = koobatch.secretFile("part.db")
        try koobatch.sh("sqlite3 koobatch.db .dump | grep -v 'INSERT INTO command_jobs VALUES' | sqlite3 part.db")
        let found = try koobatch.run(["migrate", "--database", part])
        #expect(found.status == 0)
        #expect(found.output.contains("1 job is missing in the copy; its chunks are left out"), "\(found)")
        let other = koobatch.secretFile("other.db")
        try SQLiteShell(database: other).run("ALTER TABLE chunks ADD COLUMN theirs TEXT;")
        let refused = try koobatch.run(["migrate", "--database", other])
        #expect(refused.status == 1 && refused.errors.contains("its tables are not those of a schema"), "\(refused)")
        #expect(try SQLiteShell(database: other).run("PRAGMA application_id") == "0")
    }

    @Test("that was damaged is saved by the advice of doctor with the stock shell", arguments: ["row", "schema"])
    func repair(_ damage: String) throws {
        let koobatch = try Koobatch()
        try koobatch.shell.run(
            """
            INSERT INTO command_jobs (command, instance_ids, run_at)
            SELECT 'ls', '["a' || value || '","b"]', '2099-01-01' FROM generate_series(1, 500);
            PRAGMA wal_checkpoint(TRUNCATE);
            """
        )
        if damage == "row" {
            let page = try #require(
                UInt64(
                    try koobatch.shell.run(
                        "SELECT pageno FROM dbstat WHERE name = 'command_jobs' AND pagetype = 'leaf' ORDER BY path LIMIT 1 OFFSET 5"
                    )
                )
            )
            let file = try FileHandle(forUpdating: URL(filePath: koobatch.shell.database))
            try file.seek(toOffset: 4_096 * (page - 1))
            try file.write(contentsOf: Data(repeating: 0x5A, count: 4_096))
            try file.close()
        } else {
            try koobatch.shell.run(
                "PRAGMA writable_schema = ON; UPDATE sqlite_schema SET sql = 'CREATE VIEW ' || hex(zeroblob(60)) WHERE name = 'why';"
            )
        }
        let found = try koobatch.run(["doctor"])
        #expect(found.status == 1)
        // The commands, as a user copies them.
        let recipe = try #require(found.output.firstMatch(of: #/save what can be read: (.*), then have/#)).output.1
        try koobatch.sh("\(recipe) || true")
        let database = koobatch.secretFile("mended.db")
        #expect(try koobatch.run(["migrate", "--database", database]).status == 0)
        let mended = SQLiteShell(database: database)
        #expect(try mended.run("PRAGMA integrity_check") == "ok")
        let jobs = try #require(Int(try mended.run("SELECT count(*) FROM job_status")))
        #expect(damage == "row" ? (1..<500).contains(jobs) : jobs == 500)
        let after = try koobatch.run(["doctor", "--full", "--database", database])
        #expect(!after.output.contains("problem  database"), "\(after.output)")
        let daemon = try koobatch.program(["run", "--database", database])
        try daemon.waitUntilItSays("Started")
        #expect(try mended.run("SELECT DISTINCT state FROM command_jobs") == "paused")
        daemon.signal(SIGTERM)
        #expect(daemon.wait() == 0)
    }
}
