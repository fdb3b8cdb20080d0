import GRDB
public import KoobatchCore

/// What there is to do now, for those who look after the database and for the net under lost wake-ups.
public struct Outlook: Hashable, Sendable {
    /// Whether there is planning that is due.
    public let planning: Bool
    /// Whether there are chunks to be sent, whether they may be now or not.
    public let submission: Bool
    /// Whether there are tasks to be asked for.
    public let polling: Bool
    /// Whether there are jobs that `expires_at` has passed for.
    public let expiry: Bool
    /// When it does for the next one.
    public let nextExpiry: Timestamp?
    /// Whether something is put off for longer than its own rule allows.
    public let isPutOff: Bool
    /// Whether there is a finished job to delete.
    public let deletion: Bool
}

extension Store {
    /// Looks at all that may be due in one go, and writes nothing.
    ///
    /// - Parameters:
    ///   - rules: bound what is put off.
    ///   - retention: how long finished jobs are kept; `nil` keeps them for ever.
    ///   - trusted: what the clock is trusted for: what expires and is deleted goes by it.
    ///   - now: the time.
    public func outlook(
        rules: SubmissionRules,
        retention: Duration?,
        trusted: Timestamp,
        at now: Timestamp
    ) async throws -> Outlook {
        try await read { db in
            let row = try Row.fetchOne(
                db.cachedStatement(
                    sql: """
                        SELECT EXISTS (SELECT 1
                                         FROM job_progress INDEXED BY job_progress_chores
                                        WHERE (deleting = 1 OR replan_upto IS NOT NULL OR blocked_chunks > 0)
                                          AND replan_upto IS NOT NULL
                                          AND job_state IN ('queued', 'running')
                                          AND run_at <= ?1),
                               EXISTS (SELECT 1
                                         FROM chunks
                                        WHERE state IN ('submitted', 'finished')
                                          AND next_poll_at IS NOT NULL
                                          AND next_poll_at <= ?1)
                        """
                ),
                arguments: [now]
            )
            let (expiring, nextExpiry) = try Self.expiring(at: trusted, db)
            let cutoff = retention.map { trusted + (.zero - $0) }
            return Outlook(
                planning: row?[0] ?? false,
                submission: try Self.hasClaimant(now: now, db),
                polling: row?[1] ?? false,
                expiry: !expiring.isEmpty,
                nextExpiry: nextExpiry,
                isPutOff: try Self.hasUnboundedTimes(by: rules, at: now, db),
                deletion: try Retention.candidate(finishedBefore: cutoff, db) != nil
            )
        }
    }
}
