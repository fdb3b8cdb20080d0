import GRDB
public import KoobatchCore

extension Store {
    /// Moves instances that did not succeed in earlier chunks of jobs that run again into new chunks, up to `chunks` old
    /// chunks a call, one transaction a job.
    ///
    /// The old rows stay for the record, marked as superseded.
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
        // Most often there is none: no write lock for that.
        guard try await read({ try Self.jobToReplan(at: now, except: stuck, $0) }) != nil else { return false }
        return try await write { db in
            guard let job = try Self.jobToReplan(at: now, except: stuck, db) else { return false }
            try StuckJob.naming(job) { try Self.replan(job, at: now, chunkSize: chunkSize, chunks: limit, db) }
            return true
        }
    }

    private static func replan(
        _ job: CommandJobID,
        at now: Timestamp,
        chunkSize: Int,
        chunks limit: Int,
        _ db: Database
    ) throws {
        try run(job, db)
        let old = try chunksToReplan(of: job, limit: limit, db)
        let again = try old.flatMap { try supersede($0, db) }
        try insert(Chunking.chunks(of: again, size: chunkSize).map(Array.init), of: job, at: now, db)
        try db.execute(
            sql: """
                UPDATE job_progress
                   SET replan_after    = coalesce(?2, replan_after),
                       replan_upto     = CASE WHEN ?3 THEN replan_upto END,
                       errors_forgiven = min(errors_forgiven, failed + rejected)
                 WHERE command_job_id = ?1
                """,
            arguments: [job, old.last, old.count == limit]
        )
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
                      FROM job_progress INDEXED BY job_progress_to_replan
                     WHERE job_state IN ('queued', 'running')
                       AND replan_upto IS NOT NULL
                       AND run_at <= ?1
                       AND (expires_at IS NULL OR expires_at > ?1)
                       AND command_job_id NOT IN (SELECT value FROM json_each(?2))
                     ORDER BY priority DESC, command_job_id
                     LIMIT 1
                    """
            ),
            arguments: [now, JSONText.array(stuck)]
        )
    }

    private static func chunksToReplan(of job: CommandJobID, limit: Int, _ db: Database) throws -> [ChunkID] {
        try ChunkID.fetchAll(
            db,
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
                """,
            arguments: [job, limit]
        )
    }

    /// Marks what did not succeed in a chunk as superseded and returns it.
    private static func supersede(_ chunk: ChunkID, _ db: Database) throws -> [String] {
        let row = try Row.fetchOne(
            db.cachedStatement(sql: "SELECT task_id IS NULL, instance_ids FROM chunks WHERE id = ?"),
            arguments: [chunk]
        )
        guard let row else { return [] }
        let instances: [String]
        if row[0] {
            instances = try JSONText.strings(row[1])
        } else {
            instances = try String.fetchAll(
                db.cachedStatement(
                    sql: """
                        SELECT instance_id
                          FROM instance_jobs
                         WHERE chunk_id = ?
                           AND state IN ('failed', 'unknown')
                           AND superseded = 0
                         ORDER BY id
                        """
                ),
                arguments: [chunk]
            )
            try db.cachedStatement(
                sql: """
                    UPDATE instance_jobs
                       SET superseded = 1
                     WHERE chunk_id = ?
                       AND state IN ('failed', 'unknown')
                       AND superseded = 0
                    """
            ).execute(arguments: [chunk])
        }
        try db.cachedStatement(
            sql: """
                UPDATE chunks
                   SET superseded = task_id IS NULL,
                       failed     = 0,
                       unknown    = 0,
                       cancelled  = 0,
                       rejected   = 0
                 WHERE id = ?
                """
        ).execute(arguments: [chunk])
        return instances
    }
}
