import GRDB
public import KoobatchCore

extension Store {
    /// What a daemon finds that takes over from an earlier one.
    public struct Beginning: Sendable {
        /// What became of the answers that it could not store.
        public let intake: SpoolIntake
        /// Chunks whose requests were in flight when that one ended.
        public let recovered: Int
        /// Why the unfinished jobs are paused; `nil` where the database is the one that the earlier daemon worked on.
        public let restoration: String?
        /// Jobs that are paused for it.
        public let paused: Int
    }

    /// Takes over from an earlier daemon, before anything is claimed.
    ///
    /// Answers that it could not store are recorded first. Then, in one transaction: a database that is not the one that was
    /// last worked on, or an older state of it, comes up with everything paused that is not finished, because what has been
    /// sent since is not known; the chunks that are `submitting` are settled: their requests may have been sent and may have
    /// been acted on, so each is `unknown` and treated by its job's `on_unknown`; what is to be sent again waits for the pause
    /// to end. A crash at any instant leaves something that a repetition completes.
    ///
    /// - Parameter trusted: what the clock is trusted for.
    /// - Throws: `StoreError.owned` while another daemon is alive, which has lost its lock file; `.locked` while another
    ///   program holds the write lock, after which it may be called again; `.cannotTakeIn` for a spool that cannot be read.
    public func begin(
        pid: Int32,
        version: String,
        rules: SubmissionRules,
        trusted: Timestamp,
        at now: Timestamp,
        generator: some RandomNumberGenerator & Sendable
    ) async throws -> Beginning {
        do {
            return try await takeOver(
                pid: pid,
                version: version,
                rules: rules,
                trusted: trusted,
                at: now,
                generator: generator
            )
        } catch let error as DatabaseError where error.resultCode == .SQLITE_BUSY {
            throw StoreError.locked(path: path, by: pacer.writer)
        }
    }

    private func takeOver(
        pid: Int32,
        version: String,
        rules: SubmissionRules,
        trusted: Timestamp,
        at now: Timestamp,
        generator: some RandomNumberGenerator & Sendable
    ) async throws -> Beginning {
        let (database, log) = files.inodes
        // There is a record from before the first heartbeat on, so that a crash in between is not taken for a lost one.
        let isFirst = try await read { db in
            try requireNoOther(at: now, db)
            return try Timestamp.fetchOne(db, sql: "SELECT heartbeat_at FROM daemon_state") == nil
        }
        if isFirst {
            lock?.note { $0 = RunRecord(database: database, log: log) }
            lock?.sync()
        }
        let intake = try await takeIn(rules: rules, at: now, generator: generator)
        let known = intake.kept.map(\.claim.chunk)
        let (beginning, attempt) = try await write { db in
            try requireNoOther(at: now, db)
            let reason = try restoration(db)
            let paused = try reason.map { try Self.pauseUnfinished(because: $0, db) }
            let recovered = try Self.recover(except: known, rules: rules, at: now, generator: generator, db)
            try Self.daemonStarted(pid: pid, version: version, trusted: trusted, at: now, db)
            return (
                Beginning(intake: intake, recovered: recovered, restoration: reason, paused: paused ?? 0),
                try Self.lastAttempt(db)
            )
        }
        lock?.note { $0 = RunRecord(heartbeat: now, attempt: attempt, database: database, log: log) }
        lock?.sync()
        // The file tells of this run even if its log is lost, and is recognised as older then; see `restoration`.
        try await checkpoint()
        _ = try await boundDueTimes(by: rules, at: now)
        try await boundDefaultRunTimes(at: now)
        return beginning
    }

    /// How old the heartbeat of a daemon that is alive can be.
    private static let freshness = Duration.seconds(30)

    /// The lock keeps a second daemon out, unless its file was removed.
    private func requireNoOther(at now: Timestamp, _ db: Database) throws {
        let row = try Row.fetchOne(
            db,
            sql: "SELECT pid, heartbeat_at FROM daemon_state WHERE stopped_at IS NULL AND pid IS NOT NULL"
        )
        guard let row, let heartbeat = row[1] as Timestamp?, heartbeat > now + (.zero - Self.freshness),
            let pid = Int32(exactly: row[0] as Int64), RunningProcess(pid).isAnotherKoobatch
        else { return }
        throw StoreError.owned(path: path, owner: "pid \(pid), alive at \(heartbeat); its lock file was removed")
    }

    /// Why the database is taken for a restored one; `nil` if it is not.
    private func restoration(_ db: Database) throws -> String? {
        let row = try Row.fetchOne(db, sql: "SELECT heartbeat_at, backup_at FROM daemon_state")
        let advice = "what was sent after that is not known here; resume to send what is unfinished, or cancel"
        if let backup = row?[1] as Timestamp? { return "restored from a backup of \(backup): \(advice)" }
        guard let lock, let heartbeat = row?[0] as Timestamp? else { return nil }
        if let last = lock.lastRun, last.heartbeat <= heartbeat, last.database == files.inodes.database,
            try last.attempt <= Self.lastAttempt(db)
        {
            return nil
        }
        return "restored from a backup of \(heartbeat), or moved: \(advice)"
    }

    /// The highest id that `attempts` ever had.
    private static func lastAttempt(_ db: Database) throws -> Int64 {
        try Int64.fetchOne(db, sql: "SELECT seq FROM sqlite_sequence WHERE name = 'attempts'") ?? 0
    }

    /// Pauses the jobs that would go on by themselves, and adds the reason to that of those that are paused.
    private static func pauseUnfinished(because reason: String, _ db: Database) throws -> Int {
        try db.execute(
            sql: """
                UPDATE command_jobs
                   SET state_reason = ?1 || '; before that: ' || coalesce(state_reason, 'paused')
                 WHERE state = 'paused'
                   AND coalesce(state_reason, '') NOT LIKE 'restored from %';
                """,
            arguments: [reason]
        )
        try db.execute(
            sql: "UPDATE command_jobs SET state = 'paused', state_reason = ? WHERE state IN ('queued', 'running')",
            arguments: [reason]
        )
        let paused = db.changesCount
        try db.execute(
            sql: """
                UPDATE job_progress
                   SET job_state   = 'paused',
                       pause_cause = 'restored',
                       since_at    = NULL,
                       mark_at     = NULL
                 WHERE job_state IN ('queued', 'running')
                """
        )
        return paused
    }
}
