#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#elseif canImport(Darwin)
    import Darwin
#endif

/// Tells the daemon that a connection is one of our own programs, which wait for a lock.
///
/// The mark is the owner's lock file, open and read-locked for as long as the connection: the daemon need not leave the
/// write lock to such a connection beyond its opening. A program that may not read the file is treated as any other.
final class ClientMark: Sendable {
    private let descriptor: Int32

    /// Marks this process; create it before the connection, and keep it for as long.
    init(database path: String) {
        descriptor = open(Self.path(ofDatabase: path), O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return }
        var lock = flock.whole(F_RDLCK)
        _ = fcntl(descriptor, F_SETLK, &lock)
    }

    deinit {
        if descriptor >= 0 { close(descriptor) }
    }

    /// The file whose opens and closes are those of marks.
    static func path(ofDatabase path: String) -> String { path + ".lock" }
}

extension flock {
    /// A lock on all of a file.
    fileprivate static func whole(_ kind: some BinaryInteger) -> flock { Self(kind, start: 0, length: 0) }

    fileprivate init(_ kind: some BinaryInteger, start: Int, length: Int) {
        self.init(
            l_type: Int16(kind),
            l_whence: Int16(SEEK_SET),
            l_start: off_t(start),
            l_len: off_t(length),
            l_pid: 0
        )
    }
}

/// Asks the kernel whether other processes have a database open: by their locks, so that a count cannot be wrong.
final class ConnectionProbe: Sendable {
    /// The byte of the `-shm` file that every process with the database open holds a shared lock on, from its first
    /// access to its last close: `UNIX_SHM_DMS` (https://sqlite.org/walformat.html#wal_locks).
    private static let deadManSwitch = 128
    /// The byte that whoever writes holds an exclusive lock on: `WAL_WRITE_LOCK`.
    private static let writeLock = 120
    /// Descriptors beyond this are not looked at.
    private static let descriptors: Range<Int32> = 0..<4_096

    private let sharedMemory: Int32?
    private let mark: Int32

    /// Creates a probe for a database that a connection of this process has read, and keeps open for longer.
    init(database path: String) {
        sharedMemory = Self.descriptor(of: path + "-shm")
        mark = open(ClientMark.path(ofDatabase: path), O_RDONLY | O_CLOEXEC)
    }

    deinit {
        if mark >= 0 { close(mark) }
    }

    /// Whether another process has the database open and has accessed it; `nil` where that cannot be told.
    var isOpenElsewhere: Bool? {
        sharedMemory.flatMap { Self.isLocked($0, start: Self.deadManSwitch, length: 1) }
    }

    /// The other process that holds the write lock, in words; `nil` if none does or that cannot be told.
    var writer: String? {
        var lock = flock(F_WRLCK, start: Self.writeLock, length: 1)
        guard let sharedMemory, fcntl(sharedMemory, F_GETLK, &lock) == 0, Int32(lock.l_type) != Int32(F_UNLCK),
            lock.l_pid > 0
        else { return nil }
        return RunningProcess(lock.l_pid).description
    }

    /// Whether another process has marked itself as one of our programs.
    var hasClients: Bool {
        mark >= 0 && Self.isLocked(mark, start: 0, length: 0) == true
    }

    private static func isLocked(_ descriptor: Int32, start: Int, length: Int) -> Bool? {
        var lock = flock(F_WRLCK, start: start, length: length)
        guard fcntl(descriptor, F_GETLK, &lock) == 0 else { return nil }
        return Int32(lock.l_type) != Int32(F_UNLCK)
    }

    /// SQLite's own descriptor of a file: one of ours would drop its locks when it is closed.
    private static func descriptor(of path: String) -> Int32? {
        var wanted = stat()
        guard stat(path, &wanted) == 0 else { return nil }
        return descriptors.first { descriptor in
            var found = stat()
            return fstat(descriptor, &found) == 0 && found.st_dev == wanted.st_dev && found.st_ino == wanted.st_ino
        }
    }
}
