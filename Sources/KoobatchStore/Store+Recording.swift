import GRDB
public import KoobatchCore

/// How answers are turned into changes.
public struct SubmissionRules: Hashable, Sendable {
    /// Delays between attempts of a chunk.
    public let backoff: Backoff
    /// When results are asked for; `nil` when they are not polled.
    public let polling: PollSchedule?

    /// Creates rules.
    public init(backoff: Backoff, polling: PollSchedule?) {
        self.backoff = backoff
        self.polling = polling
    }
}

extension Store {
    /// Records an answer in a savepoint of its own.
    static func recordAlone(
        _ answer: SubmissionAnswer,
        isCharged: Bool,
        rules: SubmissionRules,
        policies: ErrorPolicies,
        now: Timestamp,
        generator: inout some RandomNumberGenerator,
        _ db: Database
    ) throws -> RecordedAnswer {
        do {
            var decision: SubmissionDecision?
            try db.inSavepoint {
                decision = try record(
                    answer,
                    isCharged: isCharged,
                    rules: rules,
                    policies: policies,
                    now: now,
                    generator: &generator,
                    db
                )
                return .commit
            }
            return decision.map { .decided($0) } ?? .late
        } catch let error as DatabaseError where error.resultCode == .SQLITE_CONSTRAINT {
            _ = try close(answer, db)
            return .impossible(error.message ?? "\(error)")
        }
    }

    private static func record(
        _ answer: SubmissionAnswer,
        isCharged: Bool,
        rules: SubmissionRules,
        policies: ErrorPolicies,
        now: Timestamp,
        generator: inout some RandomNumberGenerator,
        _ db: Database
    ) throws -> SubmissionDecision? {
        let answer = answer.applying(policies)
        guard try close(answer, db) else { return nil }
        switch answer.result {
        case .success(let accepted):
            try accept(accepted, of: answer, polling: rules.polling, db)
            try pass(answer.claim.job, db)
            return .accept
        case .failure(let failure):
            guard let context = try context(of: answer.claim.chunk, db) else { return nil }
            let decision = SubmissionDecision.after(
                failure,
                context: context,
                isCharged: isCharged,
                policies: policies,
                backoff: rules.backoff,
                now: now,
                generator: &generator
            )
            try apply(decision, failure: failure, to: answer.claim.chunk, now: now, db)
            try judge(answer.claim.chunk, of: answer.claim.job, failure, decision, now: now, db)
            return decision
        }
    }

    /// Closes the attempt; `false` if it is closed already, and then nothing else may change either.
    private static func close(_ answer: SubmissionAnswer, _ db: Database) throws -> Bool {
        let outcome: String
        let failure: ServiceFailure?
        switch answer.result {
        case .success: (outcome, failure) = ("accepted", nil)
        case .failure(let error): (outcome, failure) = (error.outcome.rawValue, error)
        }
        try db.cachedStatement(
            sql: """
                UPDATE attempts
                   SET outcome     = ?,
                       finished_at = ?,
                       http_status = ?,
                       error_code  = ?,
                       error_msg   = ?
                 WHERE id = ?
                   AND outcome IS NULL
                """
        ).execute(
            arguments: [
                outcome, answer.finishedAt, failure.map(\.httpStatus) ?? 200, failure?.errorCode, failure?.message,
                answer.claim.attempt,
            ]
        )
        return db.changesCount == 1
    }

    private static func accept(
        _ accepted: SubmitAnswer,
        of answer: SubmissionAnswer,
        polling: PollSchedule?,
        _ db: Database
    ) throws {
        let chunk = answer.claim.chunk
        let mapping = answer.claim.request.instanceIDs.map { (key: $0, value: accepted.jobIDs[$0]) }
        try db.cachedStatement(
            sql: """
                INSERT INTO instance_jobs (chunk_id, instance_id, job_id, state, error_code, error_msg, finished_at)
                SELECT ?1,
                       key,
                       value,
                       iif(value IS NULL, 'unknown', 'submitted'),
                       iif(value IS NULL, ?3, NULL),
                       iif(value IS NULL, 'the answer of the API left this instance out', NULL),
                       iif(value IS NULL, ?4, NULL)
                  FROM json_each(?2)
                """
        ).execute(
            arguments: [chunk, JSONText.object(mapping), ServiceFailure.Code.notMapped, answer.finishedAt]
        )
        let (firstPoll, deadline) = try polls(of: answer, polling, db)
        let awaits = !accepted.jobIDs.isEmpty
        try db.cachedStatement(
            sql: """
                UPDATE chunks
                   SET state              = 'submitted',
                       task_id            = ?2,
                       submitted_at       = ?3,
                       next_poll_at       = ?4,
                       result_deadline_at = ?5,
                       submitted          = ?6,
                       unknown            = ?7,
                       error_code         = NULL,
                       error_msg          = NULL
                 WHERE id = ?1
                   AND state = 'submitting'
                """
        ).execute(
            arguments: [
                chunk, accepted.taskID, answer.finishedAt,
                awaits ? firstPoll : nil, deadline,
                accepted.jobIDs.count, accepted.missing.count,
            ]
        )
        if polling == nil || !awaits {
            try db.cachedStatement(
                sql: "UPDATE chunks SET state = 'finished', finished_at = ? WHERE id = ? AND state = 'submitted'"
            ).execute(arguments: [answer.finishedAt, chunk])
        }
    }

