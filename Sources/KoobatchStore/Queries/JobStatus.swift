public import GRDB
public import KoobatchCore

/// A row of `job_status`.
public struct JobStatus: Hashable, Sendable {
    /// The id of the job.
    public let id: CommandJobID
    /// For people.
    public let label: String?
    /// The command.
    public let command: String
    /// The state of the job.
    public let state: CommandJobState
    /// Why it is in that state.
    public let stateReason: String?
    /// All instances.
    public let total: Int
    /// The instances by state; they add up to `total`.
    public let counts: [InstanceState: Int]
    /// Instances that have come to their end, in percent.
    public let percentDone: Double
    /// When the job was inserted.
    public let createdAt: Timestamp
    /// When its first chunks were cut.
    public let startedAt: Timestamp?
    /// When nothing was left to do or to record.
    public let finishedAt: Timestamp?
    /// When it ends at the speed so far.
    public let eta: Timestamp?

    /// Instances that have come to their end.
    public var done: Int { total - self[.pending] - self[.submitted] }

    /// Whether nothing is left to do or to record; a cancelled job still awaits answers until then.
    public var isFinished: Bool { finishedAt != nil }

    /// The instances in a state.
    public subscript(state: InstanceState) -> Int { counts[state] ?? 0 }
}

extension JobStatus: FetchableRecord {
    /// Reads a row of `job_status`.
    public init(row: Row) throws {
        id = row["id"]
        label = row["label"]
        command = row["command"]
        state = row["state"]
        stateReason = row["state_reason"]
        total = row["total"]
        counts = InstanceState.allCases.reduce(into: [:]) { $0[$1] = row[$1.rawValue] }
        percentDone = row["percent_done"]
        createdAt = row["created_at"]
        startedAt = row["started_at"]
        finishedAt = row["finished_at"]
        eta = row["eta"]
    }
}

extension DatabaseClient {
    /// One job; throws `StoreError.noJob` when there is none with this id.
    public func job(_ id: CommandJobID) throws -> JobStatus {
        try read { try $0.job(id) }
    }

    /// The jobs, unfinished ones first, then the latest.
    ///
    /// - Parameter limit: at most this many; `nil` takes all.
    public func jobs(limit: Int?) throws -> [JobStatus] {
        try read { db in
            try JobStatus.fetchAll(
                db,
                sql: "SELECT * FROM job_status ORDER BY finished_at IS NOT NULL, id DESC LIMIT ?",
                arguments: [limit ?? -1]
            )
        }
    }

    /// The jobs that are not finished, and those among the given ones that are, in the order of their ids.
    public func unfinishedJobs(and others: Set<CommandJobID> = []) throws -> [JobStatus] {
        let ids = "[" + others.map { "\($0.rawValue)" }.joined(separator: ",") + "]"
        return try read { db in
            try JobStatus.fetchAll(
                db,
                sql: """
                    SELECT *
                      FROM job_status
                     WHERE finished_at IS NULL
                        OR id IN (SELECT value FROM json_each(?))
                     ORDER BY id
                    """,
                arguments: [ids]
            )
        }
    }

    /// How many jobs there are.
    public func jobCount() throws -> Int {
        try read { try Int.fetchOne($0, sql: "SELECT count(*) FROM job_progress") ?? 0 }
    }

    /// The settings of a job that are not `NULL`, in the order of the schema.
    public func settings(of id: CommandJobID) throws -> [JobSetting] {
        let columns = JobSetting.Column.allCases
        return try read { db in
            let row = try Row.fetchOne(
                db,
                sql: "SELECT \(columns.map(\.rawValue).joined(separator: ", ")) FROM command_jobs WHERE id = ?",
                arguments: [id]
            )
            guard let row else { throw StoreError.noJob(id: id.rawValue) }
            return columns.compactMap { column in
                let value: JobSetting.Value? = row[column.rawValue]
                return value.map { JobSetting(column, $0) }
            }
        }
    }
}

extension Database {
    /// The row of a job in `job_status`.
    func job(_ id: CommandJobID) throws -> JobStatus {
        let job = try JobStatus.fetchOne(self, sql: "SELECT * FROM job_status WHERE id = ?", arguments: [id])
        guard let job else { throw StoreError.noJob(id: id.rawValue) }
        return job
    }
}
