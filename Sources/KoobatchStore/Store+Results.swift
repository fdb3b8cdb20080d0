import GRDB
public import KoobatchCore

/// What became of the answer to a query.
public enum RecordedResults: Hashable, Sendable {
    /// It is recorded, and ended so many instances.
    case ended(Int)
    /// It came too late to change anything.
    case late
    /// The rules of the schema do not let it be recorded, because rows were changed by hand: why. The task is asked for
    /// again after the longest pause.
    case impossible(String)

    /// The instances that it ended; `nil` for one that changed nothing.
    public var ended: Int? {
        if case .ended(let instances) = self { instances } else { nil }
    }
}

extension Store {
    /// Records what came of queries, all in one transaction; one that cannot be recorded does not keep back the others.
    ///
    /// - Returns: for each answer in order the instances that it ended; `nil` for one that changed nothing.
    public func record(_ answers: [PollAnswer], schedule: PollSchedule, at now: Timestamp) async throws -> [Int?] {
        try await recordResults(answers, schedule: schedule, at: now).map(\.ended)
    }

    /// Records what came of queries, and says of each in order what became of it.
    public func recordResults(
        _ answers: [PollAnswer],
        schedule: PollSchedule,
        at now: Timestamp
    ) async throws -> [RecordedResults] {
        let recorded = try await write { db in
            let policies = try Self.errorPolicies(db)
            func record(_ answers: [PollAnswer]) throws -> [RecordedResults] {
                var results: [RecordedResults] = []
                try db.inSavepoint {
                    results = try answers.map {
                        try Self.recordOne($0, schedule: schedule, policies: policies, now: now, db)
                    }
                    return .commit
                }
                return results
            }
            do {
                return try record(answers)
            } catch let error as DatabaseError where error.resultCode == .SQLITE_CONSTRAINT {
                // One of them; each by itself, which costs a savepoint each.
                return try answers.flatMap { answer in
                    do {
                        return try record([answer])
                    } catch let error as DatabaseError where error.resultCode == .SQLITE_CONSTRAINT {
                        try Self.putOff(answer.poll.chunk, until: now + schedule.maxDelay, db)
                        return [.impossible(error.message ?? "\(error)")]
                    }
                }
            }
        }
        metrics.recorded(recorded.map(\.ended))
        return recorded
    }

    private static func recordOne(
        _ answer: PollAnswer,
        schedule: PollSchedule,
        policies: ErrorPolicies,
        now: Timestamp,
        _ db: Database
    ) throws -> RecordedResults {
        guard let task = try task(answer.poll.chunk, db) else { return .late }
        let ended =
            task.isLate
            ? try recordLate(answer, of: task, schedule: schedule, now: now, db)
            : try record(answer, of: task, schedule: schedule, policies: policies, now: now, db)
        return ended.map { .ended($0) } ?? .late
    }

    private static func putOff(_ chunk: ChunkID, until time: Timestamp, _ db: Database) throws {
        try db.cachedStatement(
            sql: """
                UPDATE chunks
                   SET polls        = polls + 1,
                       next_poll_at = iif(next_poll_at IS NULL, NULL, ?2),
                       late_poll_at = iif(late_poll_at IS NULL, NULL, ?2)
                 WHERE id = ?1
                """
        ).execute(arguments: [chunk, time])
    }
}
