import KoobatchCore
import TestSupport
import Testing

@testable import KoobatchEngine
@testable import KoobatchStore

@Suite("A turn of the housekeeper")
struct HousekeeperTests {
    private let bed: EngineBed
    private let housekeeper: Housekeeper
    private var state: Housekeeper.State

    init() async throws {
        bed = try await EngineBed(retention: .seconds(100_000), publish: { "metric 1\n" })
        housekeeper = try bed.stage()
        state = Housekeeper.State(heartbeatDue: .zero, logger: bed.log.logger)
        _ = try await housekeeper.turn(&state)
        _ = await bed.wokenStages()
    }

    @Test("writes a heartbeat and what was measured every ten seconds, and not in between")
    mutating func heartbeat() async throws {
        let begin = bed.clock.now
        #expect(try await bed.rows("SELECT heartbeat_at FROM daemon_state") == ["\(begin)"])
        #expect(try await bed.rows("SELECT exposition FROM daemon_metrics") == ["metric 1\n"])
        bed.clock.advance(by: .seconds(9))
        #expect(try await housekeeper.turn(&state) == begin + .seconds(10))
        #expect(try await bed.rows("SELECT heartbeat_at FROM daemon_state") == ["\(begin)"])
        bed.clock.advance(by: .seconds(1))
        _ = try await housekeeper.turn(&state)
        #expect(try await bed.rows("SELECT heartbeat_at FROM daemon_state") == ["\(begin + .seconds(10))"])
    }

    /// The one net under lost wake-ups.
    @Test("wakes with a heartbeat the stages whose wake-ups were lost, and only those")
    mutating func net() async throws {
        try await bed.insert(2)
        _ = try await housekeeper.turn(&state)
        #expect(await bed.wokenStages().isEmpty, "between two heartbeats the signals are trusted")
        bed.clock.advance(by: .seconds(10))
        _ = try await housekeeper.turn(&state)
        #expect(await bed.wokenStages() == [.submitter])
        var driver = try SubmissionDriver(bed)
        try await driver.drain()
        bed.clock.advance(by: .seconds(10))
        _ = await bed.wokenStages()
        _ = try await housekeeper.turn(&state)
        #expect(await bed.wokenStages() == [.poller])
        var poller = try PollingDriver(bed)
        _ = try await poller.step()
        _ = try await poller.step()
        _ = await bed.wokenStages()
        bed.clock.advance(by: .seconds(10))
        _ = try await housekeeper.turn(&state)
        #expect(await bed.wokenStages().isEmpty, "nothing is due at rest")
    }

    @Test("notes what is due for the watchdog, until a turn of the stage")
    mutating func due() async throws {
        try await bed.insert(2)
        bed.queues.supervision.waits(.submitter, atMost: nil)
        bed.clock.advance(by: .seconds(10))
        _ = try await housekeeper.turn(&state)
        #expect(bed.queues.supervision.stall(limit: .zero) != nil)
        bed.queues.supervision.works(.submitter)
        bed.queues.supervision.waits(.submitter, atMost: nil)
        #expect(bed.queues.supervision.stall(limit: .seconds(5)) == nil)
    }

    @Test("ends jobs that have expired, says so, and looks again when the next one does")
    mutating func expiry() async throws {
        let next = bed.clock.now + .seconds(5)
        try await bed.insert(2, ["expires_at": "'\(bed.clock.now + .seconds(2))'"])
        try await bed.insert(2, ["expires_at": "'\(next)'"], prefix: "j")
        #expect(try await housekeeper.turn(&state) == bed.clock.now + .seconds(2))
        bed.clock.advance(by: .seconds(2))
        #expect(try await housekeeper.turn(&state) == next)
        #expect(bed.said("Job expired") == 1)
        #expect(await bed.wokenStages() == [.jobLogger])
        #expect(try await bed.rows("SELECT state FROM command_jobs ORDER BY id") == ["expired", "queued"])
    }

    @Test("deletes what is past the retention, a little in each turn, and says so")
    mutating func deletion() async throws {
        try await bed.insert(300)
        try await bed.run("UPDATE command_jobs SET state = 'cancelled'")
        bed.clock.advance(by: .seconds(3_000_000_000))
        // The leap has proved true.
        bed.service.setServerTime(ServerTime(date: bed.clock.now, wall: bed.clock.now))
        while case let next = try await housekeeper.turn(&state), next <= bed.clock.now {}
        #expect(try await bed.rows("SELECT count(*) FROM command_jobs") == ["0"])
        #expect(bed.said("Job deleted") == 1)
    }

    @Test("ends no job and looks no sooner by a clock that has leapt, until the leap has proved true")
    mutating func leap() async throws {
        let begin = bed.clock.now
        try await bed.insert(2, ["expires_at": "'\(begin + .seconds(100))'"])
        bed.clock.set(to: begin + .seconds(500))
        // A hundred seconds of the clock that is trusted, or the next heartbeat.
        #expect(try await housekeeper.turn(&state) == bed.clock.now + .seconds(10))
        #expect(try await bed.rows("SELECT state FROM command_jobs") == ["queued"])
        bed.service.setServerTime(ServerTime(date: bed.clock.now, wall: bed.clock.now))
        bed.clock.advance(by: .seconds(1))
        _ = try await housekeeper.turn(&state)
        #expect(try await bed.rows("SELECT state FROM command_jobs") == ["expired"])
    }

    @Test("says once that the database takes no heartbeat, and that it does again")
    mutating func databaseFails() async throws {
        try await bed.lock()
        bed.clock.advance(by: .seconds(10))
        for _ in 0..<2 { #expect(try await housekeeper.turn(&state) == bed.clock.now + .seconds(1)) }
        #expect(bed.said("Database write failed") == 1)
        #expect(bed.engine.supervision.problems.contains { $0.hasPrefix("database writes fail") })
        try await bed.unlock()
        _ = try await housekeeper.turn(&state)
        #expect(bed.engine.supervision.problems.isEmpty && bed.said("The database works again") == 1)
    }

    @Test("makes due what a clock that was ahead had put off, and wakes everybody")
    mutating func clockSetBack() async throws {
        let begin = bed.clock.now
        bed.clock.set(to: begin + .seconds(86_400))
        try await bed.insert(1)
        var driver = try SubmissionDriver(bed)
        let claim = try #require(try await driver.turn().work?.batch.claims.first)
        let failure = ServiceFailure(
            .throttled,
            httpStatus: 429,
            errorCode: "T",
            message: "m",
            retryAfter: .seconds(50)
        )
        bed.queues.submitter.put(AttemptResult(claim: claim, result: .failure(failure), finishedAt: bed.clock.now))
        _ = try await driver.turn()
        _ = try await housekeeper.turn(&state)
        #expect(bed.said("System clock jumped forward") == 1)
        bed.clock.set(to: begin)
        bed.clock.advance(by: .seconds(1))
        _ = await bed.wokenStages()
        _ = try await housekeeper.turn(&state)
        #expect(await bed.wokenStages() == [.planner, .submitter, .poller, .housekeeper, .jobLogger])
        let due = try await bed.rows("SELECT next_attempt_at FROM chunks").first.flatMap { Timestamp($0) }
        #expect(try #require(due) <= bed.clock.now)
    }

    @Test("ends with the error where the database is not in its place any more")
    mutating func replaced() async throws {
        try bed.replaceDatabase()
        let (housekeeper, bed) = (housekeeper, bed)
        await #expect(throws: StoreError.self) {
            var state = Housekeeper.State(heartbeatDue: .zero, logger: bed.log.logger)
            _ = try await housekeeper.turn(&state)
        }
    }
}
