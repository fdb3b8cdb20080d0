import GRDB
import KoobatchCore

extension Store {
    /// A job that has chunks to send.
    struct Claimant {
        let share: FairShare.Claimant
        let planned: Int
        let planLimit: Int
        let total: Int
        /// Chunks that are to be sent again.
        let hasWaiting: Bool
        let isSerialized: Bool

        /// Whether new chunks can be cut from its list.
        var canPlan: Bool { planned < planLimit }
    }

    static func claimants(limit: Int, now: Timestamp, _ db: Database) throws -> [Claimant] {
        try Row.fetchAll(
            db.cachedStatement(
                sql: """
                    SELECT p.command_job_id,
                           p.priority,
                           iif(p.slow_start = 1,
                               min(coalesce(j.max_concurrency, ?3), ?3),
                               coalesce(j.max_concurrency, 1000000000)) - p.in_flight_chunks AS room,
                           p.planned,
                           iif(p.replan_upto IS NULL, p.plan_limit, p.planned),
                           p.total,
                           p.waiting_chunks > p.blocked_chunks,
                           j.serialize_instances
                      FROM job_progress AS p
                     CROSS JOIN command_jobs AS j ON j.id = p.command_job_id
                     WHERE p.is_due = 1
                       AND p.job_state IN ('queued', 'running')
                       AND (p.waiting_chunks > p.blocked_chunks OR p.planned < p.plan_limit)
                       AND p.run_at <= ?1
                       AND (p.expires_at IS NULL OR p.expires_at > ?1)
                       AND room > 0
                       AND ((p.planned < p.plan_limit AND p.replan_upto IS NULL)
                            OR EXISTS (SELECT 1
                                         FROM chunks AS c
                                        WHERE c.command_job_id = p.command_job_id
                                          AND c.state = 'pending'
                                          AND c.blocked = 0
                                          AND c.next_attempt_at <= ?1))
                     ORDER BY p.priority DESC, p.last_served_attempt_id, p.command_job_id
                     LIMIT ?2
                    """
            ),
            arguments: [now, limit, ClaimRules.chunksBeforeAcceptance]
        ).map { row in
            Claimant(
                share: FairShare.Claimant(job: row[0], priority: row[1], room: row[2]),
                planned: row[3],
                planLimit: row[4],
                total: row[5],
                hasWaiting: row[6],
                isSerialized: row[7]
            )
        }
    }

    /// Whether any chunk could be claimed now.
    static func hasClaimant(now: Timestamp, _ db: Database) throws -> Bool {
        try !claimants(limit: 1, now: now, db).isEmpty || nextScheduled(db).map { $0 <= now } ?? false
    }
}
