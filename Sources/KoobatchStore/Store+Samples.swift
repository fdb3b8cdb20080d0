import GRDB
import KoobatchCore

extension Store {
    /// Takes single instances out of chunks that are still to be sent, spread over the whole of what is planned.
    ///
    /// A chunk that loses some is replaced by those and by one chunk of the others.
    static func takeSamples(of job: CommandJobID, now: Timestamp, _ db: Database) throws {
        let size = try Int.fetchOne(
            db.cachedStatement(
                sql: """
                    SELECT r.size
                      FROM job_progress AS p
                      JOIN chunks AS r ON r.id = p.trial_chunk
                     WHERE p.command_job_id = ?
                    """
            ),
            arguments: [job]
        )
        let chunks = try ChunkID.fetchAll(
            db.cachedStatement(
                sql: "SELECT id FROM chunks WHERE command_job_id = ? AND state = 'pending' ORDER BY id"
            ),
            arguments: [job]
        )
        var left = CommandTrial.samples(afterDividing: size ?? 1)
        let sources = min(left, chunks.count)
        for index in 0..<sources where left > 0 {
            // Rounded up: where there are few chunks, as much of each as it takes.
            let share = (left + sources - index - 1) / (sources - index)
            left -= try takeSamples(share, of: chunks[index * chunks.count / sources], now: now, db)
        }
    }

    private static func takeSamples(_ count: Int, of chunk: ChunkID, now: Timestamp, _ db: Database) throws -> Int {
        let row = try Row.fetchOne(
            db.cachedStatement(
                sql: """
                    SELECT command_job_id, instance_ids, coalesce(root_id, id), next_attempt_at
                      FROM chunks
                     WHERE id = ?
                    """
            ),
            arguments: [chunk]
        )
        guard let row else { return 0 }
        let instances = try JSONText.strings(row[1])
        if instances.count == 1 {
            try db.cachedStatement(sql: "UPDATE chunks SET is_sample = 1 WHERE id = ?").execute(arguments: [chunk])
            return 1
        }
        let insert = try db.cachedStatement(
            sql: """
                INSERT INTO chunks (command_job_id, parent_id, root_id, next_attempt_at, size, instance_ids, is_sample)
                VALUES (?, ?, ?, ?, ?, ?, ?)
                """
        )
        let job: CommandJobID = row[0]
        let root: ChunkID = row[2]
        let samples = instances.prefix(count)
        let others = Array(instances.dropFirst(count))
        for instance in samples {
            try insert.execute(arguments: [job, chunk, root, now, 1, JSONText.array([instance]), true])
        }
        if !others.isEmpty {
            let due: String = row[3]
            try insert.execute(arguments: [job, chunk, root, due, others.count, JSONText.array(others), false])
        }
        try db.cachedStatement(
            sql: """
                UPDATE chunks
                   SET state           = 'split',
                       next_attempt_at = NULL,
                       finished_at     = ?2
                 WHERE id = ?1
                   AND state = 'pending'
                """
        ).execute(arguments: [chunk, now])
        return samples.count
    }
}
