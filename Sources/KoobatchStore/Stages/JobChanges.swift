import GRDB
import KoobatchCore

/// What a transaction changes in the counts of jobs, written once per job.
struct JobChanges {
    /// Differences of the counts of one job.
    struct Difference {
        var submitted = 0
        var succeeded = 0
        var failed = 0
        var unknown = 0
        var cancelled = 0
        var rejected = 0
        var waiting = 0
        var blocked = 0
        var inFlight = 0
        var held = 0
        var planned = 0
        /// Requests that the API refused, and what it said last.
        var refusals = 0
        var lastRefusal: ServiceFailure?
        var isAccepted = false

        /// Instances that came to an end.
        var done: Int { succeeded + failed + unknown + cancelled + rejected }

        /// Counts instances in the state in which a chunk that was not accepted ends.
        mutating func count(_ instances: Int, as state: InstanceState) {
            switch state {
            case .pending: break
            case .submitted: submitted += instances
            case .succeeded: succeeded += instances
            case .failed: failed += instances
            case .unknown: unknown += instances
            case .cancelled: cancelled += instances
            case .rejected: rejected += instances
            }
        }
    }

    /// Refused requests of a job, with none accepted, after which it pauses.
    static let refusalsBeforePause = 64

    private var differences: [CommandJobID: Difference] = [:]

    subscript(job: CommandJobID) -> Difference {
        get { differences[job] ?? Difference() }
        set { differences[job] = newValue }
    }

    /// Has a job looked at although none of its counts change.
    mutating func touch(_ job: CommandJobID) {
        self[job] = self[job]
    }

    /// Writes the counts, and what follows from them.
    func write(at now: Timestamp, _ db: Database) throws {
        for (job, difference) in differences.sorted(by: { $0.key.rawValue < $1.key.rawValue }) {
            try Self.write(difference, of: job, at: now, db)
            try Self.pauseIfRefused(job, difference, db)
            try Self.decide(job, at: now, db)
        }
    }

    private static func write(_ change: Difference, of job: CommandJobID, at now: Timestamp, _ db: Database) throws {
        try db.cachedStatement(
            sql: """
                UPDATE job_progress
                   SET submitted        = submitted + ?2,
                       succeeded        = succeeded + ?3,
                       failed           = failed + ?4,
                       unknown          = unknown + ?5,
                       cancelled        = cancelled + ?6,
                       rejected         = rejected + ?7,
                       waiting_chunks   = waiting_chunks + ?8,
                       blocked_chunks   = blocked_chunks + ?9,
                       in_flight_chunks = in_flight_chunks + ?10,
                       held_chunks      = held_chunks + ?11,
                       planned          = planned + ?12,
                       slow_start       = iif(?13, 0, slow_start),
                       refused_requests = min(refused_requests + ?14, 1000000000),
                       -- Fewer have an end: those that run again. More: the mark moves on once a minute.
                       since_done       = iif(?15 < 0, since_done + ?15,
                                              iif(?15 > 0 AND mark_at NOT BETWEEN ?16 AND ?17, mark_done, since_done)),
                       since_at         = iif(?15 > 0 AND mark_at NOT BETWEEN ?16 AND ?17, min(mark_at, ?17), since_at),
                       mark_done        = iif(?15 < 0, mark_done + ?15,
                                              iif(?15 > 0 AND mark_at NOT BETWEEN ?16 AND ?17,
                                                  succeeded + failed + unknown + cancelled + rejected + ?15,
                                                  mark_done)),
                       mark_at          = iif(?15 > 0 AND mark_at NOT BETWEEN ?16 AND ?17, ?17, mark_at)
                 WHERE command_job_id = ?1
                """
        ).run(
            job,
            change.submitted,
            change.succeeded,
            change.failed,
            change.unknown,
            change.cancelled,
            change.rejected,
            change.waiting,
            change.blocked,
            change.inFlight,
            change.held,
            change.planned,
            change.isAccepted,
            change.refusals,
            change.done,
            now + .seconds(-60),
            now
        )
    }

    /// Pauses a job of which the API has refused all that was sent.
    private static func pauseIfRefused(_ job: CommandJobID, _ change: Difference, _ db: Database) throws {
        guard let refusal = change.lastRefusal else { return }
        let refusals = try Int.fetchOne(
            db.cachedStatement(
                sql: """
                    SELECT refused_requests
                      FROM job_progress
                     WHERE command_job_id = ?
                       AND slow_start = 1
                       AND job_state = 'running'
                       AND refused_requests >= ?
                       AND (waiting_chunks > 0 OR planned < plan_limit)
                    """
            ),
            arguments: [job, refusalsBeforePause]
        )
        guard let refusals else { return }
        let reason =
            "refused: the API refused all \(refusals) requests so far, the last with \(refusal.errorCode) "
            + "\(refusal.message); check the command and the instances, then resume to go on without this check, or cancel"
        try pause(job, cause: "refused", reason: reason, db)
    }

    /// Pauses a job, and says why.
    ///
    /// - Parameter cause: a value of `job_progress.pause_cause`.
    static func pause(_ job: CommandJobID, cause: String, reason: String, _ db: Database) throws {
        try db.cachedStatement(sql: "UPDATE command_jobs SET state = 'paused', state_reason = ? WHERE id = ?")
            .execute(arguments: [reason, job])
        try db.cachedStatement(
            sql: """
                UPDATE job_progress
                   SET job_state   = 'paused',
                       pause_cause = ?2,
                       since_at    = NULL,
                       mark_at     = NULL
                 WHERE command_job_id = ?1
                """
        ).execute(arguments: [job, cause])
    }

    /// Does what the counts of a job ask for: its end, a pause, the rest after a canary.
    static func decide(_ job: CommandJobID, at now: Timestamp, _ db: Database) throws {
        // What is mostly so: a running job has chunks under way and no errors that count. The view costs as much as a chunk.
        let isPossible = try db.cachedStatement(
            sql: """
                SELECT 1
                  FROM job_progress
                 WHERE command_job_id = ?
                   AND (job_state <> 'running'
                        OR waiting_chunks + in_flight_chunks + held_chunks = 0
                        OR failed + rejected > error_baseline)
                """
        ).hasRow(job)
        guard isPossible else { return }
        let row = try Row.fetchOne(
            db.cachedStatement(
                sql: """
                    SELECT job_state, next_state, pause_cause, reason, plan_limit, is_ended
                      FROM job_decisions
                     WHERE command_job_id = ?
                    """
            ),
            arguments: [job]
        )
        guard let row else { return }
        let state: String = row[1]
        let cause: String? = row[2]
        let isEnded: Bool = row[5]
        if state != row[0] || cause != nil || isEnded {
            try db.cachedStatement(
                sql: """
                    UPDATE command_jobs
                       SET state        = ?2,
                           state_reason = iif(state <> ?2 OR ?3 IS NOT NULL, ?4, state_reason),
                           finished_at  = iif(?5, coalesce(finished_at, ?6), finished_at)
                     WHERE id = ?1
                    """
            ).execute(arguments: [job, state, cause, row[3] as String?, isEnded, now])
        }
        try db.cachedStatement(
            sql: """
                UPDATE job_progress
                   SET job_state   = ?2,
                       pause_cause = iif(?2 = 'paused', coalesce(?3, pause_cause), NULL),
                       plan_limit  = ?4,
                       since_at    = iif(?2 = 'running', since_at, NULL),
                       mark_at     = iif(?2 = 'running', mark_at, NULL)
                 WHERE command_job_id = ?1
                """
        ).execute(arguments: [job, state, cause, row[4] as Int])
    }
}
