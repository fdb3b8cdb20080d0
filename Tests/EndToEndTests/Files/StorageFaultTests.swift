import Foundation
import TestSupport
import Testing

/// Faults of the storage beneath the database: what the operator is told, and that nothing is lost or repeated.
@Suite("Faults of the storage", .programs)
struct StorageFaultTests {
    private static let settings = "\(Koobatch.eager)\nshutdown: {grace: 4}"

    /// A daemon on a disk of the test's own, with a request in flight.
    private func inFlight(_ koobatch: Koobatch, onUnknown: String = "hold") throws {
        try koobatch.simulator.faults(#"{"rules": [{"on":"submit","kind":"delay","seconds":2}]}"#)
        _ = try koobatch.insert(instances: 32, columns: [("on_unknown", "'\(onUnknown)'")])
        try koobatch.wait(for: "SELECT count(*) = 1 FROM chunks WHERE state = 'submitting'")
    }

    private func expectDoneOnce(_ koobatch: Koobatch) throws {
        try koobatch.waitUntilFinished()
        #expect(try koobatch.shell.run("SELECT state, succeeded FROM job_status") == "succeeded|32")
        #expect(try koobatch.executions().values.allSatisfy { $0 == 1 })
        let truth = Truth(koobatch: koobatch)
        try truth.expectMappingsMatchJournal()
        try truth.expectIntegrity()
        #expect(try koobatch.stop() == 0)
        #expect(!FileManager.default.fileExists(atPath: koobatch.spool))
    }

    @Test(
        "as a full disk or a failing one are told, and an answer waits until they are over",
        arguments: [
            (FaultyDisk.Call.write, ENOSPC, "the disk of the database is full: make room"),
            (.write, EIO, "the disk or its file system fails: see dmesg"),
            (.write, EROFS, "the disk or its file system fails: see dmesg"),
        ]
    )
    func failing(call: FaultyDisk.Call, error: Int32, said: String) throws {
        let koobatch = try Koobatch(settings: Self.settings)
        let disk = try FaultyDisk(in: koobatch.folder)
        try koobatch.start(environment: disk.environment)
        try inFlight(koobatch)
        try disk.fail([call], on: "-wal", with: error)
        try #require(koobatch.daemon).waitUntilItSays(said)
        try koobatch.waitForSpool(lines: 1)
        try disk.mend()
        try #require(koobatch.daemon).waitUntilItSays("The database works again")
        try expectDoneOnce(koobatch)
    }

    @Test("leave an answer in the spool at the end, whose next start records it", arguments: ["hold", "retry"])
    func stop(onUnknown: String) throws {
        let koobatch = try Koobatch(settings: Self.settings)
        let disk = try FaultyDisk(in: koobatch.folder)
        try koobatch.start(environment: disk.environment)
        try inFlight(koobatch, onUnknown: onUnknown)
        try disk.fail([.write], on: "-wal", with: ENOSPC)
        #expect(try koobatch.stop() == 0)
        #expect(try koobatch.spooledLines().count == 1)
        try koobatch.simulator.faults("{}")
        try koobatch.start()
        try expectDoneOnce(koobatch)
    }

    @Test("end the daemon when the disk does not confirm what was written, and the next one goes on")
    func sync() throws {
        let koobatch = try Koobatch(settings: Self.settings)
        let disk = try FaultyDisk(in: koobatch.folder)
        let daemon = try koobatch.start(environment: disk.environment)
        try inFlight(koobatch)
        try disk.fail([.sync], on: "-wal", with: EIO)
        #expect(daemon.wait() == 1)
        #expect(try daemon.errors.contains("a write was not confirmed by the disk: Input/output error"))
        try koobatch.simulator.faults("{}")
        try koobatch.start()
        try koobatch.wait(for: "SELECT count(*) = 1 FROM chunks WHERE state IN ('finished', 'unknown')")
        #expect(try koobatch.executions().values.allSatisfy { $0 == 1 })
        try Truth(koobatch: koobatch).expectIntegrity()
    }

    @Test(
        "end the daemon when what it reads is damaged, say what to do, and nothing is sent twice",
        arguments: ["hold", "retry"]
    )
    func damagedPage(onUnknown: String) throws {
        let koobatch = try Koobatch(settings: Self.settings)
        let daemon = try koobatch.start()
        try inFlight(koobatch, onUnknown: onUnknown)
        let page = try koobatch.shell.run(
            "PRAGMA wal_checkpoint(TRUNCATE); SELECT rootpage FROM sqlite_schema WHERE name = 'attempts';"
        ).split(separator: "\n").last
        let number = try #require(page.flatMap { Int($0) })
        try koobatch.sh(
            "dd if=/dev/zero of=koobatch.db bs=4096 seek=\(number - 1) count=1 conv=notrunc 2>/dev/null"
        )
        // What others write has the daemon read anew.
        try koobatch.shell.run("UPDATE error_policies SET note = 'read' WHERE code = 'APIGW.0308';")
        #expect(daemon.wait() == 3)
        let said = try daemon.errors
        #expect(said.contains("is damaged (database disk image is malformed)"), "\(said)")
        #expect(
            said.contains("keep the files for examination and restore a backup, or save what can be read"),
            "\(said)"
        )
        let sent = try koobatch.simulator.journal()
        #expect(sent.count == 1)
        // The answer that was in flight.
        #expect(try koobatch.spooledLines().count == 1 && said.contains(try #require(sent[0].task_id)))
        #expect(try koobatch.run(["run"]).status == 3)
        #expect(try koobatch.simulator.journal().count == 1)
    }

