import GRDB
public import KoobatchCore

/// What became of the answer to a query.
public enum RecordedResults: Hashable, Sendable {
    /// It is recorded, and ended so many instances.
    case ended(Int)
    /// It came too late to change anything.
    case late
    /// It cannot be recorded, because rows were changed by hand or a trigger of somebody else's fails: why. The task is
    /// asked for again after the longest pause.
    case impossible(String)

    /// The instances that it ended; `nil` for one that changed nothing.
    public var ended: Int? {
        if case .ended(let instances) = self { instances } else { nil }
    }
}

extension Store {
    /// Records what came of queries, in transactions that leave the write lock to others; one that cannot be recorded does
    /// not keep back the others.
    ///
    /// - Parameter trusted: the time by which results are given up; `nil`: `now`.
    /// - Returns: what became of each answer, in order.
    public func recordResults(
        _ answers: [Classified<PollAnswer>],
        schedule: PollSchedule,
        trusted: Timestamp? = nil,
        at now: Timestamp
    ) async throws -> [RecordedResults] {
        var recorded: [RecordedResults] = []
        var last: Commit?
        while recorded.count < answers.count {
            let rest = Array(answers.dropFirst(recorded.count))
            let (piece, commit) = try await commit(taking: .later) { db in
                let recorder = ResultRecorder(schedule: schedule, trusted: trusted ?? now, now: now)
                return try recorder.record(rest, takeLock: { try takeLock(db) }, until: { pacer.shouldYield }, db)
            }
            recorded += piece
            last = commit
        }
        if let last { try await makeDurable(last) }
        metrics.recorded(recorded.map(\.ended))
        return recorded
    }
}

/// Records what came of queries, within a transaction.
struct ResultRecorder {
    let schedule: PollSchedule
    let trusted: Timestamp
    let now: Timestamp

    /// The most answers that are recorded in one transaction.
    private static let mostAtOnce = 16
    /// Answers that are recorded before the write lock is thought of: 100 us of work.
    private static let piece = 2

    /// Records answers, and then what follows for their jobs.
    ///
    /// - Parameters:
    ///   - takeLock: called once the rows have been read and the documents written in memory, before the first change.
    ///   - shouldEnd: asked after every few answers, whether the rest is for another transaction.
    /// - Returns: what became of the first answers, of one at least.
    func record(
        _ answers: [Classified<PollAnswer>],
        takeLock: () throws -> Void,
        until shouldEnd: () -> Bool,
        _ db: Database
    ) throws -> [RecordedResults] {
        try db.isolating(answers) { answers in
            let prepared = try prepare(answers, db)
            try takeLock()
            var changes = JobChanges()
            var paces = JobPaces()
            var recorded: [RecordedResults] = []
            for (answer, task) in zip(answers, prepared) {
                recorded.append(try record(answer, task, &changes, &paces, db))
                if recorded.count.isMultiple(of: Self.piece), recorded.count < prepared.count, shouldEnd() { break }
            }
            // Once a pace is known, tasks whose first look was set before are moved to when they are due.
            for (job, typical) in try paces.write(db) { try moveFirstLooks(of: job, typical: typical, db) }
            try changes.write(at: now, db)
            return recorded
        } failed: { answer, reason in
            try putOff(answer.answer.poll.chunk, until: now + schedule.maxDelay, db)
            return .impossible(reason)
        }
    }

    /// A task, and what an answer has brought of it.
    private struct Progress {
        var task: PolledTask
        let ended: Int
        let formerlyUnknown: Int
        let succeeded: Int
        let failed: Int
    }

    /// Reads the tasks of the first answers, each task once, and takes in what the answers say; `nil` for one of which nothing
    /// is awaited.
    private func prepare(_ answers: [Classified<PollAnswer>], _ db: Database) throws -> [Progress?] {
        var seen: Set<ChunkID> = []
        let first = answers.prefix(Self.mostAtOnce).map(\.answer).prefix { seen.insert($0.poll.chunk).inserted }
        return try first.map { answer in
            guard var task = try PolledTask(answer.poll.chunk, db) else { return nil }
            let before = (succeeded: task.count(InstanceLetter.succeeded), failed: task.count(InstanceLetter.failed))
            let (ended, formerlyUnknown) = try task.take(answer)
            let isFinished = !task.isLate && task.count(InstanceLetter.awaited) == 0
            if ended > 0 { task.encode(finishedAt: isFinished ? answer.finishedAt : nil) }
            return Progress(
                task: task,
                ended: ended,
                formerlyUnknown: formerlyUnknown,
                succeeded: task.count(InstanceLetter.succeeded) - before.succeeded,
                failed: task.count(InstanceLetter.failed) - before.failed
            )
        }
    }

