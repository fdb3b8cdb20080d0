import GRDB
public import KoobatchCore

extension Store {
    /// What was cut from the front of what is left of a job's list.
    struct Cut {
        /// Chunks to send now.
        var free: [[String]] = []
        /// Chunks whose instances wait for other jobs.
        var blocked: [[String]] = []
        /// Instances in all of them.
        var instances = 0
    }

    /// Cuts chunks from a job's list; nothing where a large list has not been read yet.
    func cut(_ claimant: Claimant, chunks: Int, size: Int, _ db: Database) throws -> Cut {
        let job = claimant.share.job
        let wanted = min(chunks * size, claimant.planLimit - claimant.planned)
        var cut = Cut()
        guard wanted > 0 else { return cut }
        if !claimant.isSerialized {
            let instances = try instances(of: claimant, from: claimant.planned, count: wanted, db)
            cut.free = Chunking.chunks(of: instances, size: size).map(Array.init)
            cut.instances = instances.count
        } else {
            // Instances that wait are passed over, but not too many at once.
            let window = min(max(wanted, ClaimRules.blockedAtOnce), claimant.planLimit - claimant.planned)
            let instances = try instances(of: claimant, from: claimant.planned, count: window, db)
            let waiting = try Self.blocked(instances, of: job, db)
            var free: [String] = []
            var blocked: [String] = []
            for instance in instances {
                if waiting.contains(instance) { blocked.append(instance) } else { free.append(instance) }
                cut.instances += 1
                if free.count == wanted { break }
            }
            cut.free = Chunking.chunks(of: free, size: size).map(Array.init)
            cut.blocked = Chunking.chunks(of: blocked, size: size).map(Array.init)
        }
        if claimant.planned + cut.instances == claimant.total { lists.drop(job) }
        return cut
    }

    private func instances(of claimant: Claimant, from first: Int, count: Int, _ db: Database) throws -> [String] {
        let job = claimant.share.job
        if claimant.total >= InstanceLists.largeFrom {
            return lists.instances(of: job, from: first, count: count) ?? []
        }
        guard var list = try Self.list(of: job, db) else { return [] }
        return list.instances(from: first, count: count)
    }

    private static func list(of job: CommandJobID, _ db: Database) throws -> InstanceList? {
        try String.fetchOne(
            db.cachedStatement(sql: "SELECT instance_ids FROM command_jobs WHERE id = ?"),
            arguments: [job]
        ).map(InstanceList.init)
    }

    /// Reads the large lists that the next claim cuts from, without holding the write lock.
    func readLists(places: Int, at now: Timestamp) async throws {
        try await read { db in
            for claimant in try Self.claimants(limit: places, now: now, db)
            where claimant.canPlan && claimant.total >= InstanceLists.largeFrom && !lists.holds(claimant.share.job) {
                if let list = try Self.list(of: claimant.share.job, db) { lists.keep(list, of: claimant.share.job) }
            }
        }
    }

    /// Inserts a chunk that is about to be sent for the first time.
    static func insert(_ instances: [String], of job: CommandJobID, _ db: Database) throws -> ChunkID {
        try db.cachedStatement(
            sql: "INSERT INTO chunks (command_job_id, state, size, attempts) VALUES (?, 'submitting', ?, 1)"
        ).execute(arguments: [job, instances.count])
        return try insertInstances(instances, db)
    }

    /// Inserts a chunk that waits to be sent.
    @discardableResult
    static func insert(
        waiting instances: [String],
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
        ).execute(arguments: [job, instances.count, now, parent, isBlocked])
        return try insertInstances(instances, db)
    }

    private static func insertInstances(_ instances: [String], _ db: Database) throws -> ChunkID {
        let chunk = ChunkID(rawValue: db.lastInsertedRowID)
        try db.cachedStatement(sql: "INSERT INTO chunk_instances (chunk_id, instance_ids) VALUES (?, ?)")
            .execute(arguments: [chunk, JSONText.array(instances)])
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
