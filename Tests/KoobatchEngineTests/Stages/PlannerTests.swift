import KoobatchCore
import TestSupport
import Testing

@testable import KoobatchEngine
@testable import KoobatchStore

@Suite("A turn of the planner")
struct PlannerTests {
    private let bed: EngineBed
    private let planner: Planner
    private var state: Planner.State

    init() async throws {
        bed = try await EngineBed()
        planner = try bed.stage()
        state = Planner.State(databaseErrors: DatabaseErrorReporter(logger: bed.log.logger))
    }

    /// A job that failed and runs again.
    private func insertRerun() async throws {
        let refused = ServiceFailure(.refused, httpStatus: 400, errorCode: "KOOPHONE.API.1000", message: "m")
        try await bed.insert(1)
        var driver = try SubmissionDriver(bed)
        let claim = try #require(try await driver.turn().work?.batch.claims.first)
        bed.queues.submitter.put(AttemptResult(claim: claim, result: .failure(refused), finishedAt: bed.clock.now))
        _ = try await driver.turn()
        #expect(try await bed.rows("SELECT state FROM command_jobs") == ["failed"])
        try await bed.run("UPDATE command_jobs SET state = 'queued'")
        _ = await bed.wokenStages()
    }

    @Test("plans what runs again, and wakes the submitter")
    mutating func replans() async throws {
        try await insertRerun()
        _ = try await planner.turn(&state)
        #expect(await bed.wokenStages() == [.submitter])
        #expect(try await bed.rows("SELECT count(*) FROM chunks WHERE state = 'pending'") == ["1"])
        _ = try await planner.turn(&state)
        #expect(await bed.wokenStages().isEmpty, "nothing is left to plan")
    }

    @Test("tries again a second later while the database does not take it, and says so once")
    mutating func databaseFails() async throws {
        try await insertRerun()
        try await bed.lock()
        for _ in 0..<2 { #expect(try await planner.turn(&state) == bed.clock.now + .seconds(1)) }
        #expect(bed.said("Database write failed") == 1)
        try await bed.unlock()
        _ = try await planner.turn(&state)
        #expect(bed.said("The database works again") == 1 && bed.isWoken(.submitter))
    }

    @Test("leaves out a job that cannot be planned, says so once, and plans the others")
    mutating func stuck() async throws {
        try await insertRerun()
        // Fewer than the chunk has.
        try await bed.run("UPDATE job_progress SET rejected = 0, revision = revision + 1")
        for _ in 0..<2 { _ = try await planner.turn(&state) }
        #expect(bed.said("A job cannot be planned") == 1)
        #expect(state.reported.count == 1)
        try await bed.run("UPDATE job_progress SET rejected = 1, revision = revision + 1")
        _ = try await planner.turn(&state)
        #expect(state.reported.isEmpty)
        #expect(try await bed.rows("SELECT count(*) FROM chunks WHERE state = 'pending'") == ["1"])
    }

    @Test("says when a job that is put off is due")
    mutating func later() async throws {
        try await insertRerun()
        let due = bed.clock.now + .seconds(3_600)
        try await bed.run("UPDATE command_jobs SET run_at = '\(due)'")
        #expect(try await planner.turn(&state) == due)
    }

    @Test("ends with the error where the database is not in its place any more")
    mutating func replaced() async throws {
        try bed.replaceDatabase()
        let (planner, bed) = (planner, bed)
        await #expect(throws: StoreError.self) {
            var state = Planner.State(databaseErrors: DatabaseErrorReporter(logger: bed.log.logger))
            _ = try await planner.turn(&state)
        }
    }
}
