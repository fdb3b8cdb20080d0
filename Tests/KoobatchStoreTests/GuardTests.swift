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

    @Test("a canary cannot be changed once instances are set aside, with a run of what is left or without")
    func canary() async throws {
        _ = try await user.insertJob(["a"])
        _ = try await user.insertJob(["a"], ["serialize_instances": "1"])
        try await driver.plan()
        #expect(
            try await user.row("SELECT planned, set_aside FROM job_progress WHERE command_job_id = 2") == ["0", "1"]
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

    @Test("a job that the rules keep from being planned is named, and the others are planned without it")
    func stuck() async throws {
        let first = try await user.insertJob(["a"])
        let second = try await user.insertJob(["b"])
        try await user.user("DROP TRIGGER job_progress_check_counts")
        try await user.user("UPDATE job_progress SET waiting_instances = 1 WHERE command_job_id = 1")
        let slices = [first, second].map { PlannedSlice(job: $0, plannedBefore: 0, chunks: [["x"]]) }
        let stuck = await #expect(throws: StuckJob.self) { try await driver.store.plan(slices, at: driver.now) }
        #expect(stuck?.id == first)
        #expect(stuck?.reason.contains("command_job_id: chunks are cut by koobatch") == true)
        #expect(try await user.row("SELECT count(*) FROM chunks") == ["0"])
        let others = try await driver.store.jobsToPlan(at: driver.now, instances: 100, known: nil, except: [first])
        #expect(others.map(\.id) == [second])
        #expect(try await driver.store.plan([slices[1]], at: driver.now).chunks == 1)
    }

    @Test("results that cannot be recorded keep back no others, and are asked for again later")
    mutating func poison() async throws {
        _ = try await user.insertJob(["a", "b"])
        try await driver.plan(chunkSize: 1)
        try await driver.submitAll()
        try await user.user(
            """
            CREATE TRIGGER broken BEFORE UPDATE OF succeeded ON chunks WHEN NEW.id = 1
            BEGIN SELECT RAISE(ABORT, 'broken: by hand'); END
            """
        )
        driver.now = driver.now + .seconds(60)
        var answers: [PollAnswer] = []
        for poll in try await driver.store.duePolls(at: driver.now, places: 10, busy: []).due {
            answers.append(try await driver.report(poll, user) { _ in true })
        }
        let schedule = try #require(driver.rules.polling)
        let recorded = try await driver.store.recordResults(answers, schedule: schedule, at: driver.now)
        #expect(recorded == answers.map { $0.poll.chunk.rawValue == 1 ? .impossible("broken: by hand") : .ended(1) })
        let next = try await driver.store.duePolls(at: driver.now, places: 10, busy: [])
        #expect(next.due.isEmpty)
        #expect(next.next == driver.now + schedule.maxDelay)
        #expect(
            try await user.rows("SELECT state FROM instance_jobs ORDER BY chunk_id") == [["submitted"], ["succeeded"]]
        )
        #expect(try await Audit.complaints(user).isEmpty)
    }

    @Test("a job that waits for instances of one that is cut short goes on with those that were never sent")
    mutating func releasesUnsent() async throws {
        _ = try await user.insertJob(["a", "b"], ["canary": "1"])
        try await driver.plan()
        let claims = try await driver.claim()
        _ = try await user.insertJob(["a", "b"], ["serialize_instances": "1"])
        try await user.user("UPDATE command_jobs SET state = 'cancelled' WHERE id = 1")
        try await driver.plan()
        #expect(try await driver.claim().map(\.request.instanceIDs) == [["b"]])
        try await driver.record(driver.accepted(claims[0]))
        #expect(try await user.rows("SELECT instance_id FROM instance_waits") == [["a"]])
        #expect(try await Audit.complaints(user).isEmpty)
    }

    @Test("an unknown instance that a person settles counts in its chunk and its job")
    mutating func settledByHand() async throws {
        _ = try await user.insertJob(["a", "b"])
        try await driver.plan()
        let claims = try await driver.claim()
        try await driver.record(driver.accepted(claims[0]))
        driver.now = driver.now + .seconds(700)
        let schedule = try #require(driver.rules.polling)
        let due = try await driver.store.duePolls(at: driver.now, places: 1, busy: []).due
        let silence = try await driver.report(due[0], user) { _ in nil }
        _ = try await driver.store.record([silence], schedule: schedule, at: driver.now)
        #expect(try await user.row("SELECT state, unknown FROM job_status") == ["failed", "2"])
        try await user.user("UPDATE instance_jobs SET state = 'succeeded' WHERE instance_id = 'a'")
        #expect(try await user.row("SELECT state, succeeded, unknown FROM job_status") == ["partial", "1", "1"])
        #expect(try await Audit.complaints(user).isEmpty)
    }

    @Test("100 percent are done when nothing is open, and not before")
    func percent() async throws {
        let shell = try TestDatabase.current().shell
        try shell.rows(
            """
            WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 10000)
            INSERT INTO command_jobs (command, instance_ids) SELECT 'id', json_group_array('i' || i) FROM n;
            DROP TRIGGER job_progress_check_counts;
            UPDATE job_progress SET succeeded = 9999;
            """
        )
        #expect(try shell.value("SELECT percent_done FROM job_status") == "99.9")
    }
}
