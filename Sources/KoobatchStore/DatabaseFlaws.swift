import GRDB

/// What is wrong with the content of a database.
enum DatabaseFlaws {
    /// Looks for damage of the file, for rows that refer to none, and for counts that do not add up.
    ///
    /// - Parameter full: also holds every index against its table, which takes several times as long.
    /// - Returns: the first that is found.
    static func first(_ db: Database, full: Bool) throws -> String? {
        let check = full ? "integrity_check" : "quick_check"
        if let flaw = try String.fetchOne(db, sql: "PRAGMA \(check)(1)"), flaw != "ok" { return flaw }
        if let row = try Row.fetchOne(db, sql: "PRAGMA foreign_key_check") {
            let (table, parent): (String, String) = (row["table"], row["parent"])
            return "a row of \(table) belongs to a row of \(parent) that is not there"
        }
        let job = try Int64.fetchOne(
            db,
            sql: """
                SELECT j.id
                  FROM command_jobs AS j
                  LEFT JOIN job_progress AS p ON p.command_job_id = j.id
                  LEFT JOIN (SELECT command_job_id,
                                    sum(state = 'pending')                                 AS waiting_chunks,
                                    sum(state IN ('submitting', 'submitted'))              AS in_flight_chunks,
                                    sum(state = 'unknown')                                 AS held_chunks,
                                    sum(iif(state IN ('pending', 'submitting'), size, 0))  AS waiting_instances,
                                    sum(submitted)                                         AS submitted,
                                    sum(succeeded)                                         AS succeeded,
                                    sum(failed)                                            AS failed,
                                    sum(unknown)                                           AS unknown,
                                    sum(cancelled)                                         AS cancelled,
                                    sum(rejected)                                          AS rejected
                               FROM chunks
                              GROUP BY command_job_id) AS c ON c.command_job_id = j.id
                 WHERE p.command_job_id IS NULL
                    OR (p.deleting = 0
                        AND (p.waiting_chunks, p.in_flight_chunks, p.held_chunks, p.waiting_instances,
                             p.submitted, p.succeeded, p.failed, p.unknown, p.rejected, p.cancelled)
                            IS NOT (coalesce(c.waiting_chunks, 0), coalesce(c.in_flight_chunks, 0),
                                    coalesce(c.held_chunks, 0), coalesce(c.waiting_instances, 0),
                                    coalesce(c.submitted, 0), coalesce(c.succeeded, 0), coalesce(c.failed, 0),
                                    coalesce(c.unknown, 0), coalesce(c.rejected, 0),
                                    coalesce(c.cancelled, 0)
                                    -- What was never planned is in no chunk.
                                    + iif(p.job_state IN ('cancelled', 'expired'), p.total - p.planned, 0)))
                 LIMIT 1
                """
        )
        if let job { return "the counts of job \(job) do not add up" }
        let chunk = try Int64.fetchOne(
            db,
            sql: """
                SELECT c.id
                  FROM chunks AS c
                  JOIN job_progress AS p ON p.command_job_id = c.command_job_id AND p.deleting = 0
                  LEFT JOIN (SELECT chunk_id,
                                    sum(state = 'submitted') AS submitted,
                                    sum(state = 'succeeded') AS succeeded,
                                    sum(state = 'failed')    AS failed,
                                    sum(state = 'unknown')   AS unknown
                               FROM instance_jobs
                              WHERE superseded = 0
                              GROUP BY chunk_id) AS i ON i.chunk_id = c.id
                 WHERE c.task_id IS NOT NULL
                   AND (c.submitted, c.succeeded, c.failed, c.unknown)
                       IS NOT (coalesce(i.submitted, 0), coalesce(i.succeeded, 0), coalesce(i.failed, 0),
                               coalesce(i.unknown, 0))
                 LIMIT 1
                """
        )
        return chunk.map { "the counts of chunk \($0) are not those of its instance_jobs" }
    }
}