    private func record(
        _ classified: Classified<PollAnswer>,
        _ progress: Progress?,
        _ changes: inout JobChanges,
        _ paces: inout JobPaces,
        _ db: Database
    ) throws -> RecordedResults {
        guard var progress else { return .late }
        let job = progress.task.job
        changes[job].succeeded += progress.succeeded
        changes[job].failed += progress.failed
        changes[job].unknown -= progress.formerlyUnknown
        changes[job].submitted -= progress.ended - progress.formerlyUnknown
        if progress.task.isLate {
            try writeLate(classified.answer, progress.task, db)
        } else {
            try write(classified, &progress.task, ended: progress.ended, &changes, &paces, db)
        }
        return .ended(progress.ended)
    }

    /// Records what a look before the deadline brought.
    private func write(
        _ classified: Classified<PollAnswer>,
        _ task: inout PolledTask,
        ended: Int,
        _ changes: inout JobChanges,
        _ paces: inout JobPaces,
        _ db: Database
    ) throws {
        let answer = classified.answer
        let patience = task.resultTimeout ?? schedule.resultTimeout
        // A clock that was ahead may have written a deadline further off than the rule allows.
        let deadline = min(task.deadline ?? now, now + patience)
        let age =
            answer.finishedAt >= task.submittedAt
            ? answer.finishedAt - task.submittedAt : max(.zero, patience - (deadline - now))
        let typical = try paces.looked(at: task, at: answer.finishedAt, ended: ended, db)
        let decision = PollDecision.after(
            failure: classified.failure,
            unfinished: task.count(InstanceLetter.awaited),
            polls: task.polls,
            age: age,
            typical: typical,
            deadline: deadline,
            schedule: schedule,
            trusted: trusted,
            now: now
        )
        var next: Timestamp?
        var error = answer.failure
        var isFinished = false
        switch decision {
        case .again(let at): next = at
        case .finish(let why):
            isFinished = true
            changes[task.job].inFlight -= 1
            guard let why else { break }
            error = why
            let unresolved = task.count(InstanceLetter.awaited)
            changes[task.job].submitted -= unresolved
            changes[task.job].unknown += unresolved
            task.giveUp(why, at: answer.finishedAt)
            if why.errorCode == ServiceFailure.Code.resultTimeout { next = lateLook(at: task, age: age) }
        }
        try db.cachedStatement(
            sql: """
                UPDATE chunks
                   SET state        = iif(?2, 'finished', state),
                       finished_at  = iif(?2, ?3, finished_at),
                       polls        = ?4,
                       submitted    = ?5,
                       succeeded    = ?6,
                       failed       = ?7,
                       unknown      = ?8,
                       next_poll_at = ?9,
                       error_code   = ?10,
                       error_msg    = ?11,
                       result_deadline_at = ?12
                 WHERE id = ?1
                   AND state = 'submitted'
                """
        ).run(
            task.chunk,
            isFinished,
            answer.finishedAt,
            task.polls,
            task.count(InstanceLetter.awaited),
            task.count(InstanceLetter.succeeded),
            task.count(InstanceLetter.failed),
            task.count(InstanceLetter.unknown),
            next,
            error?.errorCode,
            error?.message,
            deadline
        )
        if ended > 0 || isFinished { try task.write(finishedAt: isFinished ? answer.finishedAt : nil, db) }
    }

    /// Records what a look after the deadline brought: a result that comes late settles its instance all the same.
    private func writeLate(_ answer: PollAnswer, _ task: PolledTask, _ db: Database) throws {
        let unknown = task.count(InstanceLetter.unknown)
        let late = unknown > 0 ? lateLook(at: task, age: answer.finishedAt - task.submittedAt) : nil
        try db.cachedStatement(
            sql: """
                UPDATE chunks
                   SET polls        = ?2,
                       succeeded    = ?3,
                       failed       = ?4,
                       unknown      = ?5,
                       next_poll_at = ?6
                 WHERE id = ?1
                   AND state = 'finished'
                """
        ).execute(
            arguments: [
                task.chunk, task.polls, task.count(InstanceLetter.succeeded), task.count(InstanceLetter.failed),
                unknown, late,
            ]
        )
        try task.write(finishedAt: nil, db)
    }

    private func putOff(_ chunk: ChunkID, until time: Timestamp, _ db: Database) throws {
        try db.cachedStatement(
            sql: """
                UPDATE chunks
                   SET polls        = min(polls + 1, 1000000000),
                       next_poll_at = iif(next_poll_at IS NULL, NULL, ?2)
                 WHERE id = ?1
                """
        ).execute(arguments: [chunk, time])
    }
}
