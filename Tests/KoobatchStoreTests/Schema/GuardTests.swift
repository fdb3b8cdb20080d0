import GRDB
import KoobatchCore
import KoobatchStore
import TestSupport
import Testing

/// Rows that were changed by hand, as far as the schema lets them, and what the others have of it.
@Suite("Rows changed by hand", .database)
struct GuardTests {
    private var driver: StoreDriver
    private let user: DatabaseQueue

    init() throws {
        let database = try TestDatabase.current()
        driver = try StoreDriver(database)
        user = try database.observer()
    }

    @Test("a canary cannot be changed once chunks are cut, with a run of what is left or without")
    mutating func canary() async throws {
        _ = try await user.insertJob(["a"])
        _ = try await user.insertJob(["a"], ["serialize_instances": "1"])
        _ = try await driver.claim()
        #expect(
            try await user.row("SELECT planned, blocked_chunks FROM job_progress WHERE command_job_id = 2") == [
                "1", "1",
            ]
        )
        await #expect(throws: DatabaseError.self) {
            try await user.user("UPDATE command_jobs SET canary = 1 WHERE id = 2")
        }
        try await user.user("UPDATE command_jobs SET state = 'cancelled' WHERE id = 2")
        await #expect(throws: DatabaseError.self) {
            try await user.user("UPDATE command_jobs SET state = 'queued', canary = 2 WHERE id = 2")
        }
        try await user.user("UPDATE command_jobs SET state = 'queued' WHERE id = 2")
        #expect(try await Audit.complaints(user).isEmpty)
    }

    @Test("a job that the rules keep from running again is named, and the others run again without it")
    mutating func stuck() async throws {
        for _ in 1...2 { _ = try await user.insertJob(["a"]) }
        for claim in try await driver.claim() {
            try await driver.record(driver.refused(claim, code: "APIGW.0201", status: 413))
        }
        try await user.user("UPDATE command_jobs SET state = 'queued'")
        // Fewer than the chunk has.
        try await user.user("UPDATE job_progress SET failed = 0, revision = revision + 1 WHERE command_job_id = 1")
        let (store, now) = (driver.store, driver.now)
        let stuck = await #expect(throws: StuckJob.self) {
            _ = try await store.replan(at: now, chunkSize: 32, chunks: 9)
        }
        #expect(stuck?.id == CommandJobID(rawValue: 1))
        #expect(stuck?.reason.contains("job_progress: counts must add up") == true)
        #expect(try await user.row("SELECT state FROM command_jobs WHERE id = 1") == ["queued"])
        #expect(
            try await store.replan(at: now, chunkSize: 32, chunks: 9, except: [CommandJobID(rawValue: 1)])
        )
        #expect(try await driver.turn(places: 9).claims.map(\.job.rawValue) == [2])
    }

    @Test("results that cannot be recorded keep back no others, and are asked for again later")
    mutating func poison() async throws {
        _ = try await user.insertJob(["a", "b"])
        driver.chunkSize = 1
        try await driver.submitAll()
        // Letters that are fewer than the instances, as no rule allows.
        try TestDatabase.current().shell.rows(
            Stages.daemon("UPDATE chunk_instances SET states = '' WHERE chunk_id = 1;")
        )
        driver.now = driver.now + .seconds(60)
        var answers: [PollAnswer] = []
        for poll in try await driver.store.duePolls(at: driver.now, places: 10, busy: []).due {
            answers.append(try await driver.report(poll, user) { _ in true })
        }
        let schedule = try #require(driver.rules.polling)
        let recorded = try await driver.store.recordResults(
            try await driver.store.classify(answers),
            schedule: schedule,
            at: driver.now
        )
        #expect(
            recorded
                == answers.map {
                    $0.poll.chunk.rawValue == 1 ? .impossible("the documents of chunk 1 are damaged") : .ended(1)
                }
        )
        let next = try await driver.store.duePolls(at: driver.now, places: 10, busy: [])
        #expect(next.due.isEmpty)
        #expect(next.next == driver.now + schedule.maxDelay)
        #expect(try await user.rows("SELECT state FROM chunks ORDER BY id") == [["submitted"], ["finished"]])
    }

    @Test("a job that waits for instances of one that is cut short goes on with those that were never sent")
    mutating func releasesUnsent() async throws {
        _ = try await user.insertJob(["a", "b"], ["canary": "1"])
        let claims = try await driver.claim()
        _ = try await user.insertJob(["a", "b"], ["serialize_instances": "1"])
        try await user.user("UPDATE command_jobs SET state = 'cancelled' WHERE id = 1")
        #expect(try await driver.claim().map(\.request.instances.list) == [["b"]])
        try await driver.record(driver.accepted(claims[0]))
        #expect(try await driver.claim().isEmpty)
        #expect(try await Audit.complaints(user).isEmpty)
        try await driver.pollAll(user)
        #expect(try await driver.claim().map(\.request.instances.list) == [["a"]])
    }

    @Test("100 percent are done when nothing is open, and not before")
    func percent() async throws {
        let shell = try TestDatabase.current().shell
        try shell.rows(
            """
            \(Stages.insert(instances: 10_000))
            UPDATE job_progress SET succeeded = 9999, revision = revision + 1;
            """
        )
        #expect(try shell.value("SELECT percent_done FROM job_status") == "99.9")
    }
}
