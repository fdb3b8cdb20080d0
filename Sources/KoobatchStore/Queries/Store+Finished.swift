import GRDB
public import KoobatchCore

/// The end of a job.
public struct FinishedJob: Hashable, Sendable {
    /// The job.
    public let id: CommandJobID
    /// How it ended.
    public let state: CommandJobState
    /// When.
    public let finishedAt: Timestamp
    /// From its start, or from its insert if it never started.
    public let duration: Duration
    /// Its instances by state, without those states that none is in.
    public let instances: [InstanceState: Int]
}

extension Store {
    /// The states that `job_progress` counts, in the order of its columns.
    private static let countedStates: [InstanceState] = [
        .submitted, .succeeded, .failed, .unknown, .cancelled, .rejected,
    ]

    /// The counts in a row's columns from one on, without those states that none is in.
    private static func counts(_ states: [InstanceState], in row: Row, from first: Int) -> [InstanceState: Int] {
        let counts = states.enumerated().map { ($1, row[first + $0] as Int) }
        return Dictionary(uniqueKeysWithValues: counts.filter { $0.1 > 0 })
    }

    /// The jobs that have finished at a time or later, whoever finished them; at most 10,000.
    public func jobsFinished(since time: Timestamp) async throws -> [FinishedJob] {
        try await read { db in
            try Row.fetchAll(
                db.cachedStatement(
                    sql: """
                        SELECT j.id, j.state, j.finished_at, coalesce(j.started_at, j.created_at),
                               p.submitted, p.succeeded, p.failed, p.unknown, p.cancelled, p.rejected
                          FROM command_jobs AS j
                          JOIN job_progress AS p ON p.command_job_id = j.id
                         WHERE j.finished_at IS NOT NULL
                           AND j.finished_at >= ?
                         ORDER BY j.finished_at
                         LIMIT 10000
                        """
                ),
                arguments: [time]
            ).map { row in
                let finishedAt: Timestamp = try row.decode(atIndex: 2)
                let began: Timestamp = try row.decode(atIndex: 3)
                return FinishedJob(
                    id: row[0],
                    state: row[1],
                    finishedAt: finishedAt,
                    duration: max(.zero, finishedAt - began),
                    instances: Self.counts(Self.countedStates, in: row, from: 4)
                )
            }
        }
    }
}

/// How far a job is.
public struct RunningJob: Hashable, Sendable {
    /// The job.
    public let id: CommandJobID
    /// Its instances by state, without those states that none is in.
    public let instances: [InstanceState: Int]
}

extension Store {
    /// The jobs that run and of which something was sent, those served last first.
    ///
    /// - Parameter limit: the most that are read.
    public func runningJobs(limit: Int) async throws -> [RunningJob] {
        try await read { db in
            try Row.fetchAll(
                db.cachedStatement(
                    sql: """
                        SELECT command_job_id,
                               total - submitted - succeeded - failed - unknown - cancelled - rejected,
                               submitted, succeeded, failed, unknown, cancelled, rejected
                          FROM job_progress
                         WHERE job_state IN ('queued', 'running', 'paused')
                           AND job_state = 'running'
                         ORDER BY last_served_attempt_id DESC
                         LIMIT ?
                        """
                ),
                arguments: [limit]
            ).map { row in
                RunningJob(id: row[0], instances: Self.counts([.pending] + Self.countedStates, in: row, from: 1))
            }
        }
    }
}

/// A job that was stopped, and may go on or awaits its last answers.
public struct StoppedJob: Hashable, Sendable {
    /// The job.
    public let id: CommandJobID
    /// `paused`, `cancelled` or `expired`.
    public let state: CommandJobState
    /// Why, where something is known.
    public let reason: String?
    /// Whether a rule of the job paused it, such as `canary` or `max_errors`, and not a user.
    public let isByRule: Bool
}

extension Store {
    /// The jobs that are paused, and those that were cancelled or expired and await answers; at most 10,000.
    ///
    /// - Parameter known: jobs that were paused at the last look.
    /// - Returns: those jobs, and which of the known ones run again.
    public func stoppedJobs(
        known: Set<CommandJobID>
    ) async throws -> (stopped: [StoppedJob], resumed: [CommandJobID]) {
        let ids = "[" + known.map { "\($0.rawValue)" }.joined(separator: ",") + "]"
        return try await read { db in
            let stopped = try Row.fetchAll(
                db.cachedStatement(
                    sql: """
                        SELECT j.id, j.state, j.state_reason, coalesce(p.pause_cause <> 'hand', 0)
                          FROM job_progress AS p INDEXED BY job_progress_stopped
                          JOIN command_jobs AS j ON j.id = p.command_job_id
                         WHERE p.job_state = 'paused'
                            OR (p.job_state IN ('cancelled', 'expired') AND p.in_flight_chunks > 0)
                         LIMIT 10000
                        """
                )
            ).map { StoppedJob(id: $0[0], state: $0[1], reason: $0[2], isByRule: $0[3]) }
            let resumed = try CommandJobID.fetchAll(
                db.cachedStatement(
                    sql: """
                        SELECT j.id
                          FROM json_each(?) AS e
                          JOIN command_jobs AS j ON j.id = e.value
                         WHERE j.state IN ('queued', 'running')
                        """
                ),
                arguments: [ids]
            )
            return (stopped, resumed)
        }
    }
}
