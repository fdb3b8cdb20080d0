import GRDB
public import KoobatchCore

/// What a user can tell a job to do.
public enum JobControl: Hashable, Sendable {
    /// Nothing more is sent.
    case cancel
    /// Nothing more is sent until it is resumed.
    case pause
    /// It goes on.
    case resume
    /// What did not succeed runs again, with another `expires_at` where one is given: any time, or `never`.
    case retry(expiresAt: String? = nil)

    /// The states in which it would change nothing.
    fileprivate var isMetBy: Set<CommandJobState> {
        switch self {
        case .cancel: [.cancelled]
        case .pause: [.paused]
        case .resume: [.queued, .running]
        case .retry: [.queued]
        }
    }

    fileprivate var state: CommandJobState {
        switch self {
        case .cancel: .cancelled
        case .pause: .paused
        case .resume: .running
        case .retry: .queued
        }
    }
}

extension DatabaseClient {
    /// Steers a job.
    ///
    /// - Returns: the job before and after; with equal states there was nothing to change.
    /// - Throws: `StoreError.noJob`, or `StoreError.refused` with the rule that forbids it.
    public func steer(_ id: CommandJobID, _ control: JobControl) throws -> (before: JobStatus, after: JobStatus) {
        try write { db in
            let before = try db.job(id)
            if control.isMetBy.contains(before.state) { return (before, before) }
            var assignments = "state = ?"
            var values: [(any DatabaseValueConvertible)?] = [control.state]
            if case .retry(let expiresAt?) = control {
                assignments += ", expires_at = \(JobSetting.Column.expiresAt.placeholder)"
                values.append(expiresAt == "never" ? nil : expiresAt)
            }
            try db.execute(
                sql: "UPDATE command_jobs SET \(assignments) WHERE id = ? AND state = ?",
                arguments: StatementArguments(values + [id, before.state])
            )
            return (before, try db.job(id))
        }
    }

    /// The chunks of a job that are on hold, in order.
    public func heldChunks(of job: CommandJobID) throws -> [ChunkID] {
        try read { db in
            _ = try db.job(job)
            return try ChunkID.fetchAll(
                db,
                sql: "SELECT id FROM chunks WHERE command_job_id = ? AND state = 'unknown' ORDER BY id",
                arguments: [job]
            )
        }
    }

    /// Settles chunks that are on hold, all of them or none.
    ///
    /// - Parameters:
    ///   - chunks: the chunks; a few hundred at a time keep the write lock short.
    ///   - state: `pending` sends them again, `failed` gives them up.
    /// - Returns: how many instances they have.
    /// - Throws: `StoreError.refused` when one is not on hold.
    public func settle(_ chunks: [ChunkID], as state: ChunkState) throws -> Int {
        try write { db in
            try chunks.reduce(0) { sum, chunk in
                let size = try Int.fetchOne(
                    db,
                    sql: "UPDATE chunks SET state = ? WHERE id = ? AND state = 'unknown' RETURNING size",
                    arguments: [state, chunk]
                )
                if let size { return sum + size }
                let other = try String.fetchOne(db, sql: "SELECT state FROM chunks WHERE id = ?", arguments: [chunk])
                throw StoreError.refused(
                    reason: other.map { "chunk \(chunk.rawValue) is not on hold: it is \($0)" }
                        ?? "there is no chunk \(chunk.rawValue)"
                )
            }
        }
    }
}
