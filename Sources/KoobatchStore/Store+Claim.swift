import GRDB
import KoobatchCore

extension Store {
    /// Claims due chunks of the jobs of the highest priority that has any, then of the next, fairly among equals.
    static func claim(
        places: Int,
        now: Timestamp,
        generator: inout some RandomNumberGenerator,
        _ db: Database
    ) throws -> [ClaimedChunk] {
        var claims: [ClaimedChunk] = []
        while claims.count < places {
            let before = claims.count
            let claimants = try claimants(limit: places - before, now: now, db)
            guard let priority = claimants.first?.share.priority else { break }
            let equals = claimants.filter { $0.share.priority == priority }
            let shares = FairShare.shares(of: places - before, among: equals.map(\.share))
            for (job, share) in shares {
                guard let claimant = equals.first(where: { $0.share.job == job }) else { continue }
                claims += try claim(of: claimant, places: share, now: now, generator: &generator, db)
            }
            if claims.count == before { break }
        }
        return claims
    }

    /// Whether any chunk could be claimed now.
    static func hasClaimant(now: Timestamp, _ db: Database) throws -> Bool {
        try !claimants(limit: 1, now: now, db).isEmpty
    }

    private static func claimants(limit: Int, now: Timestamp, _ db: Database) throws -> [Claimant] {
        try Row.fetchAll(
            db.cachedStatement(
                sql: """
                    SELECT p.command_job_id,
                           p.priority,
                           CASE p.trial
                               WHEN 'starting'
                               THEN min(coalesce(j.max_concurrency, ?3), ?3)
                               ELSE coalesce(j.max_concurrency, p.in_flight_chunks + p.waiting_chunks)
                           END - p.in_flight_chunks AS room,
                           p.trial,
                           p.trial_chunk
                      FROM job_progress AS p
                      JOIN command_jobs AS j ON j.id = p.command_job_id
                     WHERE p.job_state = 'running'
                       AND p.waiting_chunks > 0
                       AND p.run_at <= ?1
                       AND (p.expires_at IS NULL OR p.expires_at > ?1)
                       AND room > 0
                       AND CASE p.trial
                               WHEN 'refused' THEN false
                               WHEN 'dividing'
                               THEN EXISTS (SELECT 1
                                              FROM chunks AS c
                                             WHERE c.root_id = p.trial_chunk
                                               AND c.state = 'pending'
                                               AND c.next_attempt_at <= ?1)
                               WHEN 'sampling'
                               THEN EXISTS (SELECT 1
                                              FROM chunks AS c
                                             WHERE c.command_job_id = p.command_job_id
                                               AND c.is_sample = 1
                                               AND c.state = 'pending'
                                               AND c.next_attempt_at <= ?1)
                               ELSE EXISTS (SELECT 1
                                              FROM chunks AS c
                                             WHERE c.command_job_id = p.command_job_id
                                               AND c.state = 'pending'
                                               AND c.next_attempt_at <= ?1)
                           END
                     ORDER BY p.priority DESC, p.turn, p.command_job_id
                     LIMIT ?2
                    """
            ),
            arguments: [now, limit, CommandTrial.chunksBeforeAcceptance]
        ).map { row in
            Claimant(
                share: FairShare.Claimant(job: row[0], priority: row[1], room: row[2]),
                trial: row[3],
                trialChunk: row[4]
            )
        }
    }

    /// A job that has chunks to send, and which of them.
    private struct Claimant {
        let share: FairShare.Claimant
        let trial: CommandTrial
        let trialChunk: ChunkID?
    }

    private static func claim(
        of claimant: Claimant,
        places: Int,
        now: Timestamp,
        generator: inout some RandomNumberGenerator,
        _ db: Database
    ) throws -> [ClaimedChunk] {
        let job = claimant.share.job
        let row = try Row.fetchOne(
            db.cachedStatement(
                sql: """
                    SELECT j.command, iif(p.turn = 0, max(j.created_at, j.run_at), NULL)
                      FROM command_jobs AS j
                      JOIN job_progress AS p ON p.command_job_id = j.id
                     WHERE j.id = ?
                    """
            ),
            arguments: [job]
        )
        guard let row else { return [] }
        let command: String = row[0]
        var jobDueAt: Timestamp? = row[1]
        let due = try due(of: claimant, places: places, now: now, db)
        let intend = try db.cachedStatement(
            sql: "INSERT INTO attempts (chunk_id, request_id, started_at) VALUES (?, ?, ?)"
        )
        let take = try db.cachedStatement(
            sql: """
                UPDATE chunks
                   SET state           = 'submitting',
                       attempts        = attempts + 1,
                       next_attempt_at = NULL
                 WHERE id = ?
                   AND state = 'pending'
                """
        )
        let claims = try due.map { row in
            let chunk: ChunkID = row[0]
            let requestID = RequestID.random(using: &generator)
            try intend.execute(arguments: [chunk, requestID, now])
            let attempt = AttemptID(rawValue: db.lastInsertedRowID)
            try take.execute(arguments: [chunk])
            defer { jobDueAt = nil }
            return ClaimedChunk(
                chunk: chunk,
                job: job,
                attempt: attempt,
                request: SubmitRequest(
                    requestID: requestID,
                    command: command,
                    instanceIDs: try JSONText.strings(row[1])
                ),
                jobDueAt: jobDueAt
            )
        }
        if let last = claims.last {
            try db.cachedStatement(sql: "UPDATE job_progress SET turn = ? WHERE command_job_id = ?")
                .execute(arguments: [last.attempt, job])
        }
        return claims
    }

    /// The chunks to send next: those due longest, but for a job whose command is on trial.
    private static func due(of claimant: Claimant, places: Int, now: Timestamp, _ db: Database) throws -> [Row] {
        let job = claimant.share.job.rawValue
        let (which, order, key) =
            switch claimant.trial {
            case .dividing: ("root_id = ?1", "next_attempt_at, id", claimant.trialChunk?.rawValue)
            case .sampling: ("command_job_id = ?1 AND is_sample = 1", "id", job)
            case .starting, .passed, .refused: ("command_job_id = ?1", "next_attempt_at, id", job)
            }
        return try Row.fetchAll(
            db.cachedStatement(
                sql: """
                    SELECT id, instance_ids
                      FROM chunks
                     WHERE \(which)
                       AND state = 'pending'
                       AND next_attempt_at <= ?2
                     ORDER BY \(order)
                     LIMIT ?3
                    """
            ),
            arguments: [key, now, places]
        )
    }
}
