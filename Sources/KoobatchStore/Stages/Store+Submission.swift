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
    /// Whether it was cut from the list of its job just now.
    public let isNew: Bool
    /// The instances of its job, for the first chunk that is claimed when the job starts or runs again.
    public let startedInstances: Int?
    /// When its job was due; set for the first chunk that is ever claimed of it.
    let jobDueAt: Timestamp?
}

/// What came of a claimed chunk's request.
public struct AttemptResult: Sendable {
    /// The claim.
    public let claim: ClaimedChunk
    /// The API's acceptance, or the classified failure.
    public let result: Result<SubmitResponse, ServiceFailure>
    /// When the answer came, or the wait for it ended.
    public let finishedAt: Timestamp

    /// Creates an answer.
    public init(claim: ClaimedChunk, result: Result<SubmitResponse, ServiceFailure>, finishedAt: Timestamp) {
        self.claim = claim
        self.result = result
        self.finishedAt = finishedAt
    }
}

extension AttemptResult: RequestAnswer {
    /// Whether it asked for results.
    public static let isQuery = false

    /// The failure, if the request was not accepted.
    public var failure: ServiceFailure? { result.failure }

    /// The same answer with another failure.
    public func failing(_ failure: ServiceFailure) -> AttemptResult {
        AttemptResult(claim: claim, result: .failure(failure), finishedAt: finishedAt)
    }
}

/// What became of an answer.
public enum RecordOutcome: Hashable, Sendable {
    /// It is recorded, and this was decided about its chunk.
    case decided(SubmissionDecision)
    /// It came too late to change anything.
    case late
    /// It cannot be recorded, because rows were changed by hand or a trigger of somebody else's fails: why. An acceptance is
    /// to be kept and recorded again; of a failure the attempt is closed if that is possible, and its chunk stays
    /// `submitting` until the daemon starts again.
    case impossible(String)
}

/// What a turn of submission wrote.
public struct SubmissionBatch: Sendable {
    /// What became of each answer, in their order; of the first ones where the database failed in the midst.
    public let decisions: [RecordOutcome]
    /// The chunks to send now.
    public let claims: [ClaimedChunk]
    /// When the next chunk is due; `nil` if none waits for a time.
    public let nextDue: Timestamp?
    /// What must be durable before anything of this is sent or told; `nil` where nothing was written.
    public let commit: Store.Commit?

    /// Creates a turn.
    public init(
        decisions: [RecordOutcome],
        claims: [ClaimedChunk],
        nextDue: Timestamp?,
        commit: Store.Commit? = nil
    ) {
        self.decisions = decisions
        self.claims = claims
        self.nextDue = nextDue
        self.commit = commit
    }
}

extension Store {
    /// Records answers and claims due chunks: in one transaction, or in several that leave the write lock to others.
    ///
    /// An answer changes something only while its attempt is open, so a late or repeated call is harmless. One that cannot
    /// be recorded does not keep back the others. `makeDurable` must follow before a claim is sent.
    ///
    /// - Parameters:
    ///   - answers: what came of earlier claims.
    ///   - isCharged: whether their failures count against `max_attempts`; not while the endpoint as a whole fails.
    ///   - places: how many chunks may be claimed.
    ///   - isProbe: whether the claim is to find out if the endpoint works: not with the same chunk each time, because a
    ///     request whose answer is lost counts as an attempt.
    ///   - chunkSize: instances in a new chunk.
    ///   - rules: how to decide.
    ///   - now: the time of the turn.
    ///   - generator: for request ids and jitter.
    public func submissionBatch(
        answers: [Classified<AttemptResult>],
        isCharged: Bool = true,
        places: Int,
        isProbe: Bool = false,
        chunkSize: Int,
        rules: SubmissionRules,
        at now: Timestamp,
        generator: some RandomNumberGenerator & Sendable
    ) async throws -> SubmissionBatch {
        var turn = SubmissionBatch(decisions: [], claims: [], nextDue: nil)
        var generator = generator
        var preparation: ClaimPreparation?
        while true {
            do {
                let (piece, commit) = try await piece(
                    of: answers.dropFirst(turn.decisions.count),
                    isCharged: isCharged,
                    places: places - turn.claims.count,
                    claiming: ClaimRules(chunkSize: chunkSize, prefersNew: isProbe),
                    preparation: preparation ?? ClaimPreparation(),
                    rules: rules,
                    at: now,
                    generator: generator
                )
                generator = piece.generator
                // What was claimed has moved the place in a list that was looked at.
                if preparation?.windows.isEmpty == false, !piece.turn.claims.isEmpty { preparation = nil }
                turn = SubmissionBatch(
                    decisions: turn.decisions + piece.turn.decisions,
                    claims: turn.claims + piece.turn.claims,
                    nextDue: piece.turn.nextDue,
                    commit: commit
                )
                if piece.isUnprepared, preparation == nil, turn.claims.count < places {
                    preparation = try await prepareClaim(
                        places: places - turn.claims.count,
                        chunkSize: chunkSize,
                        at: now
                    )
                } else if !piece.isCutShort {
                    break
                }
            } catch is DatabaseError where !(turn.decisions.isEmpty && turn.claims.isEmpty) {
                // What is claimed is to be sent; the next turn meets the error again.
                break
            }
        }
        metrics.claimed(turn.claims, at: now)
        return turn
    }

