import GRDB
public import KoobatchCore

/// How the database stands: what is worth a gauge.
public struct DatabaseGauges: Sendable {
    /// What the daemon says of itself.
    public struct Daemon: Sendable {
        /// Whether its heartbeat is fresh.
        public let isRunning: Bool
        /// Its version.
        public let version: String?
        /// When it last started.
        public let startedAt: Timestamp?
        /// Its last heartbeat.
        public let heartbeatAt: Timestamp?
        /// Requests per second in force; `nil` is unlimited.
        public let requestsPerSecond: Double?
        /// `closed`, `open` or `half-open`.
        public let circuit: String
        /// `unknown`, `accepted` or `refused`.
        public let credentials: String
        /// What it measured, as it wrote it at its last heartbeat.
        public let exposition: String?
    }

    /// What the daemon says of itself.
    public let daemon: Daemon
    /// Jobs by state.
    public let jobs: [CommandJobState: Int]
    /// Instances of all jobs by state.
    public let instances: [InstanceState: Int]
    /// Chunks that can still change, by state.
    public let chunks: [ChunkState: Int]
    /// Since when the chunk that waits longest could have been sent, of jobs that are not paused.
    public let oldestDueAt: Timestamp?
    /// The size of the database in bytes, without its WAL.
    public let bytes: Int
    /// The schema version.
    public let schemaVersion: Int
    /// The version of SQLite that reads it.
    public let sqliteVersion: String
    /// When all this was true.
    public let readAt: Timestamp
}

extension DatabaseClient {
    /// Reads the gauges.
    ///
    /// The cost grows with the jobs, not with their chunks and instances: a row of `job_progress` each.
    public func gauges(at now: Timestamp) async throws -> DatabaseGauges {
        try await snapshot { db in
            let tallies = try Self.tallies(db)
            let submitting = try Int.fetchOne(db, sql: "SELECT count(*) FROM chunks WHERE state = 'submitting'") ?? 0
            return DatabaseGauges(
                daemon: try Self.daemon(db),
                jobs: tallies.jobs,
                instances: tallies.instances,
                chunks: [
                    .pending: tallies.waiting, .submitting: submitting,
                    .submitted: max(0, tallies.inFlight - submitting), .unknown: tallies.held,
                ],
                oldestDueAt: try Self.oldestDue(at: now, db),
                bytes: (try Int.fetchOne(db, sql: "PRAGMA page_count") ?? 0)
                    * (try Int.fetchOne(db, sql: "PRAGMA page_size") ?? 0),
                schemaVersion: try Int.fetchOne(db, sql: "PRAGMA user_version") ?? 0,
                sqliteVersion: try String.fetchOne(db, sql: "SELECT sqlite_version()") ?? "",
                readAt: now
            )
        }
    }

    private struct Tallies {
        var jobs: [CommandJobState: Int] = [:]
        var instances: [InstanceState: Int] = [:]
        var waiting = 0
        var inFlight = 0
        var held = 0
    }

    /// One pass over `job_progress`, without sorting it.
    private static func tallies(_ db: Database) throws -> Tallies {
        let states = CommandJobState.allCases
        let counts = states.map { "count(*) FILTER (WHERE job_state = '\($0.rawValue)')" }.joined(separator: ", ")
        let row = try Row.fetchOne(
            db.cachedStatement(
                sql: """
                    SELECT coalesce(sum(total), 0),
                           coalesce(sum(submitted), 0),
                           coalesce(sum(succeeded), 0),
                           coalesce(sum(failed), 0),
                           coalesce(sum(unknown), 0),
                           coalesce(sum(cancelled), 0),
                           coalesce(sum(rejected), 0),
                           coalesce(sum(waiting_chunks), 0),
                           coalesce(sum(in_flight_chunks), 0),
                           coalesce(sum(held_chunks), 0),
                           \(counts)
                      FROM job_progress
                    """
            )
        )
        guard let row else { return Tallies() }
        var tallies = Tallies(waiting: row[7], inFlight: row[8], held: row[9])
        let counted: [InstanceState] = [.submitted, .succeeded, .failed, .unknown, .cancelled, .rejected]
        for (index, state) in counted.enumerated() { tallies.instances[state] = row[index + 1] }
        tallies.instances[.pending] = (row[0] as Int) - tallies.instances.values.reduce(0, +)
        for (index, state) in states.enumerated() { tallies.jobs[state] = row[10 + index] }
        return tallies
    }

    private static func oldestDue(at now: Timestamp, _ db: Database) throws -> Timestamp? {
        try Timestamp.fetchOne(
            db.cachedStatement(
                sql: """
                    SELECT min(max(p.run_at, iif(p.planned < p.plan_limit,
                                                 (SELECT created_at FROM command_jobs WHERE id = p.command_job_id),
                                                 (SELECT min(c.next_attempt_at)
                                                    FROM chunks AS c
                                                   WHERE c.command_job_id = p.command_job_id
                                                     AND c.state = 'pending'
                                                     AND c.blocked = 0))))
                      FROM job_progress AS p
                     WHERE p.is_due = 1
                       AND p.job_state IN ('queued', 'running')
                       AND (p.waiting_chunks > p.blocked_chunks OR p.planned < p.plan_limit)
                       AND p.run_at <= ?1
                       AND (p.expires_at IS NULL OR p.expires_at > ?1)
                    """
            ),
            arguments: [now]
        ).flatMap { $0 <= now ? $0 : nil }
    }

    private static func daemon(_ db: Database) throws -> DatabaseGauges.Daemon {
        let row = try Row.fetchOne(
            db.cachedStatement(
                sql: """
                    SELECT coalesce(d.running, 0),
                           d.version,
                           d.started_at,
                           d.heartbeat_at,
                           d.requests_per_second,
                           d.circuit,
                           d.credentials,
                           iif(m.written_at >= d.started_at, m.exposition, NULL)
                      FROM daemon AS d
                      LEFT JOIN daemon_metrics AS m ON m.id = 1
                    """
            )
        )
        guard let row else {
            throw DatabaseError(resultCode: .SQLITE_CORRUPT, message: "daemon_state: its row is gone")
        }
        return DatabaseGauges.Daemon(
            isRunning: row[0],
            version: row[1],
            startedAt: try row.decode(atIndex: 2),
            heartbeatAt: try row.decode(atIndex: 3),
            requestsPerSecond: row[4],
            circuit: row[5],
            credentials: row[6],
            exposition: row[7]
        )
    }
}
