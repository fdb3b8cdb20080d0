import GRDB
import KoobatchCore
import KoobatchStore
import TestSupport
import Testing

/// What people steer jobs with, at the level of the database: no daemon runs, its steps are taken one by one.
@Suite("Control", .database)
struct ControlTests {
    private var driver: StoreDriver
    private let user: DatabaseQueue

    init() throws {
        let database = try TestDatabase.current()
        driver = try StoreDriver(database)
        user = try database.observer()
    }

    private func instances(_ count: Int) -> [String] {
        (0..<count).map { "i\($0)" }
    }

    /// State, then the counts of pending, submitted, succeeded, failed, unknown, cancelled and rejected.
    private func status(_ job: Int = 1) async throws -> String {
        try await user.row(
            """
            SELECT state, pending, submitted, succeeded, failed, unknown, cancelled, rejected,
                   iif(finished_at IS NULL, 'open', 'ended')
              FROM job_status
             WHERE id = \(job)
            """
        ).map { $0 ?? "" }.joined(separator: " ")
    }

    private func reason() async throws -> String {
        try await user.row("SELECT state_reason FROM command_jobs WHERE id = 1").first.flatMap(\.self) ?? ""
    }

    // MARK: Cancelling

    @Test("cancels a job that is not planned: every instance counts as cancelled")
    mutating func cancelUnplanned() async throws {
        _ = try await user.insertJob(instances(70))
        try await user.user("UPDATE command_jobs SET state = 'cancelled' WHERE id = 1")
        #expect(try await status() == "cancelled 0 0 0 0 0 70 0 ended")
        #expect(try await driver.claim().isEmpty)
    }

    @Test("cancels a planned job: what is in flight is recorded, the rest is never sent")
    mutating func cancelPlanned() async throws {
        _ = try await user.insertJob(instances(128))
        let claims = try await driver.claim(3)
        try await driver.record(driver.accepted(claims[0]))
        try await user.user("UPDATE command_jobs SET state = 'cancelled' WHERE id = 1")
        #expect(try await status() == "cancelled 64 32 0 0 0 32 0 open")
        #expect(try await driver.record(driver.accepted(claims[1]), driver.refused(claims[2])) == [.accept, .cancel])
        #expect(try await status() == "cancelled 0 64 0 0 0 64 0 open")
        #expect(try await driver.claim().isEmpty)
        try await driver.pollAll(user)
        #expect(try await status() == "cancelled 0 0 64 0 0 64 0 ended")
    }

    @Test(
        "cancels a job with a lost answer in flight: its instances are unknown, whatever on_unknown says",
        arguments: OnUnknown.allCases
    )
    func cancelLost(_ onUnknown: OnUnknown) async throws {
        var driver = driver
        _ = try await user.insertJob(instances(32), ["on_unknown": "'\(onUnknown.rawValue)'"])
        let claims = try await driver.claim()
        try await user.user("UPDATE command_jobs SET state = 'cancelled' WHERE id = 1")
        #expect(try await driver.record(driver.lost(claims[0])) == [.fail(instances: .unknown)])
        #expect(try await status() == "cancelled 0 0 0 0 32 0 0 ended")
    }

    @Test("cancels a job with a held chunk, which is given up")
    mutating func cancelHeld() async throws {
        _ = try await user.insertJob(instances(33), ["on_unknown": "'hold'"])
        try await driver.record(driver.lost(try await driver.claim()[0]))
        try await user.user("UPDATE command_jobs SET state = 'cancelled' WHERE id = 1")
        #expect(try await status() == "cancelled 1 0 0 0 32 0 0 open")
    }

    // MARK: Pausing

    @Test("pauses and resumes: nothing is claimed meanwhile, what is in flight is recorded")
    mutating func pause() async throws {
        _ = try await user.insertJob(instances(64))
        let claims = try await driver.claim(1)
        try await user.user("UPDATE command_jobs SET state = 'paused' WHERE id = 1")
        #expect(try await driver.claim().isEmpty)
        try await driver.record(driver.accepted(claims[0]))
        try await driver.pollAll(user)
        #expect(try await status() == "paused 32 0 32 0 0 0 0 open")
        #expect(try await reason() == "paused by hand")
        try await user.user("UPDATE command_jobs SET state = 'running' WHERE id = 1")
        try await driver.submitAll()
        try await driver.pollAll(user)
        #expect(try await status() == "succeeded 0 0 64 0 0 0 0 ended")
    }

