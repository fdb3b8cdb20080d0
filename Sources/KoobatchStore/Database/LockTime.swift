import GRDB

extension Store {
    /// When a transaction takes the write lock.
    enum LockTime {
        /// With its beginning.
        case first
        /// When it calls `takeLock`: what it reads and works out before keeps nobody waiting.
        case later
    }

    /// Another program has written since the transaction began to read, or is just doing so.
    struct LockedMeanwhile: Error {}

    /// Takes the write lock in a transaction that has only read so far; does nothing in one that has it.
    ///
    /// A statement that writes takes it even where no row is concerned. SQLite does not wait for another writer then, since
    /// what was read may be old when the lock is free (https://sqlite.org/rescode.html#busy_snapshot).
    ///
    /// - Throws: `LockedMeanwhile`: the transaction is to be run again, with the lock from the beginning.
    func takeLock(_ db: Database) throws {
        if pacer.isHeld { return }
        do {
            try db.cachedStatement(sql: "UPDATE daemon_state SET id = id WHERE 0").execute()
        } catch let error as DatabaseError where error.resultCode == .SQLITE_BUSY {
            throw LockedMeanwhile()
        }
        pacer.took()
    }
}
