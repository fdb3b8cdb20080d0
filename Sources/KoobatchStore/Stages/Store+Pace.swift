import GRDB
import KoobatchCore

/// How long results of jobs have been taking, as a transaction finds and leaves it: read and written once per job.
struct JobPaces {
    private var paces: [CommandJobID: (found: ResultPace, current: ResultPace)] = [:]

    /// Takes in how long results of a task took, and returns what is typical of its job then.
    mutating func looked(at task: PolledTask, at time: Timestamp, ended: Int, _ db: Database) throws -> Duration? {
        var pace = try paces[task.job] ?? Self.read(task.job, db)
        // A look that came later than it was due tells nothing of the time in between.
        let due = min(time, task.dueAt ?? time) - task.submittedAt
        // Neither does one between which and the submission the clock was set.
        if due >= .zero, task.deadline.map({ due <= $0 - task.submittedAt }) ?? true {
            pace.current.looked(isFirst: task.isFirstLook, due: due, ended: ended, of: task.size)
        }
        paces[task.job] = pace
        return pace.current.typical
    }

    private static func read(_ job: CommandJobID, _ db: Database) throws -> (found: ResultPace, current: ResultPace) {
        let row = try Row.fetchOne(
            db.cachedStatement(
                sql: "SELECT result_seconds, complete_looks FROM job_progress WHERE command_job_id = ?"
            ),
            arguments: [job]
        )
        let pace = ResultPace(
            typical: row.flatMap { $0[0] as Double? }.map(ChunkFacts.duration),
            completeLooks: row?[1] ?? 0
        )
        return (pace, pace)
    }

    /// Writes what has changed, and returns what is typical of each job that was looked at.
    func write(_ db: Database) throws -> [(job: CommandJobID, typical: Duration)] {
        try paces.sorted { $0.key.rawValue < $1.key.rawValue }.compactMap { job, pace in
            guard let typical = pace.current.typical else { return nil }
            if pace.current != pace.found {
                try db.cachedStatement(
                    sql: "UPDATE job_progress SET result_seconds = ?, complete_looks = ? WHERE command_job_id = ?"
                ).execute(arguments: [min(max(typical.inSeconds, 0), 31_536_000), pace.current.completeLooks, job])
            }
            return (job, typical)
        }
    }
}

extension ResultRecorder {
    /// The most tasks whose first look is moved in one transaction; the next one moves more.
    private static let movedAtOnce = 200

    /// Moves the first look at tasks that was set before anything was known: these alone are later than the typical time
    /// from now.
    func moveFirstLooks(of job: CommandJobID, typical: Duration, _ db: Database) throws {
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
