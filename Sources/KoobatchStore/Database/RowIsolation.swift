import GRDB

extension Database {
    /// Runs a step for all items together, and where a row fails for each by itself.
    ///
    /// Nothing may have been written in the transaction before: one that meets such a row is begun anew, which is cheaper
    /// than a savepoint around every step that meets none. A step may stop after some of its items; the results are those of
    /// the first ones then. What concerns the database as a whole, such as a full disk, is thrown on.
    ///
    /// - Parameters:
    ///   - items: what to do something about.
    ///   - step: does it.
    ///   - failed: what to say of an item whose step failed.
    func isolating<Item, Result>(
        _ items: [Item],
        _ step: ([Item]) throws -> [Result],
        failed: (Item, String) throws -> Result
    ) throws -> [Result] {
        if items.isEmpty { return [] }
        do {
            return try step(items)
        } catch let error as DatabaseError where error.concernsRow {
            if isInsideTransaction { try cachedStatement(sql: "ROLLBACK").execute() }
            try cachedStatement(sql: "BEGIN IMMEDIATE").execute()
            // One by one, and no more than until the first that fails is behind: the rest is a transaction of its own.
            var results: [Result] = []
            for item in items {
                do {
                    results += try undoing { try step([item]) }
                } catch let error as DatabaseError where error.concernsRow {
                    results.append(try failed(item, error.message ?? "\(error)"))
                    break
                }
            }
            return results
        }
    }

    /// Statements that are prepared once: `inSavepoint` prepares its own each time.
    private func undoing<Value>(_ step: () throws -> Value) throws -> Value {
        try cachedStatement(sql: "SAVEPOINT rows").execute()
        do {
            let value = try step()
            try cachedStatement(sql: "RELEASE rows").execute()
            return value
        } catch {
            // Some errors, such as a full disk, have rolled the whole transaction back already.
            if isInsideTransaction {
                try cachedStatement(sql: "ROLLBACK TO rows").execute()
                try cachedStatement(sql: "RELEASE rows").execute()
            }
            throw error
        }
    }
}

extension DatabaseError {
    /// Whether it speaks of what was written, and other rows may well be written.
    var concernsRow: Bool {
        switch resultCode.primaryResultCode {
        case .SQLITE_CONSTRAINT, .SQLITE_ERROR, .SQLITE_MISMATCH, .SQLITE_TOOBIG, .SQLITE_RANGE, .SQLITE_ABORT: true
        default: false
        }
    }
}
