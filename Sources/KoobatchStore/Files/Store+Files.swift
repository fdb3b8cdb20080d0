import GRDB

extension Store {
    /// Runs a call on files that are ours and whole: what is written to others is lost, or damages them further.
    ///
    /// - Throws: `StoreError.damaged` for what SQLite finds to be no content of its own, or `.replaced` where it was
    ///   overwritten in the midst of the call.
    func whole<Value>(_ db: Database, _ call: () throws -> Value) throws -> Value {
        do {
            return try call()
        } catch let error as DatabaseError
            where [.SQLITE_CORRUPT, .SQLITE_NOTADB].contains(error.resultCode.primaryResultCode)
        {
            // As it is: what is in the log may be missing in the file.
            try db.leaveLogAtClose()
            do {
                try requireOurs(db)
            } catch is DatabaseError {
                // Nothing else can be read either.
            }
            throw StoreError.damaged(path: path, reason: error.message ?? "\(error)")
        }
    }

    /// Throws where a file of the database is not in its place any more, or was overwritten.
    func requireOurs(_ db: Database) throws {
        try files.requireUnchanged()
        do {
            try content.requireOwn(db)
        } catch let error as StoreError {
            // The log belongs to what was there before: it would damage the copy, now and at the next start.
            try db.leaveLogAtClose()
            lock?.note { $0.database = .max }
            throw error
        }
    }
}
