import GRDB
import GRDBSQLite

extension Statement {
    /// Runs a statement without rows, with values for its parameters from the first to the last.
    ///
    /// `execute(arguments:)` gathers boxed values in arrays first, which takes longer than most statements of the daemon.
    ///
    /// - Throws: the error of SQLite.
    func run<each Value: StatementBinding>(_ value: repeat each Value) throws {
        try bind(repeat each value)
        _ = try step()
    }

    /// Whether a query has a row, with values for its parameters from the first to the last.
    ///
    /// - Throws: the error of SQLite.
    func hasRow<each Value: StatementBinding>(_ value: repeat each Value) throws -> Bool {
        try bind(repeat each value)
        return try step()
    }

    private func bind<each Value: StatementBinding>(_ value: repeat each Value) throws {
        sqlite3_reset(sqliteStatement)
        var index: CInt = 0
        for value in repeat each value {
            index += 1
            let code = value.bind(to: sqliteStatement, at: index)
            guard code == SQLITE_OK else { throw failure(code) }
        }
    }

    /// Takes the first step, and returns whether it came to a row.
    private func step() throws -> Bool {
        let code = sqlite3_step(sqliteStatement)
        let error = code == SQLITE_DONE || code == SQLITE_ROW ? nil : failure(code)
        // One that is not reset keeps the transaction open.
        sqlite3_reset(sqliteStatement)
        if let error { throw error }
        return code == SQLITE_ROW
    }

    private func failure(_ code: CInt) -> DatabaseError {
        let message = sqlite3_db_handle(sqliteStatement).flatMap(sqlite3_errmsg).map { String(cString: $0) }
        return DatabaseError(resultCode: ResultCode(rawValue: code), message: message, sql: sql)
    }
}
