import KoobatchCore
import KoobatchMigrations
import GRDB

/// The database: the only place with SQL.
///
/// One connection, which is the daemon's one writer. Every write is a short transaction of its own that is durable on
/// disk, as with `synchronous=FULL`, before the call returns; see `DurableLog`. Writes are shielded from task cancellation:
/// what is handed over is recorded, or the call throws. A crash at any instant leaves either all of a call's changes or
/// none.
public struct Store: Sendable {
    let database: DatabaseQueue
    private let log: DurableLog
    private let checkpointer: Checkpointer
    let metrics = StoreMetrics()
    let pulse = DatabasePulse()
    let syncPulse = DatabasePulse()
    let lists = InstanceLists()
    /// Leaves the write lock to others: a transaction of several pieces asks `pacer.shouldYield` between them.
    let pacer: WriteLockPacer
    private let lockWait: LockWait
    let files: DatabaseFiles
    let content: DatabaseContent
    /// The lock of the daemon; `nil` where there is none, as in tests.
    let lock: OwnerLock?
    /// Where the database is.
    public let path: String
    /// Where answers wait that the database does not take.
    public let spool: AnswerSpool

    /// Opens a database of the current schema version.
    ///
    /// - Parameters:
    ///   - path: of the file. It must exist; `Store.migrate(path:)` creates it.
    ///   - lock: the caller's right to be the daemon, in which the store notes how far it has come.
    ///   - busyTimeout: how long a write waits for another process's transaction before it throws.
    /// - Throws: `StoreError`, or the error of SQLite.
    public init(path: String, lock: OwnerLock? = nil, busyTimeout: Duration = .seconds(5)) throws {
        try self.init(path: path, lock: lock, busyTimeout: busyTimeout, sync: DurableLog.sync)
    }

    /// Opens a database with another way to make its log durable; tests pass one.
    init(
        path: String,
        lock: OwnerLock? = nil,
        busyTimeout: Duration = .seconds(5),
        sync: @escaping @Sendable (_ descriptor: Int32) throws -> Void
    ) throws {
        lockWait = LockWait(busyTimeout)
        content = DatabaseContent(database: path)
        checkpointer = Checkpointer(of: content)
        // The sync that FULL adds is done after the commit, see DurableLog.
        let database = try Self.connect(path: path, as: .daemon(lockWait), synchronous: "NORMAL")
        try database.inDatabase { [checkpointer] db in
            try Migrator.check(db, path: path)
            checkpointer.watch(db)
        }
        self.database = database
        self.path = path
        spool = AnswerSpool(database: path)
        self.lock = lock
        files = DatabaseFiles(database: path)
        log = try DurableLog(database: path) { [metrics, syncPulse] descriptor in
            try syncPulse.around { try metrics.sync.timing { try sync(descriptor) } }
        }
        // The last, so that our own opens are not taken for somebody else's.
        pacer = WriteLockPacer(database: path)
    }

    /// Creates the database or brings it to the current schema version; safe beside a running daemon.
    ///
    /// Takes the write lock only where there is something to do.
    ///
    /// - Parameters:
    ///   - path: of the file.
    ///   - busyTimeout: how long to wait for another program before `StoreError.locked`.
    /// - Returns: the versions before and after; 0 before means that it was created.
    /// - Throws: `StoreError` for a database of something else or of a newer koobatch, or one that cannot be upgraded, which
    ///   is as it was then.
    @discardableResult
    public static func migrate(
        path: String,
        busyTimeout: Duration = .seconds(30)
    ) throws -> (from: Int, to: Int) {
        let database = try connect(path: path, as: .migration(LockWait(busyTimeout)), synchronous: "FULL")
        return try database.inDatabase { db in
            do {
                return try Migrator.migrate(db, path: path)
            } catch let error as DatabaseError {
                throw StoreError(upgrading: error, path: path)
            }
        }
    }

