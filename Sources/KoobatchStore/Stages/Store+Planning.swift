import GRDB
public import KoobatchCore

extension Store {
    /// What was cut from the front of what is left of a job's list.
    struct Cut {
        /// Chunks to send now.
        var free: [InstanceIDs] = []
        /// Chunks whose instances wait for other jobs.
        var blocked: [InstanceIDs] = []
        /// Instances in all of them.
        var instances = 0
        /// The list ends before its time.
        var isDamaged = false
        /// What it is cut from has to be read first.
        var isUnprepared = false
    }

    /// What was read for a claim before its transaction, so that the write lock is not held meanwhile.
    struct ClaimPreparation: Sendable {
        /// Of a job with `serialize_instances`: instances from a place in its list on, and those that wait for other jobs.
        struct Window: Sendable {
            let planned: Int
            let instances: [String]
            let waiting: Set<String>
        }

        var windows: [CommandJobID: Window] = [:]
    }

    /// Cuts chunks from a job's list; nothing where that has not been prepared.
    func cut(
        _ claimant: Claimant,
        chunks: Int,
        size: Int,
        _ preparation: ClaimPreparation,
        _ db: Database
    ) throws -> Cut {
        let job = claimant.share.job
        let wanted = min(chunks * size, claimant.planLimit - claimant.planned)
        var cut = Cut()
        guard wanted > 0 else { return cut }
        if !claimant.isSerialized {
            guard let chunks = try self.chunks(of: claimant, count: wanted, size: size, db) else {
                return Cut(isUnprepared: true)
            }
            cut.instances = chunks.reduce(0) { $0 + $1.count }
            if cut.instances < wanted { return Cut(isDamaged: true) }
            cut.free = chunks
        } else if let window = preparation.windows[job], window.planned == claimant.planned {
            // Instances that wait are passed over.
            var free: [String] = []
            var blocked: [String] = []
            for instance in window.instances.prefix(claimant.planLimit - claimant.planned) where free.count < wanted {
                if window.waiting.contains(instance) { blocked.append(instance) } else { free.append(instance) }
                cut.instances += 1
            }
            cut.free = Chunking.chunks(of: free, size: size).map(InstanceIDs.init)
            cut.blocked = Chunking.chunks(of: blocked, size: size).map(InstanceIDs.init)
            cut.isDamaged = window.instances.isEmpty
        } else {
            return Cut(isUnprepared: true)
        }
        if claimant.planned + cut.instances == claimant.total { lists.drop(job) }
        return cut
    }

    /// Instances that are not in chunks yet; `nil` where a large list has not been read.
    private func chunks(of claimant: Claimant, count: Int, size: Int, _ db: Database) throws -> [InstanceIDs]? {
        let job = claimant.share.job
        if claimant.total >= InstanceLists.largeFrom {
            return lists.chunks(of: job, from: claimant.planned, count: count, size: size)
        }
        guard var list = try Self.list(of: job, db) else { return [] }
        return list.chunks(from: claimant.planned, count: count, size: size)
    }

    /// Reads what the next claim cuts from, without holding the write lock: no further list after so many bytes, because a
    /// job of a higher priority may have been inserted meanwhile.
    func prepareClaim(places: Int, chunkSize: Int, at now: Timestamp) async throws -> ClaimPreparation {
        try await read { db in
            var preparation = ClaimPreparation()
            var bytes = 0
            for claimant in try Self.claimants(limit: places, now: now, db) where claimant.canPlan {
                if bytes >= ClaimRules.readAtOnce { break }
                let job = claimant.share.job
                let window = max(places * chunkSize, claimant.isSerialized ? ClaimRules.blockedAtOnce : 0)
                let count = min(window, claimant.planLimit - claimant.planned)
                if claimant.total >= InstanceLists.largeFrom, !lists.reaches(job, from: claimant.planned, count: count),
                    let list = try Self.list(of: job, db)
                {
                    bytes += list.size
                    lists.keep(list, of: job, from: claimant.planned, count: count)
                }
                guard claimant.isSerialized else { continue }
                let instances = try chunks(of: claimant, count: count, size: count, db)?.flatMap(\.list)
                preparation.windows[job] = ClaimPreparation.Window(
                    planned: claimant.planned,
                    instances: instances ?? [],
                    waiting: try Self.blocked(instances ?? [], of: job, db)
                )
            }
            return preparation
        }
    }

    /// Pauses a job whose list cannot be read any more.
    static func pauseDamaged(_ job: CommandJobID, _ db: Database) throws {
        let reason = "damaged: instance_ids cannot be read any more; cancel the job and insert it again"
        try JobChanges.pause(job, cause: "hand", reason: reason, db)
    }

    /// The list of a job; an empty one where it was damaged after the insert.
    private static func list(of job: CommandJobID, _ db: Database) throws -> InstanceList? {
        let text = try String.fetchOne(
            db.cachedStatement(sql: "SELECT instance_ids FROM command_jobs WHERE id = ?"),
            arguments: [job]
        )
        do {
            return try text.map(InstanceList.init)
        } catch is DecodingError {
            return try InstanceList("[]")
        }
    }

    /// Inserts a chunk that is about to be sent for the first time.
    static func insert(_ instances: InstanceIDs, of job: CommandJobID, _ db: Database) throws -> ChunkID {
        try db.cachedStatement(
            sql: "INSERT INTO chunks (command_job_id, state, size, attempts) VALUES (?, 'submitting', ?, 1)"
        ).run(job, instances.count)
        return try insertInstances(instances, db)
    }

    /// Inserts a chunk that waits to be sent.
    @discardableResult
    static func insert(
        waiting instances: InstanceIDs,
        of job: CommandJobID,
        splitFrom parent: ChunkID? = nil,
        isBlocked: Bool = false,
        at now: Timestamp,
        _ db: Database
    ) throws -> ChunkID {
        try db.cachedStatement(
            sql: """
                INSERT INTO chunks (command_job_id, state, size, next_attempt_at, split_from, blocked)
                VALUES (?, 'pending', ?, ?, ?, ?)
                """
        ).run(job, instances.count, now, parent, isBlocked)
        return try insertInstances(instances, db)
    }

    private static func insertInstances(_ instances: InstanceIDs, _ db: Database) throws -> ChunkID {
        let chunk = ChunkID(rawValue: db.lastInsertedRowID)
        try db.cachedStatement(sql: "INSERT INTO chunk_instances (chunk_id, instance_ids) VALUES (?, ?)")
            .run(chunk, instances.json)
        return chunk
    }

    /// When the planner next has work that is not due yet: the earliest `run_at` of a job that runs again.
    public func nextPlanning(after now: Timestamp) async throws -> Timestamp? {
        try await read { db in
            try Timestamp.fetchOne(
                db.cachedStatement(
                    sql: """
                        SELECT min(run_at)
                          FROM job_progress INDEXED BY job_progress_chores
                         WHERE (deleting = 1 OR replan_upto IS NOT NULL OR blocked_chunks > 0)
                           AND replan_upto IS NOT NULL
                           AND job_state IN ('queued', 'running')
                           AND run_at > ?
                        """
                ),
                arguments: [now]
            )
        }
    }
}
