import CSQLiteSettings
import GRDB

extension Database {
    /// Runs the statements of this connection without triggers: they guard what people write, and the daemon's statements
    /// keep the same rules themselves.
    func disableTriggers() throws {
        let code = koobatch_disable_triggers(sqliteConnection)
        guard code == SQLITE_OK else { throw DatabaseError(resultCode: ResultCode(rawValue: code)) }
    }

    /// Has the end of the connection, should it be the last, not write the log back.
    func leaveLogAtClose() throws {
        let code = koobatch_leave_log_at_close(sqliteConnection)
        guard code == SQLITE_OK else { throw DatabaseError(resultCode: ResultCode(rawValue: code)) }
    }
}
