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
                                    sum(state = 'pending')                    AS waiting_chunks,
                                    sum(state = 'pending' AND blocked = 1)    AS blocked_chunks,
                                    sum(state IN ('submitting', 'submitted')) AS in_flight_chunks,
                                    sum(state = 'unknown')                    AS held_chunks,
                                    sum(submitted)                            AS submitted,
                                    sum(succeeded)                            AS succeeded,
                                    sum(failed)                               AS failed,
                                    sum(unknown)                              AS unknown,
                                    sum(cancelled)                            AS cancelled,
                                    sum(rejected)                             AS rejected
                               FROM chunks
                              GROUP BY command_job_id) AS c ON c.command_job_id = j.id
                 WHERE p.command_job_id IS NULL
                    OR (p.deleting = 0
                        AND (p.waiting_chunks, p.blocked_chunks, p.in_flight_chunks, p.held_chunks,
                             p.submitted, p.succeeded, p.failed, p.unknown, p.rejected, p.cancelled)
                            IS NOT (coalesce(c.waiting_chunks, 0), coalesce(c.blocked_chunks, 0),
                                    coalesce(c.in_flight_chunks, 0), coalesce(c.held_chunks, 0),
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
                  LEFT JOIN chunk_instances AS d ON d.chunk_id = c.id
                  JOIN job_progress AS p ON p.command_job_id = c.command_job_id AND p.deleting = 0
                 WHERE d.chunk_id IS NULL
                    OR (c.task_id IS NOT NULL
                        AND (length(d.states) IS NOT c.size
                             OR c.submitted <> c.size - length(replace(d.states, 'a', ''))
                             OR c.succeeded <> c.size - length(replace(d.states, 's', ''))
                             OR c.failed <> c.size - length(replace(d.states, 'f', ''))
                             OR c.unknown <> c.size - length(replace(d.states, 'u', ''))))
                 LIMIT 1
                """
        )
        return chunk.map { "the counts of chunk \($0) are not those of its instances" }
    }
}
