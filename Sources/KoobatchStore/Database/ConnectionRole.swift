import GRDB
import KoobatchCore

/// What a connection to the database file is for, and so how it is opened: all are opened here.
///
/// Common to all: foreign keys are kept by the statements and the triggers; no connection writes the log back by itself,
/// because SQLite before 3.51.3 can corrupt a database when one connection writes while another checkpoints
/// (https://sqlite.org/wal.html#walresetbug), so that the daemon alone does (and one that writes, when it is the last to close);
/// and the log stays beside the database when the last one closes.
enum ConnectionRole {
    /// The daemon's one connection.
    case daemon(LockWait)
    /// It creates the database, or brings it to the current schema version.
    case migration(LockWait)
    /// It marks a text copy as what it is.
    case marking
    /// A program beside the daemon.
    case client(DatabaseClient.Access, busyTimeout: Duration)
}

extension DatabaseQueue {
    /// Opens the database file in a role; creates it only for a migration.
    ///
    /// - Throws: `StoreError`.
    convenience init(path: String, as role: ConnectionRole) throws {
        if case .client = role, FileSystem.isHidden(path) { throw StoreError.noAccess(path: path, to: .read) }
        if case .migration = role {
            FileSystem.createIfMissing(path)
        } else if !FileSystem.exists(path) {
            throw StoreError.missing(path: path)
        }
        do {
            try self.init(path: path, configuration: role.configuration(path: path))
        } catch {
            throw StoreError(opening: error, path: path, as: role)
        }
    }
}

extension ConnectionRole {
    fileprivate func configuration(path: String) -> Configuration {
        var configuration = Configuration()
        configuration.label = "koobatch"
        configuration.foreignKeysEnabled = false
        configuration.maximumReaderCount = 1
        switch self {
        case .daemon(let lockWait), .migration(let lockWait):
            configuration.busyMode = .callback { lockWait.pause(afterTries: $0) }
        case .marking: configuration.busyMode = .timeout(30)
        case .client(_, let busyTimeout): configuration.busyMode = .timeout(busyTimeout.inSeconds)
        }
        let mark = isMarked ? ClientMark(database: path) : nil
        configuration.prepareDatabase { db in
            // Lives as long as the connection, which keeps its configuration.
            withExtendedLifetime(mark) {}
            try db.execute(sql: "PRAGMA wal_autocheckpoint = 0")
            try db.keepLog()
            try prepare(db)
        }
        return configuration
    }

    private var isMarked: Bool {
        if case .client = self { true } else { false }
    }

    private func prepare(_ db: Database) throws {
        switch self {
        case .daemon, .migration:
            try db.execute(sql: "PRAGMA temp_store = MEMORY")
            try deleteFast(db)
            if case .daemon = self { try db.disableTriggers() }
        case .marking: try db.disableTriggers()
        case .client(.reading, _):
            try db.execute(sql: "PRAGMA query_only = 1")
            try db.leaveLogAtClose()
        case .client(.writing, _): break
        case .client(.maintaining, _):
            try deleteFast(db)
            // A job is deleted a little at a time, which a trigger refuses to people.
            try db.disableTriggers()
        }
    }

    /// Debian overwrites deleted content by default: of a job of a million instances that takes 40 ms.
    private func deleteFast(_ db: Database) throws {
        try db.execute(sql: "PRAGMA secure_delete = OFF")
    }
}

extension StoreError {
    /// The error for what SQLite says when a connection is opened, or of its first statement.
    init(opening error: any Error, path: String, as role: ConnectionRole) {
        if let error = error as? StoreError {
            self = error
            return
        }
        guard case .client(let access, _) = role, access != .maintaining, let error = error as? DatabaseError else {
            self.init(opening: error, path: path)
            return
        }
        switch error.resultCode {
        case .SQLITE_NOTADB, .SQLITE_CORRUPT: self.init(opening: error, path: path)
        case .SQLITE_CANTOPEN, .SQLITE_READONLY:
            self = .cannotOpen(path: path, reason: "its log is missing while no daemon runs")
        default: self.init(error, path: path)
        }
    }
}