    @Test("holds back a job that is inserted paused, and one that is paused before it is planned")
    mutating func pausedFromTheStart() async throws {
        _ = try await user.insertJob(instances(2), ["state": "'paused'"])
        _ = try await user.insertJob(instances(2))
        try await user.user("UPDATE command_jobs SET state = 'paused' WHERE id = 2")
        #expect(try await driver.claim().isEmpty)
        try await user.user("UPDATE command_jobs SET state = 'running'")
        #expect(try await driver.claim().count == 2)
    }

    @Test("ends a paused job with its last result")
    mutating func pausedEnd() async throws {
        _ = try await user.insertJob(instances(2))
        try await driver.submitAll()
        try await user.user("UPDATE command_jobs SET state = 'paused' WHERE id = 1")
        try await driver.pollAll(user)
        #expect(try await status() == "succeeded 0 0 2 0 0 0 0 ended")
    }

    // MARK: Held chunks

    @Test("releases a held chunk, which is sent again at once")
    mutating func release() async throws {
        _ = try await user.insertJob(instances(32), ["on_unknown": "'hold'", "max_attempts": "1"])
        #expect(try await driver.record(driver.lost(try await driver.claim()[0])) == [.hold])
        #expect(try await status() == "running 0 0 0 0 32 0 0 open")
        #expect(try await driver.claim().isEmpty)
        try await user.user("UPDATE chunks SET state = 'pending', next_attempt_at = '\(driver.now)' WHERE id = 1")
        #expect(try await status() == "running 32 0 0 0 0 0 0 open")
        let again = try await driver.claim()
        #expect(again.map(\.chunk.rawValue) == [1])
        try await driver.record(driver.accepted(again[0]))
        #expect(try await status() == "running 0 32 0 0 0 0 0 open")
    }

    @Test("releases a held chunk of its own accord by the clock of SQLite")
    mutating func releaseBare() async throws {
        _ = try await user.insertJob(["a"], ["on_unknown": "'hold'"])
        try await driver.record(driver.lost(try await driver.claim()[0]))
        try await user.user("UPDATE chunks SET state = 'pending' WHERE id = 1")
        let row = try await user.row(
            "SELECT abs(julianday(next_attempt_at) - julianday('now')) < 0.01, unknown, state FROM chunks"
        )
        #expect(row == ["1", "0", "pending"])
    }

    @Test("gives up a held chunk: its instances stay unknown and the job ends")
    mutating func giveUp() async throws {
        _ = try await user.insertJob(instances(32), ["on_unknown": "'hold'"])
        try await driver.record(driver.lost(try await driver.claim()[0]))
        try await user.user("UPDATE chunks SET state = 'failed' WHERE id = 1")
        #expect(try await status() == "failed 0 0 0 0 32 0 0 ended")
        #expect(try await user.row("SELECT finished_at IS NOT NULL FROM chunks") == ["1"])
        #expect(try await user.row("SELECT DISTINCT state FROM instance_status") == ["unknown"])
    }

    // MARK: Deleting

    @Test("deletes a finished job with all that hangs on it, and nothing else")
    func delete() async throws {
        let shell = try TestDatabase.current().shell
        try shell.rows(Stages.statements)
        try await user.user("DELETE FROM command_jobs WHERE id = 4")
        let counts = try await user.rows(
            """
            SELECT count(*) FROM command_jobs UNION ALL SELECT count(*) FROM job_progress
            UNION ALL SELECT count(*) FROM chunks UNION ALL SELECT count(*) FROM attempts
            UNION ALL SELECT count(*) FROM chunk_instances
            """
        )
        #expect(counts == [["5"], ["5"], ["7"], ["6"], ["7"]])
        #expect(try await Audit.complaints(user).isEmpty)
    }
}
