import Foundation
import GRDB
import KoobatchCore
import KoobatchMigrations
import KoobatchStore
import TestSupport
import Testing

@Suite("Backup", .database)
struct BackupTests {
    private let database: TestDatabase
    private let destination: String

    init() throws {
        database = try TestDatabase.current()
        destination = database.file("copy.db")
    }

    private func backup(replacing: Bool = false) throws -> DatabaseClient.Backup {
        try DatabaseClient(path: database.path, access: .maintaining).backup(
            to: destination,
            replacing: replacing,
            at: .start
        )
    }

    @Test("is one file with everything in it, for its owner and the group")
    func whole() throws {
        try database.shell.rows(Stages.statements)
        // Held open, so that the write-ahead log has what is to be copied.
        let store = try database.store()
        let backup = try withExtendedLifetime(store) { try self.backup() }
        #expect(backup.jobs == 6 && backup.schemaVersion == Migrations.current)
        let copy = SQLiteShell(database: destination)
        #expect(
            try copy.rows("SELECT backup_at, stopped_at FROM daemon_state") == [
                ["\(Timestamp.start)", "\(Timestamp.start)"]
            ]
        )
        try copy.rows("UPDATE daemon_state SET backup_at = NULL, stopped_at = NULL")
        #expect(try copy.dump() == database.shell.dump())
        let attributes = try FileManager.default.attributesOfItem(atPath: destination)
        #expect(attributes[.posixPermissions] as? Int == 0o640)
        #expect(attributes[.size] as? Int == backup.bytes)
        let directory = URL(filePath: destination).deletingLastPathComponent().path
        let left = try FileManager.default.contentsOfDirectory(atPath: directory).filter { $0.hasPrefix("copy.db") }
        #expect(left == ["copy.db"])
        #expect(try Store.migrate(path: destination).from == Migrations.current)
        _ = try Store(path: destination)
    }

    @Test("is of one moment while another connection writes, does not start over, and keeps no writer waiting")
    func writing() async throws {
        let (path, shell) = (database.path, database.shell)
        _ = try await database.observer().insertJob((0..<50_000).map { "instance-\($0)" })
        let writer = try database.observer()
        try await withThrowingTaskGroup { group in
            group.addTask {
                do {
                    while true {
                        try await writer.user(
                            "INSERT INTO command_jobs (command, instance_ids, label) VALUES ('id', '[\"a\"]', 'busy')"
                        )
                    }
                } catch is CancellationError {
                    // The copies are made.
                }
            }
            let destination = destination
            group.addTask {
                for _ in 0..<5 {
                    let backup = try DatabaseClient(path: path, access: .maintaining).backup(
                        to: destination,
                        replacing: true,
                        at: .start
                    )
                    #expect(backup.jobs >= 1)
                    #expect(try shell.value("SELECT count(*) >= \(backup.jobs) FROM command_jobs") == "1")
                }
            }
            try await group.next()
            group.cancelAll()
            try await group.waitForAll()
        }
    }

    @Test("refuses to replace a file unless it is told to, and the database in any case")
    func refusals() throws {
        try "precious".write(toFile: destination, atomically: true, encoding: .utf8)
        #expect(throws: BackupError.exists(destination)) { _ = try backup() }
        #expect(try String(contentsOfFile: destination, encoding: .utf8) == "precious")
        _ = try backup(replacing: true)
        let connection = try DatabaseClient(path: database.path, access: .maintaining)
        for path in [database.path, database.path + "-wal", database.path + "-shm"] {
            #expect(throws: BackupError.isDatabase(path)) {
                _ = try connection.backup(to: path, replacing: true, at: .start)
            }
        }
        #expect(throws: (any Error).self) {
            _ = try connection.backup(to: "/nowhere/copy.db", replacing: false, at: .start)
        }
    }

    @Test("leaves no file where the copy is not whole, and says what is wrong")
    func damaged() throws {
        try database.shell.rows(Stages.statements)
        try database.shell.rows(
            """
            PRAGMA foreign_keys = OFF;
            DROP TRIGGER chunks_check_delete;
            DELETE FROM chunks WHERE id = 3;
            """
        )
        let error = #expect(throws: BackupError.self) { _ = try backup() }
        #expect("\(try #require(error))".contains("belongs to a row of chunks that is not there"))
        #expect(!FileManager.default.fileExists(atPath: destination))
    }

    @Test(
        "finds counts that do not add up",
        arguments: ["waiting_chunks = waiting_chunks + 1", "held_chunks = 0", "in_flight_chunks = 0"]
    )
    func counts(_ change: String) throws {
        try database.shell.rows(Stages.statements)
        try database.shell.rows(
            "UPDATE job_progress SET \(change), revision = revision + 1 WHERE command_job_id = 2;"
        )
        let flaw = try DatabaseClient(path: database.path, access: .maintaining).flaw(full: false)
        #expect(flaw == "the counts of job 2 do not add up")
    }

    @Test(
        "finds chunks whose counts are not those of their instances",
        arguments: ["states = 'sf'", "states = 's'", "states = NULL"]
    )
    func letters(_ change: String) throws {
        try database.shell.rows(Stages.statements)
        #expect(try DatabaseClient(path: database.path, access: .maintaining).flaw(full: false) == nil)
        try database.shell.rows(Stages.daemon("UPDATE chunk_instances SET \(change) WHERE chunk_id = 5;"))
        let flaw = try DatabaseClient(path: database.path, access: .maintaining).flaw(full: false)
        #expect(flaw == "the counts of chunk 5 are not those of its instances")
    }
}
