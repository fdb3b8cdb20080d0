import GRDB
import KoobatchCore
import KoobatchStore
import TestSupport
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
    mutating func sizes(_ count: Int) async throws {
        _ = try await user.insertJob(instances(count))
        #expect(try await driver.claim(10_000).flatMap(\.request.instances.list) == instances(count))
        let planned = try await user.rows(
            "SELECT e.value FROM chunk_instances AS d JOIN json_each(d.instance_ids) AS e ORDER BY d.chunk_id, e.key"
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
        #expect(try await driver.claim().isEmpty)
    }

    @Test("cuts no more than is sent: the rest of the list stays where it was inserted")
    mutating func justInTime() async throws {
        _ = try await user.insertJob(instances(1_000))
        _ = try await driver.claim(3)
        #expect(try await user.row("SELECT count(*), sum(size) FROM chunks") == ["3", "96"])
        #expect(try await user.row("SELECT planned FROM job_progress") == ["96"])
        #expect(try await Audit.complaints(user).isEmpty)
    }

    @Test("reads one very long list at a time, so that a more urgent job does not wait for all of them")
    mutating func oneAtATime() async throws {
        let instances = (0..<40_000).map { "phone-with-a-long-name-\($0)" }
        for _ in 0..<3 { _ = try await user.insertJob(instances) }
        let first = try await driver.turn(places: 12)
        #expect(Set(first.claims.map(\.job.rawValue)) == [1])
        // The others are looked at again soon.
        #expect(try #require(first.nextDue) <= driver.now + .milliseconds(5))
        _ = try await user.insertJob(["u"], ["priority": "9"])
        let second = try await driver.claim(12).map(\.job.rawValue)
        #expect(second.first == 4)
        #expect(Set(second) == [4, 1, 2])
        #expect(Set(try await driver.claim(12).map(\.job.rawValue)) == [1, 2, 3])
    }

    @Test(
        "cuts every instance of every job once, of many large jobs at once",
        arguments: [
            (jobs: 3, instances: 12_000...12_000, seed: 1),
            (jobs: 2, instances: 8_000...50_000, seed: 2),
            (jobs: 12, instances: 1_000...20_000, seed: 3),
        ] as [(jobs: Int, instances: ClosedRange<Int>, seed: UInt64)]
    )
    mutating func manyLarge(jobs: Int, instances: ClosedRange<Int>, seed: UInt64) async throws {
        var generator = SeededGenerator(seed: seed)
        for job in 0..<jobs {
            let count = Int.random(in: instances, using: &generator)
            _ = try await user.insertJob((0..<count).map { "j\(job)-\($0)" })
        }
        while case let claims = try await driver.claim(97), !claims.isEmpty {}
        let wrong = try await user.rows(
            """
            SELECT p.command_job_id, p.total, p.planned,
                   (SELECT count(DISTINCT e.value)
                      FROM chunks AS c
                      JOIN chunk_instances AS d ON d.chunk_id = c.id
                      JOIN json_each(d.instance_ids) AS e
                     WHERE c.command_job_id = p.command_job_id) AS cut
              FROM job_progress AS p
             WHERE cut <> p.total OR p.planned <> p.total
            """
        )
        #expect(wrong.isEmpty, "seed \(seed)")
    }

    @Test("pauses a job whose list was damaged, says so, and cuts the jobs behind it", arguments: [20_000, 100])
    mutating func damaged(_ size: Int) async throws {
        _ = try await user.insertJob(instances(size))
        let other = try await user.insertJob(instances(100))
        try await user.writeWithoutTransaction { db in
            try db.execute(
                sql: """
                    PRAGMA writable_schema = ON;
                    DELETE FROM sqlite_schema WHERE type = 'trigger';
                    PRAGMA writable_schema = RESET;
                    UPDATE command_jobs SET instance_ids = '["a"]' WHERE id = 1;
                    """
            )
        }
        var claims: [ClaimedChunk] = []
        while case let more = try await driver.claim(), !more.isEmpty { claims += more }
        #expect(claims.filter { $0.job == other }.flatMap(\.request.instances.list) == instances(100))
        #expect(claims.allSatisfy { $0.job == other })
        #expect(
            try await user.row("SELECT state, state_reason FROM command_jobs WHERE id = 1") == [
                "paused", "damaged: instance_ids cannot be read any more; cancel the job and insert it again",
            ]
        )
    }

    @Test("cuts nothing of a job that was stopped meanwhile", arguments: ["cancelled", "paused"])
    mutating func stopped(_ state: String) async throws {
        _ = try await user.insertJob(instances(64))
        #expect(try await driver.claim(1).count == 1)
        try await user.user("UPDATE command_jobs SET state = '\(state)'")
        #expect(try await driver.claim().isEmpty)
        #expect(try await Audit.complaints(user).isEmpty)
    }

    @Test("cuts due jobs by priority and age, and none that has expired")
    mutating func order() async throws {
        let low = try await user.insertJob(instances(40))
        let high = try await user.insertJob(instances(40), ["priority": "5"])
        let later = try await user.insertJob(instances(40), ["run_at": "'2100-01-01T01:00'"])
        _ = try await user.insertJob(instances(40), ["run_at": "'2019-01-01'", "expires_at": "'2019-02-01'"])
        #expect(try await driver.claim(3).map(\.job) == [high, high, low])
        #expect(try await driver.claim().map(\.job) == [low])
        let hour = Timestamp(millisecondsSinceEpoch: 4_102_444_800_000) + .seconds(3_600)
        #expect(try await driver.turn(places: 9).nextDue == hour)
        driver.now = hour
        #expect(try await driver.claim().map(\.job) == [later, later])
        #expect(try await driver.turn(places: 9).nextDue == nil)
    }

    @Test("keeps every id as it is, however the list is written")
    mutating func strangeIDs() async throws {
        let visible = (33...126).filter { $0 != 34 && $0 != 92 }.map { String(UnicodeScalar($0)) }
        _ = try await user.insertJob(visible + ["a/b", "it's", "[1]", "{}", "a,b"])
        try await user.user(
            "INSERT INTO command_jobs (command, instance_ids, run_at) VALUES ('id', ?, '2020-01-01')",
            ["[ \"\\u0041\" ,\n\t\"a\\/b\",\r\"\\u007e\"\n]\n"]
        )
        let claims = try await driver.claim()
        let sent = Dictionary(grouping: claims, by: \.job.rawValue).mapValues { $0.flatMap(\.request.instances.list) }
        #expect(sent == [1: visible + ["a/b", "it's", "[1]", "{}", "a,b"], 2: ["A", "a/b", "~"]])
        #expect(try await Audit.complaints(user).isEmpty)
    }

    @Test("moves only what did not succeed when a job runs again, packed into full chunks")
    mutating func rerun() async throws {
        _ = try await user.insertJob(instances(160))
        let claims = try await driver.claim()
        for claim in claims.dropLast() { try await driver.record(driver.accepted(claim)) }
        try await driver.record(driver.refused(claims[4], code: "APIGW.0201", status: 413))
        try await driver.pollAll(user) { !$0.hasSuffix("0") }
        let failed = Set(
            try await user.rows("SELECT instance_id FROM instance_status WHERE state = 'failed'").compactMap { $0[0] }
        )
        #expect(failed.count == 13 + 32)
        try await user.user("UPDATE command_jobs SET state = 'queued' WHERE id = 1")
        try await user.endSlowStarts()
        #expect(try await Audit.complaints(user).isEmpty)
        while try await driver.store.replan(at: driver.now, chunkSize: 32, chunks: 100) {
            #expect(try await Audit.complaints(user).isEmpty)
        }
        let again = try await driver.claim()
        #expect(again.map(\.request.instances.list.count) == [32, 13])
        #expect(Set(again.flatMap(\.request.instances.list)) == failed)
        #expect(
            try await user.row(
                "SELECT count(*), sum(length(states) - length(replace(states, 'm', ''))) FROM chunk_instances"
            ) == ["7", "45"]
        )
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
        driver.chunkSize = 4
        for claim in try await driver.claim() {
            try await driver.record(driver.refused(claim, code: "APIGW.0201", status: 413))
        }
        driver.chunkSize = 32
        try await user.user("UPDATE command_jobs SET state = 'queued' WHERE id = 1")
        try await user.endSlowStarts()
        _ = try await driver.store.replan(at: driver.now, chunkSize: 32, chunks: 3)
        #expect(try await user.row("SELECT pending, failed FROM job_status") == ["12", "28"])
        #expect(try await Audit.complaints(user).isEmpty)
        try await user.user("UPDATE command_jobs SET state = 'cancelled' WHERE id = 1")
        #expect(try await user.row("SELECT state, failed, cancelled FROM job_status") == ["cancelled", "28", "12"])
        #expect(try await driver.store.replan(at: driver.now, chunkSize: 32, chunks: 3) == false)
        try await user.user("UPDATE command_jobs SET state = 'queued' WHERE id = 1")
        try await user.endSlowStarts()
        while try await driver.store.replan(at: driver.now, chunkSize: 32, chunks: 3) {
            #expect(try await Audit.complaints(user).isEmpty)
        }
        let again = try await driver.claim().flatMap(\.request.instances.list)
        #expect(again.sorted() == instances(40).sorted())
    }
}
