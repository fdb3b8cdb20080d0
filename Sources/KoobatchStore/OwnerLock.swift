#if canImport(Glibc)
    internal import Glibc
#elseif canImport(Musl)
    internal import Musl
#elseif canImport(Darwin)
    internal import Darwin
#endif

/// The right to be the one daemon of a database.
///
/// A `flock` on a file beside the database, because any descriptor of the database itself that is closed drops SQLite's
/// own locks in the whole process (https://sqlite.org/howtocorrupt.html#_posix_advisory_locks_canceled_by_a_separate_thread_doing_close_).
/// The kernel frees it when the process ends, however it ends.
public struct OwnerLock: ~Copyable, Sendable {
    private let descriptor: Int32

    /// Takes the lock, or throws `StoreError.owned` at once with what the owner wrote of itself.
    public init(database path: String, owner: String) throws {
        let lockPath = path + ".lock"
        FileSystem.createIfMissing(lockPath)
        let descriptor = open(lockPath, O_RDWR | O_CLOEXEC)
        guard descriptor >= 0 else {
            throw StoreError.cannotLock(path: lockPath, reason: String(cString: strerror(errno)))
        }
        guard flock(descriptor, LOCK_EX | LOCK_NB) == 0 else {
            let reason = errno
            let other = Self.contents(of: descriptor)
            close(descriptor)
            if reason == EWOULDBLOCK { throw StoreError.owned(path: path, owner: other) }
            throw StoreError.cannotLock(path: lockPath, reason: String(cString: strerror(reason)))
        }
        ftruncate(descriptor, 0)
        let text = Array(owner.utf8)
        _ = pwrite(descriptor, text, text.count, 0)
        self.descriptor = descriptor
    }

    deinit {
        close(descriptor)
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
        return flock(descriptor, LOCK_SH | LOCK_NB) == 0 ? nil : contents(of: descriptor)
    }

    private static func contents(of descriptor: Int32) -> String {
        var buffer = [UInt8](repeating: 0, count: 256)
        let count = pread(descriptor, &buffer, buffer.count, 0)
        return String(decoding: buffer.prefix(max(count, 0)), as: UTF8.self)
    }
}
