import KoobatchCore
import Testing

@testable import KoobatchEngine
@testable import KoobatchStore

/// The poller turn by turn, with the clock of the test.
@Suite("A turn of the poller")
struct PollingTurnTests {
    /// A bed with a job whose chunks are accepted, and nothing asked for yet.
    private static func submitted(
        _ service: ScriptedService = ScriptedService(),
        instances: Int = 2,
        columns: [String: String] = [:]
    ) async throws -> (EngineBed, PollingDriver) {
        let bed = try await EngineBed(service: service)
        try await bed.insert(instances, columns)
        var submitter = try SubmissionDriver(bed)
        try await submitter.drain()
        _ = await bed.wokenStages()
        return (bed, try PollingDriver(bed))
    }

    @Test("asks for nothing before it is due, and then once")
    func asks() async throws {
        var (bed, driver) = try await Self.submitted()
        let early = try await driver.turn()
        #expect(early.queries.isEmpty && early.wakeAt == bed.clock.now + .seconds(1))
        bed.clock.advance(by: .seconds(1))
        let due = try await driver.turn()
        #expect(due.queries.count == 1 && driver.state.busy.count == 1)
        #expect(try await driver.turn().queries.isEmpty, "it is being asked for")
        await driver.poller.ask(due.queries[0])
        _ = await bed.wokenStages()
        try await driver.step()
        #expect(driver.state.busy.isEmpty && bed.service.queried.count == 1)
        #expect(try await bed.rows("SELECT state FROM command_jobs") == ["succeeded"])
        #expect(await bed.wokenStages() == [.planner, .submitter, .jobLogger])
        #expect(bed.said("Results recorded") == 1)
    }

    @Test("says when a query fails, and asks again later")
    func fails() async throws {
        let failure = ServiceFailure(.refused, httpStatus: 400, errorCode: "SOME", message: "m")
        var (bed, driver) = try await Self.submitted(ScriptedService(query: { _ in .failure(failure) }))
        bed.clock.advance(by: .seconds(1))
        try await driver.step()
        let turn = try await driver.step()
        #expect(bed.said("Result query failed") == 1)
        #expect(try #require(turn.wakeAt) > bed.clock.now)
        #expect(try await bed.rows("SELECT state, polls FROM chunks") == ["submitted 1"])
    }

    @Test("keeps answers that the database does not take, and records them when it does")
    func databaseFails() async throws {
        var (bed, driver) = try await Self.submitted()
        bed.clock.advance(by: .seconds(1))
        try await driver.step()
        try await bed.lock()
        for _ in 0..<2 {
            let failed = try await driver.turn()
            #expect(failed.wakeAt == bed.clock.now + .seconds(1) && failed.queries.isEmpty)
        }
        #expect(driver.state.busy.count == 1 && bed.said("Database write failed") == 1)
        try await bed.unlock()
        try await driver.step()
        #expect(try await bed.rows("SELECT state FROM chunks") == ["finished"])
        #expect(bed.service.queried.count == 1)
    }

    @Test("does not stay for answers that the database does not take: they are asked for again")
    func stopsWhileDatabaseFails() async throws {
        var (bed, driver) = try await Self.submitted(instances: 4)
        bed.clock.advance(by: .seconds(4))
        let turn = try await driver.turn()
        #expect(turn.queries.count == 2)
        await driver.poller.ask(turn.queries[0])
        try await bed.lock()
        let first = try await driver.turn(stopping: true)
        #expect(!first.isLast && driver.state.busy.count == 1, "one is out")
        await driver.poller.ask(turn.queries[1])
        #expect(try await driver.turn(stopping: true).isLast)
        try await bed.unlock()
    }

    @Test("ends when nothing is out, and asks for nothing more before that")
    func stops() async throws {
        var (bed, driver) = try await Self.submitted()
        bed.clock.advance(by: .seconds(1))
        let turn = try await driver.turn()
        let stopping = try await driver.turn(stopping: true)
        #expect(!stopping.isLast && stopping.queries.isEmpty)
        await driver.poller.ask(turn.queries[0])
        #expect(try await driver.turn(stopping: true).isLast)
        #expect(try await bed.rows("SELECT state FROM chunks") == ["finished"])
    }

    @Test("settles an instance by a result that comes after it was given up")
    func late() async throws {
        let valve = Valve()
        let service = ScriptedService(query: { _ in .success(TaskReport(results: [:])) })
        var (bed, driver) = try await Self.submitted(service, instances: 1, columns: ["result_timeout": "60"])
        bed.clock.advance(by: .seconds(61))
        try await driver.step()
        try await driver.step()
        #expect(try await bed.rows("SELECT state, unknown FROM chunks") == ["finished 1"])
        #expect(try await bed.rows("SELECT state FROM command_jobs") == ["failed"])
        // It is looked at again, and this time it has ended.
        bed.clock.advance(by: .seconds(40))
        let look = try await driver.turn()
        let poll = try #require(look.queries.first)
        bed.queues.poller.put(
            PollAnswer(
                poll: poll,
                result: .success(try service.report(of: poll.taskID)),
                finishedAt: bed.clock.now
            )
        )
        try await driver.step()
        #expect(try await bed.rows("SELECT state FROM command_jobs") == ["succeeded"])
        valve.open()
    }

    @Test("takes no answer for a task that is gone")
    func gone() async throws {
        var (bed, driver) = try await Self.submitted()
        bed.clock.advance(by: .seconds(1))
        try await driver.step()
        try await bed.runAsDaemon("DELETE FROM chunks")
        try await driver.step()
        #expect(driver.state.busy.isEmpty && bed.said("Results recorded") == 0)
    }

    @Test("says when results cannot be recorded, and puts the task off")
    func impossible() async throws {
        var (bed, driver) = try await Self.submitted()
        bed.clock.advance(by: .seconds(1))
        try await driver.step()
        try await bed.runAsDaemon("UPDATE chunk_instances SET states = ''")
        let turn = try await driver.step()
        #expect(bed.said("Results cannot be recorded") == 1)
        #expect(turn.wakeAt == bed.clock.now + EngineBed.schedule.maxDelay)
    }

    @Test("asks with one query where the circuit is open, and with all of them once that has an answer")
    func probe() async throws {
        var (bed, driver) = try await Self.submitted(instances: 6)
        _ = try await bed.gate.take([Self.refused(bed)], isProbe: { _ in false }, at: bed.clock.now)
        #expect(bed.gate.pause?.reason == .credentials)
        bed.clock.advance(by: .seconds(10))
        let probe = try await driver.turn()
        #expect(probe.queries.count == 1)
        let waiting = try await driver.turn()
        #expect(waiting.queries.isEmpty && waiting.wakeAt == bed.clock.now + .seconds(1))
        await driver.poller.ask(probe.queries[0])
        #expect(try await driver.turn().queries.count == 2)
        #expect(bed.gate.pause == nil)
    }

    @Test("ends with the error where the database is not in its place any more")
    func replaced() async throws {
        var (bed, driver) = try await Self.submitted()
        try bed.replaceDatabase()
        await #expect(throws: StoreError.self) { try await driver.turn() }
    }

    private static func refused(_ bed: EngineBed) -> PollAnswer {
        PollAnswer(
            poll: DuePoll(chunk: ChunkID(rawValue: 0), job: CommandJobID(rawValue: 0), taskID: "t"),
            result: .failure(SubmissionTurnTests.refusal),
            finishedAt: bed.clock.now
        )
    }
}
