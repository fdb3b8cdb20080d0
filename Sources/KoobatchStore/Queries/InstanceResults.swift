import GRDB
public import KoobatchCore

/// A row of `instance_status`.
public struct InstanceStatus: Hashable, Sendable {
    /// The instance.
    public let instanceID: String
    /// Its state.
    public let state: InstanceState
    /// Of the instance, or of its chunk when that was not accepted.
    public let errorCode: String?
    /// Says more than the code.
    public let errorMessage: String?
    /// What the command printed.
    public let output: String?
    /// Its chunk; `nil` until the job is cut.
    public let chunkID: Int64?
    /// The API's id of the chunk.
    public let taskID: String?
    /// The API's id of the instance in it.
    public let jobID: String?
    /// When the chunk was accepted.
    public let submittedAt: String?
    /// When the result was recorded.
    public let finishedAt: String?
}

/// The instances of a job as they were at one moment, however many.
///
/// They are copied to a temporary table first, so that a slow reader of a million rows keeps no transaction open
/// meanwhile: the log of the database could not be written back.
public struct InstanceResults {
    private let client: DatabaseClient

    /// Takes the copy.
    ///
    /// - Parameters:
    ///   - job: the job; throws `StoreError.noJob` when there is none with this id.
    ///   - states: only instances in these states; none takes all.
    ///   - client: a connection of its own; one copy at a time.
    public init(of job: CommandJobID, in states: Set<InstanceState> = [], from client: DatabaseClient) throws {
        self.client = client
        _ = try client.job(job)
        let filter = JSONText.array(states.map(\.rawValue))
        try client.withoutTransaction { db in
            // It is this connection's own, on whose temporary database query_only would forbid to write.
            let queryOnly = try Int.fetchOne(db, sql: "PRAGMA query_only") ?? 0
            try db.execute(sql: "PRAGMA query_only = 0; DROP TABLE IF EXISTS temp.results")
            try db.execute(
                sql: """
                    CREATE TEMP TABLE results AS
                    SELECT instance_id, state, error_code, error_msg, output, chunk_id, task_id, job_id, submitted_at,
                           finished_at
                      FROM instance_status
                     WHERE command_job_id = ?1
                       AND (?2 = '[]' OR state IN (SELECT value FROM json_each(?2)))
                     ORDER BY chunk_id IS NULL, chunk_id
                    """,
                arguments: [job, filter]
            )
            try db.execute(sql: "PRAGMA query_only = \(queryOnly)")
        }
    }

    /// Calls the body with every instance, chunk by chunk.
    public func forEach(_ body: (InstanceStatus) throws -> Void) throws {
        try client.withoutTransaction { db in
            let rows = try Row.fetchCursor(db, sql: "SELECT * FROM temp.results ORDER BY rowid")
            while let row = try rows.next() {
                try body(
                    InstanceStatus(
                        instanceID: row[0],
                        state: row[1],
                        errorCode: row[2],
                        errorMessage: row[3],
                        output: row[4],
                        chunkID: row[5],
                        taskID: row[6],
                        jobID: row[7],
                        submittedAt: try row.decode(atIndex: 8),
                        finishedAt: try row.decode(atIndex: 9)
                    )
                )
            }
        }
    }
}
