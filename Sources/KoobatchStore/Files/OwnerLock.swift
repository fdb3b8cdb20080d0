internal import Synchronization

#if canImport(Glibc)
    internal import Glibc
#elseif canImport(Musl)
    internal import Musl
#elseif canImport(Darwin)
    internal import Darwin
#endif

/// The right to be the one daemon of a database, and the place where the daemon notes how far it has come.
///
/// A `flock` on a file beside the database, because any descriptor of the database itself that is closed drops SQLite's
/// own locks in the whole process (https://sqlite.org/howtocorrupt.html#_posix_advisory_locks_canceled_by_a_separate_thread_doing_close_).
/// The kernel frees it when the process ends, however it ends. The file's first line says who the owner is, the second is
/// the `RunRecord`.
public final class OwnerLock: Sendable {
    /// Enough for both lines.
    private static let longest = 512

    private let descriptor: Int32
    private let path: String
    private let owner: String
    private let identity: FileIdentity?
    private let record: Mutex<RunRecord?>
    /// What the daemon before this one noted; `nil` if none did, as when the lock file is new.
    let lastRun: RunRecord?

    /// Takes the lock, or throws `StoreError.owned` at once with what the owner wrote of itself.
    ///
    /// - Parameter owner: one line.
    public init(database path: String, owner: String) throws {
        let lockPath = path + ".lock"
        FileSystem.createIfMissing(lockPath)
        let descriptor = open(lockPath, O_RDWR | O_CLOEXEC)
        guard descriptor >= 0 else {
            throw StoreError.cannotLock(path: lockPath, reason: String(cString: strerror(errno)))
        }
        guard flock(descriptor, LOCK_EX | LOCK_NB) == 0 else {
            let reason = errno
            let other = Self.lines(of: descriptor).first ?? ""
            close(descriptor)
            if reason == EWOULDBLOCK { throw StoreError.owned(path: path, owner: other) }
            throw StoreError.cannotLock(path: lockPath, reason: String(cString: strerror(reason)))
        }
        (self.descriptor, self.path, self.owner) = (descriptor, lockPath, owner)
        identity = FileIdentity(descriptor: descriptor)
        lastRun = Self.lines(of: descriptor).dropFirst().first.flatMap(RunRecord.init)
        record = Mutex(lastRun)
        // What was there may be longer.
        ftruncate(descriptor, off_t(write(lastRun, to: descriptor)))
    }

    deinit {
        close(descriptor)
    }

    /// Throws where the files are not those that the last daemon left and to start would do harm: to call before the
    /// database is opened.
    ///
    /// - Throws: `StoreError.gone`: a new database would take the place of one that was moved away or deleted; `.strayLog`:
    ///   SQLite would copy the log of the file that was in this place into this one.
    public func requireFiles(ofDatabase path: String) throws {
        guard let last = lastRun, last.database != 0 else { return }
        guard let file = FileIdentity(path: path) else {
            throw StoreError.gone(path: path, heartbeat: last.heartbeat)
        }
        if file.inode != last.database, FileIdentity(path: path + "-wal")?.inode == last.log,
            FileSystem.size(path + "-wal") > 0
        {
            throw StoreError.strayLog(path: path)
        }
    }

    /// Throws unless the lock file is still the one that is locked: without it a second daemon could start.
    ///
    /// - Throws: `StoreError.lockLost`.
    func requireInPlace() throws {
        if !isInPlace { throw StoreError.lockLost(path: path) }
    }

    var isInPlace: Bool { FileIdentity(path: path) == identity }

    /// Changes what is noted of this run: after what it tells of is durable in the database, and before it is acted on.
    ///
    /// It outlives the process at once, and a power cut only some time later: what is lost then makes the record older than
    /// the database, which is no sign of a restored copy.
    func note(_ change: (inout RunRecord) -> Void) {
        record.withLock { record in
            var new = record ?? RunRecord()
            change(&new)
            if new == record { return }
            record = new
            write(new, to: descriptor)
        }
    }

    /// Returns once the record is on the disk.
    func sync() {
        // Without it a power cut can leave an empty file, which is taken for a lost record: what is unfinished is paused.
        fsync(descriptor)
    }

    /// Leaves the record for the next daemon where the lock file was removed and nobody has made another one.
    public func leaveRecord() {
        guard FileIdentity(path: path) == nil else { return }
        FileSystem.createIfMissing(path)
        let other = open(path, O_RDWR | O_CLOEXEC)
        guard other >= 0 else { return }
        defer { close(other) }
        // The record of a daemon that has started meanwhile is not touched.
        if flock(other, LOCK_EX | LOCK_NB) == 0 {
            ftruncate(other, off_t(write(record.withLock { $0 }, to: other)))
        }
    }

    /// Returns how long the text is: always the same with a record.
    @discardableResult
    private func write(_ record: RunRecord?, to descriptor: Int32) -> Int {
        let text = Array(([owner] + [record?.description].compactMap(\.self)).map { "\($0)\n" }.joined().utf8)
        _ = pwrite(descriptor, text, text.count, 0)
        return text.count
    }

    /// What the owner of a database wrote of itself; `nil` if it has none.
    ///
    /// Holds the lock for an instant, shared with others that ask.
    ///
    /// - Throws: `StoreError` when the lock file is there and cannot be read.
    public static func owner(ofDatabase path: String) throws -> String? {
        let descriptor = open(path + ".lock", O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else {
            if errno == ENOENT { return nil }
            throw StoreError.cannotLock(path: path + ".lock", reason: String(cString: strerror(errno)))
        }
        defer { close(descriptor) }
        return flock(descriptor, LOCK_SH | LOCK_NB) == 0 ? nil : lines(of: descriptor).first ?? ""
    }

    private static func lines(of descriptor: Int32) -> [String] {
        var buffer = [UInt8](repeating: 0, count: longest)
        let count = pread(descriptor, &buffer, buffer.count, 0)
        return String(decoding: buffer.prefix(max(count, 0)), as: UTF8.self).split(separator: "\n").map(String.init)
    }
}
