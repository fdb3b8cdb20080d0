import Foundation
import TestSupport
import Testing

@Suite("The files of the database under a daemon", .programs)
struct DatabaseFileTests {
    private static let anotherJob =
        #""INSERT INTO command_jobs (command, instance_ids, run_at) VALUES ('ls', '[\"a\"]', '2099-01-01')""#

    @Test(
        "that are moved, deleted or replaced end it within seconds, with a status after which systemd leaves it",
        arguments: [
            "mv koobatch.db old.db", "rm koobatch.db", "mv koobatch.db old.db; cp old.db koobatch.db",
            "rm koobatch.db-wal",
            "rm koobatch.db-wal; touch koobatch.db-wal", "mv koobatch.db-shm old.db-shm", "rm koobatch.db*",
            // Another content for certain: a file with the same is none that was replaced.
            "sqlite3 koobatch.db '.backup copy.db'; sqlite3 copy.db \(anotherJob); cp copy.db koobatch.db",
            "cat koobatch.yaml >koobatch.db",
        ]
    )
    func lost(_ script: String) throws {
        let koobatch = try Koobatch()
        let daemon = try koobatch.start()
        let began = ContinuousClock.now
        try koobatch.sh(script)
        #expect(daemon.wait() == 3)
        #expect(ContinuousClock.now - began < .seconds(20))
        let said = try daemon.errors
        #expect(said.contains("while the daemon worked with it; the daemon stops and sends nothing more"), "\(said)")
        #expect(said.contains(koobatch.shell.database))
        let unit = try String(contentsOfFile: "systemd/koobatch.service", encoding: .utf8)
        #expect(unit.contains("RestartPreventExitStatus=3 "))
    }

    /// A daemon with one request of three instances in flight.
    private func busy(answerAfter seconds: Double = 2) throws -> (Koobatch, ChildProcess) {
        let koobatch = try Koobatch()
        try koobatch.simulator.faults(#"{"rules": [{"on":"submit","kind":"delay","seconds":\#(seconds)}]}"#)
        let daemon = try koobatch.start()
        _ = try koobatch.insert(instances: 3)
        try koobatch.wait(for: "SELECT in_flight = 1 FROM daemon")
        try koobatch.waitForJournal(of: 1)
        return (koobatch, daemon)
    }

    @Test("are not written any more, and the answer in flight is in the log with all its ids")
    func answers() throws {
        let (koobatch, daemon) = try busy()
        _ = try koobatch.run(["backup", koobatch.secretFile("copy.db")])
        try koobatch.sh("mv koobatch.db old.db; cp copy.db koobatch.db")
        // A job that would be sent at once.
        try SQLiteShell(database: koobatch.secretFile("old.db"))
            .run("INSERT INTO command_jobs (command, instance_ids) VALUES ('ls', '[\"late\"]');")
        #expect(daemon.wait() == 3)
        let journal = try koobatch.simulator.journal()
        #expect(journal.count == 1)
        let entry = try #require(journal.first)
        let line = try #require(
            try daemon.errors.split(separator: "\n").first { $0.contains("An acceptance is not in the database") }
        )
        #expect(line.contains(#""level":"error""#))
        for id in [try #require(entry.task_id)] + entry.jobs.map({ $0[1] }) + entry.instance_ids {
            #expect(line.contains(id), "\(id) in \(line)")
        }
    }

