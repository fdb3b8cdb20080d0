import GRDB
public import KoobatchCore

/// A task whose results are due to be asked for.
public struct DuePoll: Hashable, Sendable {
    /// The chunk.
    public let chunk: ChunkID
    /// Its job.
    public let job: CommandJobID
    /// The API's id of it.
    public let taskID: String
}

/// What came of asking for a task's results.
public struct PollAnswer: Sendable {
    /// What was asked for.
    public let poll: DuePoll
    /// The API's report, or the classified failure.
    public let result: Result<TaskReport, ServiceFailure>
    /// When the answer came.
    public let finishedAt: Timestamp

    /// Creates an answer.
    public init(poll: DuePoll, result: Result<TaskReport, ServiceFailure>, finishedAt: Timestamp) {
        self.poll = poll
        self.result = result
        self.finishedAt = finishedAt
    }
}

extension Store {
    /// The tasks to ask for, longest due first, and when the next one is due after these.
    ///
    /// Nothing is written: asking twice is harmless, so a crash costs at most a repeated query.
    ///
    /// - Parameter busy: chunks that are being asked for now.
    public func duePolls(
        at now: Timestamp,
        places: Int,
        busy: Set<ChunkID>
    ) async throws -> (due: [DuePoll], next: Timestamp?) {
        try await read { db in
            let due = try Row.fetchAll(
                db.cachedStatement(
                    sql: """
                        SELECT id, command_job_id, task_id
                          FROM chunks
                         WHERE next_poll_at IS NOT NULL
                           AND next_poll_at <= ?
                         ORDER BY next_poll_at
                         LIMIT ?
                        """
                ),
                arguments: [now, places + busy.count]
            ).map { DuePoll(chunk: $0[0], job: $0[1], taskID: $0[2]) }.filter { !busy.contains($0.chunk) }
            let next = try Timestamp.fetchOne(
                db.cachedStatement(
                    sql: "SELECT min(next_poll_at) FROM chunks WHERE next_poll_at IS NOT NULL AND next_poll_at > ?"
                ),
                arguments: [now]
            )
            return (Array(due.prefix(places)), next)
        }
    }

    /// Records what came of queries, all in one transaction.
    ///
    /// - Returns: for each answer in order the instances that it ended; `nil` for one that came too late.
    public func record(_ answers: [PollAnswer], schedule: PollSchedule, at now: Timestamp) async throws -> [Int?] {
        let ended = try await write { db in
            let policies = try Self.errorPolicies(db)
            return try answers.map { try Self.record($0, schedule: schedule, policies: policies, now: now, db) }
        }
        metrics.recorded(ended)
        return ended
    }

    private static func record(
        _ answer: PollAnswer,
        schedule: PollSchedule,
        policies: ErrorPolicies,
        now: Timestamp,
        _ db: Database
    ) throws -> Int? {
        let chunk = answer.poll.chunk
        let row = try Row.fetchOne(
            db.cachedStatement(
                sql: """
                    SELECT polls, result_deadline_at
                      FROM chunks
                     WHERE id = ?
                       AND state = 'submitted'
                    """
            ),
            arguments: [chunk]
        )
        guard let row else { return nil }
        var tally = try settle(answer, db)
        let failure: ServiceFailure? =
            if case .failure(let failure) = answer.result { failure } else { nil }
        let polls: Int = row[0] + 1
        let decision = PollDecision.after(
            failure: failure,
            unfinished: tally.submitted,
            polls: polls,
            deadline: row[1] ?? now,
            schedule: schedule,
            policies: policies,
            now: now
        )
        var next: Timestamp?
        var unresolved: ServiceFailure?
        switch decision {
        case .again(let at): next = at
        case .finish(let why):
            unresolved = why
            if let why { try giveUp(chunk, why, &tally, answer.finishedAt, db) }
        }
        try db.cachedStatement(
            sql: """
                UPDATE chunks
                   SET polls        = ?2,
                       submitted    = ?3,
                       succeeded    = ?4,
                       failed       = ?5,
                       unknown      = ?6,
                       next_poll_at = ?7,
                       error_code   = ?8,
                       error_msg    = ?9
                 WHERE id = ?1
                   AND state = 'submitted'
                """
        ).execute(
            arguments: [
                chunk, polls, tally.submitted, tally.succeeded, tally.failed, tally.unknown, next,
                (unresolved ?? failure)?.errorCode, (unresolved ?? failure)?.message,
            ]
        )
        if next == nil {
            try db.cachedStatement(
                sql: "UPDATE chunks SET state = 'finished', finished_at = ? WHERE id = ? AND state = 'submitted'"
            ).execute(arguments: [answer.finishedAt, chunk])
        }
        return tally.ended
    }

    /// The instances of a chunk by state, and how many have just ended.
    private struct Tally {
        var submitted = 0
        var succeeded = 0
        var failed = 0
        var unknown = 0
        var ended = 0
    }

    /// Writes the results that the answer brings and counts the instances as they are then.
    private static func settle(_ answer: PollAnswer, _ db: Database) throws -> Tally {
        let results: [String: InstanceResult] =
            if case .success(let report) = answer.result { report.results } else { [:] }
        let rows = try Row.fetchAll(
            db.cachedStatement(
                sql: "SELECT id, job_id, state FROM instance_jobs WHERE chunk_id = ? AND superseded = 0"
            ),
            arguments: [answer.poll.chunk]
        )
        let update = try db.cachedStatement(
            sql: """
                UPDATE instance_jobs
                   SET state       = ?,
                       error_code  = ?,
                       error_msg   = ?,
                       output      = ?,
                       finished_at = ?
                 WHERE id = ?
                """
        )
        var tally = Tally()
        for row in rows {
            var state: InstanceState = row[2]
            let jobID: String? = row[1]
            if state == .submitted || state == .unknown, let jobID, let result = results[jobID] {
                state = result.succeeded ? .succeeded : .failed
                tally.ended += 1
                try update.execute(
                    arguments: [
                        state, result.errorCode, result.errorMessage, result.output, answer.finishedAt, row[0] as Int64,
                    ]
                )
            }
            switch state {
            case .submitted: tally.submitted += 1
            case .succeeded: tally.succeeded += 1
            case .failed: tally.failed += 1
            default: tally.unknown += 1
            }
        }
        return tally
    }

    /// Makes the instances without a result `unknown`.
    private static func giveUp(
        _ chunk: ChunkID,
        _ why: ServiceFailure,
        _ tally: inout Tally,
        _ at: Timestamp,
        _ db: Database
    ) throws {
        try db.cachedStatement(
            sql: """
                UPDATE instance_jobs
                   SET state       = 'unknown',
                       error_code  = ?,
                       error_msg   = ?,
                       finished_at = ?
                 WHERE chunk_id = ?
                   AND state = 'submitted'
                """
        ).execute(arguments: [why.errorCode, why.message, at, chunk])
        tally.unknown += tally.submitted
        tally.submitted = 0
    }
}
