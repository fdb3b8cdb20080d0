import GRDB
public import KoobatchCore

/// A chunk that was claimed: its attempt is durable, and its request may be sent now.
public struct ClaimedChunk: Hashable, Sendable {
    /// The chunk.
    public let chunk: ChunkID
    /// Its job.
    public let job: CommandJobID
    /// The row of `attempts` that stands for the request.
    public let attempt: AttemptID
    /// The request to send.
    public let request: SubmitRequest
}

/// What came of a claimed chunk's request.
public struct SubmissionAnswer: Sendable {
    /// The claim.
    public let claim: ClaimedChunk
    /// The API's acceptance, or the classified failure.
    public let result: Result<SubmitAnswer, ServiceFailure>
    /// When the answer came, or the wait for it ended.
    public let finishedAt: Timestamp

    /// Creates an answer.
    public init(claim: ClaimedChunk, result: Result<SubmitAnswer, ServiceFailure>, finishedAt: Timestamp) {
        self.claim = claim
        self.result = result
        self.finishedAt = finishedAt
    }
}

/// What a turn of submission wrote.
public struct SubmissionTurn: Sendable {
    /// What became of each answer, in their order; `nil` for one that came too late to change anything.
    public let decisions: [SubmissionDecision?]
    /// The chunks to send now.
    public let claims: [ClaimedChunk]
    /// When the next chunk is due; `nil` if none waits for a time.
    public let nextDue: Timestamp?

    /// Creates a turn.
    public init(decisions: [SubmissionDecision?], claims: [ClaimedChunk], nextDue: Timestamp?) {
        self.decisions = decisions
        self.claims = claims
        self.nextDue = nextDue
    }
}

extension Store {
    /// Records answers and claims due chunks, all in one transaction.
    ///
    /// An answer changes something only while its attempt is open, so a late or repeated call is harmless.
    ///
    /// - Parameters:
    ///   - answers: what came of earlier claims.
    ///   - isCharged: whether their failures count against `max_attempts`; not while the endpoint as a whole fails.
    ///   - places: how many chunks may be claimed.
    ///   - rules: how to decide.
    ///   - now: the time of the turn.
    ///   - generator: for request ids and jitter.
    public func submissionTurn(
        answers: [SubmissionAnswer],
        isCharged: Bool = true,
        places: Int,
        rules: SubmissionRules,
        at now: Timestamp,
        generator: some RandomNumberGenerator & Sendable
    ) async throws -> SubmissionTurn {
        try await write { db in
            var generator = generator
            let policies = answers.isEmpty ? ErrorPolicies([:]) : try Self.errorPolicies(db)
            let decisions = try answers.map {
                try Self.record(
                    $0,
                    isCharged: isCharged,
                    rules: rules,
                    policies: policies,
                    now: now,
                    generator: &generator,
                    db
                )
            }
            let claims = try Self.claim(places: places, now: now, generator: &generator, db)
            return SubmissionTurn(decisions: decisions, claims: claims, nextDue: try Self.nextDue(after: now, db))
        }
    }

    /// When the next chunk is due: `now` if one is already.
    public func nextSubmission(at now: Timestamp) async throws -> Timestamp? {
        try await read { db in
            if try Self.claimants(limit: 1, now: now, db).isEmpty == false { return now }
            return try Self.nextDue(after: now, db)
        }
    }

    /// The next attempt of a chunk, or the `run_at` of a job that was put off while it ran.
    private static func nextDue(after now: Timestamp, _ db: Database) throws -> Timestamp? {
        try Timestamp.fetchOne(
            db.cachedStatement(
                sql: """
                    SELECT min(due)
                      FROM (SELECT min(next_attempt_at) AS due
                              FROM chunks
                             WHERE state = 'pending'
                               AND next_attempt_at > ?1
                            UNION ALL
                            SELECT min(run_at)
                              FROM job_progress
                             WHERE job_state = 'running'
                               AND waiting_chunks > 0
                               AND run_at > ?1)
                    """
            ),
            arguments: [now]
        )
    }

    private static func claim(
        places: Int,
        now: Timestamp,
        generator: inout some RandomNumberGenerator,
        _ db: Database
    ) throws -> [ClaimedChunk] {
        var claims: [ClaimedChunk] = []
        while claims.count < places {
            let before = claims.count
            let claimants = try claimants(limit: places - before, now: now, db)
            guard let priority = claimants.first?.priority else { break }
            let equals = claimants.filter { $0.priority == priority }
            for (job, share) in FairShare.shares(of: places - before, among: equals) {
                claims += try claim(of: job, places: share, now: now, generator: &generator, db)
            }
            if claims.count == before { break }
        }
        return claims
    }

    private static func claimants(limit: Int, now: Timestamp, _ db: Database) throws -> [FairShare.Claimant] {
        try Row.fetchAll(
            db.cachedStatement(
                sql: """
                    SELECT p.command_job_id,
                           p.priority,
                           min(p.waiting_chunks, coalesce(j.max_concurrency - p.in_flight_chunks, p.waiting_chunks))
                      FROM job_progress AS p
                      JOIN command_jobs AS j ON j.id = p.command_job_id
                     WHERE p.job_state = 'running'
                       AND p.waiting_chunks > 0
                       AND p.run_at <= ?1
                       AND (p.expires_at IS NULL OR p.expires_at > ?1)
                       AND (j.max_concurrency IS NULL OR p.in_flight_chunks < j.max_concurrency)
                       AND EXISTS (SELECT 1
                                     FROM chunks AS c
                                    WHERE c.command_job_id = p.command_job_id
                                      AND c.state = 'pending'
                                      AND c.next_attempt_at <= ?1)
                     ORDER BY p.priority DESC, p.turn, p.command_job_id
                     LIMIT ?2
                    """
            ),
            arguments: [now, limit]
        ).map { FairShare.Claimant(job: $0[0], priority: $0[1], room: $0[2]) }
    }

    private static func claim(
        of job: CommandJobID,
        places: Int,
        now: Timestamp,
        generator: inout some RandomNumberGenerator,
        _ db: Database
    ) throws -> [ClaimedChunk] {
        let command = try String.fetchOne(
            db.cachedStatement(sql: "SELECT command FROM command_jobs WHERE id = ?"),
            arguments: [job]
        )
        guard let command else { return [] }
        let due = try Row.fetchAll(
            db.cachedStatement(
                sql: """
                    SELECT id, instance_ids
                      FROM chunks
                     WHERE command_job_id = ?
                       AND state = 'pending'
                       AND next_attempt_at <= ?
                     ORDER BY next_attempt_at, id
                     LIMIT ?
                    """
            ),
            arguments: [job, now, places]
        )
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
            return ClaimedChunk(
                chunk: chunk,
                job: job,
                attempt: attempt,
                request: SubmitRequest(
                    requestID: requestID,
                    command: command,
                    instanceIDs: try JSONText.strings(row[1])
                )
            )
        }
        if let last = claims.last {
            try db.cachedStatement(sql: "UPDATE job_progress SET turn = ? WHERE command_job_id = ?")
                .execute(arguments: [last.attempt, job])
        }
        return claims
    }
}
