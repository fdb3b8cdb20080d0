import GRDB
public import KoobatchCore

/// A step of the deletion of a finished job.
public struct Deletion: Hashable, Sendable {
    /// The job.
    public let job: CommandJobID
    /// Its instances.
    public let instances: Int
    /// Whether nothing of it is left.
    public let isComplete: Bool
}

/// The deletion of finished jobs, in transactions of a bounded number of rows.
///
/// A job is marked with its first rows, so that it cannot run again half deleted, and a deletion that was cut short goes
/// on. Its own row goes last. The space is used again; the file does not shrink.
enum Retention {
    /// Rows deleted in one transaction: less than a millisecond of the write lock.
    static let rows = 100

    /// The job to delete from next: one that is half deleted, else the one that finished first.
    ///
    /// - Parameter cutoff: jobs that finished later stay; `nil` keeps all that are whole.
    static func candidate(finishedBefore cutoff: Timestamp?, _ db: Database) throws -> CommandJobID? {
        let begun = try CommandJobID.fetchOne(
            db.cachedStatement(
                sql: """
                    SELECT command_job_id
                      FROM job_progress INDEXED BY job_progress_chores
                     WHERE (deleting = 1 OR replan_upto IS NOT NULL OR blocked_chunks > 0)
                       AND deleting = 1
                     LIMIT 1
                    """
            )
        )
        if let begun { return begun }
        guard let cutoff else { return nil }
        return try CommandJobID.fetchOne(
            db.cachedStatement(
                sql: """
                    SELECT id
                      FROM command_jobs
                     WHERE finished_at IS NOT NULL
                       AND finished_at < ?
                     ORDER BY finished_at
                     LIMIT 1
                    """
            ),
            arguments: [cutoff]
        )
    }

    /// Deletes up to `rows` rows of a job, within a transaction.
    static func deleteSlice(of job: CommandJobID, rows: Int, _ db: Database) throws -> Deletion {
        let instances = try Int.fetchOne(
            db.cachedStatement(sql: "SELECT total FROM job_progress WHERE command_job_id = ?"),
            arguments: [job]
        )
        try db.cachedStatement(sql: "UPDATE job_progress SET deleting = 1 WHERE command_job_id = ? AND deleting = 0")
            .execute(arguments: [job])
        var left = rows
        while left > 0, let chunk = try lastChunk(of: job, db) {
            left -= try delete(from: "attempts", of: chunk, atMost: left, db)
            guard left > 0 else { break }
            try db.cachedStatement(sql: "DELETE FROM chunk_instances WHERE chunk_id = ?").execute(arguments: [chunk])
            left -= 1
            try db.cachedStatement(sql: "DELETE FROM chunks WHERE id = ?").execute(arguments: [chunk])
            left -= 1
        }
        let isComplete = left > 0
        if isComplete {
            try db.cachedStatement(sql: "DELETE FROM job_progress WHERE command_job_id = ?").execute(arguments: [job])
            try db.cachedStatement(sql: "DELETE FROM command_jobs WHERE id = ?").execute(arguments: [job])
        }
        return Deletion(job: job, instances: instances ?? 0, isComplete: isComplete)
    }

    /// The last, because a chunk that was split goes after its halves.
    private static func lastChunk(of job: CommandJobID, _ db: Database) throws -> ChunkID? {
        try ChunkID.fetchOne(
            db.cachedStatement(sql: "SELECT id FROM chunks WHERE command_job_id = ? ORDER BY id DESC LIMIT 1"),
            arguments: [job]
        )
    }

    private static func delete(
        from table: String,
        of chunk: ChunkID,
        atMost limit: Int,
        _ db: Database
    ) throws -> Int {
        try db.cachedStatement(
            sql: "DELETE FROM \(table) WHERE id IN (SELECT id FROM \(table) WHERE chunk_id = ? LIMIT ?)"
        ).execute(arguments: [chunk, limit])
        return db.changesCount
    }
}

extension Store {
    /// Deletes a little of one job that finished before a time, in one short transaction.
    ///
    /// - Parameter cutoff: jobs that finished later stay; `nil` only goes on with what was begun.
    /// - Returns: what was done, to be called again; `nil` when there is nothing to delete, and then nothing is written.
    public func deleteFinished(before cutoff: Timestamp?) async throws -> Deletion? {
        guard try await read({ try Retention.candidate(finishedBefore: cutoff, $0) }) != nil else { return nil }
        return try await write { db in
            guard let job = try Retention.candidate(finishedBefore: cutoff, db) else { return nil }
            return try Retention.deleteSlice(of: job, rows: Retention.rows, db)
        }
    }
}
