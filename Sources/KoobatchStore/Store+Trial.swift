import GRDB
public import KoobatchCore

extension Store {
    /// Notes that the API takes a job's command.
    static func pass(_ job: CommandJobID, _ db: Database) throws {
        try db.cachedStatement(
            sql: """
                UPDATE job_progress
                   SET trial = 'passed'
                 WHERE command_job_id = ?
                   AND trial NOT IN ('passed', 'refused')
                """
        ).execute(arguments: [job])
    }

    /// Takes in what a chunk that was not accepted says about its job's command; after the chunk has changed.
    static func judge(
        _ chunk: ChunkID,
        of job: CommandJobID,
        _ failure: ServiceFailure,
        _ decision: SubmissionDecision,
        now: Timestamp,
        _ db: Database
    ) throws {
        let trial = try CommandTrial.fetchOne(
            db.cachedStatement(sql: "SELECT trial FROM job_progress WHERE command_job_id = ?"),
            arguments: [job]
        )
        guard let trial else { return }
        let next = try trial.next(after: failure, decision) { try evidence(of: job, db) }
        guard next != trial else { return }
        try db.cachedStatement(
            sql: "UPDATE job_progress SET trial = ?2, trial_chunk = coalesce(?3, trial_chunk) WHERE command_job_id = ?1"
        ).execute(arguments: [job, next, trial == .starting && next != .passed ? chunk : nil])
        if next == .sampling { try takeSamples(of: job, now: now, db) }
    }

    private static func evidence(of job: CommandJobID, _ db: Database) throws -> CommandTrial.Evidence {
        let divided = try Row.fetchOne(
            db.cachedStatement(
                sql: """
                    SELECT coalesce((SELECT iif(sum(c.rejected) = r.size AND min(c.error_code) = max(c.error_code),
                                                min(c.error_code), NULL)
                                       FROM chunks AS c
                                      WHERE c.root_id = r.id
                                        AND c.state = 'failed'),
                                    iif(r.state = 'failed' AND r.rejected = r.size, r.error_code, NULL)),
                           (SELECT count(*)
                              FROM chunks AS c
                             WHERE c.root_id = p.trial_chunk
                               AND c.state IN ('pending', 'submitting', 'unknown')),
                           p.trial_after,
                           EXISTS (SELECT 1
                                     FROM chunks AS c
                                    WHERE c.command_job_id = p.command_job_id
                                      AND c.state = 'pending'
                                      AND c.is_sample = 0),
                           p.in_flight_chunks,
                           p.plan_limit < p.total
                      FROM job_progress AS p
                      LEFT JOIN chunks AS r ON r.id = p.trial_chunk
                     WHERE p.command_job_id = ?
                    """
            ),
            arguments: [job]
        )
        let code: String? = divided?[0]
        let samples = try Row.fetchOne(
            db.cachedStatement(
                sql: """
                    SELECT count(*),
                           coalesce(sum(state IN ('pending', 'submitting', 'unknown')), 0),
                           coalesce(sum(state = 'failed' AND rejected = size AND error_code = ?3), 0)
                      FROM chunks
                     WHERE command_job_id = ?1
                       AND is_sample = 1
                       AND id > ?2
                    """
            ),
            arguments: [job, divided?[2] as Int64?, code]
        )
        return CommandTrial.Evidence(
            code: code,
            open: (divided?[1] ?? 0) + (samples?[1] ?? 0),
            samples: samples?[0] ?? 0,
            refusedSamples: samples?[2] ?? 0,
            unsent: divided?[3] ?? 0,
            inFlight: divided?[4] ?? 0,
            isCanary: divided?[5] ?? false
        )
    }

    /// Rejects, without sending them, chunks of jobs whose command the API refuses; one transaction of at most `limit` chunks.
    ///
    /// - Returns: whether there were any; call again until there are none.
    public func rejectRefused(at now: Timestamp, chunks limit: Int) async throws -> Bool {
        let waits = try await read { db in
            try Bool.fetchOne(
                db.cachedStatement(
                    sql: "SELECT EXISTS (SELECT 1 FROM job_progress WHERE trial = 'refused' AND waiting_chunks > 0)"
                )
            ) ?? false
        }
        guard waits else { return false }
        return try await write { db in
            try db.cachedStatement(
                sql: """
                    UPDATE chunks
                       SET state           = 'failed',
                           rejected        = size,
                           next_attempt_at = NULL,
                           finished_at     = ?1,
                           error_code      = (SELECT r.error_code
                                                FROM job_progress AS p
                                                JOIN chunks AS r ON r.id = p.trial_chunk
                                               WHERE p.command_job_id = chunks.command_job_id),
                           error_msg       = (SELECT r.error_msg
                                                FROM job_progress AS p
                                                JOIN chunks AS r ON r.id = p.trial_chunk
                                               WHERE p.command_job_id = chunks.command_job_id)
                     WHERE id IN (SELECT c.id
                                    FROM job_progress AS p
                                    JOIN chunks AS c ON c.command_job_id = p.command_job_id
                                   WHERE p.trial = 'refused'
                                     AND p.waiting_chunks > 0
                                     AND c.state = 'pending'
                                   LIMIT ?2)
                    """
            ).execute(arguments: [now, limit])
            return db.changesCount > 0
        }
    }
}
