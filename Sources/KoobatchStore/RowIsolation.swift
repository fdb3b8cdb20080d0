import GRDB

extension Database {
    /// Runs a step for all items together, and where a row fails for each by itself.
    ///
    /// A step that throws is undone. What concerns the database as a whole, such as a full disk, is thrown on.
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
            return try undoing { try step(items) }
        } catch let error as DatabaseError where error.concernsRow {
            return try items.flatMap { item in
                do {
                    return try undoing { try step([item]) }
                } catch let error as DatabaseError where error.concernsRow {
                    return [try failed(item, error.message ?? "\(error)")]
                }
            }
        }
    }

    private func undoing<Value>(_ step: () throws -> Value) throws -> Value {
        var value: Value?
        try inSavepoint {
            value = try step()
            return .commit
        }
        guard let value else { throw DatabaseError(resultCode: .SQLITE_ABORT) }
        return value
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
