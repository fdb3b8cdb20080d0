import GRDB
import KoobatchCore

extension Store {
    /// What a claim depends on beside the database.
    struct ClaimRules {
        /// Instances in a new chunk.
        let chunkSize: Int
        /// Whether new chunks go before those that are to be sent again.
        let prefersNew: Bool
        /// Chunks of a job in flight until the API has accepted one.
        static let chunksBeforeAcceptance = 4
        /// Chunks that are claimed before the write lock is thought of.
        static let piece = 8
        /// Due jobs that are marked so at once.
        static let dueAtOnce = 500
        /// Instances of a job that are looked at at once, of which some may wait for other jobs.
        static let blockedAtOnce = 1_024
        /// Bytes of lists that are read at once: 2 ms.
        static let readAtOnce = 1 << 20
    }

    /// What was claimed in one transaction.
    struct Claimed {
        var claims: [ClaimedChunk] = []
        /// The rest is for another transaction, to leave the write lock to others.
        var isCutShort = false
        /// There is a job whose list has to be read first, without the write lock.
        var isUnprepared = false
    }

    /// Claims chunks of the jobs of the highest priority that has any, then of the next, fairly among equals.
    ///
    /// Chunks that are to be sent again go first; then new ones are cut from the front of what is left of the list.
    func claim(
        places: Int,
        rules: ClaimRules,
        preparation: ClaimPreparation,
        now: Timestamp,
        generator: inout some RandomNumberGenerator,
        _ db: Database
    ) throws -> Claimed {
        var claimed = Claimed()
        guard places > 0 else { return claimed }
        try Self.markDue(now, db)
        while claimed.claims.count < places {
            let before = claimed.claims.count
            let piece = min(places - before, ClaimRules.piece)
            let claimants = try Self.claimants(limit: piece, now: now, db)
            guard let priority = claimants.first?.share.priority else { break }
            let equals = claimants.filter { $0.share.priority == priority }
            var hasMoved = false
            for (job, share) in FairShare.shares(of: piece, among: equals.map(\.share)) {
                guard let claimant = equals.first(where: { $0.share.job == job }) else { continue }
                let new = try claim(
                    of: claimant,
                    places: share,
                    rules: rules,
                    preparation: preparation,
                    now: now,
                    generator: &generator,
                    db
                )
                claimed.claims += new.claims
                claimed.isUnprepared = claimed.isUnprepared || new.isUnprepared
                hasMoved = hasMoved || new.blocked > 0
            }
            if claimed.claims.count == before, !hasMoved { break }
            if claimed.claims.count < places, pacer.shouldYield {
                claimed.isCutShort = true
                break
            }
        }
        return claimed
    }

    /// The earliest `run_at` of a job that is not due yet.
    static func nextScheduled(_ db: Database) throws -> Timestamp? {
        try Timestamp.fetchOne(
            db.cachedStatement(
                sql: "SELECT min(run_at) FROM job_progress WHERE is_due = 0 AND job_state IN ('queued', 'running')"
            )
        )
    }

    private static func markDue(_ now: Timestamp, _ db: Database) throws {
        guard let next = try nextScheduled(db), next <= now else { return }
        try db.cachedStatement(
            sql: """
                UPDATE job_progress
                   SET is_due = 1
                 WHERE command_job_id IN (SELECT command_job_id
                                            FROM job_progress
                                           WHERE is_due = 0
                                             AND job_state IN ('queued', 'running')
                                             AND run_at <= ?
                                           ORDER BY run_at
                                           LIMIT ?)
                """
        ).execute(arguments: [now, ClaimRules.dueAtOnce])
    }

