import Dispatch
import Synchronization

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#elseif canImport(Darwin)
    import Darwin
#endif

/// Makes what was committed durable, outside the write lock.
///
/// `synchronous=FULL` syncs the WAL file inside the commit, with the write lock held: 0.4 to 8 ms in which a user's
/// shell finds the database locked. The daemon commits with `NORMAL`, which differs from `FULL` in that sync alone
/// (https://sqlite.org/pragma.html#pragma_synchronous), and then does the very same sync itself, before anything is
/// sent. The lock is held for the writing only. `fdatasync` makes all that was written to the file durable, by whatever
/// descriptor; SQLite keeps no lock on the WAL file, so that closing this descriptor drops none.
///
/// Whoever comes while a sync is under way shares the next one.
final class DurableLog: Sendable {
    private struct State {
        var waiting: [CheckedContinuation<Void, any Error>] = []
        var isSyncing = false
    }

    private let descriptor: Int32
    private let syncing: @Sendable (_ descriptor: Int32) throws -> Void
    private let queue = DispatchQueue(label: "koobatch.sync")
    private let state = Mutex(State())

    /// Opens the WAL file, which stays the same file as long as a connection is open.
    ///
    /// - Parameter sync: returns once what was written to the file of a descriptor is on the disk.
    init(database path: String, sync: @escaping @Sendable (_ descriptor: Int32) throws -> Void) throws {
        syncing = sync
        descriptor = open(path + "-wal", O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else {
            throw StoreError.cannotOpen(path: path + "-wal", reason: String(cString: strerror(errno)))
        }
    }

    deinit {
        close(descriptor)
    }

    /// Returns once every commit so far is on the disk, whether the task is cancelled or not.
    ///
    /// - Throws: what the sync throws.
    func sync() async throws {
        try await withCheckedThrowingContinuation { continuation in
            let isFirst = state.withLock { state in
                state.waiting.append(continuation)
                defer { state.isSyncing = true }
                return !state.isSyncing
            }
            if isFirst { queue.async { self.work() } }
        }
    }

    private func work() {
        while true {
            let waiting = state.withLock { state in
                defer { state.waiting = [] }
                if state.waiting.isEmpty { state.isSyncing = false }
                return state.waiting
            }
            if waiting.isEmpty { return }
            let result = Result { try syncing(descriptor) }
            for continuation in waiting { continuation.resume(with: result) }
        }
    }

    /// Returns once what was written to a file is on the disk.
    ///
    /// - Throws: `StoreError.cannotSync`.
    static func sync(_ descriptor: Int32) throws {
        #if os(Linux)
            let status = fdatasync(descriptor)
        #else
            let status = fcntl(descriptor, F_FULLFSYNC)
        #endif
        guard status == 0 else {
            throw StoreError.cannotSync(reason: String(cString: strerror(errno)))
        }
    }
}
