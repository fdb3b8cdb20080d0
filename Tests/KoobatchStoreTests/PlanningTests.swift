import GRDB
import KoobatchCore
import KoobatchStore
import Testing

@Suite("Planning", .database)
struct PlanningTests {
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

    @Test("cuts a job into as few chunks of 32 as hold it, in order", arguments: [1, 31, 32, 33, 64, 1_000, 100_000])
    func sizes(_ count: Int) async throws {
        _ = try await user.insertJob(instances(count))
        #expect(try await driver.plan() == (count + 31) / 32)
        let planned = try await user.rows(
            "SELECT e.value FROM chunks AS c JOIN json_each(c.instance_ids) AS e ORDER BY c.id, e.key"
        )
        #expect(planned.map { $0[0] } == instances(count))
        let row = try await user.row("SELECT min(size), max(size), sum(size), count(*) FROM chunks")
        #expect(
            row == [
                "\(count % 32 == 0 ? 32 : min(count, count % 32))", "\(min(count, 32))", "\(count)",
                "\((count + 31) / 32)",
            ]
        )
        #expect(try await user.row("SELECT state, pending FROM job_status") == ["running", "\(count)"])
    }

    @Test("skips a slice that was planned already")
    func twice() async throws {
        let job = try await user.insertJob(instances(64))
        let slice = PlannedSlice(job: job, plannedBefore: 0, chunks: [Array(instances(32))])
        #expect(try await driver.store.plan([slice], at: driver.now).chunks == 1)
        #expect(try await driver.store.plan([slice], at: driver.now).chunks == 0)
        #expect(try await user.row("SELECT planned FROM job_progress") == ["32"])
    }

    @Test("skips a slice of a job that was stopped meanwhile", arguments: ["cancelled", "paused"])
    func stopped(_ state: String) async throws {
        let job = try await user.insertJob(instances(64))
        let first = PlannedSlice(job: job, plannedBefore: 0, chunks: [Array(instances(64)[..<32])])
        #expect(try await driver.store.plan([first], at: driver.now).chunks == 1)
        try await user.user("UPDATE command_jobs SET state = '\(state)'")
        let second = PlannedSlice(job: job, plannedBefore: 32, chunks: [Array(instances(64)[32...])])
        #expect(try await driver.store.plan([second], at: driver.now).chunks == 0)
        #expect(try await Audit.complaints(user).isEmpty)
        #expect(try await driver.store.jobsToPlan(at: driver.now, instances: 100, known: nil).isEmpty)
    }

    @Test("offers due jobs by priority and age, and those with enough work only")
    func order() async throws {
        let low = try await user.insertJob(instances(40))
        let high = try await user.insertJob(instances(40), ["priority": "5"])
        let later = try await user.insertJob(instances(40), ["run_at": "'2020-01-01T01:00'"])
        _ = try await user.insertJob(instances(40), ["run_at": "'2019-01-01'", "expires_at": "'2019-02-01'"])
        #expect(try await driver.store.jobsToPlan(at: .start, instances: 1_000, known: nil).map(\.id) == [high, low])
        #expect(try await driver.store.jobsToPlan(at: .start, instances: 40, known: nil).map(\.id) == [high])
        #expect(try await driver.store.nextPlanning(after: .start) == .start + .seconds(3_600))
        let hour = Timestamp.start + .seconds(3_600)
        #expect(
            try await driver.store.jobsToPlan(at: hour, instances: 1_000, known: nil).map(\.id) == [high, low, later]
        )
        #expect(try await driver.store.nextPlanning(after: hour) == nil)
    }

    @Test("reads the list of a job that the caller knows only once")
    func known() async throws {
        let job = try await user.insertJob(instances(3))
        let known = try #require(try await driver.store.jobsToPlan(at: .start, instances: 9, known: job).first)
        #expect(try known.parseInstanceIDs().isEmpty)
        let new = try #require(try await driver.store.jobsToPlan(at: .start, instances: 9, known: nil).first)
        #expect(try new.parseInstanceIDs() == instances(3))
        #expect([new.planned, new.planLimit, new.total] == [0, 3, 3])
    }

    @Test("keeps ids with quotes, backslashes and all of Unicode as they are")
    mutating func strangeIDs() async throws {
        let strange = [
            "\"", "\\", "'", "\\\"", "a\"b\\c", "\u{1F4F1}", "\u{E9}", "\u{65}\u{301}", "{}", "]", "\u{2028}",
        ]
        _ = try await user.insertJob(strange)
        try await driver.plan()
        let claims = try await driver.claim()
        #expect(claims.flatMap(\.request.instanceIDs).map { Array($0.utf8) } == strange.map { Array($0.utf8) })
        #expect(try await Audit.complaints(user).isEmpty)
    }

    @Test("moves only what did not succeed when a job runs again, packed into full chunks")
    mutating func rerun() async throws {
        _ = try await user.insertJob(instances(160))
        try await driver.plan()
        let claims = try await driver.claim()
        for claim in claims.dropLast() { try await driver.record(driver.accepted(claim)) }
        try await driver.record(driver.refused(claims[4], code: "APIGW.0201", status: 413))
        try await driver.pollAll(user) { !$0.hasSuffix("0") }
        let failed = Set(
            try await user.rows("SELECT instance_id FROM instance_status WHERE state = 'failed'").compactMap { $0[0] }
        )
        #expect(failed.count == 13 + 32)
        try await user.user("UPDATE command_jobs SET state = 'queued' WHERE id = 1")
        try await user.passTrials()
        #expect(try await Audit.complaints(user).isEmpty)
        while try await driver.store.replan(at: driver.now, chunkSize: 32, chunks: 100) {
            #expect(try await Audit.complaints(user).isEmpty)
        }
        let again = try await driver.claim()
        #expect(again.map(\.request.instanceIDs.count) == [32, 13])
        #expect(Set(again.flatMap(\.request.instanceIDs)) == failed)
        #expect(try await user.row("SELECT count(*), sum(superseded) FROM instance_jobs") == ["128", "13"])
        #expect(try await user.row("SELECT pending, succeeded FROM job_status") == ["45", "115"])
        _ = try await driver.turn(again.map { driver.accepted($0) })
        try await driver.pollAll(user)
        #expect(try await user.row("SELECT state, succeeded FROM job_status") == ["succeeded", "160"])
        #expect(try await user.row("SELECT count(*) FROM task_map") == ["\(128 + 45)"])
        #expect(try await Audit.complaints(user).isEmpty)
    }

    @Test("tells the same story after every slice of a rerun, and survives its cancellation in the middle")
    mutating func slicedRerun() async throws {
        _ = try await user.insertJob(instances(40))
        try await driver.plan(chunkSize: 4)
        for claim in try await driver.claim() {
            try await driver.record(driver.refused(claim, code: "APIGW.0201", status: 413))
        }
        try await user.user("UPDATE command_jobs SET state = 'queued' WHERE id = 1")
        try await user.passTrials()
        _ = try await driver.store.replan(at: driver.now, chunkSize: 32, chunks: 3)
        #expect(try await user.row("SELECT pending, failed FROM job_status") == ["12", "28"])
        #expect(try await Audit.complaints(user).isEmpty)
        try await user.user("UPDATE command_jobs SET state = 'cancelled' WHERE id = 1")
        #expect(try await user.row("SELECT state, failed, cancelled FROM job_status") == ["cancelled", "28", "12"])
        #expect(try await driver.store.replan(at: driver.now, chunkSize: 32, chunks: 3) == false)
        try await user.user("UPDATE command_jobs SET state = 'queued' WHERE id = 1")
        try await user.passTrials()
        while try await driver.store.replan(at: driver.now, chunkSize: 32, chunks: 3) {
            #expect(try await Audit.complaints(user).isEmpty)
        }
        #expect(Set(try await driver.claim().flatMap(\.request.instanceIDs)) == Set(instances(40)))
    }

    @Test("lets a job that has had nothing go before one of its priority that has, and priority before both")
    func turns() async throws {
        for _ in 0..<3 { _ = try await user.insertJob(["a", "b", "c"]) }
        try await user.user("UPDATE command_jobs SET priority = 1 WHERE id = 3")
        _ = try await driver.store.plan(
            [PlannedSlice(job: CommandJobID(rawValue: 1), plannedBefore: 0, chunks: [["a"]])],
            at: driver.now
        )
        let jobs = try await driver.store.jobsToPlan(at: driver.now, instances: 1_000, known: nil)
        #expect(jobs.map(\.id.rawValue) == [3, 2, 1])
    }
}
