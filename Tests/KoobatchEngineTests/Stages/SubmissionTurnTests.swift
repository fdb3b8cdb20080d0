import KoobatchCore
import Synchronization
import Testing

@testable import KoobatchEngine
@testable import KoobatchStore

/// The submitter turn by turn, with the clock of the test.
@Suite("A turn of the submitter")
struct SubmissionTurnTests {
    static let refusal = ServiceFailure(.unauthenticated, httpStatus: 401, errorCode: "C", message: "m")

    /// A bed whose API has accepted a first request, so that nothing is a probe any more.
    private static func proven(
        _ service: ScriptedService = ScriptedService(),
        sync: @escaping @Sendable (Int32) throws -> Void = { _ in }
    ) async throws -> (EngineBed, SubmissionDriver) {
        let bed = try await EngineBed(service: service, sync: sync)
        try await bed.insert(1, prefix: "first")
        var driver = try SubmissionDriver(bed)
        try await driver.drain()
        return (bed, driver)
    }

    @Test("sends what is due once its intent is on the disk, and records the answer with the next one")
    func sends() async throws {
        let bed = try await EngineBed()
        try await bed.insert(3)
        var driver = try SubmissionDriver(bed)
        // A daemon begins with one request.
        let first = try await driver.turn()
        #expect(first.work?.batch.claims.count == 1 && bed.service.submitted.isEmpty)
        #expect(driver.state.inFlight == 1 && driver.state.missing == 1)
        await driver.follow(first)
        #expect(bed.service.submitted.count == 1)
        let second = try await driver.step()
        #expect(second.work?.recorded.map(\.outcome) == [.decided(.accept)] && second.work?.batch.claims.count == 1)
        let third = try await driver.step()
        #expect(third.work?.recorded.count == 1 && third.work?.batch.claims.isEmpty == true)
        #expect(driver.state.inFlight == 0)
        #expect(try await bed.rows("SELECT state, count(*) FROM chunks GROUP BY state") == ["submitted 2"])
        #expect(bed.said("Job started") == 1 && bed.said("Chunk submitted") == 2)
    }

    @Test("tells only the stages that may have work by it")
    func signals() async throws {
        let refused = ServiceFailure(.throttled, httpStatus: 429, errorCode: "T", message: "m")
        let (bed, driver) = try await Self.proven(
            ScriptedService(submit: { $0.instances.list.contains("no0") ? refused : nil })
        )
        var proven = driver
        _ = await bed.wokenStages()
        try await bed.insert(1)
        try await proven.drain()
        #expect(await bed.wokenStages() == [.poller, .jobLogger])
        try await bed.insert(1, prefix: "no")
        try await proven.drain()
        #expect(await bed.wokenStages() == [.planner, .housekeeper, .jobLogger])
    }

    @Test("keeps an answer that the database does not take once, and records it with the next")
    func failsOnce() async throws {
        var (bed, driver) = try await Self.proven()
        try await bed.insert(2)
        try await driver.step()
        try await bed.lock()
        let failed = try await driver.turn()
        #expect(failed.work == nil && !failed.isLast && failed.wakeAt == bed.clock.now + .seconds(1))
        #expect(try bed.store.spool.lines().count == 1)
        #expect(bed.said("Database write failed") == 1 && bed.said("Answers are kept in a file") == 1)
        try await bed.unlock()
        let recorded = try await driver.step()
        #expect(recorded.work?.recorded.map(\.outcome) == [.decided(.accept)])
        #expect(try bed.store.spool.lines().isEmpty)
        #expect(bed.said("The database works again") == 1)
        #expect(bed.service.submitted.count == 2, "nothing is sent twice")
    }