    /// When to ask for the results of a task that was accepted, and when they count as never coming.
    private static func polls(
        of answer: SubmissionAnswer,
        _ polling: PollSchedule?,
        _ db: Database
    ) throws -> (first: Timestamp?, deadline: Timestamp?) {
        guard let polling else { return (nil, nil) }
        let row = try Row.fetchOne(
            db.cachedStatement(
                sql: """
                    SELECT j.result_timeout,
                           p.result_seconds,
                           (SELECT count(*)
                              FROM (SELECT 1
                                      FROM chunks AS c
                                     WHERE c.command_job_id = p.command_job_id
                                       AND c.next_poll_at IS NOT NULL
                                     LIMIT ?2))
                      FROM job_progress AS p
                      JOIN command_jobs AS j ON j.id = p.command_job_id
                     WHERE p.command_job_id = ?1
                    """
            ),
            arguments: [answer.claim.job, PollSchedule.scouts]
        )
        let timeout: Double? = row?[0]
        let typical: Double? = row?[1]
        let polled: Int = row?[2] ?? 0
        let first = polling.firstDelay(
            typical: typical.map { .seconds($0) },
            isScout: polled < PollSchedule.scouts
        )
        let deadline = answer.finishedAt + (timeout.map { .seconds($0) } ?? polling.resultTimeout)
        return (min(answer.finishedAt + first, deadline), deadline)
    }

    static func context(of chunk: ChunkID, _ db: Database) throws -> SubmissionContext? {
        try Row.fetchOne(
            db.cachedStatement(
                sql: """
                    SELECT c.size, c.attempts, j.max_attempts, j.on_unknown, j.state
                      FROM chunks AS c
                      JOIN command_jobs AS j ON j.id = c.command_job_id
                     WHERE c.id = ?
                       AND c.state = 'submitting'
                    """
            ),
            arguments: [chunk]
        ).map {
            SubmissionContext(size: $0[0], attempts: $0[1], maxAttempts: $0[2], onUnknown: $0[3], jobState: $0[4])
        }
    }

    /// Writes a decision about a chunk whose attempt has just been closed.
    static func apply(
        _ decision: SubmissionDecision,
        failure: ServiceFailure,
        to chunk: ChunkID,
        now: Timestamp,
        _ db: Database
    ) throws {
        var state = ChunkState.failed
        var due: Timestamp?
        var refund = 0
        var count: InstanceState?
        switch decision {
        case .accept:
            return
        case .retry(let at, let charged):
            (state, due, refund) = (.pending, at, charged ? 0 : 1)
        case .hold:
            (state, count) = (.unknown, .unknown)
        case .fail(let instances):
            (state, count) = (.failed, instances)
        case .cancel:
            (state, count) = (.cancelled, .cancelled)
        case .split:
            state = .split
            try split(chunk, now: now, db)
        }
        try db.cachedStatement(
            sql: """
                UPDATE chunks
                   SET state           = ?2,
                       next_attempt_at = ?3,
                       attempts        = attempts - ?4,
                       error_code      = ?5,
                       error_msg       = ?6,
                       finished_at     = iif(?2 IN ('failed', 'cancelled', 'split'), ?7, NULL),
                       failed          = iif(?8 = 'failed', size, 0),
                       unknown         = iif(?8 = 'unknown', size, 0),
                       cancelled       = iif(?8 = 'cancelled', size, 0),
                       rejected        = iif(?8 = 'rejected', size, 0)
                 WHERE id = ?1
                   AND state = 'submitting'
                """
        ).execute(arguments: [chunk, state, due, refund, failure.errorCode, failure.message, now, count])
    }

    /// Inserts the halves of a chunk; before the parent changes, so that its job does not seem to have ended.
    private static func split(_ chunk: ChunkID, now: Timestamp, _ db: Database) throws {
        let row = try Row.fetchOne(
            db.cachedStatement(
                sql: "SELECT command_job_id, instance_ids, coalesce(root_id, id) FROM chunks WHERE id = ?"
            ),
            arguments: [chunk]
        )
        guard let row else { return }
        let job: CommandJobID = row[0]
        let root: ChunkID = row[2]
        for half in Chunking.halves(of: try JSONText.strings(row[1])) {
            try db.cachedStatement(
                sql: """
                    INSERT INTO chunks (command_job_id, parent_id, root_id, next_attempt_at, size, instance_ids)
                    VALUES (?, ?, ?, ?, ?, ?)
                    """
            ).execute(arguments: [job, chunk, root, now, half.count, JSONText.array(half)])
        }
    }

    static func errorPolicies(_ db: Database) throws -> ErrorPolicies {
        let rows = try Row.fetchAll(db.cachedStatement(sql: "SELECT code, action FROM error_policies"))
        return ErrorPolicies(
            Dictionary(rows.map { ($0[0] as String, $0[1] as ErrorAction) }, uniquingKeysWith: { $1 })
        )
    }
}
