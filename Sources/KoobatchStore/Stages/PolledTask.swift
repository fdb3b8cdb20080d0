import GRDB
import KoobatchCore

/// What the database knows of a task that was asked for, and of its instances.
struct PolledTask {
    let chunk: ChunkID
    let job: CommandJobID
    /// Queries so far, this one included.
    let polls: Int
    let submittedAt: Timestamp
    let deadline: Timestamp?
    /// The job's own bound on the wait for a result.
    let resultTimeout: Duration?
    let size: Int
    /// When this look was due.
    let dueAt: Timestamp?
    /// Whether no query before this one told anything of the task: there was none, or the last one failed.
    let isFirstLook: Bool
    /// Whether the results did not come in time.
    let isLate: Bool
    private let finishedAt: Timestamp?
    /// As they are stored.
    private let jobIDs: String
    private var states: [UInt8]
    private var outputs: ChunkDocument
    private var errorCodes: ChunkDocument
    private var errorMessages: ChunkDocument
    private var times: ChunkDocument
    /// The documents as they are written, while they are as they were when `encode` was called.
    private var columns: Columns?

    private struct Columns {
        let finishedAt: Timestamp?
        let states: String
        let outputs: String?
        let errorCodes: String?
        let errorMessages: String?
        let times: String?
    }

    /// Reads them; `nil` when nothing is awaited of the chunk.
    init?(_ chunk: ChunkID, _ db: Database) throws {
        let row = try Row.fetchOne(
            db.cachedStatement(
                sql: """
                    SELECT c.command_job_id, c.polls, c.submitted_at, c.result_deadline_at, c.size,
                           c.error_code IS NOT NULL, c.state = 'finished', c.finished_at, d.job_ids, d.states, d.outputs,
                           d.error_codes, d.error_msgs, d.result_times, c.next_poll_at, j.result_timeout
                      FROM chunks AS c
                      JOIN chunk_instances AS d ON d.chunk_id = c.id
                      JOIN command_jobs AS j ON j.id = c.command_job_id
                     WHERE c.id = ?
                       AND (c.state = 'submitted' OR (c.state = 'finished' AND c.next_poll_at IS NOT NULL))
                    """
            ),
            arguments: [chunk]
        )
        guard let row else { return nil }
        self.chunk = chunk
        job = row[0]
        polls = min(row[1] as Int, 999_999_998) + 1
        submittedAt = try row.decode(atIndex: 2) ?? Timestamp(millisecondsSinceEpoch: 0)
        deadline = try row.decode(atIndex: 3)
        size = row[4]
        isFirstLook = row[1] == 0 || row[5]
        dueAt = try row.decode(atIndex: 14)
        resultTimeout = (row[15] as Double?).map(ChunkFacts.duration)
        isLate = row[6]
        finishedAt = try row.decode(atIndex: 7)
        let letters = Array((row[9] as String? ?? "").utf8)
        guard letters.count == size else { throw Self.damaged(chunk) }
        jobIDs = row[8] ?? "[]"
        states = letters
        outputs = try ChunkDocument(row[10], size: size)
        errorCodes = try ChunkDocument(row[11], size: size)
        errorMessages = try ChunkDocument(row[12], size: size)
        times = try ChunkDocument(row[13], size: size)
        if row[13] == nil, let finishedAt { for index in 0..<size { times[index] = finishedAt.description } }
    }

    /// Instances in a state.
    func count(_ letter: UInt8) -> Int { states.count { $0 == letter } }

    private static func damaged(_ chunk: ChunkID) -> DatabaseError {
        DatabaseError(resultCode: .SQLITE_CONSTRAINT, message: "the documents of chunk \(chunk.rawValue) are damaged")
    }

    /// What a report says of each instance.
    private func results(in report: TaskReport) throws -> [InstanceResult?] {
        // The API reports jobs in the order in which it accepted them.
        var next = report.jobs.startIndex
        var results: [InstanceResult?] = []
        results.reserveCapacity(size)
        let isPlain = JSONText.forEachPlain(jobIDs) { id in
            let isNext = id.map { next < report.jobs.endIndex && report.jobs[next].id.isEqual(toUTF8: $0) } ?? false
            results.append(isNext ? report.jobs[next].result : nil)
            if isNext { next += 1 }
        }
        if !isPlain || next < report.jobs.endIndex {
            let named = report.results
            results = try JSONText.optionalStrings(jobIDs).map { $0.flatMap { named[$0] } }
        }
        guard results.count == size else { throw Self.damaged(chunk) }
        return results
    }

    /// Takes in the results that an answer brings; returns how many instances they end.
    mutating func take(_ answer: PollAnswer) throws -> (ended: Int, formerlyUnknown: Int) {
        guard case .success(let report) = answer.result else { return (0, 0) }
        let results = try results(in: report)
        let time = answer.finishedAt.description
        var ended = 0
        var formerlyUnknown = 0
        for index in 0..<size {
            let state = states[index]
            guard state == InstanceLetter.awaited || state == InstanceLetter.unknown, let result = results[index] else {
                continue
            }
            states[index] = result.succeeded ? InstanceLetter.succeeded : InstanceLetter.failed
            outputs[index] = result.output
            errorCodes[index] = result.errorCode
            errorMessages[index] = result.errorMessage
            times[index] = time
            ended += 1
            if state == InstanceLetter.unknown { formerlyUnknown += 1 }
        }
        return (ended, formerlyUnknown)
    }

    /// Makes the instances without a result unknown.
    mutating func giveUp(_ why: ServiceFailure, at time: Timestamp) {
        let text = time.description
        columns = nil
        for index in 0..<size where states[index] == InstanceLetter.awaited {
            states[index] = InstanceLetter.unknown
            errorCodes[index] = why.errorCode
            errorMessages[index] = why.message
            times[index] = text
        }
    }

    /// Works out how the documents are written, so that it need not be done while the write lock is held.
    ///
    /// - Parameter finishedAt: of the chunk, if it is finished: times that equal it are not stored.
    mutating func encode(finishedAt: Timestamp?) {
        columns = encoded(finishedAt: finishedAt)
    }

    private func encoded(finishedAt: Timestamp?) -> Columns {
        let end = (isLate ? self.finishedAt : finishedAt)?.description
        return Columns(
            finishedAt: finishedAt,
            states: String(decoding: states, as: UTF8.self),
            outputs: outputs.column,
            errorCodes: errorCodes.column,
            errorMessages: errorMessages.column,
            times: times.values.allSatisfy { $0 == end } ? nil : times.column
        )
    }

    /// Writes the documents.
    ///
    /// - Parameter finishedAt: as for `encode`, which is done anew for another time.
    func write(finishedAt: Timestamp?, _ db: Database) throws {
        let columns = columns.flatMap { $0.finishedAt == finishedAt ? $0 : nil } ?? encoded(finishedAt: finishedAt)
        try db.cachedStatement(
            sql: """
                UPDATE chunk_instances
                   SET states       = ?2,
                       outputs      = ?3,
                       error_codes  = ?4,
                       error_msgs   = ?5,
                       result_times = ?6
                 WHERE chunk_id = ?1
                """
        ).run(
            chunk,
            columns.states,
            columns.outputs,
            columns.errorCodes,
            columns.errorMessages,
            columns.times
        )
    }
}
