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
    /// The tasks to ask for, and when the next one is due after these.
    ///
    /// Those whose results are awaited come first, longest due first; then those whose results did not come in time and are
    /// looked at again. Nothing is written: asking twice is harmless, so a crash costs at most a repeated query.
    ///
    /// - Parameter busy: chunks that are being asked for now.
    public func duePolls(
        at now: Timestamp,
        places: Int,
        busy: Set<ChunkID>
    ) async throws -> (due: [DuePoll], next: Timestamp?) {
        try await read { db in
            var due: [DuePoll] = []
            var next: Timestamp?
            for column in ["next_poll_at", "late_poll_at"] {
                due += try Row.fetchAll(
                    db.cachedStatement(
                        sql: """
                            SELECT id, command_job_id, task_id
                              FROM chunks
                             WHERE \(column) IS NOT NULL
                               AND \(column) <= ?
                             ORDER BY \(column)
                             LIMIT ?
                            """
                    ),
                    arguments: [now, places + busy.count]
                ).map { DuePoll(chunk: $0[0], job: $0[1], taskID: $0[2]) }.filter { !busy.contains($0.chunk) }
                let later = try Timestamp.fetchOne(
                    db.cachedStatement(
                        sql: "SELECT min(\(column)) FROM chunks WHERE \(column) IS NOT NULL AND \(column) > ?"
                    ),
                    arguments: [now]
                )
                next = [next, later].compactMap(\.self).min()
            }
            return (Array(due.prefix(places)), next)
        }
    }

    /// What the database knows of a task that was asked for.
    struct PolledTask {
        let job: CommandJobID
        let polls: Int
        let submittedAt: Timestamp
        let deadline: Timestamp?
        let size: Int
        let pace: ResultPace
        let isLate: Bool
        /// When this look was due.
        let dueAt: Timestamp?
        /// Whether no query before this one told anything of the task: there was none, or the last one failed.
        let isFirstLook: Bool
    }

    static func task(_ chunk: ChunkID, _ db: Database) throws -> PolledTask? {
        try Row.fetchOne(
            db.cachedStatement(
                sql: """
                    SELECT c.command_job_id, c.polls, c.submitted_at, c.result_deadline_at, c.size, p.result_seconds,
                           p.complete_looks, c.state = 'finished', c.next_poll_at, c.error_code IS NOT NULL
                      FROM chunks AS c
                      JOIN job_progress AS p ON p.command_job_id = c.command_job_id
                     WHERE c.id = ?
                       AND (c.state = 'submitted' OR c.late_poll_at IS NOT NULL)
                    """
            ),
            arguments: [chunk]
        ).map { row in
            PolledTask(
                job: row[0],
                polls: row[1] + 1,
                submittedAt: try row.decode(atIndex: 2) ?? Timestamp(millisecondsSinceEpoch: 0),
                deadline: try row.decode(atIndex: 3),
                size: row[4],
                pace: ResultPace(typical: (row[5] as Double?).map { .seconds($0) }, completeLooks: row[6]),
                isLate: row[7],
                dueAt: try row.decode(atIndex: 8),
                isFirstLook: row[1] == 0 || row[9]
            )
        }
    }

    static func record(
        _ answer: PollAnswer,
        of task: PolledTask,
        schedule: PollSchedule,
        policies: ErrorPolicies,
        now: Timestamp,
        _ db: Database
    ) throws -> Int? {
        let chunk = answer.poll.chunk
        var tally = try settle(answer, db)
        let age = answer.finishedAt - task.submittedAt
        let typical = try pace(task, lookedAt: answer.finishedAt, ended: tally.ended, now: now, db)
        let failure: ServiceFailure? =
            if case .failure(let failure) = answer.result { failure } else { nil }
        let decision = PollDecision.after(
            failure: failure,
            unfinished: tally.submitted,
            polls: task.polls,
            age: age,
            typical: typical,
            deadline: task.deadline ?? now,
            schedule: schedule,
            policies: policies,
            now: now
        )
        var next: Timestamp?
        var late: Timestamp?
        var unresolved: ServiceFailure?
        switch decision {
        case .again(let at): next = at
        case .finish(let why):
            unresolved = why
            if let why {
                try giveUp(chunk, why, &tally, answer.finishedAt, db)
                if why.errorCode == ServiceFailure.Code.resultTimeout {
                    late = lateLook(at: task, age: age, schedule: schedule, now: now)
                }
            }
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
                chunk, task.polls, tally.submitted, tally.succeeded, tally.failed, tally.unknown, next,
                (unresolved ?? failure)?.errorCode, (unresolved ?? failure)?.message,
            ]
        )
        if next == nil {
            try db.cachedStatement(
                sql: """
                    UPDATE chunks
                       SET state        = 'finished',
                           finished_at  = ?2,
                           late_poll_at = ?3
                     WHERE id = ?1
                       AND state = 'submitted'
                    """
            ).execute(arguments: [chunk, answer.finishedAt, late])
        }
        return tally.ended
    }

    /// The instances of a chunk by state, and how many have just ended.
    struct Tally {
        var submitted = 0
        var succeeded = 0
        var failed = 0
        var unknown = 0
        var ended = 0
    }

    /// Writes the results that the answer brings and counts the instances as they are then.
    static func settle(_ answer: PollAnswer, _ db: Database) throws -> Tally {
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
