import GRDB
public import KoobatchCore

/// A job with instances that are not in chunks yet.
public struct PlannableJob: Hashable, Sendable {
    /// The job.
    public let id: CommandJobID
    /// Instances so far, from the front of the list, that are in chunks or set aside.
    public let planned: Int
    /// How many are to be in chunks now: all, or those of the canary.
    public let planLimit: Int
    /// All its instances.
    public let total: Int
    /// The column as it is; `nil` where the caller has it already.
    let instanceIDs: String?

    /// The list of instances; takes about a tenth of a second for a million.
    ///
    /// - Throws: `DecodingError` when the column was damaged after the insert.
    public func parseInstanceIDs() throws -> [String] {
        try JSONText.strings(instanceIDs ?? "[]")
    }
}

/// Chunks to be written for one job.
public struct PlannedSlice: Hashable, Sendable {
    /// The job.
    public let job: CommandJobID
    /// Instances in chunks or set aside before this slice: the guard against planning twice.
    public let plannedBefore: Int
    /// The instances of each chunk.
    public let chunks: [[String]]

    /// Creates a slice.
    public init(job: CommandJobID, plannedBefore: Int, chunks: [[String]]) {
        self.job = job
        self.plannedBefore = plannedBefore
        self.chunks = chunks
    }
}

extension Store {
    /// Due jobs from which on the planner reads them in order instead of sorting them.
    private static let many = 1_000

    /// The jobs to be cut into chunks next, until they hold `instances` instances or more.
    ///
    /// Higher priorities first; jobs of one priority take turns, and one that has had none goes before the others.
    /// Reads no more than it needs, however many jobs are queued or wait for their `run_at`.
    ///
    /// - Parameters:
    ///   - known: a job whose list the caller has parsed already; its list is not read again.
    ///   - stuck: jobs to leave out.
    public func jobsToPlan(
        at now: Timestamp,
        instances: Int,
        known: CommandJobID?,
        except stuck: Set<CommandJobID> = []
    ) async throws -> [PlannableJob] {
        try await read { db in
            let due = try Int.fetchOne(
                db.cachedStatement(
                    sql: """
                        SELECT count(*)
                          FROM (SELECT 1
                                  FROM job_progress INDEXED BY job_progress_plannable
                                 WHERE job_state IN ('queued', 'running')
                                   AND (planned < plan_limit OR replan_upto IS NOT NULL)
                                   AND run_at <= ?
                                 LIMIT ?)
                        """
                ),
                arguments: [now, Self.many]
            )
            guard let due, due > 0 else { return [] }
            // Few are found by their time and sorted. Many are read in order, past those whose time has not come.
            let index = due < Self.many ? "job_progress_plannable" : "job_progress_to_plan"
            let rows = try Row.fetchCursor(
                db.cachedStatement(
                    sql: """
                        SELECT command_job_id, planned + set_aside, plan_limit, total
                          FROM job_progress INDEXED BY \(index)
                         WHERE job_state IN ('queued', 'running')
                           AND (planned < plan_limit OR replan_upto IS NOT NULL)
                           AND planned < plan_limit
                           AND planned + set_aside < plan_limit
                           AND replan_upto IS NULL
                           AND run_at <= ?1
                           AND (expires_at IS NULL OR expires_at > ?1)
                         ORDER BY priority DESC, (planned + 32767) / 32768, command_job_id
                         LIMIT 256
                        """
                ),
                arguments: [now]
            )
            var jobs: [PlannableJob] = []
            var left = instances
            while left > 0, let row = try rows.next() {
                let id: CommandJobID = row[0]
                if stuck.contains(id) { continue }
                let job = PlannableJob(
                    id: id,
                    planned: row[1],
                    planLimit: row[2],
                    total: row[3],
                    instanceIDs: id == known ? nil : try Self.instanceIDs(of: id, db)
                )
                left -= job.planLimit - job.planned
                jobs.append(job)
            }
            return jobs
        }
    }

