import GRDB
public import KoobatchCore

extension Store {
    /// What two clock readings of one transaction and of rounding to milliseconds may differ by.
    private static let slack = Duration.seconds(1)
    /// Chunks that are made due in one transaction.
    private static let boundedAtOnce = 200

    /// A column of `chunks` with times that a rule bounds.
    private struct DueTime {
        let column: String
        let index: String
        /// The rows of the rule; `?1` is the time now.
        let rows: String
        let latest: Timestamp?

        /// The rows that are beyond the bound, `?2`.
        var beyond: String { "FROM chunks INDEXED BY \(index) WHERE \(rows) AND \(column) > ?2" }
    }

    private static func dueTimes(by rules: SubmissionRules, at now: Timestamp) -> [DueTime] {
        [
            DueTime(
                column: "next_attempt_at",
                index: "chunks_next_attempt",
                rows: "state = 'pending' AND blocked = 0",
                latest: now + rules.backoff.maximum + slack
            ),
            DueTime(
                column: "next_poll_at",
                index: "chunks_next_poll",
                rows: "next_poll_at IS NOT NULL AND state = 'submitted'",
                latest: rules.polling.map { now + $0.longestDelay + slack }
            ),
            // A late look is no further off than twice the time that the results were waited for.
            DueTime(
                column: "next_poll_at",
                index: "chunks_next_poll",
                rows: """
                    next_poll_at IS NOT NULL AND state = 'finished'
                    AND next_poll_at > strftime('%Y-%m-%dT%H:%M:%fZ', ?1,
                                                max(0, 2 * (julianday(result_deadline_at) - julianday(submitted_at)))
                                                || ' days')
                    """,
                latest: rules.polling.map { now + $0.resultTimeout * 2 }
            ),
        ]
    }

    /// Makes due at once what is put off for longer than its own rule allows: it was written while the clock was ahead, or by
    /// a rule that is no longer in force.
    ///
    /// Cheap where there is nothing of that kind: a look at the end of an index each. Times that users give are theirs.
    ///
    /// - Returns: whether anything was.
    public func boundDueTimes(by rules: SubmissionRules, at now: Timestamp) async throws -> Bool {
        let latestPause = Self.latestPause(by: rules, at: now)
        var wasFound = false
        while try await read({ try Self.hasUnboundedTimes(by: rules, at: now, $0) }) {
            let changed = try await write { db in
                try db.cachedStatement(sql: "UPDATE daemon_state SET paused_until = NULL WHERE paused_until > ?")
                    .execute(arguments: [latestPause])
                var changed = db.changesCount
                for time in Self.dueTimes(by: rules, at: now) {
                    try db.cachedStatement(
                        sql: "UPDATE chunks SET \(time.column) = ?1 WHERE id IN (SELECT id \(time.beyond) LIMIT ?3)"
                    ).execute(arguments: [now, time.latest, Self.boundedAtOnce])
                    changed += db.changesCount
                }
                return changed
            }
            if changed == 0 { break }
            wasFound = true
        }
        return wasFound
    }

    /// Whether something is put off for longer than its own rule allows; see `boundDueTimes`.
    static func hasUnboundedTimes(by rules: SubmissionRules, at now: Timestamp, _ db: Database) throws -> Bool {
        let isPaused = try Bool.fetchOne(
            db.cachedStatement(sql: "SELECT EXISTS (SELECT 1 FROM daemon_state WHERE paused_until > ?)"),
            arguments: [latestPause(by: rules, at: now)]
        )
        if isPaused ?? false { return true }
        return try dueTimes(by: rules, at: now).contains { time in
            try Bool.fetchOne(
                db.cachedStatement(sql: "SELECT EXISTS (SELECT 1 \(time.beyond))"),
                arguments: [now, time.latest]
            ) ?? false
        }
    }

    private static func latestPause(by rules: SubmissionRules, at now: Timestamp) -> Timestamp {
        now + rules.backoff.maximum + slack
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
