import GRDB
import GRDBSQLite
import KoobatchCore

/// A connection of a program beside the daemon: the subcommands for people, and what reads metrics.
///
/// It never creates or upgrades the database. Every call is one transaction, short unless it says otherwise, and nothing is
/// held between calls, so that a connection may stay open for hours. A write is on the disk when its call returns.
public struct DatabaseClient: Sendable {
    /// What a connection is for.
    public enum Access: Sendable {
        /// It looks and cannot write (`PRAGMA query_only`). It works with read permission on the files.
        case reading
        /// It looks and writes, as people do: the schema's triggers check what it writes.
        case writing
        /// It looks after the database: checks it, copies it, deletes finished jobs. The database may be of any schema
        /// version; see `requireCurrentSchema`.
        case maintaining
    }

    let database: DatabaseQueue
    /// Where the database is.
    public let path: String

    /// Opens a database, which must exist.
    ///
    /// - Parameters:
    ///   - path: of the file; it must exist.
    ///   - access: what the connection is for.
    ///   - busyTimeout: how long a call waits for another program's transaction before it throws `StoreError.locked`.
    /// - Throws: `StoreError`, with the same cases for what is no database of this koobatch as `Store`.
    public init(path: String, access: Access, busyTimeout: Duration = .seconds(5)) throws {
        let role = ConnectionRole.client(access, busyTimeout: busyTimeout)
        database = try DatabaseQueue(path: path, as: role)
        self.path = path
        do {
            try database.inDatabase { db in
                if access == .maintaining {
                    _ = try Migrator.version(db, path: path)
                } else {
                    try Migrator.check(db, path: path)
                }
            }
        } catch {
            throw StoreError(opening: error, path: path, as: role)
        }
    }

    /// Throws unless the database is of the current schema version.
    public func requireCurrentSchema() throws {
        try withoutTransaction { try Migrator.check($0, path: path) }
    }

    /// Closes the connection, so that the daemon's is the last.
    public func close() throws {
        try database.close()
    }

    /// Reads one state of the database without blocking the caller's thread.
    func snapshot<Value: Sendable>(_ body: @escaping @Sendable (Database) throws -> Value) async throws -> Value {
        try await withCheckedThrowingContinuation { continuation in
            database.asyncWriteWithoutTransaction { db in
                continuation.resume(with: Result { try naming { try Self.transaction(.deferred, db, body) } })
            }
        }
    }

    /// Reads one snapshot; keep it short, because the log cannot be written back past it.
    func read<Value>(_ body: (Database) throws -> Value) throws -> Value {
        try transaction(.deferred, body)
    }

    /// Runs one immediate transaction: all of it happens, or nothing when it throws.
    func write<Value>(_ body: (Database) throws -> Value) throws -> Value {
        try transaction(.immediate, body)
    }

    private func transaction<Value>(
        _ kind: Database.TransactionKind,
        _ body: (Database) throws -> Value
    ) throws -> Value {
        try withoutTransaction { try Self.transaction(kind, $0, body) }
    }

    private static func transaction<Value>(
        _ kind: Database.TransactionKind,
        _ db: Database,
        _ body: (Database) throws -> Value
    ) throws -> Value {
        var value: Value?
        try db.inTransaction(kind) {
            value = try body(db)
            return .commit
        }
        guard let value else { throw DatabaseError(resultCode: .SQLITE_ABORT) }
        return value
    }

    /// Runs statements that are transactions of their own; errors of SQLite become `StoreError`.
    func withoutTransaction<Value>(_ body: (Database) throws -> Value) throws -> Value {
        try naming { try database.inDatabase(body) }
    }

    private func naming<Value>(_ body: () throws -> Value) throws -> Value {
        do {
            return try body()
        } catch let error as DatabaseError {
            throw StoreError(error, path: path)
        }
    }

    /// A number that changes exactly when another connection or process has committed since the last call.
    ///
    /// Cheap: it reads the WAL index (https://sqlite.org/pragma.html#pragma_data_version).
    public func foreignChangeCounter() throws -> Int64 {
        try withoutTransaction { try Int64.fetchOne($0, sql: "PRAGMA data_version") ?? 0 }
    }
}

extension Database {
    /// Lets the log stay beside the database when its last connection closes.
    ///
    /// Without the files `-wal` and `-shm`, which go by default, a user who may only read cannot open the database
    /// (https://sqlite.org/wal.html#read_only_databases): nobody of its group could look while the daemon is stopped.
    /// It is emptied then, because there is a limit of its size.
    func keepLog() throws {
        try execute(sql: "PRAGMA journal_size_limit = 4194304")
        var isOn: CInt = 1
        let code = sqlite3_file_control(sqliteConnection, nil, SQLITE_FCNTL_PERSIST_WAL, &isOn)
        guard code == SQLITE_OK else { throw DatabaseError(resultCode: ResultCode(rawValue: code)) }
    }
}

extension StoreError {
    private static let checkPrefix = "CHECK constraint failed: "

    /// What an error of SQLite says to a user.
    init(_ error: DatabaseError, path: String) {
        let message = error.message ?? "\(error)"
        switch error.resultCode {
        case .SQLITE_CONSTRAINT:
            let isCheck = message.hasPrefix(Self.checkPrefix)
            self = .refused(reason: isCheck ? String(message.dropFirst(Self.checkPrefix.count)) : message)
        case .SQLITE_BUSY, .SQLITE_LOCKED: self = .locked(path: path, by: nil)
        case .SQLITE_CORRUPT: self = .damaged(path: path, reason: message)
        case .SQLITE_READONLY: self = .noAccess(path: path, to: .write)
        default: self = .failed(path: path, reason: message)
        }
    }
}
