import GRDB
import GRDBSQLite
import Synchronization

/// Statements of a user that are kept when they are refused.
///
/// GRDB's cache forgets a statement that failed; to prepare anew what fires so many triggers takes longer than running it.
final class UserStatements: Sendable {
    private let prepared = Mutex<[String: Kept]>([:])

    /// Used on the queue of its connection only.
    private struct Kept: @unchecked Sendable {
        let statement: Statement
    }

    /// - Returns: the rowid of the last row that was inserted.
    /// - Throws: `DatabaseError` when SQLite refuses the statement.
    func run(_ sql: String, _ arguments: StatementArguments, on user: DatabaseQueue) async throws -> Int64 {
        try await user.writeWithoutTransaction { db in
            let kept = try self.prepared.withLock { try $0[sql] ?? Kept(statement: db.makeStatement(sql: sql)) }
            self.prepared.withLock { $0[sql] = kept }
            // After a failure SQLite returns its code once more, which GRDB takes for a failure to reset.
            defer { sqlite3_reset(kept.statement.sqliteStatement) }
            try kept.statement.execute(arguments: arguments)
            return db.lastInsertedRowID
        }
    }
}
