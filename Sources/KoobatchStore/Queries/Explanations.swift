import GRDB
public import KoobatchCore

/// A row of `why`: a job or a chunk that waits.
public struct Wait: Hashable, Sendable {
    /// The job.
    public let job: CommandJobID
    /// The chunk; `nil` when it is the job as a whole that waits.
    public let chunk: ChunkID?
    /// What it waits for, in a word.
    public let blocker: String
    /// What it waits for, in a sentence.
    public let explanation: String?
    /// The earliest time that it can move, where that is known.
    public let earliestAt: Timestamp?
    /// The request that failed or whose answer was lost.
    public let requestID: String?
}

/// A row of `outputs`: one of the distinct results of a job.
public struct OutputCluster: Hashable, Sendable {
    /// The state of its instances.
    public let state: InstanceState
    /// Their error code.
    public let errorCode: String?
    /// What the command printed.
    public let output: String?
    /// How many they are.
    public let instances: Int
    /// One of them.
    public let example: String
}

extension DatabaseClient {
    /// What is waited for: jobs before their chunks.
    ///
    /// - Parameters:
    ///   - job: of this job; `nil` takes every job.
    ///   - chunks: whether single chunks that wait count.
    ///   - limit: at most this many; `nil` takes all.
    public func waits(of job: CommandJobID?, chunks: Bool = true, limit: Int?) throws -> [Wait] {
        try read { db in
            try Row.fetchAll(
                db,
                sql: """
                    SELECT command_job_id, chunk_id, blocker, explanation, earliest_at, request_id
                      FROM why
                     WHERE (?1 IS NULL OR command_job_id = ?1)
                       AND (?2 OR chunk_id IS NULL)
                     ORDER BY command_job_id, chunk_id
                     LIMIT ?3
                    """,
                arguments: [job, chunks, limit ?? -1]
            ).map { row in
                Wait(
                    job: row[0],
                    chunk: row[1],
                    blocker: row[2],
                    explanation: row[3],
                    earliestAt: try row.decode(atIndex: 4),
                    requestID: row[5]
                )
            }
        }
    }

    /// The distinct results of a job, commonest first; it reads every instance of the job.
    ///
    /// - Parameters:
    ///   - job: the job.
    ///   - failures: only those that did not succeed.
    ///   - limit: at most this many; `nil` takes all.
    public func outputs(of job: CommandJobID, failures: Bool = false, limit: Int?) throws -> [OutputCluster] {
        try read { db in
            try Row.fetchAll(
                db,
                sql: """
                    SELECT state, error_code, output, instances, example_instance_id
                      FROM outputs
                     WHERE command_job_id = ?
                       AND (NOT ? OR state <> 'succeeded')
                     LIMIT ?
                    """,
                arguments: [job, failures, limit ?? -1]
            ).map { row in
                OutputCluster(
                    state: row[0],
                    errorCode: row[1],
                    output: row[2],
                    instances: row[3],
                    example: row[4]
                )
            }
        }
    }

    /// Whether a daemon works on the database: its heartbeat is fresh.
    public func isDaemonRunning() throws -> Bool {
        try read { try Bool.fetchOne($0, sql: "SELECT running FROM daemon") ?? false }
    }
}
