import GRDB
import GRDBSQLite
import Synchronization

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#elseif canImport(Darwin)
    import Darwin
#endif

/// Whether what is in the database file is what SQLite has put there.
///
/// A copy that is written into the very same file, as `cp` does, leaves device and inode as they are. In WAL mode the file is
/// written by checkpoints only, and each notes in the WAL index how far it will go before it writes, and then how far it has
/// come (https://sqlite.org/walformat.html#the_wal_index_file_format). So a file whose time of modification has changed while
/// these notes have not was written by something else. Where that is so, a few pages of the file are compared, because
/// programs can set times.
///
/// Costs a `stat` and two looks at memory that SQLite has mapped.
final class DatabaseContent: Sendable {
    /// How far checkpoints have come.
    private struct Checkpoint: Hashable {
        /// Of the log: another one once it has begun anew.
        let salt: UInt64
        /// Frames that were written back, and that are to be.
        let backfilled: UInt32
        let attempted: UInt32

        /// Whether none is under way, or was given up.
        var isComplete: Bool { backfilled == attempted }
    }

    /// When the file was last written, and how large it is.
    private struct Stamp: Hashable {
        let seconds: Int
        let nanoseconds: Int
        let size: Int64

        init?(path: String) {
            var facts = stat()
            guard stat(path, &facts) == 0 else { return nil }
            #if os(Linux)
                let time = facts.st_mtim
            #else
                let time = facts.st_mtimespec
            #endif
            (seconds, nanoseconds, size) = (time.tv_sec, time.tv_nsec, Int64(facts.st_size))
        }
    }

    private struct Known {
        var checkpoint: Checkpoint
        let stamp: Stamp
        let places: [Range<Int64>]
        let bytes: [UInt8]
    }

    private static let regionSize: CInt = 32_768
    private static let headerSize: Int64 = 100

    private let path: String
    private let known = Mutex<Known?>(nil)

    /// Begins with what the next call finds.
    init(database path: String) {
        self.path = path
    }

    /// Throws if something else than SQLite has written to the file since the last call.
    ///
    /// - Parameter db: a connection that has read, in WAL mode.
    /// - Throws: `StoreError.replaced`.
    func requireOwn(_ db: Database) throws {
        guard let file = Self.file(of: db), let checkpoint = Self.checkpoint(of: file), let stamp = Stamp(path: path),
            // A checkpoint in between is looked at the next time.
            checkpoint.isComplete, Self.checkpoint(of: file) == checkpoint
        else { return }
        let before = known.withLock { known in
            if known?.stamp == stamp { known?.checkpoint = checkpoint }
            return known
        }
        if before?.stamp == stamp { return }
        if let before, before.checkpoint == checkpoint, Self.bytes(before.places, of: file) != before.bytes {
            throw StoreError.replaced(path: path, file: path, isGone: false)
        }
        let places = try Self.places(db)
        let bytes = Self.bytes(places, of: file)
        known.withLock { $0 = Known(checkpoint: checkpoint, stamp: stamp, places: places, bytes: bytes) }
    }

    /// Takes in what a checkpoint of the connection has just written, so that what is written after it is noticed.
    func note(_ db: Database) {
        do {
            try requireOwn(db)
        } catch {
            // The next look says so.
        }
    }

    private static func file(of db: Database) -> UnsafeMutablePointer<sqlite3_file>? {
        var file: UnsafeMutablePointer<sqlite3_file>?
        let code = sqlite3_file_control(db.sqliteConnection, "main", SQLITE_FCNTL_FILE_POINTER, &file)
        return code == SQLITE_OK && file?.pointee.pMethods != nil ? file : nil
    }

    private static func checkpoint(of file: UnsafeMutablePointer<sqlite3_file>) -> Checkpoint? {
        var region: UnsafeMutableRawPointer?
        guard let map = file.pointee.pMethods.pointee.xShmMap, map(file, 0, regionSize, 0, &region) == SQLITE_OK,
            let index = region
        else { return nil }
        return Checkpoint(
            salt: index.load(fromByteOffset: 32, as: UInt64.self),
            backfilled: index.load(fromByteOffset: 96, as: UInt32.self),
            attempted: index.load(fromByteOffset: 128, as: UInt32.self)
        )
    }

    /// Where the pages are that hardly two copies have in common: with the heartbeat, the highest ids and the counts of jobs.
    private static func places(_ db: Database) throws -> [Range<Int64>] {
        let size = try Int64.fetchOne(db, sql: "PRAGMA page_size") ?? 0
        let pages = try Int64.fetchAll(
            db,
            sql: """
                SELECT rootpage
                  FROM sqlite_schema
                 WHERE name IN ('daemon_state', 'sqlite_sequence', 'job_progress', 'chunks')
                """
        )
        return [0..<headerSize] + pages.map { ($0 - 1) * size..<$0 * size }
    }

    /// Parts of the file, past the log and the cache.
    private static func bytes(_ places: [Range<Int64>], of file: UnsafeMutablePointer<sqlite3_file>) -> [UInt8] {
        places.flatMap { read(file, count: CInt(clamping: $0.count), at: $0.lowerBound) }
    }

    private static func read(_ file: UnsafeMutablePointer<sqlite3_file>, count: CInt, at offset: Int64) -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: Int(count))
        // What is short is filled with zeros, which is a difference too.
        _ = file.pointee.pMethods.pointee.xRead(file, &bytes, count, offset)
        return bytes
    }
}
