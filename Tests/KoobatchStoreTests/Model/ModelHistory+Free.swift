import GRDB
import KoobatchCore
import KoobatchStore
import TestSupport
import Testing

/// Histories without the model.
extension ModelHistory {
    mutating func liveFreely() async throws -> String? {
        for _ in 1...40 {
            if let complaint = try await step(isCompared: false) { return complaint }
            let complaints = try await Audit.complaints(user) + transitions()
            if !complaints.isEmpty { return "\(complaints)" }
        }
        try await finish()
        let left = try await unfinished()
        if !left.isEmpty { return "without an end: \(left)" }
        try await user.user("DELETE FROM command_jobs")
        let complaints = try await Audit.complaints(user)
        return complaints.isEmpty ? nil : "at the end: \(complaints)"
    }

    /// The changes of state since the last call that the states of Core do not name: what the schema forbids people, and the
    /// daemon, which runs without triggers, may not do either.
    private mutating func transitions() async throws -> [String] {
        let now = try await user.rows(
            """
            SELECT 'job ' || id, state FROM command_jobs
             UNION ALL
            SELECT 'chunk ' || id, state FROM chunks
             UNION ALL
            SELECT 'instance ' || instance_id || ' of chunk ' || chunk_id, state FROM instance_status WHERE chunk_id IS NOT NULL
            """
        )
        let states = Dictionary(uniqueKeysWithValues: now.map { ($0[0] ?? "", $0[1] ?? "") })
        defer { self.states = states }
        return states.compactMap { thing, state in
            guard let before = self.states[thing], before != state else { return nil }
            let isLegal =
                switch thing.prefix(3) {
                case "job": Self.isLegal(CommandJobState.self, before, state)
                case "chu": Self.isLegal(ChunkState.self, before, state)
                default: Self.isLegal(InstanceState.self, before, state)
                }
            return isLegal ? nil : "\(thing) went from \(before) to \(state)"
        }
    }

    private static func isLegal<S: LifecycleState>(_: S.Type, _ before: String, _ after: String) -> Bool {
        guard let before = S(rawValue: before), let after = S(rawValue: after) else { return false }
        if before.successors.contains(after) { return true }
        // An answer that names no instance is an acceptance of which nothing is awaited: two changes in one transaction.
        return before as? ChunkState == .submitting && after as? ChunkState == .finished
    }

    private func unfinished() async throws -> [[String?]] {
        try await user.rows(
            """
            SELECT j.id, j.state, j.state_reason, p.*, w.*
              FROM command_jobs AS j
              JOIN job_progress AS p ON p.command_job_id = j.id
              LEFT JOIN why AS w ON w.command_job_id = j.id
             WHERE j.finished_at IS NULL
            """
        )
    }

    /// Whatever a user may want of a chunk that has not finished.
    mutating func settleFreely() async throws -> String? {
        let chunks = try await user.writeWithoutTransaction {
            try Int64.fetchAll($0, sql: "SELECT id FROM chunks WHERE state <> 'finished'")
        }
        let state = ["pending", "failed", "cancelled", "split"].randomElement(using: &random) ?? "pending"
        let chunk = chunks.randomElement(using: &random) ?? 1
        return try await say("UPDATE chunks SET state = '\(state)'", chunk, allowed: true)
    }

    /// Everything goes well from now on, and the operator settles what waits for one.
    private mutating func finish() async throws {
        // A chunk that was released is due by the clock of SQLite.
        driver.now = Timestamp(millisecondsSinceEpoch: 4_102_444_800_000)
        for _ in 0..<60 {
            try await user.user("UPDATE chunks SET state = 'failed' WHERE state = 'unknown'")
            try await user.user("UPDATE command_jobs SET state = 'running' WHERE state = 'paused'")
            driver.now = driver.now + .seconds(700)
            _ = try await driver.store.expire(at: driver.now)
            sent += try await driver.claim()
            _ = try await driver.turn(sent.map { driver.accepted($0) })
            sent = []
            try await driver.pollAll(user)
            if try await unfinished().isEmpty { return }
        }
    }
}
