import GRDB
import GRDBSQLite
import Synchronization

/// Moves what is in the log into the database file once it has grown: after a commit, outside the write lock.
///
/// SQLite's own checkpoint (https://sqlite.org/wal.html#ckpt) is part of the COMMIT that makes the log too long: it takes
/// the time of two syncs, in which the lock is free already and the answer of the commit is kept back. Here whoever waits
/// for the commit goes on first. The log stays below the 1,000 pages at which a user's shell would checkpoint: SQLite
/// before 3.51.3 can corrupt a database when one connection writes while another checkpoints
/// (https://sqlite.org/wal.html#walresetbug).
final class Checkpointer: Sendable {
    /// Pages in the log from which on it is written back.
    private static let threshold: CInt = 400
    /// Pages in the log from which on it is written back whoever has opened the database.
    private static let limit: CInt = 800

    private let pages = Mutex<CInt>(0)
    private let content: DatabaseContent

    /// - Parameter content: of the file, which is told of every checkpoint.
    init(of content: DatabaseContent) {
        self.content = content
    }

    /// The size of the log after the last commit or checkpoint of the connection.
    var size: WriteAheadLog { WriteAheadLog(pages: pages.withLock { $0 }) }

    /// Counts the pages of the log with every commit of the connection, which this must outlive.
    func watch(_ db: Database) {
        sqlite3_wal_hook(
            db.sqliteConnection,
            { context, _, _, pages in
                guard let context else { return SQLITE_OK }
                Unmanaged<Checkpointer>.fromOpaque(context).takeUnretainedValue().pages.withLock { $0 = pages }
                return SQLITE_OK
            },
            Unmanaged.passUnretained(self).toOpaque()
        )
    }

    /// Writes the log back if it has grown, as far as nobody reads it.
    ///
    /// - Parameter isWanted: `false` while somebody has just opened the database, whose log had better not change under
    ///   its first statement; then only a log that has grown to its limit is written back.
    ///
    /// What fails here is tried again after the next commit, as with SQLite's own checkpoint; a disk that is full or
    /// broken fails the commits too, which say so.
    func checkpointIfGrown(_ db: Database, isWanted: Bool) {
        guard pages.withLock({ $0 }) >= (isWanted ? Self.threshold : Self.limit) else { return }
        checkpoint(db)
    }

    /// Writes the log back as far as nobody reads it.
    func checkpoint(_ db: Database) {
        defer { content.note(db) }
        do {
            try db.checkpoint(.passive)
        } catch {
            // The log is longer than it might be; nothing is lost.
        }
    }

    /// Writes all of the log back and empties it, if nobody else uses the database; waits for nobody.
    func emptyAtEnd(_ db: Database, _ lockWait: LockWait) throws {
        do {
            try lockWait.withoutWaiting { _ = try db.checkpoint(.truncate) }
        } catch let error as DatabaseError where error.resultCode == .SQLITE_BUSY {
            // The next daemon finds it.
        }
    }

    /// Empties a log that has grown large, if nobody needs it any more; waits for nobody.
    ///
    /// SQLite begins a log anew when a commit finds all of it written back and nobody reading it. Readers that overlap leave
    /// no such moment while commits go on. Between commits there is one sooner or later: those that began before the last
    /// commit end, the rest of the log can be written back, and readers that begin after that do not use the log. So this is
    /// to be called again and again while the log is large.
    ///
    /// The content is written back without the write lock, which is then held for as long as it takes to cut the file.
    ///
    /// - Parameters:
    ///   - lockWait: of the connection.
    ///   - isWanted: `false` while somebody has just opened the database.
    /// - Throws: the error of SQLite, but for the lock of somebody else.
    func empty(_ db: Database, _ lockWait: LockWait, isWanted: Bool) throws -> WriteAheadLog {
        if isWanted, size.isLarge {
            defer { content.note(db) }
            do {
                let (all, written) = try db.checkpoint(.passive)
                if all == written {
                    try lockWait.withoutWaiting { _ = try db.checkpoint(.truncate) }
                    pages.withLock { $0 = 0 }
                }
            } catch let error as DatabaseError where error.resultCode == .SQLITE_BUSY {
                // A reader, or a writer.
            }
        }
        return size
    }
}
