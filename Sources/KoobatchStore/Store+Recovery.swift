import GRDB
public import KoobatchCore

extension Store {
    /// Settles the chunks that an earlier daemon left `submitting`: their requests may have been sent and may have been
    /// acted on, so each is `unknown` and treated by its job's `on_unknown`.
    ///
    /// Call it once, as the owner of the database, before anything is claimed.
    ///
    /// - Returns: how many chunks were settled.
    public func recover(
        rules: SubmissionRules,
        at now: Timestamp,
        generator: some RandomNumberGenerator & Sendable
    ) async throws -> Int {
        let failure = ServiceFailure(
            .unknown,
            errorCode: ServiceFailure.Code.interrupted,
            message: "the daemon ended before an answer was recorded; the request may have been acted on"
        )
        return try await write { db in
            var generator = generator
            let chunks = try Row.fetchAll(db, sql: "SELECT id, command_job_id FROM chunks WHERE state = 'submitting'")
            for row in chunks {
                let chunk: ChunkID = row[0]
                try db.cachedStatement(
                    sql: """
                        UPDATE attempts
                           SET outcome     = 'unknown',
                               finished_at = ?,
                               error_code  = ?,
                               error_msg   = ?
                         WHERE chunk_id = ?
                           AND outcome IS NULL
                        """
                ).execute(arguments: [now, failure.errorCode, failure.message, chunk])
                guard let context = try Self.context(of: chunk, db) else { continue }
                // Due at once: the fault was ours, not the API's.
                var decision = SubmissionDecision.after(
                    failure,
                    context: context,
                    policies: ErrorPolicies([:]),
                    backoff: rules.backoff,
                    now: now,
                    generator: &generator
                )
                if case .retry(_, let charged) = decision { decision = .retry(at: now, charged: charged) }
                try Self.apply(decision, failure: failure, to: chunk, now: now, db)
                try Self.judge(chunk, of: row[1], failure, decision, now: now, db)
            }
            if rules.polling == nil {
                // Nobody will ask for these results any more.
                try db.execute(
                    sql: """
                        UPDATE chunks
                           SET state        = 'finished',
                               next_poll_at = NULL,
                               finished_at  = ?
                         WHERE next_poll_at IS NOT NULL
                        """,
                    arguments: [now]
                )
            }
            return chunks.count
        }
    }

    /// Ends what `expires_at` has passed for and is not wholly submitted.
    ///
    /// - Returns: the jobs that expired, and when the next one may.
    public func expire(at now: Timestamp) async throws -> (expired: [CommandJobID], next: Timestamp?) {
        let (due, next) = try await read { db in
            let due = try CommandJobID.fetchAll(
                db.cachedStatement(
                    sql: """
                        SELECT command_job_id
                          FROM job_progress
                         WHERE expires_at IS NOT NULL
                           AND expires_at <= ?
                           AND job_state IN ('queued', 'running', 'paused')
                           AND (waiting_chunks > 0 OR planned < total OR replan_upto IS NOT NULL)
                        """
                ),
                arguments: [now]
            )
            let next = try Timestamp.fetchOne(
                db.cachedStatement(
                    sql: """
                        SELECT min(expires_at)
                          FROM job_progress
                         WHERE expires_at IS NOT NULL
                           AND expires_at > ?
                           AND job_state IN ('queued', 'running', 'paused')
                        """
                ),
                arguments: [now]
            )
            return (due, next)
        }
        if due.isEmpty { return ([], next) }
        let expired = try await write { db in
            try due.filter { job in
                try db.cachedStatement(
                    sql: """
                        UPDATE command_jobs
                           SET state = 'expired'
                         WHERE id = ?1
                           AND state IN ('queued', 'running', 'paused')
                           AND expires_at <= ?2
                           AND EXISTS (SELECT 1
                                         FROM job_progress
                                        WHERE command_job_id = ?1
                                          AND (waiting_chunks > 0 OR planned < total OR replan_upto IS NOT NULL))
                        """
                ).execute(arguments: [job, now])
                return db.changesCount == 1
            }
        }
        return (expired, next)
    }
}
