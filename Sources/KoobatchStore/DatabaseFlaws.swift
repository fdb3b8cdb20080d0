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
                                    sum(state = 'pending')                    AS waiting,
                                    sum(state IN ('submitting', 'submitted')) AS in_flight,
                                    sum(state = 'unknown')                    AS held
                               FROM chunks
                              GROUP BY command_job_id) AS c ON c.command_job_id = j.id
                 WHERE p.command_job_id IS NULL
                    OR p.waiting_chunks <> coalesce(c.waiting, 0)
                    OR p.in_flight_chunks <> coalesce(c.in_flight, 0)
                    OR p.held_chunks <> coalesce(c.held, 0)
                 LIMIT 1
                """
        )
        return job.map { "the counts of job \($0) do not add up" }
    }
}
