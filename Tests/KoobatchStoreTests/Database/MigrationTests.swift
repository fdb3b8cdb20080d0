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
