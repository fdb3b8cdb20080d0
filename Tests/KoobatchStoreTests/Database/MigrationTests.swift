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

    @Test(
        "brings a database of each earlier version with rows to this one",
        arguments: Migrations.all.dropLast().map(\.version)
    )
    func upgrades(_ earlier: Int) throws {
        try create(earlier)
        try shell.rows(Stages.statements + Stages.insert(instances: 10_000))
        let tables = try shell.rows("SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name;").map { $0[0] }
        // The columns of then: a later version may have more.
        let selects = try tables.map { table in
            "SELECT \(try shell.run("SELECT group_concat(name) FROM pragma_table_info('\(table)')")) FROM \(table);"
        }.joined()
        let before = try shell.rows(selects)
        #expect(before.count > 50)
        #expect(try Store.migrate(path: path) == (earlier, Migrations.current))
        #expect(try shell.rows(selects) == before)
        #expect(try shell.rows("PRAGMA integrity_check; PRAGMA foreign_key_check;") == [["ok"]])
        // The same as a new one.
        let new = SQLiteShell(database: directory.path("new.db"))
        try Store.migrate(path: directory.path("new.db"))
        let schema = "SELECT type, name, sql FROM sqlite_schema ORDER BY type, name;"
        #expect(try shell.rows(schema) == (try new.rows(schema)))
        #expect(try shell.run("SELECT group_concat(id) FROM command_jobs WHERE padding IS NOT NULL;") == "7")
        // What is inserted next has the next id.
        let insert = "INSERT INTO command_jobs (command, instance_ids) VALUES ('id', '[\"a\"]') RETURNING id;"
        #expect(try shell.run(insert) == "8")
        _ = try Store(path: path)
    }

    /// Creates a database of an earlier version.
    private func create(_ version: Int) throws {
        for migration in Migrations.all where migration.version <= version {
            try shell.rows(migration.sql + "PRAGMA user_version = \(migration.version);")
        }
    }

    /// A database of the version before this one, with a large job.
    private func earlier() throws {
        try create(Migrations.current - 1)
        try shell.rows(Stages.insert(instances: 10_000))
    }

    @Test("keeps columns and indexes that somebody has added")
    func added() throws {
        try earlier()
        try shell.rows(
            """
            ALTER TABLE command_jobs ADD COLUMN ticket TEXT;
            UPDATE command_jobs SET ticket = 'T-1';
            CREATE INDEX by_ticket ON command_jobs (ticket);
            """
        )
        try Store.migrate(path: path)
        let ticket = "SELECT id FROM command_jobs INDEXED BY by_ticket WHERE ticket = 'T-1';"
        #expect(try shell.run(ticket + "PRAGMA integrity_check;") == "1\nok")
    }

    @Test("says which rule a row breaks that was written without them, and leaves the database as it is")
    func brokenRule() throws {
        try earlier()
        try shell.rows("PRAGMA ignore_check_constraints = 1; UPDATE command_jobs SET label = hex(zeroblob(600));")
        let before = try shell.dump()
        let error = #expect(throws: StoreError.self) { try Store.migrate(path: path) }
        #expect(
            error?.description
                == "the database \(path) cannot be upgraded and is as it was: CHECK constraint failed: label: at most 1024 characters; mend the row that breaks this rule"
        )
        #expect(try shell.dump() == before)
    }

    @Test("says that a database is damaged, and how to save what can be read")
    func damaged() throws {
        try earlier()
        let size = try #require(try FileManager.default.attributesOfItem(atPath: path)[.size] as? Int)
        // The next page of a list, whose last pages are those of the file.
        let file = try FileHandle(forUpdating: URL(filePath: path))
        try file.seek(toOffset: UInt64(size - 10 * 4_096))
        try file.write(contentsOf: [0xFF, 0xFF, 0xFF, 0xFF])
        try file.close()
        let error = #expect(throws: StoreError.self) { try Store.migrate(path: path) }
        #expect(error?.needsOperator == true)
        #expect(error?.description.contains("is damaged") == true && error?.description.contains(".dump") == true)
    }

    @Test("has whoever has the database open read the changed rules")
    func cookie() throws {
        try create(Migrations.oldest)
        let before = try shell.run("PRAGMA schema_version;")
        try Store.migrate(path: path)
        #expect(try shell.run("PRAGMA schema_version;") != before)
    }

    @Test(
        "keeps the rules that are said anew",
        arguments: [
            ("UPDATE chunks SET state = 'odd' WHERE id = 2;", "state: pending, submitting, submitted, finished"),
            ("UPDATE chunks SET submitted_at = '2026-12-01 08:00:00' WHERE id = 3;", "submitted_at, finished_at"),
            ("UPDATE chunks SET finished_at = '' WHERE id = 5;", "submitted_at, finished_at"),
            ("UPDATE chunks SET result_deadline_at = 'soon' WHERE id = 3;", "submitted_at, finished_at"),
            ("UPDATE attempts SET outcome = 'odd', finished_at = '2026';", "outcome: accepted, refused"),
        ]
    )
    func keepsRules(_ statement: String, _ message: String) throws {
        try Store.migrate(path: path)
        try shell.rows(Stages.statements)
        let outcome = try shell.outcome(of: Stages.daemon(statement))
        #expect(outcome.errors.contains("CHECK constraint failed: \(message)"), "\(outcome)")
    }

    @Test(
        "checks what the daemon writes for each request without a table per check",
        arguments: [
            "INSERT INTO chunks (command_job_id, state, size, attempts) VALUES (1, 'submitting', 32, 1)",
            "UPDATE chunks SET state = 'submitted', task_id = 't', submitted = 2, submitted_at = NULL WHERE id = 3",
            "INSERT INTO attempts (chunk_id, request_id, started_at) VALUES (1, 'r', '')",
            "UPDATE attempts SET outcome = 'accepted', finished_at = NULL, http_status = 200 WHERE id = 1",
        ]
    )
    func cheapChecks(_ statement: String) throws {
        try Store.migrate(path: path)
        let plan = try shell.run(Stages.daemon("EXPLAIN \(statement);"))
        #expect(plan.contains("Halt"))
        #expect(!plan.contains("OpenEphemeral"))
    }

    @Test(
        "refuses a database of a pre-release with a sentence, and leaves it as it is",
        arguments: 1..<Migrations.oldest
    )
    func preRelease(_ version: Int) throws {
        try shell.rows(
            """
            PRAGMA journal_mode = WAL;
            PRAGMA application_id = \(Migrations.applicationID);
            CREATE TABLE command_jobs (id INTEGER PRIMARY KEY, command TEXT);
            PRAGMA user_version = \(version);
            """
        )
        let before = try Data(contentsOf: URL(filePath: path))
        let expected = StoreError.preRelease(path: path, version: version)
        #expect(throws: expected) { try Store.migrate(path: path) }
        #expect(throws: expected) { try Store(path: path) }
        #expect(throws: expected) { try DatabaseClient(path: path, access: .reading) }
        #expect(try Data(contentsOf: URL(filePath: path)) == before)
        #expect(expected.description.contains("pre-release of koobatch"))
        #expect(expected.description.hasSuffix("create a new one with: koobatch migrate"))
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
