import GRDB
public import KoobatchCore

/// What keeps a database from being used, with what to do about it.
public enum StoreError: Error, Hashable, CustomStringConvertible {
    /// There is no database at the path.
    case missing(path: String)
    /// SQLite cannot open the file.
    case cannotOpen(path: String, reason: String)
    /// The content of the file is not what SQLite wrote.
    case damaged(path: String, reason: String)
    /// The file is a database of something else.
    case foreign(path: String)
    /// A newer koobatch has upgraded the database.
    case newer(path: String, version: Int, known: Int)
    /// The database has not been upgraded to this koobatch.
    case older(path: String, version: Int, known: Int)
    /// The database is of a koobatch before 0.2.0, whose schema was replaced.
    case preRelease(path: String, version: Int)
    /// Another daemon works on the database.
    case owned(path: String, owner: String)
    /// A file of the database was moved, deleted or replaced while it was open.
    case replaced(path: String, file: String, isGone: Bool)
    /// The lock file was removed or replaced while it was locked.
    case lockLost(path: String)
    /// There was a database that a daemon worked on, and there is none.
    case gone(path: String, heartbeat: Timestamp)
    /// Beside the database is the log of another one that was in its place.
    case strayLog(path: String)
    /// The database is a text copy (`.dump`) that does not say whose it is.
    case unmarked(path: String)
    /// What is in the database, or the disk, keeps it from being upgraded.
    case cannotUpgrade(path: String, reason: String)
    /// The tables have the names of koobatch's, and are others.
    case otherSchema(path: String)
    /// The lock file cannot be used.
    case cannotLock(path: String, reason: String)
    /// Answers of an earlier daemon lie beside the database and cannot be read.
    case cannotTakeIn(path: String, reason: String)
    /// The disk does not confirm what was written.
    case cannotSync(reason: String)
    /// A mode that durability rests on cannot be set.
    case mode(path: String, pragma: String, got: String)
    /// The permissions of the files keep this user from it.
    case noAccess(path: String, to: Access)
    /// Another program held the write lock for too long; who, if that is known.
    case locked(path: String, by: String?)
    /// A rule of the schema forbids the statement; the reason names the column and the rule.
    case refused(reason: String)
    /// There is no job with this id.
    case noJob(id: Int64)
    /// SQLite gave up for another reason.
    case failed(path: String, reason: String)

    /// What a user may not do.
    public enum Access: String, Sendable {
        /// Look.
        case read
        /// Change.
        case write
    }

