import GRDB
import KoobatchCore

extension ResultRecorder {
    /// The most tasks whose first look is moved in one transaction; the next one moves more.
    private static let movedAtOnce = 200

    /// Takes in how long results took, and returns what is typical of the job then.
    ///
    /// Once that is known, tasks of the job whose first look was set before are moved to when they are due.
    func pace(_ task: PolledTask, lookedAt: Timestamp, ended: Int, _ db: Database) throws -> Duration? {
        var pace = task.pace
        // A look that came later than it was due tells nothing of the time in between.
        let due = min(lookedAt, task.dueAt ?? lookedAt) - task.submittedAt
        pace.looked(isFirst: task.isFirstLook, due: max(.zero, due), ended: ended, of: task.size)
        guard let typical = pace.typical else { return nil }
        if pace != task.pace {
            try db.cachedStatement(
                sql: "UPDATE job_progress SET result_seconds = ?, complete_looks = ? WHERE command_job_id = ?"
            ).execute(arguments: [min(max(typical.inSeconds, 0), 31_536_000), pace.completeLooks, task.job])
        }
        try moveFirstLooks(of: task.job, typical: typical, db)
        return typical
    }

    /// Moves the first look at tasks that was set before anything was known: these alone are later than the typical time
    /// from now.
    private func moveFirstLooks(of job: CommandJobID, typical: Duration, _ db: Database) throws {
        let latest = max(typical, schedule.initialDelay)
        try db.cachedStatement(
            sql: """
                UPDATE chunks
                   SET next_poll_at = max(?2, min(next_poll_at,
                                                  strftime('%Y-%m-%dT%H:%M:%fZ', submitted_at, ?3 || ' seconds')))
                 WHERE id IN (SELECT id
                                FROM chunks
                               WHERE state = 'submitted'
                                 AND next_poll_at IS NOT NULL
                                 AND next_poll_at > ?4
                                 AND command_job_id = ?1
                                 AND polls = 0
                               LIMIT ?5)
                """
        ).execute(arguments: [job, now, typical.inSeconds, now + latest, Self.movedAtOnce])
    }

    /// When to look again at a task whose results did not come in time, if at all.
    func lateLook(at task: PolledTask, age: Duration) -> Timestamp? {
        let timeout = task.deadline.map { $0 - task.submittedAt } ?? schedule.resultTimeout
        return schedule.lateDelay(age: age, timeout: timeout).map { now + $0 }
    }
}
