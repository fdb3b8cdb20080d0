import GRDB
public import KoobatchCore

extension DatabaseClient {
    /// Jobs, and their instances.
    public struct Extent: Hashable, Sendable {
        /// How many jobs.
        public internal(set) var jobs = 0
        /// How many instances they have.
        public internal(set) var instances = 0
    }

    /// What `prune` would delete.
    public func prunable(finishedBefore cutoff: Timestamp) throws -> Extent {
        try database.inDatabase { db in
            let row = try Row.fetchOne(
                db,
                sql: """
                    SELECT count(*), total(p.total)
                      FROM command_jobs AS j
                      JOIN job_progress AS p ON p.command_job_id = j.id
                     WHERE j.finished_at IS NOT NULL
                       AND (j.finished_at < ? OR p.deleting = 1)
                    """,
                arguments: [cutoff]
            )
            return Extent(jobs: row?[0] ?? 0, instances: row.map { Int($0[1] as Double) } ?? 0)
        }
    }

    /// Deletes the jobs that finished before a time, in many short transactions with pauses between them.
    ///
    /// Safe beside the daemon. Cut short, it leaves at most one job half deleted, which the daemon or the next call
    /// deletes wholly.
    ///
    /// - Throws: the error of SQLite, such as a database that stays locked, and `CancellationError`.
    public func prune(finishedBefore cutoff: Timestamp) async throws -> Extent {
        let pacer = WriteLockPacer(database: path)
        var deleted = Extent()
        while let deletion = try slice(finishedBefore: cutoff, pacer) {
            if deletion.isComplete {
                deleted.jobs += 1
                deleted.instances += deletion.instances
            }
            try await pacer.wait(since: .now)
        }
        return deleted
    }

    private func slice(finishedBefore cutoff: Timestamp, _ pacer: WriteLockPacer) throws -> Deletion? {
        try database.inDatabase { db in
            guard try Retention.candidate(finishedBefore: cutoff, db) != nil else { return nil }
            var deletion: Deletion?
            defer { pacer.released() }
            try db.inTransaction(.immediate) {
                pacer.took()
                deletion = try Retention.candidate(finishedBefore: cutoff, db).map {
                    try Retention.deleteSlice(of: $0, rows: Retention.rows, db)
                }
                return .commit
            }
            return deletion
        }
    }
}
