import GRDB
import KoobatchCore
import KoobatchStore
import TestSupport
import Testing

/// The daemon writes without triggers: what follows from its statements is what the triggers make of the same change.
@Suite("The daemon's statements and the triggers", .database)
struct DaemonRulesTests {
    /// A job, and what the API says about its first chunk.
    struct Case: Sendable, CustomTestStringConvertible {
        let name: String
        /// Columns of the job, of four instances.
        let columns: String
        /// Values of `columns`.
        let values: String
        /// Its chunks; the first is claimed.
        let chunks: [[String]]
        let step: Step

        var testDescription: String { "\(name), \(step)" }
    }

    enum Step: CaseIterable {
        case accepted, lost, refused, succeeded, expired
    }

    private static let jobs: [(String, String, String, [[String]])] = [
        ("one chunk", "on_unknown", "'hold'", [["a", "b", "c", "d"]]),
        ("one chunk, given up when lost", "on_unknown", "'fail'", [["a", "b", "c", "d"]]),
        ("two chunks", "on_unknown", "'hold'", [["a", "b"], ["c", "d"]]),
        ("max_errors", "on_unknown, max_errors", "'hold', '0'", [["a", "b"], ["c", "d"]]),
        ("max_errors that are not spent", "on_unknown, max_errors", "'hold', '50%'", [["a", "b"], ["c", "d"]]),
        ("a canary", "on_unknown, canary", "'hold', 2", [["a", "b"]]),
    ]

    /// A job that is wholly in flight does not expire.
    static let cases = jobs.flatMap { job in
        Step.allCases.filter { $0 != .expired || job.3.count > 1 || job.1.contains("canary") }
            .map { Case(name: job.0, columns: job.1, values: job.2, chunks: job.3, step: $0) }
    }

    /// Everything about the jobs and their chunks but times and numbers of changes.
    private func story(_ user: DatabaseQueue) async throws -> [[String?]] {
        let jobs = try await user.rows(
            """
            SELECT j.state, j.state_reason, j.started_at IS NULL, j.finished_at IS NULL,
                   p.job_state, p.pause_cause, p.planned, p.plan_limit, p.submitted, p.succeeded, p.failed, p.unknown,
                   p.cancelled, p.rejected, p.waiting_chunks, p.blocked_chunks, p.in_flight_chunks, p.held_chunks,
                   p.error_baseline, p.slow_start, p.replan_after, p.replan_upto, p.since_at IS NULL,
                   p.mark_at IS NULL
              FROM command_jobs AS j
              JOIN job_progress AS p ON p.command_job_id = j.id
            """
        )
        let chunks = try await user.rows(
            """
            SELECT state, size, submitted, succeeded, failed, unknown, cancelled, rejected, attempts, blocked,
                   next_attempt_at IS NULL, finished_at IS NULL, next_poll_at IS NULL, task_id IS NULL
              FROM chunks
             ORDER BY id
            """
        )
        return jobs + chunks + [try await user.row("SELECT group_concat(state) FROM instance_status")]
    }

    private func prepare(_ database: TestDatabase, _ given: Case) throws {
        try database.shell.rows(
            """
            INSERT INTO command_jobs (command, instance_ids, run_at, expires_at, \(given.columns))
            VALUES ('id', '["a","b","c","d"]', '2019-01-01', '2020-01-02', \(given.values));
            UPDATE command_jobs SET state = 'running';
            \(Stages.daemon(given.chunks.map { Stages.insertChunk(job: 1, $0) }.joined(separator: "\n")))
            \(Stages.recount("1", planned: given.chunks.joined().count))
            """
        )
    }

    /// As the daemon writes it.
    private func byDaemon(_ database: TestDatabase, _ step: Step) async throws {
        let user = try database.observer()
        var driver = try StoreDriver(database)
        let claim = try #require(try await driver.claim(1).first)
        switch step {
        case .accepted: try await driver.record(driver.accepted(claim))
        case .lost: try await driver.record(driver.lost(claim))
        case .refused: try await driver.record(driver.refused(claim, code: "APIGW.0201", status: 413))
        case .succeeded:
            try await driver.record(driver.accepted(claim))
            try await driver.pollAll(user)
        case .expired:
            driver.now = driver.now + .seconds(2 * 86_400)
            #expect(try await driver.store.expire(at: driver.now).expired.map(\.rawValue) == [1])
        }
    }

    /// The same change, with the triggers to do what follows.
    private func byTriggers(_ database: TestDatabase, _ given: Case) throws {
        let lost = given.values.contains("fail") ? Stages.fail(1, as: "unknown") : Stages.lose(1)
        let statements =
            switch given.step {
            case .accepted: Stages.accept(1)
            case .lost: lost
            case .refused: Stages.fail(1)
            case .succeeded: Stages.accept(1) + Stages.finish(1)
            case .expired: "UPDATE command_jobs SET state = 'expired';"
            }
        try database.shell.rows(Stages.claim(1) + statements)
    }

    @Test("do the same", arguments: cases)
    func agree(_ given: Case) async throws {
        let (one, other) = (try TestDatabase(), try TestDatabase())
        for database in [one, other] { try prepare(database, given) }
        try await byDaemon(one, given.step)
        try byTriggers(other, given)
        #expect(try await story(one.observer()) == story(other.observer()))
        for database in [one, other] { #expect(try await Audit.complaints(database.observer()) == []) }
    }
}
