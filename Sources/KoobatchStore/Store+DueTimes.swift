import GRDB
public import KoobatchCore

extension Store {
    /// What two clock readings of one transaction and of rounding to milliseconds may differ by.
    private static let slack = Duration.seconds(1)
    /// Chunks that are made due in one transaction.
    private static let boundedAtOnce = 200

    /// Makes due at once what is put off for longer than its own rule allows: it was written while the clock was ahead, or by
    /// a rule that is no longer in force.
    ///
    /// Cheap where there is nothing of that kind: a look at the end of an index each. Times that users give are theirs.
    ///
    /// - Returns: whether anything was.
    public func boundDueTimes(by rules: SubmissionRules, at now: Timestamp) async throws -> Bool {
        let latestAttempt = now + rules.backoff.maximum + Self.slack
        let latestPoll = rules.polling.map { now + $0.longestDelay + Self.slack }
        let latestLateLook = rules.polling.map { now + $0.resultTimeout * 2 }
        var wasFound = false
        while try await read({
            try Self.hasUnboundedDueTime([latestAttempt, latestPoll, latestLateLook, now], $0)
        }) {
            let changed = try await write { db in
                try db.cachedStatement(
                    sql: "UPDATE daemon_state SET paused_until = NULL WHERE paused_until > ?"
                ).execute(arguments: [latestAttempt])
                var changed = db.changesCount
                try db.cachedStatement(
                    sql: """
                        UPDATE chunks
                           SET next_attempt_at = ?1
                         WHERE id IN (SELECT id
                                        FROM chunks INDEXED BY chunks_next_attempt
                                       WHERE state = 'pending'
                                         AND blocked = 0
                                         AND next_attempt_at > ?2
                                       LIMIT ?3)
                        """
                ).execute(arguments: [now, latestAttempt, Self.boundedAtOnce])
                changed += db.changesCount
                try db.cachedStatement(
                    sql: """
                        UPDATE chunks
                           SET next_poll_at = ?1
                         WHERE id IN (SELECT id
                                        FROM chunks INDEXED BY chunks_next_poll
                                       WHERE next_poll_at IS NOT NULL
                                         AND state = 'submitted'
                                         AND next_poll_at > ?2
                                       LIMIT ?3)
                        """
                ).execute(arguments: [now, latestPoll, Self.boundedAtOnce])
                changed += db.changesCount
                try db.cachedStatement(
                    sql: """
                        UPDATE chunks
                           SET next_poll_at = ?1
                         WHERE id IN (SELECT id
                                        FROM chunks INDEXED BY chunks_next_poll
                                       WHERE next_poll_at IS NOT NULL
                                         AND state = 'finished'
                                         AND next_poll_at > ?2
                                         AND \(Self.isTooLate)
                                       LIMIT ?3)
                        """
                ).execute(arguments: [now, latestLateLook, Self.boundedAtOnce])
                return changed + db.changesCount
            }
            if changed == 0 { break }
            wasFound = true
        }
        return wasFound
    }

    /// Whether a late look at a chunk, at `?1`, is further off than twice the time that its results were waited for.
    private static let isTooLate = """
        next_poll_at > strftime('%Y-%m-%dT%H:%M:%fZ', ?1,
                                max(0, 2 * (julianday(result_deadline_at) - julianday(submitted_at))) || ' days')
        """

    private static func hasUnboundedDueTime(_ bounds: StatementArguments, _ db: Database) throws -> Bool {
        let isTooLate = isTooLate.replacing("?1", with: "?4")
        return try Bool.fetchOne(
            db.cachedStatement(
                sql: """
                    SELECT EXISTS (SELECT 1 FROM daemon_state WHERE paused_until > ?1)
                        OR EXISTS (SELECT 1
                                     FROM chunks INDEXED BY chunks_next_attempt
                                    WHERE state = 'pending'
                                      AND blocked = 0
                                      AND next_attempt_at > ?1)
                        OR EXISTS (SELECT 1
                                     FROM chunks INDEXED BY chunks_next_poll
                                    WHERE next_poll_at IS NOT NULL
                                      AND state = 'submitted'
                                      AND next_poll_at > ?2)
                        OR EXISTS (SELECT 1
                                     FROM chunks INDEXED BY chunks_next_poll
                                    WHERE next_poll_at IS NOT NULL
                                      AND state = 'finished'
                                      AND next_poll_at > ?3
                                      AND \(isTooLate))
                    """
            ),
            arguments: bounds
        ) ?? false
    }

    /// Makes due the jobs that were inserted without a `run_at` while the clock was ahead; to be called at a start and when
    /// the clock was set.
    public func boundDefaultRunTimes(at now: Timestamp) async throws {
        let jobs = try await read { db in
            try CommandJobID.fetchAll(
                db.cachedStatement(
                    sql: """
                        SELECT p.command_job_id
                          FROM job_progress AS p
                          JOIN command_jobs AS j ON j.id = p.command_job_id
                         WHERE p.job_state IN ('queued', 'running', 'paused')
                           AND p.run_at > ?
                           AND j.run_at = j.created_at
                        """
                ),
                arguments: [now]
            )
        }
        for job in jobs {
            try await write { db in
                try db.cachedStatement(sql: "UPDATE command_jobs SET run_at = ?2 WHERE id = ?1 AND run_at = created_at")
                    .execute(arguments: [job, now])
                guard db.changesCount == 1 else { return }
                try db.cachedStatement(sql: "UPDATE job_progress SET run_at = ?2, is_due = 1 WHERE command_job_id = ?1")
                    .execute(arguments: [job, now])
            }
        }
    }
}