    /// Marks a text copy of a database of ours (`.dump`) as what it is; does nothing with any other file.
    ///
    /// Such a copy lacks `application_id` and `user_version`. Both are set once the tables are found to be ours, and what is
    /// unfinished is paused by the next start, as in a backup. What a damaged page has cost is made up for as far as can be:
    /// indexes, triggers, views and error policies are created again, and rows whose parents are lost go.
    ///
    /// - Returns: how many jobs the copy lacks that have left rows, which go; `nil` where there was nothing to mark.
    /// - Throws: `StoreError.otherSchema`, or as `migrate`.
    public static func markCopy(path: String) throws -> Int? {
        try Migrator.markCopy(path: path)
    }

    /// Has every statement wait for another program's lock no longer than until then, for the end of the daemon.
    public func waitForLocks(until deadline: ContinuousClock.Instant) {
        lockWait.end(by: deadline)
    }

    private static func connect(path: String, as role: ConnectionRole, synchronous: String) throws -> DatabaseQueue {
        let database = try DatabaseQueue(path: path, as: role)
        do {
            try database.inDatabase { db in
                // Before the journal mode, which stays in the file.
                _ = try Migrator.version(db, path: path)
                let mode = try String.fetchOne(db, sql: "PRAGMA journal_mode = WAL") ?? ""
                guard mode == "wal" else { throw StoreError.mode(path: path, pragma: "journal_mode=WAL", got: mode) }
                try db.execute(sql: "PRAGMA synchronous = \(synchronous)")
            }
        } catch let error as DatabaseError where error.resultCode == .SQLITE_BUSY {
            throw StoreError.locked(path: path, by: nil)
        }
        return database
    }
}

extension Store {
    /// A transaction that is committed, and may not be on the disk yet.
    public struct Commit: Hashable, Sendable {
        let number: UInt64
    }

    /// Runs one immediate transaction, shielded from the cancellation of the calling task, and makes it durable.
    ///
    /// When it throws nothing has changed, but for `StoreError.cannotSync`: then the transaction is committed and may
    /// not survive a power cut, and the daemon must end, so that the next one recovers from what is on the disk.
    ///
    /// GRDB's own `write` rolls back when its task is cancelled, which would lose an answer that was received.
    func write<Value: Sendable>(_ updates: @escaping @Sendable (Database) throws -> Value) async throws -> Value {
        let (value, commit) = try await commit(updates)
        try await makeDurable(commit)
        return value
    }

    /// Runs one immediate transaction as `write` does, without making it durable: `makeDurable` must follow.
    ///
    /// - Parameter lock: when the write lock is taken; with `.later` the transaction reads first and calls `takeLock` before
    ///   its first write. Where another program has written meanwhile, it is run again with the lock from the beginning.
    func commit<Value: Sendable>(
        taking lock: LockTime = .first,
        _ updates: @escaping @Sendable (Database) throws -> Value
    ) async throws -> (value: Value, commit: Commit) {
        var wanted = ContinuousClock.now
        while true {
            do {
                try await pacer.wait(since: wanted)
            } catch {
                // Cancelled: what is to be recorded is recorded at once.
                wanted -= YieldPolicy.longestDelay
            }
            if let committed = try await attempt(updates, taking: lock, wantedSince: wanted) { return committed }
        }
    }

    /// Returns once a commit, and all before it, would survive a power cut; shielded from cancellation.
    ///
    /// - Throws: `StoreError.cannotSync`; the daemon must end then.
    func makeDurable(_ commit: Commit) async throws {
        try await log.sync(commit.number)
    }

    /// Runs the transaction if it may begin when its turn on the connection has come; `nil` if not.
    private func attempt<Value: Sendable>(
        _ updates: @escaping @Sendable (Database) throws -> Value,
        taking lock: LockTime,
        wantedSince wanted: ContinuousClock.Instant
    ) async throws -> (value: Value, commit: Commit)? {
        try await withCheckedThrowingContinuation { continuation in
            database.asyncWriteWithoutTransaction { db in
                guard pacer.mayBegin(wantedSince: wanted) else { return continuation.resume(returning: nil) }
                let result = Result<(value: Value, commit: Commit)?, any Error> {
                    let value = try whole(db) { try pulse.around { try self.transaction(updates, taking: lock, db) } }
                    return (value, Commit(number: log.committed()))
                }
                continuation.resume(with: result)
                // Not into a file that is not ours any more.
                if case .failure(let error) = result, error is StoreError { return }
                pulse.around { checkpointer.checkpointIfGrown(db, isWanted: !pacer.isOpening) }
            }
        }
    }

