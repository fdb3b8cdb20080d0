import GRDB
import KoobatchCore

/// What the database knows of a chunk that is being submitted.
struct ChunkFacts {
    let job: CommandJobID
    let size: Int
    let context: SubmissionContext

    /// Reads them; `nil` when the chunk is not submitting.
    init?(_ chunk: ChunkID, _ db: Database) throws {
        let row = try Row.fetchOne(
            db.cachedStatement(
                sql: """
                    SELECT c.command_job_id, c.size, c.attempts, j.max_attempts, j.on_unknown, p.job_state
                      FROM chunks AS c
                      JOIN job_progress AS p ON p.command_job_id = c.command_job_id
                      JOIN command_jobs AS j ON j.id = c.command_job_id
                     WHERE c.id = ?
                       AND c.state = 'submitting'
                    """
            ),
            arguments: [chunk]
        )
        guard let row else { return nil }
        job = row[0]
        size = row[1]
        context = SubmissionContext(
            size: row[1],
            attempts: row[2],
            maxAttempts: row[3],
            onUnknown: row[4],
            jobState: row[5]
        )
    }
}

/// What the database knows of a job whose chunk was accepted.
struct JobFacts {
    private let resultTimeout: Double?
    private let resultSeconds: Double?
    private let awaited: Int

    /// Reads them; `nil` when the job is gone.
    init?(_ job: CommandJobID, _ db: Database) throws {
        let row = try Row.fetchOne(
            db.cachedStatement(
                sql: """
                    SELECT j.result_timeout, p.result_seconds, p.submitted
                      FROM job_progress AS p
                      JOIN command_jobs AS j ON j.id = p.command_job_id
                     WHERE p.command_job_id = ?
                    """
            ),
            arguments: [job]
        )
        guard let row else { return nil }
        (resultTimeout, resultSeconds, awaited) = (row[0], row[1], row[2])
    }

    /// When to ask for the results of a task that was accepted, and when they count as never coming.
    ///
    /// - Parameters:
    ///   - size: of the chunk.
    ///   - others: instances of the job that were accepted in the same transaction.
    func polls(
        after accepted: Timestamp,
        _ schedule: PollSchedule,
        size: Int,
        others: Int
    ) -> (first: Timestamp, deadline: Timestamp) {
        let isProbe = awaited + others < PollSchedule.probeTasks * size
        let delay = schedule.firstDelay(typical: resultSeconds.map(ChunkFacts.duration), isProbe: isProbe)
        let deadline = accepted + (resultTimeout.map(ChunkFacts.duration) ?? schedule.resultTimeout)
        return (min(accepted + delay, deadline), deadline)
    }
}

extension ChunkFacts {
    /// Seconds of a row as a duration of at most a year.
    static func duration(_ seconds: Double) -> Duration {
        .seconds(min(max(seconds.isFinite ? seconds : 0, 0), 31_536_000))
    }
}