    /// A sentence for the operator.
    public var description: String {
        switch self {
        case .missing(let path):
            "there is no database at \(path); create it with: koobatch migrate"
        case .cannotOpen(let path, let reason):
            "cannot open the database \(path): \(reason); check that its directory exists and that this user may write there"
        case .damaged(let path, let reason):
            "the database \(path) is damaged (\(Self.bounded(reason))); stop the daemon, keep the files for examination and restore a backup, or \(RepairAdvice.text(path))"
        case .foreign(let path):
            "\(path) is a database of another program; give koobatch a file of its own"
        case .newer(let path, let version, let known):
            "the database \(path) has schema version \(version), this koobatch knows up to \(known); install a newer koobatch"
        case .older(let path, let version, let known):
            "the database \(path) has schema version \(version), this koobatch needs \(known); upgrade it with: koobatch migrate"
        case .preRelease(let path, let version):
            "the database \(path) is of a pre-release of koobatch (schema version \(version)) and cannot be upgraded; move it away and create a new one with: koobatch migrate"
        case .owned(let path, let owner):
            "another koobatch daemon (\(owner)) works on the database \(path); stop it first"
        case .replaced(let path, let file, let isGone):
            "\(file) was \(isGone ? "moved or deleted" : "replaced") while the daemon worked with it; the daemon stops and sends nothing more. Make sure that no program has \(path) open; then put back \(path), \(path)-wal and \(path)-shm as they were, or move all three away and put one whole copy at \(path); then start the daemon"
        case .lockLost(let path):
            "\(path) was removed or replaced, so that a second daemon could have started; this one stops. Never delete that file, even when no daemon runs"
        case .gone(let path, let heartbeat):
            "there is no database at \(path), but a daemon worked on one there until \(heartbeat); put it back, or create an empty one with: koobatch migrate"
        case .strayLog(let path):
            "\(path) is not the file that the last daemon worked on, and \(path)-wal belongs to the earlier file and would damage this one; move \(path)-wal and \(path)-shm away if you have restored a copy, or put the old file back"
        case .unmarked(let path):
            "\(path) looks like a database of koobatch that was copied as text (.dump), which leaves out application_id and user_version; check and set them with: koobatch migrate"
        case .cannotUpgrade(let path, let reason):
            "the database \(path) cannot be upgraded and is as it was: \(reason)"
        case .otherSchema(let path):
            "\(path) looks like a database of koobatch, but its tables are not those of a schema that this koobatch knows; restore another copy"
        case .cannotLock(let path, let reason):
            "cannot lock \(path): \(reason); check that this user may write in its directory"
        case .cannotTakeIn(let path, let reason):
            "\(path) holds answers that an earlier daemon could not record, and cannot be read: \(reason); nothing is sent until they are recorded. Give the daemon's user access to the file, or move it away to go on without them"
        case .cannotSync(let reason):
            "a write was not confirmed by the disk: \(reason); check the disk and its free space"
        case .mode(let path, let pragma, let got):
            "the database \(path) cannot be put in \(pragma) (it is \(got)); put it on a local file system"
        case .noAccess(let path, let access):
            "this user may not \(access.rawValue) \(access == .write ? "to " : "")the database \(path); run this as a user who may, such as the daemon's"
        case .locked(let path, let holder):
            "the database \(path) is locked by \(holder ?? "another program"); try again"
        case .refused(let reason):
            reason
        case .noJob(let id):
            "there is no job \(id)"
        case .failed(let path, let reason):
            "the database \(path) cannot be used: \(reason)"
        }
    }
}

extension StoreError {
    /// Whether an operator must put files in order before the daemon is started again.
    public var needsOperator: Bool {
        switch self {
        case .replaced, .gone, .strayLog, .damaged: true
        default: false
        }
    }

    /// Characters of a reason of SQLite's that are told: it can quote whole statements of a damaged schema.
    private static let longestReason = 200

    /// The error for what SQLite says when a database is opened.
    init(opening error: any Error, path: String) {
        guard let error = error as? DatabaseError else {
            self = .cannotOpen(path: path, reason: Self.bounded("\(error)"))
            return
        }
        let reason = error.message ?? "\(error)"
        switch error.resultCode {
        case .SQLITE_NOTADB: self = .foreign(path: path)
        case .SQLITE_CORRUPT: self = .damaged(path: path, reason: reason)
        case .SQLITE_BUSY: self = .locked(path: path, by: nil)
        default: self = .cannotOpen(path: path, reason: Self.bounded(reason))
        }
    }

    /// The error for what SQLite says when a database is created or upgraded.
    init(upgrading error: DatabaseError, path: String) {
        let reason = error.message ?? "\(error)"
        switch error.resultCode {
        case .SQLITE_NOTADB, .SQLITE_CORRUPT: self.init(opening: error, path: path)
        case .SQLITE_BUSY: self = .locked(path: path, by: ConnectionProbe(database: path).writer)
        case .SQLITE_READONLY: self = .noAccess(path: path, to: .write)
        case .SQLITE_FULL:
            let advice = "an upgrade can take twice the size of the database more"
            self = .cannotUpgrade(path: path, reason: "\(reason); \(advice)")
        case .SQLITE_CONSTRAINT:
            self = .cannotUpgrade(path: path, reason: "\(Self.bounded(reason)); mend the row that breaks this rule")
        default: self = .cannotUpgrade(path: path, reason: Self.bounded(reason))
        }
    }

    private static func bounded(_ reason: String) -> String {
        reason.count <= longestReason ? reason : reason.prefix(longestReason) + " …"
    }
}
