import GRDB
public import KoobatchCore

extension Store {
    /// Settles the chunks that an earlier daemon left `submitting`: their requests may have been sent and may have been
    /// acted on, so each is `unknown` and treated by its job's `on_unknown`.
    ///
    /// To be called once, as the owner of the database, before anything is claimed.
    ///
    /// - Parameter known: chunks whose answers are at hand and only wait to be recorded; they are left alone.
    /// - Returns: how many chunks were settled.
    static func recover(
        except known: [ChunkID],
        rules: SubmissionRules,
        at now: Timestamp,
        generator: some RandomNumberGenerator & Sendable,
        _ db: Database
    ) throws -> Int {
        let failure = ServiceFailure(
            .unknown,
            errorCode: ServiceFailure.Code.interrupted,
            message: "the daemon ended before an answer was recorded; the request may have been acted on"
        )
        let known = JSONText.array(known.map(\.rawValue))
        var generator = generator
        let recorder = SubmissionRecorder(isCharged: true, rules: rules, now: now)
        let chunks = try Row.fetchAll(
            db,
            sql: """
                SELECT c.id, d.instance_ids
                  FROM chunks AS c
                  JOIN chunk_instances AS d ON d.chunk_id = c.id
                 WHERE c.state = 'submitting'
                   AND c.id NOT IN (SELECT value FROM json_each(?))
                """,
            arguments: [known]
        )
        try db.execute(
            sql: """
                UPDATE attempts
                   SET outcome     = 'unknown',
                       finished_at = ?,
                       error_code  = ?,
                       error_msg   = ?
                 WHERE outcome IS NULL
                   AND chunk_id IN (SELECT id FROM chunks WHERE state = 'submitting')
                   AND chunk_id NOT IN (SELECT value FROM json_each(?))
                """,
            arguments: [now, failure.errorCode, failure.message, known]
        )
        var changes = JobChanges()
        for row in chunks {
            guard let facts = try ChunkFacts(row[0], db) else { continue }
            // Due at once: the fault was ours, not the API's.
            var decision = SubmissionDecision.after(
                // No policy speaks of a request without an answer.
                ClassifiedFailure(failure, action: .unknown),
                context: facts.context,
                backoff: rules.backoff,
                now: now,
                generator: &generator
            )
            if case .retry(_, let charged) = decision { decision = .retry(at: now, charged: charged) }
            let instances = try InstanceIDs(document: row[1])
            try recorder.apply(decision, failure: failure, to: row[0], of: instances, facts, &changes, db)
        }
        if rules.polling == nil { try stopPolling(&changes, at: now, db) }
        try changes.write(at: now, db)
        return chunks.count
    }

    /// Ends the chunks whose results nobody will ask for any more.
    private static func stopPolling(_ changes: inout JobChanges, at now: Timestamp, _ db: Database) throws {
        let rows = try Row.fetchAll(
            db,
            sql: """
                SELECT command_job_id, count(*)
                  FROM chunks INDEXED BY chunks_next_poll
                 WHERE state = 'submitted'
                   AND next_poll_at IS NOT NULL
                 GROUP BY command_job_id
                """
        )
        for row in rows { changes[row[0]].inFlight -= row[1] }
        try db.execute(
            sql: """
                UPDATE chunks
                   SET state        = 'finished',
                       finished_at  = coalesce(finished_at, ?),
                       next_poll_at = NULL
                 WHERE state IN ('submitted', 'finished')
                   AND next_poll_at IS NOT NULL
                """,
            arguments: [now]
        )
    }

    /// Ends what `expires_at` has passed for and is not wholly submitted.
    ///
    /// - Returns: the jobs that expired, and when the next one may.
    public func expire(at now: Timestamp) async throws -> (expired: [CommandJobID], next: Timestamp?) {
        let (due, next) = try await read { try Self.expiring(at: now, $0) }
        if due.isEmpty { return ([], next) }
        let expired = try await write { db in
            try due.filter { try Self.expire($0, at: now, db) }
        }
        return (expired, next)
    }

    /// The jobs that `expires_at` has passed for, and when it does for the next one.
    static func expiring(at now: Timestamp, _ db: Database) throws -> (due: [CommandJobID], next: Timestamp?) {
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

    /// Stops a job; whether there was something to stop.
    private static func expire(_ job: CommandJobID, at now: Timestamp, _ db: Database) throws -> Bool {
        try db.cachedStatement(
            sql: """
                UPDATE command_jobs
                   SET state        = 'expired',
                       state_reason = 'expires_at passed before everything was submitted'
                 WHERE id = ?1
                   AND state IN ('queued', 'running', 'paused')
                   AND expires_at <= ?2
                   AND EXISTS (SELECT 1
                                 FROM job_progress
                                WHERE command_job_id = ?1
                                  AND (waiting_chunks > 0 OR planned < total OR replan_upto IS NOT NULL))
                """
        ).execute(arguments: [job, now])
        guard db.changesCount == 1 else { return false }
        // What was not planned counts as cancelled.
        try db.cachedStatement(
            sql: """
                UPDATE job_progress
                   SET job_state   = 'expired',
                       pause_cause = NULL,
                       cancelled   = cancelled + (total - planned),
                       replan_upto = NULL,
                       since_at    = NULL,
                       mark_at     = NULL
                 WHERE command_job_id = ?
                """
        ).execute(arguments: [job])
        var changes = JobChanges()
        let rows = try Row.fetchAll(
            db.cachedStatement(
                sql: """
                    SELECT state, blocked, size
                      FROM chunks
                     WHERE command_job_id = ?
                       AND state IN ('pending', 'unknown')
                    """
            ),
            arguments: [job]
        )
        for row in rows {
            if row[0] == ChunkState.pending {
                changes[job].waiting -= 1
                changes[job].blocked -= row[1]
                changes[job].cancelled += row[2]
            } else {
                changes[job].held -= 1
            }
        }
        try db.cachedStatement(
            sql: """
                UPDATE chunks
                   SET state           = iif(state = 'pending', 'cancelled', 'failed'),
                       cancelled       = iif(state = 'pending', size, 0),
                       next_attempt_at = NULL,
                       blocked         = 0,
                       finished_at     = ?2
                 WHERE command_job_id = ?1
                   AND state IN ('pending', 'unknown')
                """
        ).execute(arguments: [job, now])
        // Also where nothing of it was planned: that may be its end.
        changes.touch(job)
        try changes.write(at: now, db)
        return true
    }
}
