import GRDB
public import KoobatchCore

extension Store {
    /// What an earlier daemon knew of the circuit and the rate limit.
    public struct GateMemory: Hashable, Sendable {
        /// The rate that it had learned, in requests per second.
        public let requestsPerSecond: Double?
        /// Why its circuit was open, if it was, as far as that outlasts a restart.
        public let openFor: CircuitBreaker.Reason?
        /// Until when the API had asked for a pause.
        public let pausedUntil: Timestamp?
        /// What its clock was last trusted for.
        public let trustedAt: Timestamp?
    }

    /// Reads what an earlier daemon knew of the circuit and the rate limit; before `daemonStarted`.
    public func gateMemory() async throws -> GateMemory {
        try await read { db in
            let row = try Row.fetchOne(
                db,
                sql: """
                    SELECT requests_per_second, circuit <> 'closed', credentials = 'refused', paused_until, trusted_at
                      FROM daemon_state
                    """
            )
            guard let row else {
                return GateMemory(requestsPerSecond: nil, openFor: nil, pausedUntil: nil, trustedAt: nil)
            }
            let openFor: CircuitBreaker.Reason? = row[2] ? .credentials : row[1] ? .endpoint : nil
            return GateMemory(
                requestsPerSecond: (row[0] as Double?).map(Self.bounded),
                openFor: openFor,
                pausedUntil: openFor == nil ? try row.decode(atIndex: 3) : nil,
                trustedAt: try row.decode(atIndex: 4)
            )
        }
    }

    /// A rate within the bounds of the column.
    private static func bounded(_ rate: Double) -> Double {
        rate.isNaN ? 0.001 : min(max(rate, 0.001), 1_000_000)
    }

    /// Writes that a daemon has started.
    ///
    /// - Parameter trusted: what the clock is trusted for.
    static func daemonStarted(
        pid: Int32,
        version: String,
        trusted: Timestamp,
        at now: Timestamp,
        _ db: Database
    ) throws {
        try db.execute(
            sql: """
                UPDATE daemon_state
                   SET pid           = ?1,
                       version       = ?2,
                       started_at    = ?3,
                       heartbeat_at  = ?3,
                       trusted_at    = ?4,
                       stopped_at    = NULL,
                       backup_at     = NULL,
                       -- A pause that the API asked for goes on; what failed is probed at once.
                       paused_until  = CASE WHEN circuit = 'closed' AND credentials <> 'refused'
                                                 AND paused_until > ?3
                                            THEN paused_until
                                       END
                """,
            arguments: [pid, version, now, trusted]
        )
    }

    /// Writes that the daemon has stopped in order.
    public func daemonStopped(at now: Timestamp) async throws {
        try await write { db in
            try db.execute(sql: "UPDATE daemon_state SET stopped_at = ?, heartbeat_at = ?", arguments: [now, now])
        }
        lock?.note { $0.heartbeat = now }
        try await emptyLogAtEnd()
    }

    /// Writes that the daemon is alive, and the rate that is in force.
    ///
    /// - Parameters:
    ///   - requestsPerSecond: the rate; `nil` is unlimited.
    ///   - exposition: what the daemon has measured, for `koobatch metrics`; `nil` if it measures nothing.
    ///   - trusted: what the clock is trusted for; `nil`: for what it shows.
    ///   - now: the time.
    /// - Throws: `StoreError.lockLost` or `.replaced` where a file of the database is not in its place any more.
    public func heartbeat(
        requestsPerSecond: Double?,
        exposition: String? = nil,
        trusted: Timestamp? = nil,
        at now: Timestamp
    ) async throws {
        try requireInPlace()
        try await write { db in
            try db.execute(
                sql: "UPDATE daemon_state SET heartbeat_at = ?, requests_per_second = ?, trusted_at = ?",
                arguments: [now, requestsPerSecond.map(Self.bounded), trusted ?? now]
            )
            guard let exposition else { return }
            try db.execute(
                sql: "INSERT OR REPLACE INTO daemon_metrics (id, written_at, exposition) VALUES (1, ?, ?)",
                arguments: [now, exposition]
            )
        }
        lock?.note { $0.heartbeat = now }
    }

    /// Writes the state of the circuit, for `daemon` and `why`.
    ///
    /// - Parameters:
    ///   - circuit: its state.
    ///   - requestsPerSecond: the rate in force.
    ///   - failure: what opened it; `nil` leaves the last error as it was.
    ///   - now: the time of the change.
    public func circuitChanged(
        to circuit: CircuitBreaker,
        requestsPerSecond: Double?,
        failure: ServiceFailure?,
        at now: Timestamp
    ) async throws {
        try await write { db in
            try db.execute(
                sql: """
                    UPDATE daemon_state
                       SET paused_until  = ?,
                           credentials   = CASE WHEN ?2 = 'credentials' THEN 'refused'
                                                WHEN ?2 IS NULL AND ?5 THEN 'accepted'
                                                ELSE credentials
                                           END,
                           circuit       = CASE WHEN ?2 NOT IN ('refusal', 'endpoint') OR ?2 IS NULL THEN 'closed'
                                                WHEN ?6 THEN 'half-open'
                                                ELSE 'open'
                                           END,
                           requests_per_second = ?7,
                           last_error    = coalesce(?3, last_error),
                           last_error_at = iif(?3 IS NULL, last_error_at, ?4)
                    """,
                arguments: [
                    circuit.openUntil, circuit.reason?.rawValue,
                    failure.map { "\($0.errorCode) \($0.message)" }, now, circuit.hasPassed,
                    circuit.isProbing, requestsPerSecond.map(Self.bounded),
                ]
            )
        }
    }
}
