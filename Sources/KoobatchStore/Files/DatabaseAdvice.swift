import GRDB

/// What an operator can do about a database that fails while the daemon runs.
public enum DatabaseAdvice {
    /// A sentence, by the kind of the error (https://sqlite.org/rescode.html).
    public static func on(_ error: any Error) -> String {
        guard let error = error as? DatabaseError else { return "see the message" }
        return switch error.resultCode {
        case .SQLITE_FULL:
            "the disk of the database is full: make room on its file system; koobatch goes on by itself"
        case .SQLITE_BUSY, .SQLITE_LOCKED:
            "another program keeps the write lock: find it with lsof on the database and end its transaction; koobatch goes on by itself"
        case .SQLITE_READONLY:
            "the database or its file system is read-only: see dmesg for the reason and remount it, then restart the daemon"
        case .SQLITE_IOERR:
            "the disk or its file system fails: see dmesg; koobatch goes on by itself once it works"
        case .SQLITE_CANTOPEN:
            "a file of the database cannot be opened: check its directory and the limit of open files"
        case .SQLITE_CORRUPT, .SQLITE_NOTADB:
            "the database is damaged: stop the daemon, keep its files, and restore a backup; see koobatch doctor"
        case .SQLITE_NOMEM:
            "memory is short: see the limits of the service"
        default:
            "see koobatch doctor --full"
        }
    }
}
