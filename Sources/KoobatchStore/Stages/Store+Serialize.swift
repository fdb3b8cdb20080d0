import GRDB
public import KoobatchCore

/// `serialize_instances`: a job waits on each instance for the results of the unfinished jobs that were inserted before it,
/// of its priority or a higher one.
///
/// Nothing is stored of who waits for whom: chunks that wait are marked, and looked at again when something has ended.
extension Store {
    /// Chunks that are looked at in one transaction.
    private static let freedAtOnce = 64

    /// Which of the instances have no result yet in an earlier job.
    static func blocked(_ instances: [String], of job: CommandJobID, _ db: Database) throws -> Set<String> {
        let earlier = try Row.fetchAll(
            db.cachedStatement(
                sql: """
                    SELECT p.command_job_id, p.planned < p.total, p.replan_upto IS NOT NULL
                      FROM job_progress AS p
                      JOIN command_jobs AS j ON j.id = p.command_job_id
                     WHERE j.finished_at IS NULL
                       AND p.command_job_id < ?1
                       AND p.priority >= (SELECT priority FROM job_progress WHERE command_job_id = ?1)
                    """
            ),
            arguments: [job]
        )
        if earlier.isEmpty { return [] }
        let wanted = JSONText.array(instances)
        var blocked: Set<String> = []
        for row in earlier {
            blocked.formUnion(try inOpenChunks(wanted, of: row[0], isRunAgain: row[2], db))
            if row[1] { blocked.formUnion(try unplanned(wanted, of: row[0], db)) }
        }
        return blocked
    }

    /// Of the instances those that are in chunks of a job without an end, or are about to run again.
    private static func inOpenChunks(
        _ wanted: String,
        of job: CommandJobID,
        isRunAgain: Bool,
        _ db: Database
    ) throws -> [String] {
        try String.fetchAll(
            db.cachedStatement(
                sql: """
                    SELECT e.value
                      FROM chunks AS c
                     CROSS JOIN chunk_instances AS d ON d.chunk_id = c.id
                     CROSS JOIN json_each(d.instance_ids) AS e
                     WHERE c.command_job_id = ?1
                       AND (c.state IN ('pending', 'submitting', 'submitted', 'unknown')
                            OR (?3 AND c.failed + c.unknown + c.cancelled + c.rejected > 0))
                       AND (c.state <> 'submitted' OR ?3 OR substr(d.states, e.key + 1, 1) = 'a')
                       AND e.value IN (SELECT value FROM json_each(?2))
                    """
            ),
            arguments: [job, wanted, isRunAgain]
        )
    }

    /// Of the instances those that are not in chunks of a job yet; none of a job that was stopped.
    private static func unplanned(_ wanted: String, of job: CommandJobID, _ db: Database) throws -> [String] {
        try String.fetchAll(
            db.cachedStatement(
                sql: """
                    SELECT e.value
                      FROM job_progress AS p
                     CROSS JOIN command_jobs AS j ON j.id = p.command_job_id
                     CROSS JOIN json_each(j.instance_ids) AS e
                     WHERE p.command_job_id = ?1
                       AND p.job_state IN ('queued', 'running', 'paused')
                       AND e.key >= p.planned
                       AND e.value IN (SELECT value FROM json_each(?2))
                    """
            ),
            arguments: [job, wanted]
        )
    }

    /// Lets chunks go whose instances do not wait any more, one job and a few chunks a call.
    ///
    /// - Returns: whether anything was freed; call again until it is not.
    public func freeBlocked(at now: Timestamp, chunkSize: Int) async throws -> Bool {
        let jobs = try await read { db in
            try CommandJobID.fetchAll(
                db.cachedStatement(
                    sql: """
                        SELECT command_job_id
                          FROM job_progress INDEXED BY job_progress_chores
                         WHERE (deleting = 1 OR replan_upto IS NOT NULL OR blocked_chunks > 0)
                           AND blocked_chunks > 0
                           AND job_state IN ('queued', 'running', 'paused')
                        """
                )
            )
        }
        for job in jobs {
            let freed = try await read { try Self.freed(of: job, $0) }
            if freed.isEmpty { continue }
            try await write { db in
                var changes = JobChanges()
                try Self.free(freed, of: job, chunkSize: chunkSize, at: now, &changes, db)
                try changes.write(at: now, db)
            }
            return true
        }
        return false
    }

    /// A chunk that waits, and those of its instances that do so still.
    private struct Freed: Sendable {
        let chunk: ChunkID
        let instances: [String]
        let waiting: Set<String>
    }

    private static func freed(of job: CommandJobID, _ db: Database) throws -> [Freed] {
        let rows = try Row.fetchAll(
            db.cachedStatement(
                sql: """
                    SELECT c.id, d.instance_ids
                      FROM chunks AS c
                      JOIN chunk_instances AS d ON d.chunk_id = c.id
                     WHERE c.command_job_id = ?
                       AND c.state = 'pending'
                       AND c.blocked = 1
                     ORDER BY c.id
                    """
            ),
            arguments: [job]
        )
        let chunks = try rows.map { ($0[0] as ChunkID, try InstanceIDs(document: $0[1]).list) }
        let waiting = try blocked(chunks.flatMap(\.1), of: job, db)
        let freed = chunks.filter { !$0.1.allSatisfy(waiting.contains) }
        return freed.prefix(freedAtOnce).map { Freed(chunk: $0.0, instances: $0.1, waiting: waiting) }
    }

    /// What is free leaves its chunk for new ones; a chunk of which nothing is left is one of them.
    private static func free(
        _ freed: [Freed],
        of job: CommandJobID,
        chunkSize: Int,
        at now: Timestamp,
        _ changes: inout JobChanges,
        _ db: Database
    ) throws {
        var free: [String] = []
        for entry in freed {
            let left = entry.instances.filter(entry.waiting.contains)
            if left.isEmpty {
                try db.cachedStatement(
                    sql: """
                        UPDATE chunks
                           SET blocked         = 0,
                               next_attempt_at = ?2
                         WHERE id = ?1
                           AND state = 'pending'
                           AND blocked = 1
                        """
                ).execute(arguments: [entry.chunk, now])
                changes[job].blocked -= db.changesCount
                continue
            }
            try db.cachedStatement(
                sql: "UPDATE chunks SET size = ?2 WHERE id = ?1 AND state = 'pending' AND blocked = 1"
            ).execute(arguments: [entry.chunk, left.count])
            guard db.changesCount == 1 else { continue }
            try db.cachedStatement(sql: "UPDATE chunk_instances SET instance_ids = ?2 WHERE chunk_id = ?1")
                .execute(arguments: [entry.chunk, InstanceIDs(left).json])
            free += entry.instances.filter { !entry.waiting.contains($0) }
        }
        for chunk in Chunking.chunks(of: free, size: chunkSize) {
            try insert(waiting: InstanceIDs(chunk), of: job, at: now, db)
            changes[job].waiting += 1
        }
    }
}
