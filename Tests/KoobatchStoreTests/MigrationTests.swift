import Foundation
import KoobatchCore
import KoobatchMigrations
import KoobatchStore
import TestSupport
import Testing

@Suite("Migration")
struct MigrationTests {
    private let directory: TemporaryDirectory
    private let path: String

    init() throws {
        directory = try TemporaryDirectory()
        path = directory.path("koobatch.db")
    }

    private var shell: SQLiteShell { SQLiteShell(database: path) }

    @Test("creates a database, and changes nothing the second time")
    func creates() throws {
        #expect(try Store.migrate(path: path) == (0, Migrations.current))
        let before = try shell.dump()
        #expect(try Store.migrate(path: path) == (Migrations.current, Migrations.current))
        #expect(try shell.dump() == before)
        _ = try Store(path: path)
    }

    @Test("creates the schema in an empty file")
    func emptyFile() throws {
        try Data().write(to: URL(filePath: path))
        #expect(try Store.migrate(path: path) == (0, Migrations.current))
    }

    @Test("keeps the rows of a database of this version")
    func keepsRows() throws {
        try Store.migrate(path: path)
        try shell.rows(Stages.statements)
        let before = try shell.dump()
        try Store.migrate(path: path)
        #expect(try shell.dump() == before)
    }

    @Test("upgrades a database of every earlier version with rows in every state", arguments: 1..<Migrations.current)
    func upgrades(_ version: Int) throws {
        for migration in Migrations.all.prefix(version) {
            try shell.rows("BEGIN; \(migration.sql) PRAGMA user_version = \(migration.version); COMMIT;")
        }
        try shell.rows("PRAGMA journal_mode = WAL;" + Stages.statements)
        let counts = """
            SELECT id, state, total, pending, submitted, succeeded, failed, unknown, cancelled, rejected FROM job_status;
            SELECT * FROM instance_status ORDER BY 1, 2;
            SELECT * FROM task_map ORDER BY 1, 2, 3;
            SELECT * FROM attempts ORDER BY id;
            """
        let before = try shell.rows(counts)
        #expect(try Store.migrate(path: path) == (version, Migrations.current))
        #expect(try shell.rows(counts) == before)
        #expect(try MaintenanceConnection(path: path).flaw(full: true) == nil)
        _ = try Store(path: path)
    }

    @Test("mends a canary of version 4 that is smaller than what is planned and set aside")
    func canary() throws {
        for migration in Migrations.all.prefix(4) {
            try shell.rows("BEGIN; \(migration.sql) PRAGMA user_version = \(migration.version); COMMIT;")
        }
        try shell.rows(
            """
            PRAGMA journal_mode = WAL;
            INSERT INTO command_jobs (command, instance_ids) VALUES ('id', '["a","b","c"]');
            UPDATE job_progress SET set_aside = 2, plan_limit = 1;
            """
        )
        try Store.migrate(path: path)
        #expect(try shell.rows("SELECT planned, set_aside, plan_limit FROM job_progress;") == [["0", "2", "2"]])
    }

