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
    /// When its job was due; set for the first chunk that is ever claimed of it.
    let jobDueAt: Timestamp?
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

extension SubmissionAnswer {
    /// The answer with the error policies applied to its failure; the same once they are.
    func applying(_ policies: ErrorPolicies) -> SubmissionAnswer {
        guard case .failure(let failure) = result else { return self }
        return SubmissionAnswer(claim: claim, result: .failure(failure.applying(policies)), finishedAt: finishedAt)
    }
}

/// What became of an answer.
public enum RecordedAnswer: Hashable, Sendable {
    /// It is recorded, and this was decided about its chunk.
    case decided(SubmissionDecision)
    /// It came too late to change anything.
    case late
    /// The rules of the schema do not let it be recorded, because rows were changed by hand: why. Its attempt is closed if
    /// that is possible, and its chunk stays `submitting` until the daemon starts anew.
    case impossible(String)
}

/// What a turn of submission wrote.
public struct SubmissionTurn: Sendable {
    /// What became of each answer, in their order.
    public let decisions: [RecordedAnswer]
    /// The chunks to send now.
    public let claims: [ClaimedChunk]
    /// When the next chunk is due; `nil` if none waits for a time.
    public let nextDue: Timestamp?

    /// Creates a turn.
    public init(decisions: [RecordedAnswer], claims: [ClaimedChunk], nextDue: Timestamp?) {
        self.decisions = decisions
        self.claims = claims
        self.nextDue = nextDue
    }
}

extension Store {
    /// Records answers and claims due chunks, all in one transaction.
    ///
    /// An answer changes something only while its attempt is open, so a late or repeated call is harmless. One that cannot
    /// be recorded does not keep back the others.
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
        let turn = try await write { db in
            var generator = generator
            let policies = answers.isEmpty ? ErrorPolicies([:]) : try Self.errorPolicies(db)
            let decisions = try answers.map {
                try Self.recordAlone(
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
        metrics.claimed(turn.claims, at: now)
        return turn
    }

    /// What the table `error_policies` says now.
    public func errorPolicies() async throws -> ErrorPolicies {
        try await read { try Self.errorPolicies($0) }
    }

    /// When the next chunk is due: `now` if one is already.
    public func nextSubmission(at now: Timestamp) async throws -> Timestamp? {
        try await read { db in
            if try Self.hasClaimant(now: now, db) { return now }
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
}
