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
/// Commits are numbered, so that whoever waits for one shares the sync that covers it. Once a sync has failed every other
/// fails too: the kernel may have dropped what it could not write, and a second `fdatasync` would not say so
/// (https://wiki.postgresql.org/wiki/Fsync_Errors).
final class DurableLog: Sendable {
    private struct State {
        /// The number of the latest commit.
        var committed: UInt64 = 0
        /// Commits up to this one are on the disk.
        var durable: UInt64 = 0
        var waiting: [(commit: UInt64, continuation: CheckedContinuation<Void, any Error>)] = []
        var isSyncing = false
        var failure: (any Error)?

        func isDurable(_ commit: UInt64) -> Bool { failure == nil && durable >= commit }
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

    /// Numbers a commit that was just made.
    func committed() -> UInt64 {
        state.withLock { state in
            state.committed += 1
            return state.committed
        }
    }

    /// Returns once a commit, and all before it, is on the disk, whether the task is cancelled or not.
    ///
    /// - Throws: what the sync throws, or has thrown before.
    func sync(_ commit: UInt64) async throws {
        if state.withLock({ $0.isDurable(commit) }) { return }
        try await withCheckedThrowingContinuation { continuation in
            let (isDurable, isFirst) = state.withLock { state in
                // A sync may have ended since.
                if state.isDurable(commit) { return (true, false) }
                state.waiting.append((commit, continuation))
                defer { state.isSyncing = true }
                return (false, !state.isSyncing)
            }
            if isDurable { return continuation.resume() }
            if isFirst { queue.async { self.work() } }
        }
    }

    private func work() {
        while true {
            let (commit, failure) = state.withLock { state in
                if state.waiting.isEmpty { state.isSyncing = false }
                return (state.waiting.isEmpty ? nil : state.committed, state.failure)
            }
            guard let commit else { return }
            let result = Result {
                if let failure { throw failure }
                try syncing(descriptor)
            }
            let done = state.withLock { state in
                switch result {
                case .success: state.durable = commit
                case .failure(let error): state.failure = error
                }
                let done = state.waiting.filter { $0.commit <= commit }
                state.waiting.removeAll { $0.commit <= commit }
                return done
            }
            for (_, continuation) in done { continuation.resume(with: result) }
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