    @Test("whose log is that of another file are not opened; without it the copy comes up paused")
    func strayLog() throws {
        let (koobatch, daemon) = try busy()
        _ = try koobatch.run(["backup", koobatch.secretFile("copy.db")])
        try koobatch.sh("mv koobatch.db old.db; cp copy.db koobatch.db")
        #expect(daemon.wait() == 3)
        let refusal = try koobatch.run(["run"])
        #expect(refusal.status == 3)
        #expect(
            refusal.errors.contains("koobatch.db-wal belongs to the earlier file and would damage this one"),
            "\(refusal.errors)"
        )
        try koobatch.sh("rm koobatch.db-wal koobatch.db-shm")
        try koobatch.start()
        // The answer that was in flight is taken in from the spool: nothing of the job is left to be sent.
        #expect(["paused", "succeeded"].contains(try koobatch.shell.run("SELECT state FROM command_jobs")))
        #expect(try koobatch.shell.run("SELECT count(*) FROM task_map") == "3")
        #expect(try koobatch.simulator.journal().count == 1)
    }

    @Test("that are overwritten in place are not written any more, and the copy comes up paused without the old log")
    func overwritten() throws {
        let (koobatch, daemon) = try busy()
        try koobatch.sh("sqlite3 koobatch.db '.backup copy.db'")
        _ = try koobatch.insert(instances: 3, prefix: "later", columns: [("state", "'paused'")])
        try koobatch.sh("cp copy.db koobatch.db")
        #expect(daemon.wait() == 3)
        #expect(try daemon.errors.contains("koobatch.db was replaced while the daemon worked with it"))
        try koobatch.sh("cmp copy.db koobatch.db")
        let refusal = try koobatch.run(["run"])
        #expect(refusal.status == 3)
        #expect(
            refusal.errors.contains("koobatch.db-wal belongs to the earlier file and would damage this one"),
            "\(refusal.errors)"
        )
        try koobatch.sh("cmp copy.db koobatch.db; rm koobatch.db-wal koobatch.db-shm")
        try koobatch.start()
        #expect(try koobatch.shell.run("SELECT count(*) FROM task_map") == "3")
        #expect(try koobatch.shell.run("PRAGMA integrity_check") == "ok")
        #expect(try koobatch.simulator.journal().count == 1)
    }

    @Test(
        "that others write as SQLite does, or whose times they set, are as they were",
        arguments: [
            "touch koobatch.db", "touch -d 2020-01-01 koobatch.db",
            "sqlite3 -cmd '.timeout 5000' koobatch.db 'PRAGMA wal_checkpoint(TRUNCATE)'",
            "sqlite3 -cmd '.timeout 5000' koobatch.db 'PRAGMA wal_checkpoint; VACUUM; PRAGMA wal_checkpoint'",
            "cp koobatch.db copy.db; chmod 600 koobatch.db",
        ]
    )
    func untouched(_ script: String) throws {
        let koobatch = try Koobatch()
        try koobatch.start()
        for number in 1...2 {
            _ = try koobatch.insert(instances: 3, prefix: "before\(number)x")
            try koobatch.sh(script)
            try koobatch.waitUntilFinished()
            let seen = try koobatch.shell.run("SELECT heartbeat_at FROM daemon")
            try koobatch.wait(for: "SELECT heartbeat_at > '\(seen)' FROM daemon")
        }
        #expect(try koobatch.stop() == 0)
    }

    @Test("that are gone are not created anew by the daemon, but by koobatch migrate")
    func gone() throws {
        let koobatch = try Koobatch()
        try koobatch.start()
        #expect(try koobatch.stop() == 0)
        try koobatch.sh("rm koobatch.db koobatch.db-wal koobatch.db-shm")
        let refusal = try koobatch.run(["run"])
        #expect(refusal.status == 3)
        #expect(
            refusal.errors.contains("there is no database at \(koobatch.shell.database), but a daemon worked on one")
        )
        #expect(!FileManager.default.fileExists(atPath: koobatch.shell.database))
        #expect(try koobatch.run(["migrate"]).status == 0)
        _ = try koobatch.insert(instances: 1)
        try koobatch.start()
        try koobatch.waitUntilFinished()
    }

    @Test("a second daemon does not start while the first is alive, though its lock file was removed")
    func second() throws {
        let (koobatch, first) = try busy(answerAfter: 4)
        first.signal(SIGSTOP)
        try koobatch.sh("rm koobatch.db.lock")
        let second = try koobatch.run(["run"])
        first.signal(SIGCONT)
        #expect(second.status == 1)
        #expect(
            second.errors.contains("another koobatch daemon (pid \(first.identifier), alive at"),
            "\(second.errors)"
        )
        #expect(first.wait() == 1)
        #expect(try koobatch.shell.run("SELECT outcome FROM attempts") != "unknown")
    }

    @Test("a lock file that was removed ends the daemon in order; the next one goes on, and nothing is paused")
    func lockFile() throws {
        let (koobatch, daemon) = try busy()
        let later = try koobatch.insert(instances: 1, prefix: "later", columns: [("run_at", "'2099-01-01'")])
        try koobatch.sh("rm koobatch.db.lock")
        #expect(daemon.wait() == 1)
        #expect(
            try daemon.errors.contains(
                "koobatch.db.lock was removed or replaced, so that a second daemon could have started"
            )
        )
        #expect(try koobatch.shell.run("SELECT outcome FROM attempts") == "accepted")
        try koobatch.start()
        try koobatch.wait(for: "SELECT state = 'succeeded' FROM command_jobs WHERE id = 1")
        #expect(try koobatch.shell.run("SELECT state FROM command_jobs WHERE id = \(later)") == "queued")
    }
}
