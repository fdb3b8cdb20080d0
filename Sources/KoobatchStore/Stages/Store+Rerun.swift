import GRDB
public import KoobatchCore

extension Store {
    /// Chunks that wait to be sent from which on a job that runs again is not planned further for now.
    private static let waitingEnough = 256

    /// Moves instances that did not succeed in earlier chunks of jobs that run again into new chunks, up to `chunks` old
    /// chunks a call, one transaction a job.
    ///
    /// The old rows stay for the record, their instances marked as moved.
    ///
    /// - Parameter stuck: jobs to leave out.
    /// - Returns: whether anything was moved; call again until it is not.
    /// - Throws: `StuckJob`; call again without it.
    public func replan(
        at now: Timestamp,
        chunkSize: Int,
        chunks limit: Int,
        except stuck: Set<CommandJobID> = []
    ) async throws -> Bool {
        // Most often there is none: no write lock for that. Nor for finding out what waits for other jobs.
        let found: (CommandJobID, Set<String>)? = try await read { db in
            guard let job = try Self.jobToReplan(at: now, except: stuck, db) else { return nil }
            return (job, try StuckJob.naming(job) { try Self.blockedAgain(of: job, limit: limit, db) })
        }
        guard let (job, blocked) = found else { return false }
        try await write { db in
            guard try job == Self.jobToReplan(at: now, except: stuck, db) else { return }
            try StuckJob.naming(job) {
                try Self.replan(job, blocked, at: now, chunkSize: chunkSize, chunks: limit, db)
            }
        }
        return true
    }

    /// Of the instances that are moved next those that wait for other jobs.
    private static func blockedAgain(of job: CommandJobID, limit: Int, _ db: Database) throws -> Set<String> {
        let isSerialized = try Bool.fetchOne(
            db.cachedStatement(sql: "SELECT serialize_instances FROM command_jobs WHERE id = ?"),
            arguments: [job]
        )
        guard isSerialized == true else { return [] }
        let instances = try chunksToReplan(of: job, limit: limit, db).flatMap { chunk in
            let list = try String.fetchOne(
                db.cachedStatement(sql: "SELECT instance_ids FROM chunk_instances WHERE chunk_id = ?"),
                arguments: [chunk]
            )
            return try InstanceIDs(document: list ?? "[]").list
        }
        return try self.blocked(instances, of: job, db)
    }

    private static func replan(
        _ job: CommandJobID,
        _ blocked: Set<String>,
        at now: Timestamp,
        chunkSize: Int,
        chunks limit: Int,
        _ db: Database
    ) throws {
        try run(job, at: now, db)
        var changes = JobChanges()
        let old = try chunksToReplan(of: job, limit: limit, db)
        let again = try old.flatMap { try move($0, of: job, &changes, db) }
        for isBlocked in [false, true] {
            let instances = again.filter { blocked.contains($0) == isBlocked }
            for chunk in Chunking.chunks(of: instances, size: chunkSize) {
                try insert(waiting: InstanceIDs(chunk), of: job, isBlocked: isBlocked, at: now, db)
                changes[job].waiting += 1
                if isBlocked { changes[job].blocked += 1 }
            }
        }
        try db.cachedStatement(
            sql: """
                UPDATE job_progress
                   SET replan_after   = coalesce(?2, replan_after),
                       replan_upto    = iif(?3, replan_upto, NULL),
                       error_baseline = 0
                 WHERE command_job_id = ?1
                """
        ).execute(arguments: [job, old.last, old.count == limit])
        // Also where nothing had to move: its canary may have succeeded before.
        changes.touch(job)
        try changes.write(at: now, db)
    }

    private static func jobToReplan(
        at now: Timestamp,
        except stuck: Set<CommandJobID>,
        _ db: Database
    ) throws -> CommandJobID? {
        try CommandJobID.fetchOne(
            db.cachedStatement(
                sql: """
                    SELECT command_job_id
                      FROM job_progress INDEXED BY job_progress_chores
                     WHERE (deleting = 1 OR replan_upto IS NOT NULL OR blocked_chunks > 0)
                       AND replan_upto IS NOT NULL
                       AND job_state IN ('queued', 'running')
                       AND waiting_chunks < ?3
                       AND run_at <= ?1
                       AND (expires_at IS NULL OR expires_at > ?1)
                       AND command_job_id NOT IN (SELECT value FROM json_each(?2))
                     ORDER BY priority DESC, command_job_id
                     LIMIT 1
                    """
            ),
            arguments: [now, JSONText.array(stuck.map(\.rawValue)), waitingEnough]
        )
    }

    private static func chunksToReplan(of job: CommandJobID, limit: Int, _ db: Database) throws -> [ChunkID] {
        try ChunkID.fetchAll(
            db.cachedStatement(
                sql: """
                    SELECT c.id
                      FROM chunks AS c
                      JOIN job_progress AS p ON p.command_job_id = c.command_job_id
                     WHERE c.command_job_id = ?
                       AND c.id > p.replan_after
                       AND c.id <= p.replan_upto
                       AND c.failed + c.unknown + c.cancelled + c.rejected > 0
                     ORDER BY c.id
                     LIMIT ?
                    """
            ),
            arguments: [job, limit]
        )
    }

    /// Marks what did not succeed in a chunk as moved and returns it.
    private static func move(
        _ chunk: ChunkID,
        of job: CommandJobID,
        _ changes: inout JobChanges,
        _ db: Database
    ) throws -> [String] {
        let row = try Row.fetchOne(
            db.cachedStatement(
                sql: """
                    SELECT d.instance_ids, d.states, c.failed, c.unknown, c.cancelled, c.rejected
                      FROM chunks AS c
                      JOIN chunk_instances AS d ON d.chunk_id = c.id
                     WHERE c.id = ?
                    """
            ),
            arguments: [chunk]
        )
        guard let row else { return [] }
        let instances = try InstanceIDs(document: row[0]).list
        let stored: String? = row[1]
        var states = stored.map { Array($0.utf8) } ?? Array(repeating: InstanceLetter.failed, count: instances.count)
        var moved: [String] = []
        for (index, instance) in instances.enumerated() where index < states.count {
            guard states[index] == InstanceLetter.failed || states[index] == InstanceLetter.unknown else { continue }
            states[index] = InstanceLetter.moved
            moved.append(instance)
        }
        try db.cachedStatement(sql: "UPDATE chunk_instances SET states = ?2 WHERE chunk_id = ?1")
            .execute(arguments: [chunk, String(decoding: states, as: UTF8.self)])
        try db.cachedStatement(
            sql: "UPDATE chunks SET failed = 0, unknown = 0, cancelled = 0, rejected = 0 WHERE id = ?"
        ).execute(arguments: [chunk])
        changes[job].failed -= row[2]
        changes[job].unknown -= row[3]
        changes[job].cancelled -= row[4]
        changes[job].rejected -= row[5]
        return moved
    }
}
