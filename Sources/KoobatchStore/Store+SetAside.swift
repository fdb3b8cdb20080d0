import GRDB
public import KoobatchCore

extension PlannedSlice {
    /// The chunks without some instances: as many per chunk as before, fewer chunks.
    func chunks(without waiting: Set<String>) -> [[String]] {
        let size = chunks.map(\.count).max() ?? 1
        return Chunking.chunks(of: chunks.joined().filter { !waiting.contains($0) }, size: size).map(Array.init)
    }
}

extension Store {
    /// Sets aside the instances of a slice that wait for their results in other jobs, and returns them.
    static func setAside(_ slice: PlannedSlice, _ db: Database) throws -> Set<String> {
        let instances = JSONText.array(slice.chunks.joined())
        try db.cachedStatement(
            sql: """
                INSERT INTO set_aside_instances (command_job_id, instance_id)
                SELECT DISTINCT ?1, w.instance_id
                  FROM json_each(?2) AS e
                  JOIN instance_waits AS w ON w.waiter_job = ?1 AND w.instance_id = e.value
                """
        ).execute(arguments: [slice.job, instances])
        guard db.changesCount > 0 else { return [] }
        return try Set(
            String.fetchAll(
                db.cachedStatement(
                    sql: """
                        SELECT s.instance_id
                          FROM json_each(?2) AS e
                          JOIN set_aside_instances AS s ON s.command_job_id = ?1 AND s.instance_id = e.value
                        """
                ),
                arguments: [slice.job, instances]
            )
        )
    }

    /// Puts instances that were set aside and have become free into chunks, up to `limit` instances of one job a call.
    ///
    /// - Parameter stuck: jobs to leave out.
    /// - Returns: whether there were any; call again until there are none.
    /// - Throws: `StuckJob`; call again without it.
    public func planFreed(
        at now: Timestamp,
        chunkSize: Int,
        instances limit: Int,
        except stuck: Set<CommandJobID> = []
    ) async throws -> Bool {
        let job = try await read { db in
            try CommandJobID.fetchOne(
                db.cachedStatement(
                    sql: """
                        SELECT s.command_job_id
                          FROM set_aside_instances AS s
                          JOIN job_progress AS p ON p.command_job_id = s.command_job_id
                         WHERE s.free = 1
                           AND p.job_state IN ('queued', 'running')
                           AND p.run_at <= ?1
                           AND (p.expires_at IS NULL OR p.expires_at > ?1)
                           AND s.command_job_id NOT IN (SELECT value FROM json_each(?2))
                         LIMIT 1
                        """
                ),
                arguments: [now, JSONText.array(stuck)]
            )
        }
        guard let job else { return false }
        return try await write { db in
            try StuckJob.naming(job) { try Self.planFreed(of: job, at: now, chunkSize: chunkSize, limit: limit, db) }
        }
    }

    private static func planFreed(
        of job: CommandJobID,
        at now: Timestamp,
        chunkSize: Int,
        limit: Int,
        _ db: Database
    ) throws -> Bool {
        let freed = try String.fetchAll(
            db.cachedStatement(
                sql: """
                    SELECT s.instance_id
                      FROM set_aside_instances AS s
                      JOIN job_progress AS p ON p.command_job_id = s.command_job_id
                     WHERE s.command_job_id = ?
                       AND s.free = 1
                       AND p.job_state IN ('queued', 'running')
                     LIMIT ?
                    """
            ),
            arguments: [job, limit]
        )
        guard !freed.isEmpty else { return false }
        try run(job, db)
        try db.cachedStatement(
            sql: """
                DELETE FROM set_aside_instances
                 WHERE command_job_id = ?1
                   AND instance_id IN (SELECT value FROM json_each(?2))
                """
        ).execute(arguments: [job, JSONText.array(freed)])
        try db.cachedStatement(
            sql: """
                UPDATE job_progress
                   SET planned   = planned + ?2,
                       set_aside = set_aside - ?2
                 WHERE command_job_id = ?1
                """
        ).execute(arguments: [job, freed.count])
        try insert(Chunking.chunks(of: freed, size: chunkSize).map(Array.init), of: job, at: now, db)
        return true
    }
}