    /// The chunks claimed, how many were cut that have to wait for other jobs, and whether its list has to be read first.
    private func claim(
        of claimant: Claimant,
        places: Int,
        rules: ClaimRules,
        preparation: ClaimPreparation,
        now: Timestamp,
        generator: inout some RandomNumberGenerator,
        _ db: Database
    ) throws -> (claims: [ClaimedChunk], blocked: Int, isUnprepared: Bool) {
        let job = claimant.share.job
        let takesWaiting = claimant.hasWaiting && !(rules.prefersNew && claimant.canPlan)
        var chunks = takesWaiting ? try Self.takeWaiting(of: job, places: places, now: now, db) : []
        let waiting = chunks.count
        var planned = 0
        var blocked = 0
        var isUnprepared = false
        if claimant.canPlan, chunks.count < places {
            let cut = try cut(claimant, chunks: places - chunks.count, size: rules.chunkSize, preparation, db)
            isUnprepared = cut.isUnprepared
            if cut.isDamaged { try Self.pauseDamaged(job, db) }
            planned = cut.instances
            blocked = cut.blocked.count
            for instances in cut.free { chunks.append((try Self.insert(instances, of: job, db), instances)) }
            for instances in cut.blocked { try Self.insert(waiting: instances, of: job, isBlocked: true, at: now, db) }
        }
        if planned == 0, chunks.isEmpty { return ([], 0, isUnprepared) }
        let facts = try Self.start(job, at: now, db)
        var (jobDueAt, started) = (facts.dueAt, facts.started)
        let claims = try chunks.enumerated().map { index, entry in
            let (chunk, instances) = entry
            let requestID = RequestID.random(using: &generator)
            try db.cachedStatement(sql: "INSERT INTO attempts (chunk_id, request_id, started_at) VALUES (?, ?, ?)")
                .run(chunk, requestID, now)
            defer { (jobDueAt, started) = (nil, nil) }
            return ClaimedChunk(
                chunk: chunk,
                job: job,
                attempt: AttemptID(rawValue: db.lastInsertedRowID),
                request: SubmitRequest(
                    requestID: requestID,
                    command: facts.command,
                    instances: instances,
                    needsFreshConnection: facts.onUnknown != .retry
                ),
                isNew: index >= waiting,
                startedInstances: started,
                jobDueAt: jobDueAt
            )
        }
        try db.cachedStatement(
            sql: """
                UPDATE job_progress
                   SET planned                = planned + ?2,
                       waiting_chunks         = waiting_chunks - ?3 + ?4,
                       blocked_chunks         = blocked_chunks + ?4,
                       in_flight_chunks       = in_flight_chunks + ?5,
                       last_served_attempt_id = coalesce(?6, last_served_attempt_id)
                 WHERE command_job_id = ?1
                """
        ).run(job, planned, waiting, blocked, claims.count, claims.last?.attempt)
        return (claims, blocked, isUnprepared)
    }

    /// Takes chunks that are to be sent again, those due longest.
    private static func takeWaiting(
        of job: CommandJobID,
        places: Int,
        now: Timestamp,
        _ db: Database
    ) throws -> [(ChunkID, InstanceIDs)] {
        let rows = try Row.fetchAll(
            db.cachedStatement(
                sql: """
                    SELECT c.id, d.instance_ids
                      FROM chunks AS c
                      JOIN chunk_instances AS d ON d.chunk_id = c.id
                     WHERE c.command_job_id = ?
                       AND c.state = 'pending'
                       AND c.blocked = 0
                       AND c.next_attempt_at <= ?
                     ORDER BY c.next_attempt_at, c.id
                     LIMIT ?
                    """
            ),
            arguments: [job, now, places]
        )
        if rows.isEmpty { return [] }
        try db.cachedStatement(
            sql: """
                UPDATE chunks
                   SET state           = 'submitting',
                       attempts        = attempts + 1,
                       next_attempt_at = NULL
                 WHERE id IN (SELECT value FROM json_each(?))
                   AND state = 'pending'
                """
        ).execute(arguments: [JSONText.array(rows.map { $0[0] as Int64 })])
        return try rows.map { ($0[0], try InstanceIDs(document: $0[1])) }
    }

    /// Lets a queued job run, and reads what its requests need.
    private static func start(
        _ job: CommandJobID,
        at now: Timestamp,
        _ db: Database
    ) throws -> (command: String, dueAt: Timestamp?, started: Int?, onUnknown: OnUnknown) {
        let row = try Row.fetchOne(
            db.cachedStatement(
                sql: """
                    SELECT j.command, j.state, iif(p.last_served_attempt_id = 0, max(j.created_at, j.run_at), NULL), p.total,
                           j.on_unknown
                      FROM command_jobs AS j
                      JOIN job_progress AS p ON p.command_job_id = j.id
                     WHERE j.id = ?
                    """
            ),
            arguments: [job]
        )
        guard let row else { throw DatabaseError(resultCode: .SQLITE_ABORT, message: "job \(job.rawValue) is gone") }
        guard row[1] == CommandJobState.queued else { return (row[0], row[2], nil, row[4]) }
        try run(job, at: now, db)
        return (row[0], row[2], row[3], row[4])
    }

    /// Lets a queued job run.
    static func run(_ job: CommandJobID, at now: Timestamp, _ db: Database) throws {
        try db.cachedStatement(
            sql: """
                UPDATE command_jobs
                   SET state        = 'running',
                       state_reason = NULL,
                       started_at   = coalesce(started_at, ?2)
                 WHERE id = ?1
                   AND state = 'queued'
                """
        ).execute(arguments: [job, now])
        guard db.changesCount == 1 else { return }
        try db.cachedStatement(
            sql: """
                UPDATE job_progress
                   SET job_state  = 'running',
                       since_at   = ?2,
                       since_done = succeeded + failed + unknown + cancelled + rejected,
                       mark_at    = ?2,
                       mark_done  = succeeded + failed + unknown + cancelled + rejected
                 WHERE command_job_id = ?1
                """
        ).execute(arguments: [job, now])
    }
}
