import GRDB
import KoobatchCore

/// What became of the lines of a spool.
public struct SpoolIntake: Sendable {
    /// A line that is no answer to a request of this database that awaits one.
    public struct Rejected: Sendable {
        /// The line.
        public let line: String
        /// Why, a sentence.
        public let reason: String
    }

    /// Answers that are recorded now.
    public internal(set) var recorded: [AttemptResult] = []
    /// Acceptances that rows or rules which were changed by hand keep out: to be recorded again later.
    public internal(set) var kept: [AttemptResult] = []
    /// Lines that lie in the file beside the spool now.
    public internal(set) var rejected: [Rejected] = []
}

extension Store {
    /// Records the answers that an earlier daemon could not store; before `recover`, which knows nothing of them.
    ///
    /// Every line is guarded by the attempt that it names, so that a crash in the midst or a line that was left behind does
    /// no harm. The file is removed once all its answers are durable, and stays while any is to be recorded again.
    ///
    /// - Throws: why the file cannot be read, or the database written; nothing may be sent then.
    func takeIn(
        rules: SubmissionRules,
        at now: Timestamp,
        generator: some RandomNumberGenerator & Sendable
    ) async throws -> SpoolIntake {
        var intake = SpoolIntake()
        let lines: [String]
        do {
            lines = try spool.lines()
        } catch {
            throw StoreError.cannotTakeIn(path: spool.path, reason: "\(error)")
        }
        if lines.isEmpty { return intake }
        var answers: [AttemptID: AttemptResult] = [:]
        for line in lines {
            do {
                let spooled = try SpooledAnswer(line: line)
                let answer = try await read { try spooled.answer(at: now, $0) }
                if let answer { answers[answer.claim.attempt] = answer }
            } catch let reason as SpooledAnswer.Unreadable {
                intake.rejected.append(SpoolIntake.Rejected(line: line, reason: "\(reason)"))
            } catch let reason as SpooledAnswer.Stranger {
                intake.rejected.append(SpoolIntake.Rejected(line: line, reason: reason.description))
            }
        }
        var commit: Commit?
        var rest = try await classify(
            answers.values.sorted { $0.claim.attempt.rawValue < $1.claim.attempt.rawValue }
        )[...]
        while !rest.isEmpty {
            let turn = try await submissionBatch(
                answers: Array(rest),
                // Whether the endpoint was failing then is not known.
                isCharged: false,
                places: 0,
                chunkSize: 1,
                rules: rules,
                at: now,
                generator: generator
            )
            for (answer, became) in zip(rest.map(\.answer), turn.decisions) {
                switch became {
                case .decided: intake.recorded.append(answer)
                case .impossible where answer.result.failure == nil: intake.kept.append(answer)
                // The attempt of a failure is closed at least, and its chunk is recovered as unknown.
                case .impossible, .late: break
                }
            }
            rest = rest.dropFirst(turn.decisions.count)
            commit = turn.commit ?? commit
        }
        if let commit { try await makeDurable(commit) }
        if !intake.rejected.isEmpty { try await spool.reject(intake.rejected.map(\.line)) }
        if intake.kept.isEmpty { try await spool.remove() }
        return intake
    }
}

extension SpooledAnswer {
    /// The line is no answer to a request of this database that awaits one.
    struct Stranger: Error, CustomStringConvertible {
        let description: String
    }

    /// The answer, if the database awaits it; `nil` if it has been recorded already.
    ///
    /// - Throws: `Stranger`, `Unreadable`.
    fileprivate func answer(at now: Timestamp, _ db: Database) throws -> AttemptResult? {
        let result = try result()
        guard let finishedAt = Timestamp(finishedAt) else { throw Unreadable() }
        let row = try Row.fetchOne(
            db,
            sql: """
                SELECT a.outcome, c.state, d.instance_ids, j.command
                  FROM attempts AS a
                  JOIN chunks AS c ON c.id = a.chunk_id
                  JOIN chunk_instances AS d ON d.chunk_id = c.id
                  JOIN command_jobs AS j ON j.id = c.command_job_id
                 WHERE a.id = ?
                   AND a.request_id = ?
                   AND c.id = ?
                   AND j.id = ?
                """,
            arguments: [attemptID, requestID, chunkID, commandJobID]
        )
        guard let row else { throw Stranger(description: "the request is none of this database, or was deleted") }
        let instances = try InstanceIDs(document: row[2])
        guard instances.list == instanceIDs else {
            throw Stranger(description: "the request is one of this database for other instances")
        }
        if let outcome = row[0] as String? {
            // What is known of a failure tells less than what was made of it.
            if result.failure != nil || outcome == Self.accepted { return nil }
            throw Stranger(description: "the request was recorded as \(outcome) meanwhile, chunk \(chunkID)")
        }
        guard row[1] == ChunkState.submitting else {
            throw Stranger(description: "chunk \(chunkID) does not await an answer any more")
        }
        return AttemptResult(
            claim: ClaimedChunk(
                chunk: ChunkID(rawValue: chunkID),
                job: CommandJobID(rawValue: commandJobID),
                attempt: AttemptID(rawValue: attemptID),
                request: SubmitRequest(
                    requestID: RequestID(rawValue: requestID),
                    command: row[3],
                    instances: instances
                ),
                isNew: false,
                startedInstances: nil,
                jobDueAt: nil
            ),
            result: result,
            // A clock that was ahead would put off everything that is counted from it.
            finishedAt: min(finishedAt, now)
        )
    }
}
