import KoobatchCore
import TestSupport
import Testing

@testable import KoobatchEngine
@testable import KoobatchStore

@Suite("The log of jobs")
struct JobCompletionLoggerTests {
    private let bed: EngineBed
    private let jobs: JobCompletionLogger

    init() async throws {
        bed = try await EngineBed()
        jobs = try bed.stage()
    }

    /// Everything is sent and has its results.
    private func finish() async throws {
        var submitter = try SubmissionDriver(bed)
        try await submitter.drain()
        bed.clock.advance(by: .seconds(50))
        var poller = try PollingDriver(bed)
        try await poller.step()
        try await poller.step()
    }

    @Test("tells once of a job that has finished, with its counts, and not of those that had before")
    func finished() async throws {
        try await bed.insert(2, prefix: "old")
        try await finish()
        bed.clock.advance(by: .seconds(10))
        var memory = try await jobs.begin()
        try await bed.insert(3)
        try await finish()
        for _ in 0..<3 {
            try await jobs.look(&memory, at: bed.clock.now)
            bed.clock.advance(by: .seconds(1))
        }
        let lines = bed.log.lines.filter { $0.contains("Job finished") }
        #expect(lines.count == 1)
        #expect(
            lines.first?.contains("succeeded") == true && lines.first?.contains("\"instance.succeeded\": 3") == true
        )
    }

    @Test("tells of a job that is paused, resumed, cancelled and expired")
    func stopped() async throws {
        try await bed.insert(8)
        var submitter = try SubmissionDriver(bed)
        try await submitter.step()
        var memory = try await jobs.begin()
        for (state, line) in [
            ("paused", "info Job paused"), ("running", "info Job resumed"),
            ("cancelled", "info Job cancelled; answers and results in flight are awaited"),
        ] {
            try await bed.run("UPDATE command_jobs SET state = '\(state)'")
            try await jobs.look(&memory, at: bed.clock.now)
            try await jobs.look(&memory, at: bed.clock.now)
            #expect(bed.said(line) == 1, "\(bed.log.lines)")
        }
    }

    @Test("tells of a job that its own rule has paused")
    func byRule() async throws {
        try await bed.insert(4, ["canary": "1"])
        var memory = try await jobs.begin()
        var submitter = try SubmissionDriver(bed)
        try await submitter.turn().work.map { work in
            for claim in work.batch.claims {
                let failure = ServiceFailure(.refused, httpStatus: 400, errorCode: "KOOPHONE.API.1000", message: "m")
                bed.queues.submitter.put(
                    AttemptResult(claim: claim, result: .failure(failure), finishedAt: bed.clock.now)
                )
            }
        }
        _ = try await submitter.turn()
        try await jobs.look(&memory, at: bed.clock.now)
        #expect(bed.said("warning Job paused by its own rule") == 1)
    }

    @Test("tells of a job that has expired with requests out")
    func expired() async throws {
        try await bed.insert(8, ["expires_at": "'\(bed.clock.now + .seconds(100))'"])
        var memory = try await jobs.begin()
        var submitter = try SubmissionDriver(bed)
        _ = try await submitter.turn()
        bed.clock.advance(by: .seconds(101))
        let housekeeper: Housekeeper = try bed.stage()
        var state = Housekeeper.State(heartbeatDue: .zero, logger: bed.log.logger)
        _ = try await housekeeper.turn(&state)
        try await jobs.look(&memory, at: bed.clock.now)
        #expect(bed.said("info Job expired; answers and results in flight are awaited") == 1)
    }

    @Test("tells every minute how far the jobs are that have got on")
    func progress() async throws {
        try await bed.insert(8)
        var memory = try await jobs.begin()
        var submitter = try SubmissionDriver(bed)
        try await submitter.step()
        try await submitter.step()
        try await jobs.look(&memory, at: bed.clock.now)
        #expect(bed.said("Job progress") == 0, "the minute is not over")
        for _ in 0..<2 {
            bed.clock.advance(by: .seconds(60))
            try await jobs.look(&memory, at: bed.clock.now)
        }
        #expect(bed.said("Job progress") == 1, "it has not got on since")
    }

    @Test("goes on when the clock is set back")
    func setBack() async throws {
        bed.clock.advance(by: .seconds(86_400))
        var memory = try await jobs.begin()
        bed.clock.set(to: ManualTime.start)
        try await jobs.look(&memory, at: bed.clock.now)
        try await bed.insert(1)
        try await finish()
        try await jobs.look(&memory, at: bed.clock.now)
        #expect(bed.said("Job finished") == 1)
    }

    @Test("makes up for looks that the database did not answer")
    func databaseFails() async throws {
        try await bed.rename("job_progress", to: "progress_of_jobs")
        var memory = try await jobs.begin()
        #expect(memory.stopped == nil)
        try await jobs.look(&memory, at: bed.clock.now)
        try await bed.rename("progress_of_jobs", to: "job_progress")
        try await bed.insert(1)
        try await finish()
        try await jobs.look(&memory, at: bed.clock.now)
        #expect(bed.said("Job finished") == 1)
    }

    @Test("ends with the error where the database is not in its place any more")
    func replaced() async throws {
        var memory = try await jobs.begin()
        try bed.replaceDatabase()
        await #expect(throws: StoreError.self) { try await jobs.begin() }
        let now = bed.clock.now
        await #expect(throws: StoreError.self) { try await jobs.look(&memory, at: now) }
    }
}
