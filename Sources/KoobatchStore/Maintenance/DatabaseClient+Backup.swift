import Foundation
import GRDB
public import KoobatchCore

extension DatabaseClient {
    /// A copy that was made and found whole.
    public struct Backup: Hashable, Sendable {
        /// Its jobs.
        public let jobs: Int
        /// Its size in bytes.
        public let bytes: Int
        /// Its schema version.
        public let schemaVersion: Int
    }

    /// Copies the database as it is at one moment into a file, which is one file without a write-ahead log.
    ///
    /// The copy is made in a single step of SQLite's online backup: in WAL mode that is one read transaction, which no
    /// writer waits for, and which a busy writer cannot make start over, as it does a backup in several steps. What is
    /// written meanwhile stays in the write-ahead log until the copy is done. The copy is made under another name in
    /// the same directory, checked, put on the disk and only then renamed, so that a file of the name is always whole.
    ///
    /// The copy is marked as one (`daemon_state.backup_at`): a daemon that starts on it pauses what is unfinished.
    ///
    /// - Parameters:
    ///   - destination: path of the copy, which has mode 0640.
    ///   - replacing: whether a file that is there may be replaced.
    ///   - now: the time that the mark says.
    /// - Throws: `BackupError`, or the error of SQLite or of the file system.
    public func backup(to destination: String, replacing: Bool, at now: Timestamp) throws -> Backup {
        for file in [path, path + "-wal", path + "-shm", path + ".lock"]
        where FileSystem.isSame(file, destination) { throw BackupError.isDatabase(destination) }
        try Self.check(destination, replacing: replacing)
        let partial = "\(destination).partial-\(ProcessInfo.processInfo.processIdentifier)"
        try FileSystem.create(partial, mode: 0o640)
        do {
            let backup = try copy(to: partial, at: now)
            try FileSystem.sync(partial)
            try Self.check(destination, replacing: replacing)
            try FileSystem.rename(partial, to: destination)
            return backup
        } catch {
            FileSystem.remove(partial)
            throw error
        }
    }

    /// Throws unless the name is free, or that of a regular file that may be replaced.
    ///
    /// A rename would put the copy in the place of a device, a pipe or a link as well.
    private static func check(_ destination: String, replacing: Bool) throws {
        var facts = stat()
        guard lstat(destination, &facts) == 0 else { return }
        guard facts.st_mode & S_IFMT == S_IFREG else { throw BackupError.notFile(destination) }
        if !replacing { throw BackupError.exists(destination) }
    }

    private func copy(to path: String, at now: Timestamp) throws -> Backup {
        var configuration = Configuration()
        configuration.foreignKeysEnabled = false
        let copy = try DatabaseQueue(path: path, configuration: configuration)
        try database.backup(to: copy)
        let backup = try copy.inDatabase { db in
            // The mode stays in the file: of a copy in WAL mode a reader would need to write beside it.
            try db.execute(sql: "PRAGMA journal_mode = DELETE")
            // Nobody works on the copy.
            try db.execute(
                sql: """
                    UPDATE daemon_state
                       SET backup_at  = coalesce(backup_at, ?1),
                           stopped_at = coalesce(stopped_at, ?1)
                    """,
                arguments: [now]
            )
            if let flaw = try DatabaseFlaws.first(db, full: true) { throw BackupError.damaged(flaw) }
            return Backup(
                jobs: try Int.fetchOne(db, sql: "SELECT count(*) FROM command_jobs") ?? 0,
                bytes: try Int.fetchOne(
                    db,
                    sql: "SELECT page_count * page_size FROM pragma_page_count, pragma_page_size"
                ) ?? 0,
                schemaVersion: try Migrator.version(db, path: path)
            )
        }
        try copy.close()
        return backup
    }
}

/// Why there is no backup.
public enum BackupError: Error, Hashable, CustomStringConvertible {
    /// A file is there.
    case exists(String)
    /// Something is there that is no regular file: a directory, a device, a pipe or a link.
    case notFile(String)
    /// The destination is the database itself, or a file that belongs to it.
    case isDatabase(String)
    /// The copy is not whole, so neither is the database.
    case damaged(String)

    /// A sentence for the operator.
    public var description: String {
        switch self {
        case .exists(let path): "\(path) exists; give another name, or --force to replace it"
        case .notFile(let path): "\(path) is there and is no regular file; give the name of a file"
        case .isDatabase(let path): "\(path) belongs to the database itself; give another name"
        case .damaged(let flaw):
            "the copy is damaged and was removed: \(flaw); so is the database: run koobatch doctor --full, and restore an older backup"
        }
    }
}
