import GRDB
import GRDBSQLite
import KoobatchCore

/// A connection of a program beside the daemon: the subcommands for people.
///
/// It never creates or upgrades the database. One that looks never writes the log back, and one that writes does only when it
/// is the last connection to close:
/// SQLite before 3.51.3 can corrupt a database when one connection writes while another checkpoints
/// (https://sqlite.org/wal.html#walresetbug), so that the daemon alone does. Every call is one
/// transaction, short unless it says otherwise, and nothing is held between calls, so that a connection may stay open
/// for hours. A write is on the disk when its call returns.
public struct DatabaseClient: Sendable {
    /// What a connection is for.
    public enum Access: Sendable {
        /// It looks and cannot write (`PRAGMA query_only`). It works with read permission on the files.
        case reading
        /// It looks and writes.
        case writing
    }

    let database: DatabaseQueue
    /// Where the database is.
    public let path: String

    /// Opens a database of the current schema version.
    ///
    /// - Parameters:
    ///   - path: of the file; it must exist.
    ///   - access: what the connection is for.
    ///   - busyTimeout: how long a call waits for another program's transaction before it throws `StoreError.locked`.
    /// - Throws: `StoreError`, with the same cases for what is no database of this koobatch as `Store`.
    public init(path: String, access: Access, busyTimeout: Duration = .seconds(5)) throws {
        if FileSystem.isHidden(path) { throw StoreError.noAccess(path: path, to: .read) }
        if !FileSystem.exists(path) { throw StoreError.missing(path: path) }
        var configuration = Configuration()
        configuration.label = "koobatch"
        configuration.busyMode = .timeout(busyTimeout.inSeconds)
        configuration.foreignKeysEnabled = false
        let mark = ClientMark(database: path)
        configuration.prepareDatabase { db in
            // Lives as long as the connection, which keeps its configuration.
            withExtendedLifetime(mark) {}
            try db.execute(sql: "PRAGMA wal_autocheckpoint = 0")
            try db.keepLog()
            if access == .reading {
                try db.execute(sql: "PRAGMA query_only = 1")
                try db.leaveLogAtClose()
            }
        }
        do {
            database = try DatabaseQueue(path: path, configuration: configuration)
            try database.inDatabase { try Migrator.check($0, path: path) }
        } catch let error as DatabaseError {
            switch error.resultCode {
            case .SQLITE_NOTADB, .SQLITE_CORRUPT: throw StoreError(opening: error, path: path)
            case .SQLITE_CANTOPEN, .SQLITE_READONLY:
                throw StoreError.cannotOpen(path: path, reason: "its log is missing while no daemon runs")
            default: throw StoreError(error, path: path)
            }
        }
        self.path = path
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
        try withoutTransaction { db in
            var value: Value?
            try db.inTransaction(kind) {
                value = try body(db)
                return .commit
            }
            guard let value else { throw DatabaseError(resultCode: .SQLITE_ABORT) }
            return value
        }
    }

    /// Runs statements that are transactions of their own; errors of SQLite become `StoreError`.
    func withoutTransaction<Value>(_ body: (Database) throws -> Value) throws -> Value {
        do {
            return try database.inDatabase(body)
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

    /// What an error of SQLite says to a person.
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
