import GRDB
import KoobatchCore
import KoobatchStore
import Testing

/// What a job says of itself that holds its chunks back or lets them go first.
@Suite("Settings of a job", .database)
struct JobSettingsTests {
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

    @Test("sends a canary first and the rest once all of it succeeded")
    mutating func canary() async throws {
        _ = try await user.insertJob(instances(100), ["canary": "5"])
        try await driver.submitAll()
        #expect(try await status() == "running 95 5 0 0 0 0 0 open")
        try await driver.pollAll(user) { $0.hasSuffix("i4") ? nil : true }
        #expect(try await driver.claim().isEmpty)
        try await driver.pollAll(user)
        let rest = try await driver.claim()
        #expect(rest.map(\.request.instances.list.count) == [32, 32, 31])
        _ = try await driver.turn(rest.map { driver.accepted($0) })
        try await driver.pollAll(user)
        #expect(try await status() == "succeeded 0 0 100 0 0 0 0 ended")
    }

    @Test("pauses a job whose canary fails, and sends the rest when a user resumes it")
    mutating func failedCanary() async throws {
        _ = try await user.insertJob(instances(10), ["canary": "2"])
        try await driver.submitAll()
        try await driver.pollAll(user) { !$0.hasSuffix("i1") }
        #expect(try await status() == "paused 8 0 1 1 0 0 0 open")
        #expect(
            try await reason()
                == "canary: 1 of 2 instances did not succeed; resume to run the rest all the same, or cancel"
        )
        #expect(try await driver.claim().isEmpty)
        try await user.user("UPDATE command_jobs SET state = 'running' WHERE id = 1")
        try await driver.submitAll()
        try await driver.pollAll(user)
        #expect(try await status() == "partial 0 0 9 1 0 0 0 ended")
    }

    @Test(
        "sends a canary first again when a job that was cancelled before it succeeded is run again",
        arguments: [false, true]
    )
    func canaryAgain(wasSent: Bool) async throws {
        var driver = driver
        _ = try await user.insertJob(instances(10), ["canary": "2"])
        if wasSent {
            try await driver.submitAll()
            try await driver.pollAll(user) { _ in false }
        }
        try await user.user("UPDATE command_jobs SET state = 'cancelled' WHERE id = 1")
        try await user.user("UPDATE command_jobs SET state = 'queued' WHERE id = 1")
        try await user.endSlowStarts()
        #expect(try await driver.claim().flatMap(\.request.instances.list) == ["i0", "i1"])
    }

    @Test("changes the canary of a job that has not started")
    mutating func changedCanary() async throws {
        _ = try await user.insertJob(instances(10))
        try await user.user("UPDATE command_jobs SET canary = 3 WHERE id = 1")
        #expect(try await status() == "queued 10 0 0 0 0 0 0 open")
        #expect(try await driver.claim().flatMap(\.request.instances.list).count == 3)
        #expect(try await status() == "running 10 0 0 0 0 0 0 open")
    }

    @Test(
        "stops starting chunks once more than max_errors instances failed",
        arguments: [("2", 2), ("'5%'", 2), ("0", 0)]
    )
    func maxErrors(_ budget: String, _ allowed: Int) async throws {
        var driver = driver
        _ = try await user.insertJob(instances(40), ["max_errors": budget, "max_concurrency": "1"])
        driver.chunkSize = 1
        for _ in 1...2 {
            for failures in 1...(allowed + 1) {
                let claims = try await driver.claim()
                try #require(claims.count == 1)
                try await driver.record(driver.refused(claims[0], code: "APIGW.0201", status: 413))
                let paused = failures > allowed
                #expect(try await status().hasPrefix(paused ? "paused" : "running"))
            }
            #expect(try await reason().hasPrefix("max_errors: \(allowed + 1) instances failed, more than"))
            // Whoever resumes it accepts the errors so far.
            try await user.user("UPDATE command_jobs SET state = 'running' WHERE id = 1")
        }
    }

    @Test("does not send a chunk again whose job has spent max_errors meanwhile")
    mutating func maxErrorsAndRetry() async throws {
        _ = try await user.insertJob(instances(2), ["max_errors": "0"])
        driver.chunkSize = 1
        let claims = try await driver.claim()
        try await driver.record(driver.refused(claims[0], code: "APIGW.0201", status: 413))
        try await driver.record(driver.refused(claims[1], code: "KOOPHONE.API.9999", status: 500))
        driver.now = driver.now + .seconds(100)
        #expect(try await driver.claim().isEmpty)
        #expect(try await status() == "paused 1 0 0 1 0 0 0 open")
    }

    @Test("counts max_errors anew when a job runs again, even if a user had resumed it")
    mutating func maxErrorsOfRerun() async throws {
        _ = try await user.insertJob(instances(4), ["max_errors": "0"])
        driver.chunkSize = 1
        let fail = { (driver: inout StoreDriver) in
            for claim in try await driver.claim() {
                try await driver.record(driver.refused(claim, code: "APIGW.0201", status: 413))
            }
        }
        try await fail(&driver)
        #expect(try await status() == "failed 0 0 0 4 0 0 0 ended")
        try await user.user("UPDATE command_jobs SET state = 'queued' WHERE id = 1")
        try await user.endSlowStarts()
        try await user.user("UPDATE command_jobs SET state = 'paused' WHERE id = 1")
        try await user.user("UPDATE command_jobs SET state = 'running', max_concurrency = 1 WHERE id = 1")
        driver.chunkSize = 1
        try await fail(&driver)
        #expect(try await status() == "paused 3 0 0 1 0 0 0 open")
    }

    @Test("frees a unique_key when its job ends, and keeps a finished job from running again while the key is taken")
    func uniqueKey() async throws {
        _ = try await user.insertJob(["a"], ["unique_key": "'nightly'"])
        try await user.user("UPDATE command_jobs SET state = 'cancelled' WHERE id = 1")
        _ = try await user.insertJob(["a"], ["unique_key": "'nightly'"])
        let refusal = await #expect(throws: DatabaseError.self) {
            try await user.user("UPDATE command_jobs SET state = 'queued' WHERE id = 1")
            try await user.endSlowStarts()
        }
        #expect(refusal?.message == "unique_key: an unfinished job has this key")
    }

    @Test("keeps a unique_key taken until the last result of a cancelled job has come")
    mutating func uniqueKeyInFlight() async throws {
        _ = try await user.insertJob(["a", "b"], ["unique_key": "'nightly'"])
        let claim = try await driver.claim()[0]
        try await user.user("UPDATE command_jobs SET state = 'cancelled' WHERE id = 1")
        func isTaken() async throws -> Bool {
            do {
                _ = try await user.insertJob(["a"], ["unique_key": "'nightly'"])
                return false
            } catch let error as DatabaseError where error.message == "unique_key: an unfinished job has this key" {
                return true
            }
        }
        #expect(try await isTaken())
        try await driver.record(driver.accepted(claim))
        #expect(try await isTaken())
        try await driver.pollAll(user)
        #expect(try await user.row("SELECT state, finished_at IS NULL FROM command_jobs") == ["cancelled", "0"])
        #expect(try await !isTaken())
    }

    @Test(
        "takes any text that can be seen as a unique_key",
        arguments: ["nightly", "Düsseldorf, nachts", "夜間 1", "a_b-c.d/e:f", "🚀", "x y"]
    )
    func visibleKey(_ key: String) async throws {
        _ = try await user.insertJob(["a"], ["unique_key": "'\(key)'"])
    }

    @Test("copies new priorities to where claims are ordered, and obeys them")
    mutating func priority() async throws {
        for name in ["a", "b", "c"] { _ = try await user.insertJob([name]) }
        try await user.user("UPDATE command_jobs SET priority = 9, max_concurrency = 4 WHERE id = 3")
        #expect(try await user.row("SELECT priority FROM job_progress WHERE command_job_id = 3") == ["9"])
        #expect(try await driver.claim(1).map(\.job.rawValue) == [3])
    }
}
