import GRDB
public import KoobatchCore

extension Store {
    /// Writes that a daemon has started.
    public func daemonStarted(pid: Int32, version: String, at now: Timestamp) async throws {
        try await write { db in
            try db.execute(
                sql: """
                    UPDATE daemon_state
                       SET pid           = ?,
                           version       = ?,
                           started_at    = ?,
                           heartbeat_at  = ?,
                           stopped_at    = NULL,
                           paused_until  = NULL,
                           circuit       = 'closed',
                           credentials   = 'unknown'
                    """,
                arguments: [pid, version, now, now]
            )
        }
    }

    /// Writes that the daemon has stopped in order.
    public func daemonStopped(at now: Timestamp) async throws {
        try await write { db in
            try db.execute(sql: "UPDATE daemon_state SET stopped_at = ?, heartbeat_at = ?", arguments: [now, now])
        }
    }

    /// Writes that the daemon is alive.
    public func heartbeat(at now: Timestamp) async throws {
        try await write { db in
            try db.execute(sql: "UPDATE daemon_state SET heartbeat_at = ?", arguments: [now])
        }
    }

    /// Writes how the line stands, for `daemon` and `why`.
    ///
    /// - Parameter failure: what closed it; `nil` leaves the last error as it was.
    public func lineChanged(to line: LineState, failure: ServiceFailure?, at now: Timestamp) async throws {
        let reason: LineState.Reason? =
            switch line.phase {
            case .open: nil
            case .closed(_, let reason), .probing(let reason): reason
            }
        try await write { db in
            try db.execute(
                sql: """
                    UPDATE daemon_state
                       SET paused_until  = ?,
                           credentials   = CASE WHEN ?2 = 'credentials' THEN 'refused'
                                                WHEN ?2 IS NULL AND ?5 THEN 'accepted'
                                                ELSE credentials
                                           END,
                           circuit       = CASE WHEN ?2 = 'refusal' THEN 'open' ELSE 'closed' END,
                           last_error    = coalesce(?3, last_error),
                           last_error_at = iif(?3 IS NULL, last_error_at, ?4)
                    """,
                arguments: [
                    line.closedUntil, reason?.rawValue,
                    failure.map { "\($0.errorCode) \($0.message)" }, now, line.hasPassed,
                ]
            )
        }
    }
}
