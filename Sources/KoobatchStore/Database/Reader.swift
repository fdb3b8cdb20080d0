import GRDB
import KoobatchCore

/// A connection that reads beside the daemon and never writes.
///
/// It sees one state of the database per call, does not block the caller's thread, and is otherwise a `DatabaseClient` for
/// reading.
public struct Reader: Sendable {
    let database: DatabaseQueue

    /// Opens a database of the current schema version.
    ///
    /// - Throws: `StoreError`, or the error of SQLite.
    public init(path: String) throws {
        database = try DatabaseClient(path: path, access: .reading).database
    }

    /// Closes the connection, so that the daemon's is the last.
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
