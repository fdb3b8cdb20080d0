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

extension PollAnswer: RequestAnswer {
    /// Whether it asked for results.
    public static let isQuery = true

    /// The failure, if the request was not accepted.
    public var failure: ServiceFailure? { result.failure }

    /// The same answer with another failure.
    public func failing(_ failure: ServiceFailure) -> PollAnswer {
        PollAnswer(poll: poll, result: .failure(failure), finishedAt: finishedAt)
    }
}

extension Store {
    /// The tasks to ask for, and when the next one is due after these.
    ///
    /// Those whose results are awaited come first, longest due first; then those whose results did not come in time and are
    /// looked at again. Nothing is written: asking twice is harmless, so a crash costs at most a repeated query.
    ///
    /// - Parameters:
    ///   - places: how many may be asked for; with all of them taken the next time is not looked for.
    ///   - busy: chunks that are being asked for now.
    public func duePolls(
        at now: Timestamp,
        places: Int,
        busy: Set<ChunkID>
    ) async throws -> (due: [DuePoll], next: Timestamp?) {
        try await read { db in
            var due: [DuePoll] = []
            var next: Timestamp?
            // A state as a parameter would be compared with the WHERE of the partial indexes, so that SQLite would prepare the
            // statement anew whenever it changes.
            for state in [ChunkState.submitted, .finished] {
                due += try Self.polls(state, at: now, places: places - due.count, busy: busy, db)
                if due.count >= places { return (due, nil) }
                let later = try Timestamp.fetchOne(
                    db.cachedStatement(
                        sql: """
                            SELECT min(next_poll_at)
                              FROM chunks
                             WHERE state = '\(state.rawValue)'
                               AND next_poll_at IS NOT NULL
                               AND next_poll_at > ?
                            """
                    ),
                    arguments: [now]
                )
                next = [next, later].compactMap(\.self).min()
            }
            return (due, next)
        }
    }

    private static func polls(
        _ state: ChunkState,
        at now: Timestamp,
        places: Int,
        busy: Set<ChunkID>,
        _ db: Database
    ) throws -> [DuePoll] {
        // Most of the first are busy: a cursor copies no row that is passed over.
        let rows = try Row.fetchCursor(
            db.cachedStatement(
                sql: """
                    SELECT id, command_job_id, task_id
                      FROM chunks
                     WHERE state = '\(state.rawValue)'
                       AND next_poll_at IS NOT NULL
                       AND next_poll_at <= ?
                     ORDER BY next_poll_at
                     LIMIT ?
                    """
            ),
            arguments: [now, places + busy.count]
        )
        var due: [DuePoll] = []
        while due.count < places, let row = try rows.next() {
            let chunk: ChunkID = row[0]
            if !busy.contains(chunk) { due.append(DuePoll(chunk: chunk, job: row[1], taskID: row[2])) }
        }
        return due
    }
}