    @Test("keeps the rows of a database of version 1, which go on under the rules of this one")
    func fromTheFirst() async throws {
        try shell.rows(
            """
            PRAGMA journal_mode = WAL;
            \(Migrations.all[0].sql)
            PRAGMA user_version = 1;
            \(Stages.statements)
            """
        )
        let tables = ["command_jobs", "job_progress", "chunks", "instance_jobs", "attempts"]
        func rows() throws -> [[String]] {
            try tables.flatMap { try shell.rows("SELECT '\($0)', * FROM \($0);") }.map { Array($0.prefix(12)) }
        }
        let before = try rows()
        #expect(try Store.migrate(path: path) == (1, Migrations.current))
        #expect(try rows() == before)
        #expect(try shell.rows("SELECT command_job_id, since_done FROM job_pace;") == [["2", "6"]])
        // Two instances of the running job have failed.
        try shell.rows("UPDATE command_jobs SET max_errors = 1 WHERE id = 2;")
        #expect(
            try shell.value("SELECT blocker FROM why WHERE command_job_id = 2 AND chunk_id IS NULL") == "max_errors"
        )
        try shell.rows(
            "UPDATE command_jobs SET state = 'running' WHERE id = 2; UPDATE command_jobs SET state = 'queued' WHERE id = 4;"
        )
        var driver = StoreDriver(try Store(path: path))
        driver.now = Timestamp(millisecondsSinceEpoch: 4_102_444_800_000)
        _ = try await driver.store.recover(rules: driver.rules, at: driver.now, generator: SeededGenerator(seed: 1))
        try await driver.plan()
        try await driver.submitAll()
        #expect(
            try shell.rows("SELECT id, pending, submitted FROM job_status WHERE id IN (1, 2, 4);") == [
                ["1", "0", "3"], ["2", "0", "6"], ["4", "0", "2"],
            ]
        )
    }

    @Test("runs beside a daemon")
    func besideADaemon() async throws {
        try Store.migrate(path: path)
        let store = try Store(path: path)
        #expect(try Store.migrate(path: path) == (Migrations.current, Migrations.current))
        try await store.heartbeat(requestsPerSecond: nil, at: .start)
    }

    @Test("refuses a newer database, and so does the daemon")
    func newer() throws {
        try Store.migrate(path: path)
        try shell.rows("PRAGMA user_version = 99;")
        let expected = StoreError.newer(path: path, version: 99, known: Migrations.current)
        #expect(throws: expected) { try Store.migrate(path: path) }
        #expect(throws: expected) { try Store(path: path) }
        #expect(expected.description.contains("install a newer koobatch"))
    }

    @Test("is asked for by the daemon when the database is older")
    func older() throws {
        try Store.migrate(path: path)
        try shell.rows("PRAGMA user_version = 0;")
        let expected = StoreError.older(path: path, version: 0, known: Migrations.current)
        #expect(throws: expected) { try Store(path: path) }
        #expect(expected.description.contains("koobatch migrate"))
    }

    @Test(
        "refuses a database of another program and leaves it as it is",
        arguments: [
            "CREATE TABLE theirs (x);", "PRAGMA user_version = 7;",
            "PRAGMA application_id = 5; CREATE TABLE theirs (x);",
        ]
    )
    func foreign(_ statements: String) throws {
        try shell.rows(statements)
        let before = try Data(contentsOf: URL(filePath: path))
        #expect(throws: StoreError.foreign(path: path)) { try Store.migrate(path: path) }
        #expect(throws: StoreError.foreign(path: path)) { try Store(path: path) }
        #expect(try Data(contentsOf: URL(filePath: path)) == before)
        #expect(!FileManager.default.fileExists(atPath: path + "-wal"))
    }

    @Test("refuses a file that is no database and leaves it as it is")
    func noDatabase() throws {
        let text = Data(String(repeating: "not a database\n", count: 100).utf8)
        try text.write(to: URL(filePath: path))
        #expect(throws: StoreError.foreign(path: path)) { try Store.migrate(path: path) }
        #expect(throws: StoreError.foreign(path: path)) { try Store(path: path) }
        #expect(try Data(contentsOf: URL(filePath: path)) == text)
    }

    @Test("is asked for when there is no database, which is not created by looking")
    func missing() throws {
        #expect(throws: StoreError.missing(path: path)) { try Store(path: path) }
        #expect(StoreError.missing(path: path).description.hasSuffix("create it with: koobatch migrate"))
        #expect(!FileManager.default.fileExists(atPath: path))
    }

    @Test(
        "says what to do about a directory that does not exist or cannot be written",
        arguments: ["/nonexistent", "/proc"]
    )
    func badDirectory(_ directory: String) throws {
        let error = #expect(throws: StoreError.self) { try Store.migrate(path: directory + "/koobatch.db") }
        #expect(
            error?.description.contains("check that its directory exists and that this user may write there") == true
        )
    }

    @Test(
        "says what to do about a read-only directory",
        .enabled(if: getuid() != 0, "root may write anywhere")
    )
    func readOnlyDirectory() throws {
        let manager = FileManager.default
        try manager.setAttributes([.posixPermissions: 0o500], ofItemAtPath: directory.url.path)
        let error = #expect(throws: StoreError.self) { try Store.migrate(path: path) }
        #expect(
            error?.description.contains("check that its directory exists and that this user may write there") == true
        )
        try manager.setAttributes([.posixPermissions: 0o700], ofItemAtPath: directory.url.path)
    }
}