    @Test("says once that the database fails for long, and ends when the grace is over with the answers in the spool")
    func failsForLong() async throws {
        var (bed, driver) = try await Self.proven()
        try await bed.insert(2)
        try await driver.step()
        try await bed.lock()
        for _ in 0..<3 { #expect(try await driver.turn().isLast == false) }
        // Told to stop, with an answer that is not recorded: it goes on trying.
        for _ in 0..<2 { #expect(try await driver.turn(stopping: true).isLast == false) }
        #expect(bed.said("Database write failed") == 1 && bed.said("Answers are kept in a file") == 1)
        #expect(try bed.store.spool.lines().count == 1)
        let (state, now) = (driver.state, bed.clock.now)
        let last = Task {
            withUnsafeCurrentTask { $0?.cancel() }
            var state = state
            return try await state.turn(.init(elements: [], isStopping: true), at: now)
        }
        #expect(try await last.value.isLast)
        #expect(bed.said("the next start takes it in") == 1)
        try bed.engine.requireSaved()
        try await bed.unlock()
        let intake = try await bed.engine.begin(pid: 1, version: "next").intake
        #expect(intake.recorded.count == 1)
        #expect(try await bed.rows("SELECT state FROM chunks") == ["submitted", "submitted"])
        #expect(bed.said("An answer of an earlier daemon is recorded") == 1)
    }

    @Test("waits for what is out when the grace is over before it gives up what it has")
    func cancelledWithRequestsOut() async throws {
        var (bed, driver) = try await Self.proven()
        try await bed.insert(4)
        let turn = try await driver.turn()
        let claims = try #require(turn.work?.batch.claims)
        #expect(claims.count == 2)
        try await bed.lock()
        let (state, now) = (driver.state, bed.clock.now)
        let answers = claims.map {
            AttemptResult(claim: $0, result: .failure(Self.refusal.with(outcome: .unknown)), finishedAt: now)
        }
        let ends = Task {
            withUnsafeCurrentTask { $0?.cancel() }
            var state = state
            let first = try await state.turn(.init(elements: [answers[0]], isStopping: true), at: now)
            let second = try await state.turn(.init(elements: [answers[1]], isStopping: true), at: now)
            return [first, second]
        }
        let turns = try await ends.value
        #expect(turns.map(\.isLast) == [false, true] && turns[0].wakeAt == nil)
        #expect(try bed.store.spool.lines().count == 2)
        try await bed.unlock()
    }

    @Test("logs an acceptance once that neither the database nor a file takes, and the end says so")
    func neitherDatabaseNorFile() async throws {
        var (bed, driver) = try await Self.proven()
        try await bed.insert(2)
        try await driver.step()
        // A directory in the place of the spool.
        try FileSystemFolder.create(bed.store.spool.path)
        try await bed.lock()
        for _ in 0..<2 { _ = try await driver.turn() }
        #expect(bed.said("An acceptance is neither in the database nor in a file beside it") == 1)
        try await bed.unlock()
        try await driver.step()
        #expect(try await bed.rows("SELECT count(*) FROM chunks WHERE state = 'submitted'") == ["2"])
        try bed.engine.requireSaved()

        try await bed.insert(2, prefix: "more")
        try await driver.step()
        try await bed.lock()
        _ = try await driver.turn()
        await driver.state.giveUp()
        let error = try #require(throws: AnswerKeeper.Unsaved.self) { try bed.engine.requireSaved() }
        #expect(error.count == 1 && error.description.contains("task.job_ids"))
        try await bed.unlock()
    }

    @Test("keeps an acceptance that rows changed by hand keep out, and records it when they are as they were")
    func impossible() async throws {
        var (bed, driver) = try await Self.proven()
        try await bed.insert(2)
        try await driver.step()
        try await bed.rename("chunk_instances", to: "instances_of_chunks")
        let kept = try await driver.step()
        #expect(kept.wakeAt == bed.clock.now + .seconds(2) && driver.state.inFlight == 1)
        #expect(bed.said("An answer cannot be recorded") == 1)
        #expect(try bed.store.spool.lines().count == 1)
        // Nothing is out: told to stop it ends, and the next start has the answer.
        var stopping = driver
        #expect(try await stopping.turn(stopping: true).isLast)
        try await bed.rename("instances_of_chunks", to: "chunk_instances")
        try await driver.step()
        #expect(driver.state.inFlight == 0)
        #expect(try bed.store.spool.lines().isEmpty)
        #expect(try await bed.rows("SELECT count(*) FROM chunks WHERE state = 'submitted'") == ["2"])
    }

    @Test("says when an answer comes too late to change anything")
    func late() async throws {
        var (bed, driver) = try await Self.proven()
        try await bed.insert(2)
        try await driver.step()
        try await bed.runAsDaemon(
            "UPDATE attempts SET outcome = 'unknown', finished_at = started_at WHERE outcome IS NULL"
        )
        let turn = try await driver.step()
        #expect(turn.work?.recorded.map(\.outcome) == [.late])
        #expect(bed.said("error An answer came too late") == 1)
    }

    @Test("does not wait for the sync of the last one, and sends nothing that is not on the disk")
    func slowDisk() async throws {
        let disk = SlowDisk()
        let (bed, proven) = try await Self.proven(sync: disk.sync)
        var driver = proven
        try await bed.insert(2)
        let first = try await driver.turn()
        disk.slow()
        let work = try #require(first.work)
        let (submitter, broken) = (driver.submitter, driver.state.disk)
        async let followed: Void = submitter.follow(work, broken)
        await disk.arrival()
        try await bed.insert(2, prefix: "j")
        let second = try await driver.turn()
        #expect(second.work?.batch.claims.count == 1)
        #expect(bed.service.submitted.count == 1, "that of the first job")
        disk.fast()
        await followed
        #expect(bed.service.submitted.count == 2)
        await driver.follow(second)
        #expect(bed.service.submitted.count == 3)
    }

    @Test("that cannot be made durable is not sent, and its answers are left to the next daemon")
    func brokenDisk() async throws {
        let disk = SlowDisk()
        var (bed, driver) = try await Self.proven(sync: disk.sync)
        try await bed.insert(4)
        try await driver.step()
        disk.fail()
        // Records the answers; they may not be on the disk.
        let turn = try await driver.turn()
        #expect(turn.work?.recorded.count == 2)
        await driver.follow(turn)
        await #expect(throws: StoreError.self) { try await driver.turn() }
        await driver.state.giveUp()
        #expect(try bed.store.spool.lines().count == 2)
        #expect(bed.said("the next start takes it in") == 2)
    }

    @Test("is not sent where the database is not in its place any more by then")
    func replaced() async throws {
        let bed = try await EngineBed()
        try await bed.insert(1)
        var driver = try SubmissionDriver(bed)
        let turn = try await driver.turn()
        #expect(turn.work?.batch.claims.count == 1)
        try bed.replaceDatabase()
        await driver.follow(turn)
        #expect(bed.service.submitted.isEmpty)
        await #expect(throws: StoreError.self) { try await driver.turn() }
    }

    @Test("claims nothing once another daemon may have started")
    func notSoleOwner() async throws {
        let bed = try await EngineBed(owner: true)
        try await bed.insert(1)
        try FileSystemFolder.remove(bed.path + ".lock")
        var driver = try SubmissionDriver(bed)
        let turn = try await driver.turn()
        #expect(turn.work == nil && driver.state.inFlight == 0)
    }

    @Test(
        "says what becomes of a chunk that is not accepted",
        arguments: [
            ("KOOPHONE.API.1000", 400, ["instance_ids": 1], [:], "info Instance rejected"),
            ("KOOPHONE.API.1000", 400, ["instance_ids": 2], [:], "debug Chunk not accepted"),
            ("FAIL", 400, ["instance_ids": 1], [:], "error Chunk failed"),
            ("RETRY", 400, ["instance_ids": 1], [:], "warning Chunk will be retried"),
            ("MAYBE", 400, ["instance_ids": 1], ["on_unknown": "'hold'"], "error Chunk on hold"),
        ] as [(String, Int, [String: Int], [String: String], String)]
    )
    func decisions(_ code: String, _ status: Int, _ size: [String: Int], _ columns: [String: String], _ line: String)
        async throws
    {
        let refused = ServiceFailure(.refused, httpStatus: status, errorCode: code, message: "m")
        var (bed, driver) = try await Self.proven(
            ScriptedService(submit: { $0.instances.list.contains("i0") ? refused : nil })
        )
        try await bed.run(
            "INSERT INTO error_policies (code, action) VALUES ('FAIL', 'fail'), ('RETRY', 'retry'), ('MAYBE', 'unknown')"
        )
        try await bed.insert(size["instance_ids"] ?? 1, columns)
        try await driver.step()
        try await driver.step()
        #expect(bed.said(line) == 1)
    }
}