    /// Makes a turn durable, and notes it beside the database: to be called before anything of it is sent or told.
    ///
    /// - Throws: `StoreError.cannotSync`, or `.replaced` where a file of the database is not in its place any more.
    public func makeDurable(_ turn: SubmissionBatch) async throws {
        if let commit = turn.commit { try await makeDurable(commit) }
        guard let attempt = turn.claims.map(\.attempt.rawValue).max() else { return }
        // A copy that does not know of it is an old one.
        lock?.note { $0.attempt = max($0.attempt, attempt) }
        try files.requireUnchanged()
    }

    /// What one transaction of a turn did.
    private struct Piece<Generator: Sendable>: Sendable {
        let turn: SubmissionBatch
        let generator: Generator
        /// The rest is for another transaction.
        var isCutShort = false
        /// More could be claimed once something was read.
        var isUnprepared = false
    }

    private func piece<Generator: RandomNumberGenerator & Sendable>(
        of answers: ArraySlice<Classified<AttemptResult>>,
        isCharged: Bool,
        places: Int,
        claiming: ClaimRules,
        preparation: ClaimPreparation,
        rules: SubmissionRules,
        at now: Timestamp,
        generator: Generator
    ) async throws -> (value: Piece<Generator>, commit: Commit) {
        let answers = Array(answers)
        return try await commit { db in
            var generator = generator
            let recorder = SubmissionRecorder(isCharged: isCharged, rules: rules, now: now)
            let decisions = try recorder.record(
                answers,
                until: { pacer.shouldYield },
                generator: &generator,
                db
            )
            if decisions.count < answers.count {
                let turn = SubmissionBatch(decisions: decisions, claims: [], nextDue: nil)
                return Piece(turn: turn, generator: generator, isCutShort: true)
            }
            let claimed = try claim(
                places: places,
                rules: claiming,
                preparation: preparation,
                now: now,
                generator: &generator,
                db
            )
            let claims = claimed.claims
            if claimed.isCutShort {
                let turn = SubmissionBatch(decisions: decisions, claims: claims, nextDue: nil)
                return Piece(turn: turn, generator: generator, isCutShort: true)
            }
            // With every place taken the next claim tells.
            let isFull = places > 0 && claims.count == places
            var next = isFull ? now : try Self.nextDue(after: now, isIdle: claims.isEmpty, db)
            if claims.count < places, try Self.hasClaimant(now: now, db) {
                // What was not prepared for this claim.
                let soon = now + Self.pauseBeforeClaimingOn
                next = min(next ?? soon, soon)
            }
            let turn = SubmissionBatch(decisions: decisions, claims: claims, nextDue: next)
            return Piece(turn: turn, generator: generator, isUnprepared: claimed.isUnprepared)
        }
    }

    /// How long after a claim that was cut short the next one may come.
    private static let pauseBeforeClaimingOn = Duration.milliseconds(5)

    /// Applies the error policies to answers, as the table `error_policies` has them now; it is not read where none failed.
    public func classify<Answer: RequestAnswer>(_ answers: [Answer]) async throws -> [Classified<Answer>] {
        var policies = ErrorPolicies([:])
        if answers.contains(where: { $0.failure != nil }) { policies = try await errorPolicies() }
        return answers.map { Classified($0, policies: policies) }
    }

    private func errorPolicies() async throws -> ErrorPolicies {
        try await read { db in
            let rows = try Row.fetchAll(db.cachedStatement(sql: "SELECT code, action FROM error_policies"))
            return ErrorPolicies(
                Dictionary(rows.map { ($0[0] as String, $0[1] as ErrorAction) }, uniquingKeysWith: { $1 })
            )
        }
    }

    /// When the next chunk is due: `now` if one is already.
    public func nextSubmission(at now: Timestamp) async throws -> Timestamp? {
        try await read { db in
            if try Self.hasClaimant(now: now, db) { return now }
            return try Self.nextDue(after: now, isIdle: true, db)
        }
    }

    /// The next attempt of a chunk, or the `run_at` of a job.
    ///
    /// - Parameter isIdle: whether to look for jobs that were due before the clock was set back, too.
    private static func nextDue(after now: Timestamp, isIdle: Bool, _ db: Database) throws -> Timestamp? {
        let next = try Timestamp.fetchOne(
            db.cachedStatement(
                sql: """
                    SELECT min(due)
                      FROM (SELECT min(next_attempt_at) AS due
                              FROM chunks
                             WHERE state = 'pending'
                               AND blocked = 0
                               AND next_attempt_at > ?1
                            UNION ALL
                            SELECT min(run_at)
                              FROM job_progress
                             WHERE is_due = 0
                               AND job_state IN ('queued', 'running')
                               AND run_at > ?1)
                    """
            ),
            arguments: [now]
        )
        guard isIdle else { return next }
        let postponed = try Timestamp.fetchOne(
            db.cachedStatement(
                sql: """
                    SELECT min(run_at)
                      FROM job_progress
                     WHERE is_due = 1
                       AND job_state IN ('queued', 'running')
                       AND (waiting_chunks > blocked_chunks OR planned < plan_limit)
                       AND run_at > ?
                    """
            ),
            arguments: [now]
        )
        return [next, postponed].compactMap(\.self).min()
    }
}
