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

/// Records what came of requests, within a transaction.
struct SubmissionRecorder {
    /// Answers that are recorded before the write lock is thought of: 100 us of work.
    private static let piece = 3

    let isCharged: Bool
    let rules: SubmissionRules
    let now: Timestamp

    /// Records answers, and then what follows for their jobs; one that cannot be recorded does not keep back the others.
    ///
    /// - Parameter shouldEnd: asked after every few answers, whether the rest is for another transaction.
    /// - Returns: what became of the first answers, of one at least.
    func record(
        _ answers: [Classified<AttemptResult>],
        until shouldEnd: () -> Bool,
        generator: inout some RandomNumberGenerator,
        _ db: Database
    ) throws -> [RecordOutcome] {
        try db.isolating(answers) { answers in
            var changes = JobChanges()
            var jobs: [CommandJobID: JobFacts] = [:]
            var decisions: [RecordOutcome] = []
            for answer in answers {
                let decision = try record(answer, &changes, &jobs, generator: &generator, db)
                decisions.append(decision.map { .decided($0) } ?? .late)
                if decisions.count.isMultiple(of: Self.piece), decisions.count < answers.count, shouldEnd() { break }
            }
            try changes.write(at: now, db)
            return decisions
        } failed: { answer, reason in
            if answer.failure != nil { _ = try close(answer.answer, db) }
            return .impossible(reason)
        }
    }

    private func record(
        _ classified: Classified<AttemptResult>,
        _ changes: inout JobChanges,
        _ jobs: inout [CommandJobID: JobFacts],
        generator: inout some RandomNumberGenerator,
        _ db: Database
    ) throws -> SubmissionDecision? {
        let answer = classified.answer
        guard try close(answer, db) else { return nil }
        if case .success(let accepted) = answer.result {
            let job = answer.claim.job
            guard let facts = try jobs[job] ?? JobFacts(job, db) else { return nil }
            jobs[job] = facts
            return try accept(accepted, of: answer, facts, &changes, db) ? .accept : nil
        }
        guard let failed = classified.failure, let facts = try ChunkFacts(answer.claim.chunk, db) else { return nil }
        let decision = SubmissionDecision.after(
            failed,
            context: facts.context,
            isCharged: isCharged,
            backoff: rules.backoff,
            now: now,
            generator: &generator
        )
        try apply(
            decision,
            failure: failed.failure,
            to: answer.claim.chunk,
            of: answer.claim.request.instances,
            facts,
            &changes,
            db
        )
        if failed.failure.outcome == .refused, !failed.failure.isOfEndpoint, !failed.affectsAllRequests,
            decision != .cancel
        {
            changes[facts.job].refusals += 1
            changes[facts.job].lastRefusal = failed.failure
        }
        return decision
    }

    /// Closes the attempt; `false` if it is closed already, and then nothing else may change either.
    private func close(_ answer: AttemptResult, _ db: Database) throws -> Bool {
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
        ).run(
            outcome,
            answer.finishedAt,
            failure == nil ? 200 : failure?.httpStatus,
            failure?.errorCode,
            failure?.message,
            answer.claim.attempt
        )
        return db.changesCount == 1
    }

    /// Stores the mapping of an acceptance; `false` if its chunk is not submitting any more.
    private func accept(
        _ accepted: SubmitResponse,
        of answer: AttemptResult,
        _ facts: JobFacts,
        _ changes: inout JobChanges,
        _ db: Database
    ) throws -> Bool {
        let job = answer.claim.job
        let size = answer.claim.request.instances.count
        let missing = accepted.missing.count
        let awaited = size - missing
        let isFinished = rules.polling == nil || awaited == 0
        let polls =
            isFinished
            ? nil
            : rules.polling.map {
                facts.polls(after: answer.finishedAt, $0, size: size, others: changes[job].submitted)
            }
        try db.cachedStatement(
            sql: """
                UPDATE chunks
                   SET state              = iif(?2, 'finished', 'submitted'),
                       task_id            = ?3,
                       submitted          = ?4,
                       unknown            = ?5,
                       submitted_at       = ?6,
                       finished_at        = iif(?2, ?6, NULL),
                       next_poll_at       = ?7,
                       result_deadline_at = ?8,
                       error_code         = NULL,
                       error_msg          = NULL
                 WHERE id = ?1
                   AND state = 'submitting'
                """
        ).run(
            answer.claim.chunk,
            isFinished,
            accepted.taskID,
            awaited,
            missing,
            answer.finishedAt,
            polls?.first,
            polls?.deadline
        )
        guard db.changesCount == 1 else { return false }
        var states = Array(repeating: InstanceLetter.awaited, count: size)
        for position in accepted.missing { states[position] = InstanceLetter.unknown }
        func document(_ value: String) -> String? { Self.document(value, at: accepted.missing, size: size) }
        try db.cachedStatement(
            sql: """
                UPDATE chunk_instances
                   SET job_ids      = ?2,
                       states       = ?3,
                       error_codes  = ?4,
                       error_msgs   = ?5,
                       result_times = ?6
                 WHERE chunk_id = ?1
                """
        ).run(
            answer.claim.chunk,
            accepted.jobIDs,
            String(decoding: states, as: UTF8.self),
            document(ServiceFailure.Code.notMapped),
            document("the API's answer does not name this instance"),
            isFinished ? nil : document(answer.finishedAt.description)
        )
        changes[job].submitted += awaited
        changes[job].unknown += missing
        changes[job].isAccepted = true
        if isFinished { changes[job].inFlight -= 1 }
        return true
    }

    /// A document that has a value for the instances that the answer left out.
    private static func document(_ value: String, at missing: [Int], size: Int) -> String? {
        if missing.isEmpty { return nil }
        var document = ChunkDocument(size: size)
        for position in missing { document[position] = value }
        return document.column
    }

    /// Writes a decision about a chunk whose attempt has just been closed.
    func apply(
        _ decision: SubmissionDecision,
        failure: ServiceFailure,
        to chunk: ChunkID,
        of instances: InstanceIDs,
        _ facts: ChunkFacts,
        _ changes: inout JobChanges,
        _ db: Database
    ) throws {
        var state = ChunkState.failed
        var due: Timestamp?
        var refund = 0
        var count = InstanceState.pending
        switch decision {
        case .accept:
            return
        case .retry(let at, let charged):
            (state, due, refund) = (.pending, at, charged ? 0 : 1)
            changes[facts.job].waiting += 1
        case .hold:
            (state, count) = (.unknown, .unknown)
            changes[facts.job].held += 1
        case .fail(let instances):
            (state, count) = (.failed, instances)
        case .cancel:
            (state, count) = (.cancelled, .cancelled)
        case .split:
            state = .split
            for half in Chunking.halves(of: instances.list) {
                try Store.insert(waiting: InstanceIDs(half), of: facts.job, splitFrom: chunk, at: now, db)
                changes[facts.job].waiting += 1
            }
        }
        changes[facts.job].inFlight -= 1
        changes[facts.job].count(facts.size, as: count)
        try db.cachedStatement(
            sql: """
                UPDATE chunks
                   SET state           = ?2,
                       next_attempt_at = ?3,
                       attempts        = max(attempts - ?4, 0),
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
        guard db.changesCount == 1 else {
            throw DatabaseError(resultCode: .SQLITE_ABORT, message: "the chunk is not submitting any more")
        }
    }
}
