import GRDB
import KoobatchCore

/// A connection that reads beside the daemon and never writes.
///
/// It sees one state of the database per call, holds no lock that keeps anybody from writing, and never checkpoints:
/// SQLite before 3.51.3 can corrupt a database when one connection writes while another checkpoints
/// (https://sqlite.org/wal.html#walresetbug).
public struct Reader: Sendable {
    let database: DatabaseQueue

    /// Opens a database of the current schema version.
    ///
    /// - Throws: `StoreError`, or the error of SQLite.
    public init(path: String) throws {
        guard FileSystem.exists(path) else { throw StoreError.missing(path: path) }
        var configuration = Configuration()
        configuration.label = "koobatch.reader"
        configuration.readonly = true
        configuration.busyMode = .timeout(5)
        configuration.prepareDatabase { db in
            try db.execute(sql: "PRAGMA wal_autocheckpoint = 0")
            try db.execute(sql: "PRAGMA query_only = 1")
        }
        do {
            database = try DatabaseQueue(path: path, configuration: configuration)
        } catch let error as DatabaseError where error.resultCode == .SQLITE_NOTADB {
            throw StoreError.foreign(path: path)
        } catch {
            throw StoreError.cannotOpen(path: path, reason: "\(error)")
        }
        try database.inDatabase { try Migrator.check($0, path: path) }
    }

    /// Closes the connection, so that the daemon's is the last and leaves no WAL file behind.
    public func close() throws {
        try database.close()
    }

    /// Reads one state of the database.
    func read<Value: Sendable>(_ body: @escaping @Sendable (Database) throws -> Value) async throws -> Value {
        try await withCheckedThrowingContinuation { continuation in
            database.asyncWriteWithoutTransaction { db in
                continuation.resume(
                    with: Result {
                        var value: Value?
                        try db.inTransaction(.deferred) {
                            value = try body(db)
                            return .commit
                        }
                        guard let value else { throw DatabaseError(resultCode: .SQLITE_ABORT) }
                        return value
                    }
                )
            }
        }
    }
}