    @Test("that destroy the log leave an older state, which comes up paused", arguments: ["hold", "retry"])
    func damagedLog(onUnknown: String) throws {
        let koobatch = try Koobatch(settings: Self.settings)
        _ = try koobatch.insert(instances: 32, columns: [("on_unknown", "'\(onUnknown)'")])
        try koobatch.shell.run("PRAGMA wal_checkpoint(TRUNCATE);")
        try koobatch.start()
        try koobatch.waitUntilFinished()
        try koobatch.sh("dd if=/dev/zero of=koobatch.db-wal bs=4120 count=2000 conv=notrunc 2>/dev/null")
        #expect(throws: SQLiteShell.Refusal.self) { try koobatch.insert(instances: 1, prefix: "more") }
        #expect(try koobatch.run(["status"]).status == 1)
        koobatch.crash()
        try koobatch.start()
        #expect(try koobatch.shell.run("SELECT state FROM command_jobs") == "paused")
        #expect(try koobatch.shell.run("SELECT state_reason FROM command_jobs").hasPrefix("restored from a backup of"))
        #expect(try koobatch.executions().values.allSatisfy { $0 == 1 })
        try Truth(koobatch: koobatch).expectIntegrity()
    }

    @Test("leave the mapping in the log where nothing can be written, and the exit status says so")
    func nothingWritable() throws {
        let koobatch = try Koobatch(settings: Self.settings)
        let disk = try FaultyDisk(in: koobatch.folder)
        let daemon = try koobatch.start(environment: disk.environment)
        try inFlight(koobatch)
        try disk.fail([.write], on: "-wal", with: ENOSPC)
        try FileManager.default.createDirectory(atPath: koobatch.spool, withIntermediateDirectories: false)
        #expect(try koobatch.stop() == 1)
        let said = try daemon.errors
        let sent = try koobatch.simulator.journal()[0]
        let line = try #require(
            said.split(separator: "\n").first { $0.contains("neither in the database nor in a file") }
        )
        #expect(line.contains(try #require(sent.task_id)) && sent.jobs.allSatisfy { line.contains($0[1]) })
        #expect(said.contains("1 answers could be written neither to the database nor to \(koobatch.spool)"))
    }

    @Test("are no reader that never ends: work goes on beside it")
    func endlessReader() throws {
        let koobatch = try Koobatch(settings: Self.settings)
        try koobatch.start()
        let reader = try WriteLock(
            database: koobatch.shell.database,
            statements: "BEGIN; SELECT 1 FROM error_policies LIMIT 1;"
        )
        _ = try koobatch.insert(instances: 32)
        try expectDoneOnce(koobatch)
        try reader.release()
    }

    @Test("as a small or a read-only file system are told", .enabled(if: SmallDisk.canMount, "mounting needs root"))
    func fullDisk() throws {
        let disk = try SmallDisk(kilobytes: 8_192)
        let koobatch = try Koobatch(settings: Self.settings, database: disk.path)
        let daemon = try koobatch.start()
        try inFlight(koobatch)
        try koobatch.shell.run("PRAGMA wal_checkpoint(TRUNCATE);")
        try disk.fill()
        #expect(try koobatch.stop() == 1)
        let sent = try koobatch.simulator.journal()[0]
        let said = try daemon.errors
        #expect(said.contains("the disk of the database is full: make room"))
        let line = try #require(
            said.split(separator: "\n").first { $0.contains("neither in the database nor in a file") }
        )
        #expect(sent.jobs.allSatisfy { line.contains($0[1]) })
        try disk.empty()
        try disk.remount("ro")
        let run = try koobatch.program(["run"])
        #expect(run.wait() == 1)
        #expect(try run.errors.contains("Read-only file system"))
        try disk.remount("rw")
        try koobatch.start()
        try koobatch.wait(for: "SELECT count(*) = 1 FROM chunks WHERE state = 'unknown'")
        #expect(try koobatch.stop() == 0)
    }
}
