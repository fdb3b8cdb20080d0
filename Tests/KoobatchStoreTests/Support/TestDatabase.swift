import Foundation
import GRDB
import KoobatchCore
import KoobatchStore
import TestSupport
import Testing

/// A migrated database of one test, with a store, the stock shell and a connection beside it.
struct TestDatabase: Sendable {
    /// The database of the running test; see `Trait.database`.
    @TaskLocal static var shared: TestDatabase?

    private let directory: TemporaryDirectory
    let path: String
    let shell: SQLiteShell

    /// A new database as `koobatch migrate` leaves it.
    private static let migrated = Result {
        let directory = try TemporaryDirectory()
        defer { withExtendedLifetime(directory) {} }
        try Store.migrate(path: directory.path("koobatch.db"))
        return try Data(contentsOf: directory.url.appending(path: "koobatch.db"))
    }

    /// - Parameter contents: those of the file; `nil` is a new database.
    init(contents: Data? = nil) throws {
        directory = try TemporaryDirectory()
        path = directory.path("koobatch.db")
        // As a user's is: it waits for no lock.
        shell = SQLiteShell(database: path, busyTimeout: 0)
        try (contents ?? Self.migrated.get()).write(to: directory.url.appending(path: "koobatch.db"))
    }

    /// The contents of the file, with a new database after statements that a user types.
    static func contents(after statements: String) throws -> Data {
        let database = try TestDatabase()
        defer { withExtendedLifetime(database) {} }
        try database.shell.rows(statements)
        return try Data(contentsOf: database.directory.url.appending(path: "koobatch.db"))
    }

    static func current() throws -> TestDatabase {
        try #require(shared, "the suite lacks the trait .database")
    }

    func store(busyTimeout: Duration = .seconds(5)) throws -> Store {
        try Store(path: path, busyTimeout: busyTimeout)
    }

    /// A second connection, with the settings of a stock shell.
    func observer() throws -> DatabaseQueue {
        var configuration = Configuration()
        configuration.foreignKeysEnabled = false
        configuration.allowsUnsafeTransactions = true
        return try DatabaseQueue(path: path, configuration: configuration)
    }

    func file(_ name: String) -> String {
        directory.path(name)
    }
}

/// Gives every test of a suite a database of its own.
struct DatabaseTrait: SuiteTrait, TestTrait, TestScoping {
    var isRecursive: Bool { true }

    func provideScope(
        for test: Test,
        testCase: Test.Case?,
        performing function: @Sendable () async throws -> Void
    ) async throws {
        try await TestDatabase.$shared.withValue(TestDatabase()) { try await function() }
    }
}

extension Trait where Self == DatabaseTrait {
    static var database: Self { Self() }
}

extension Timestamp {
    /// When the tests' own clock starts: long past for SQLite's `'now'`, so that both agree on what is over.
    static let start = Timestamp(millisecondsSinceEpoch: 1_577_836_800_000)
}
