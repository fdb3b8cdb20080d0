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
        ).execute(arguments: [job, next, next == .dividing ? chunk : nil])
    }

    private static func evidence(of job: CommandJobID, _ db: Database) throws -> CommandTrial.Evidence {
        let divided = try Row.fetchOne(
            db.cachedStatement(
                sql: """
                    SELECT p.trial_chunk,
                           p.trial_after,
                           p.in_flight_chunks,
                           p.plan_limit < p.total,
                           (SELECT iif(sum(c.rejected) = r.size AND min(c.error_code) = max(c.error_code),
                                       min(c.error_code), NULL)
                              FROM chunks AS c
                             WHERE c.root_id = p.trial_chunk
                               AND c.state = 'failed'),
                           (SELECT count(*)
                              FROM chunks AS c
                             WHERE c.root_id = p.trial_chunk
                               AND c.state IN ('pending', 'submitting', 'unknown'))
                      FROM job_progress AS p
                      JOIN chunks AS r ON r.id = p.trial_chunk
                     WHERE p.command_job_id = ?
                    """
            ),
            arguments: [job]
        )
        let code: String? = divided?[4]
        let openParts: Int = divided?[5] ?? 0
        var (refused, chunks, unsent) = (0, 0, 0)
        if let divided, openParts == 0, let code {
            func count(_ condition: String, _ arguments: [any DatabaseValueConvertible]) throws -> Int {
                try Int.fetchOne(
                    db.cachedStatement(
                        sql: """
                            SELECT count(*)
                              FROM (SELECT 1
                                      FROM chunks
                                     WHERE command_job_id = ?
                                       AND id > ?
                                       AND root_id IS NULL
                                       AND \(condition)
                                     LIMIT \(CommandTrial.sample))
                            """
                    ),
                    arguments: StatementArguments([job, divided[1] as Int64] + arguments)
                ) ?? 0
            }
            refused = try count("state IN ('split', 'failed') AND error_code = ?", [code])
            chunks = try count("true", [])
            unsent = try count("state = 'pending'", [])
        }
        return CommandTrial.Evidence(
            code: code,
            openParts: openParts,
            refused: refused,
            chunks: chunks,
            unsent: unsent,
            inFlight: divided?[2] ?? 0,
            isCanary: divided?[3] ?? false
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
