import GRDB
import KoobatchCore

extension Store {
    /// The most tasks whose first look is moved, in one transaction and once a job; the rest keep their own times.
    private static let movedAtOnce = 2_000

    /// Takes in how long results took, and returns what is typical of the job then.
    ///
    /// With the first result of a job its other tasks are moved to when they are due now.
    static func pace(
        _ task: PolledTask,
        lookedAt: Timestamp,
        ended: Int,
        now: Timestamp,
        _ db: Database
    ) throws -> Duration? {
        var pace = task.pace
        let due = min(lookedAt, task.dueAt ?? lookedAt) - task.submittedAt
        pace.looked(isFirst: task.isFirstLook, due: max(.zero, due), ended: ended, of: task.size)
        guard let typical = pace.typical else { return nil }
        if pace != task.pace {
            try db.cachedStatement(
                sql: "UPDATE job_progress SET result_seconds = ?, complete_looks = ? WHERE command_job_id = ?"
            ).execute(arguments: [typical.inSeconds, pace.completeLooks, task.job])
        }
        if task.pace.typical == nil { try moveFirstLooks(of: task.job, typical: typical, now: now, db) }
        return typical
    }

    /// Moves the first look at tasks that was set before anything was known to when it is due.
    private static func moveFirstLooks(
        of job: CommandJobID,
        typical: Duration,
        now: Timestamp,
        _ db: Database
    ) throws {
        try db.cachedStatement(
            sql: """
                UPDATE chunks
                   SET next_poll_at = max(?2, min(next_poll_at,
                                                  strftime('%Y-%m-%dT%H:%M:%fZ', submitted_at, ?3 || ' seconds')))
                 WHERE id IN (SELECT id
                                FROM chunks
                               WHERE command_job_id = ?1
                                 AND next_poll_at IS NOT NULL
                                 AND polls = 0
                                 AND next_poll_at > ?2
                               LIMIT \(movedAtOnce))
                """
        ).execute(arguments: [job, now, typical.inSeconds])
    }

    /// When to look again at a task whose results did not come in time, if at all.
    static func lateLook(at task: PolledTask, age: Duration, schedule: PollSchedule, now: Timestamp) -> Timestamp? {
        let timeout = task.deadline.map { $0 - task.submittedAt } ?? schedule.resultTimeout
        return schedule.lateDelay(age: age, timeout: timeout).map { now + $0 }
    }

    /// Records what a look after the deadline brought: a result that comes late settles its instance all the same.
    static func recordLate(
        _ answer: PollAnswer,
        of task: PolledTask,
        schedule: PollSchedule,
        now: Timestamp,
        _ db: Database
    ) throws -> Int? {
        let tally = try settle(answer, db)
        let late =
            tally.unknown > 0
            ? lateLook(at: task, age: answer.finishedAt - task.submittedAt, schedule: schedule, now: now) : nil
        try db.cachedStatement(
            sql: """
                UPDATE chunks
                   SET polls        = ?2,
                       succeeded    = ?3,
                       failed       = ?4,
                       unknown      = ?5,
                       late_poll_at = ?6
                 WHERE id = ?1
                   AND late_poll_at IS NOT NULL
                """
        ).execute(arguments: [answer.poll.chunk, task.polls, tally.succeeded, tally.failed, tally.unknown, late])
        return tally.ended
    }
}