    private static func instanceIDs(of job: CommandJobID, _ db: Database) throws -> String? {
        try String.fetchOne(
            db.cachedStatement(sql: "SELECT instance_ids FROM command_jobs WHERE id = ?"),
            arguments: [job]
        )
    }

    /// Writes chunks in one transaction; a queued job starts to run.
    ///
    /// A slice whose job was cancelled, paused or planned by somebody else meanwhile is skipped. Instances that wait for
    /// another job are set aside.
    ///
    /// - Returns: the chunks written, and whether any list was taken further.
    /// - Throws: `StuckJob` for a job that keeps the others back; call again without it.
    public func plan(_ slices: [PlannedSlice], at now: Timestamp) async throws -> (chunks: Int, advanced: Bool) {
        try await write { db in
            var written = 0
            var advanced = false
            for slice in slices {
                let chunks = try StuckJob.naming(slice.job) { try Self.plan(slice, at: now, db) }
                written += chunks ?? 0
                advanced = advanced || chunks != nil
            }
            return (written, advanced)
        }
    }

    /// How many chunks were written; `nil` when the slice is not to be planned any more.
    private static func plan(_ slice: PlannedSlice, at now: Timestamp, _ db: Database) throws -> Int? {
        guard let isSerialized = try start(slice, db) else { return nil }
        let waiting = isSerialized ? try setAside(slice, db) : []
        let chunks = waiting.isEmpty ? slice.chunks : slice.chunks(without: waiting)
        // Before the chunks, which the schema holds against it.
        try db.cachedStatement(
            sql: """
                UPDATE job_progress
                   SET planned   = planned + ?2,
                       set_aside = set_aside + ?3
                 WHERE command_job_id = ?1
                """
        ).execute(arguments: [slice.job, chunks.reduce(0) { $0 + $1.count }, waiting.count])
        try insert(chunks, of: slice.job, at: now, db)
        return chunks.count
    }

    static func insert(_ chunks: [[String]], of job: CommandJobID, at now: Timestamp, _ db: Database) throws {
        let insert = try db.cachedStatement(
            sql: """
                INSERT INTO chunks (command_job_id, next_attempt_at, size, instance_ids)
                VALUES (?, ?, ?, ?)
                """
        )
        for instances in chunks {
            try insert.execute(arguments: [job, now, instances.count, JSONText.array(instances)])
        }
    }

    /// Whether anything of the job may wait for other jobs; `nil` when the slice is not to be planned any more.
    private static func start(_ slice: PlannedSlice, _ db: Database) throws -> Bool? {
        let row = try Row.fetchOne(
            db.cachedStatement(
                sql: """
                    SELECT job_state, EXISTS (SELECT 1 FROM instance_waits WHERE waiter_job = command_job_id)
                      FROM job_progress
                     WHERE command_job_id = ?
                       AND planned + set_aside = ?
                       AND job_state IN ('queued', 'running')
                    """
            ),
            arguments: [slice.job, slice.plannedBefore]
        )
        guard let row else { return nil }
        if row[0] == CommandJobState.queued { try run(slice.job, db) }
        return row[1]
    }

    static func run(_ job: CommandJobID, _ db: Database) throws {
        try db.cachedStatement(
            sql: "UPDATE command_jobs SET state = 'running', state_reason = NULL WHERE id = ? AND state = 'queued'"
        ).execute(arguments: [job])
    }

    /// When the planner next has work that is not due yet: the earliest `run_at`.
    public func nextPlanning(after now: Timestamp) async throws -> Timestamp? {
        try await read { db in
            try Timestamp.fetchOne(
                db.cachedStatement(
                    sql: """
                        SELECT min(run_at)
                          FROM job_progress
                         WHERE job_state IN ('queued', 'running')
                           AND (planned < plan_limit OR replan_upto IS NOT NULL)
                           AND run_at > ?
                        """
                ),
                arguments: [now]
            )
        }
    }
}