    private func transaction<Value>(
        _ updates: (Database) throws -> Value,
        taking lock: LockTime,
        _ db: Database
    ) throws -> Value {
        // What is written to a file that is not in its place any more is lost, and can damage the one that is.
        try requireOurs(db)
        defer { if let time = pacer.released() { metrics.transaction.record(time) } }
        do {
            return try run(updates, taking: lock, db)
        } catch is LockedMeanwhile {
            return try run(updates, taking: .first, db)
        }
    }

    private func run<Value>(
        _ updates: (Database) throws -> Value,
        taking lock: LockTime,
        _ db: Database
    ) throws -> Value {
        // Prepared once: `inTransaction` prepares its statements each time.
        try db.cachedStatement(sql: lock == .first ? "BEGIN IMMEDIATE" : "BEGIN").execute()
        if lock == .first { pacer.took() }
        do {
            let value = try updates(db)
            try db.cachedStatement(sql: "COMMIT").execute()
            return value
        } catch {
            // Some errors, such as a full disk, have rolled back already.
            if db.isInsideTransaction { try db.cachedStatement(sql: "ROLLBACK").execute() }
            throw error
        }
    }

    /// Reads outside any transaction of ours, on the same connection.
    func read<Value: Sendable>(_ body: @escaping @Sendable (Database) throws -> Value) async throws -> Value {
        try await withCheckedThrowingContinuation { continuation in
            database.asyncWriteWithoutTransaction { db in
                continuation.resume(
                    with: Result {
                        try whole(db) {
                            try requireOurs(db)
                            return try pulse.around { try body(db) }
                        }
                    }
                )
            }
        }
    }

    /// Empties the write-ahead log where it is large and nobody uses it; call it again soon while it is large.
    ///
    /// - Returns: how large it is after that.
    public func emptyLog() async throws -> WriteAheadLog {
        let size = checkpointer.size
        if !size.isLarge { return size }
        return try await read { try checkpointer.empty($0, lockWait, isWanted: !pacer.isOpening) }
    }

    /// Writes the log back as far as nobody reads it.
    func checkpoint() async throws {
        try await read { checkpointer.checkpoint($0) }
    }

    /// Empties the write-ahead log at the end of the daemon, if nobody else uses the database.
    func emptyLogAtEnd() async throws {
        try await read { try checkpointer.emptyAtEnd($0, lockWait) }
    }

    /// Throws where a file of the database, which says more, or the lock file is not in its place any more.
    func requireInPlace() throws {
        try files.requireUnchanged()
        try lock?.requireInPlace()
    }

    /// Whether the lock file is still the one that is locked, so that no second daemon can have started; `true` without a
    /// lock.
    public var isSoleOwner: Bool { lock?.isInPlace ?? true }

    /// A number that changes exactly when another connection or process has committed since the last call.
    ///
    /// Cheap: it reads the WAL index (https://sqlite.org/pragma.html#pragma_data_version).
    ///
    /// - Throws: `StoreError.replaced` or `.lockLost` when a file of the database is not in its place any more, or an error
    ///   of SQLite.
    public func foreignChangeCounter() async throws -> Int64 {
        // Looks at the files, which say more than the lock.
        let counter = try await read { try Int64.fetchOne($0.cachedStatement(sql: "PRAGMA data_version")) ?? 0 }
        try lock?.requireInPlace()
        return counter
    }

    /// An element whenever others may have committed, until this is called again; hints that come meanwhile are one.
    public func changeHints() -> AsyncStream<Void> {
        pacer.hints()
    }

    /// Whether the kernel gives such hints.
    public var hasChangeHints: Bool { pacer.isNotified }
}
