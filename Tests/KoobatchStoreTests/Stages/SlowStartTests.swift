import GRDB
import KoobatchCore
import KoobatchStore
import TestSupport
import Testing

/// Few chunks of a job are in flight until the API has accepted one, and a job that is refused altogether pauses.
@Suite("Slow start", .database)
struct SlowStartTests {
    private var driver: StoreDriver
    private let user: DatabaseQueue

    init() throws {
        let database = try TestDatabase.current()
        driver = try StoreDriver(database)
        user = try database.observer()
    }

    private func instances(_ count: Int) -> [String] { (0..<count).map { "i\($0)" } }

    private func insert(_ count: Int, _ columns: KeyValuePairs<String, String> = [:]) async throws {
        _ = try await user.insertJob(instances(count), columns, slowStart: true)
    }

    /// Answers requests one by one until nothing is claimed any more; each answer claims for the place that it frees.
    ///
    /// - Parameter isRefused: the code with which a request is refused; `nil` accepts it.
    /// - Returns: how many requests there were, and how many were out at once.
    @discardableResult
    private mutating func run(
        places: Int = 32,
        _ isRefused: (ClaimedChunk) -> String?
    ) async throws -> (requests: Int, most: Int) {
        var open = try await driver.claim(places)
        var (requests, most) = (0, open.count)
        while !open.isEmpty {
            let claim = open.removeFirst()
            requests += 1
            let answer = isRefused(claim).map { driver.refused(claim, code: $0) } ?? driver.accepted(claim)
            driver.now = driver.now + .milliseconds(1)
            open += try await driver.turn([answer], places: places - open.count).claims
            most = max(most, open.count)
        }
        return (requests, most)
    }

    /// State, then the counts of pending, submitted and rejected.
    private func status() async throws -> String {
        try await user.row("SELECT state, pending, submitted, rejected FROM job_status WHERE id = 1")
            .map { $0 ?? "" }.joined(separator: " ")
    }

    private func reason() async throws -> String {
        try await user.row("SELECT state_reason FROM job_status WHERE id = 1")[0] ?? ""
    }

    @Test("has at most 4 chunks of a job in flight until one is accepted", arguments: [1, 3, 4, 5, 32])
    mutating func fourAtOnce(_ places: Int) async throws {
        try await insert(3_200)
        let first = try await driver.claim(places)
        #expect(first.count == min(places, 4))
        #expect(try await driver.claim(places).count == max(0, 4 - places) - max(0, 4 - 2 * places))
        let all = first.count + max(0, 4 - places) - max(0, 4 - 2 * places)
        try await driver.record(driver.accepted(first[0]))
        #expect(try await driver.claim(200).count == 100 - all)
    }

    @Test("ends with an acceptance, not with a lost or a refused answer")
    mutating func others() async throws {
        try await insert(3_200)
        let claims = try await driver.claim()
        try await driver.record(driver.lost(claims[0]), driver.refused(claims[1], code: "APIGW.0201", status: 413))
        #expect(try await driver.claim().count == 2)
        try await driver.record(driver.accepted(claims[2]))
        #expect(try await driver.claim().count > 90)
    }

    @Test("is for each job by itself, and holds back no other")
    mutating func perJob() async throws {
        for _ in 0..<3 { try await insert(640) }
        let claims = try await driver.claim()
        #expect(Dictionary(grouping: claims, by: \.job.rawValue).mapValues(\.count) == [1: 4, 2: 4, 3: 4])
        try await driver.record(driver.accepted(claims[0]))
        let more = try await driver.claim()
        #expect(Set(more.map(\.job)) == [claims[0].job])
    }

    @Test("allows no more than max_concurrency does")
    mutating func concurrency() async throws {
        try await insert(640, ["max_concurrency": "2"])
        #expect(try await driver.claim().count == 2)
    }

    @Test("begins anew when a job runs again")
    mutating func again() async throws {
        try await insert(640)
        try await run { _ in nil }
        try await driver.pollAll(user) { _ in false }
        #expect(try await status() == "failed 0 0 0")
        try await user.user("UPDATE command_jobs SET state = 'queued'")
        #expect(try await driver.claim().count == 4)
    }

    @Test("outlasts the daemon")
    mutating func restart() async throws {
        try await insert(640)
        _ = try await driver.claim()
        driver = try StoreDriver(TestDatabase.current())
        _ = try await driver.store.recover(rules: driver.rules, at: driver.now, generator: SeededGenerator(seed: 1))
        #expect(try await driver.claim().count == 4)
    }

    // MARK: All refused

    @Test(
        "pauses a job after 64 refused requests with none accepted, whatever may be in flight",
        arguments: [1, 2, 5, 32, 200]
    )
    mutating func pause(_ places: Int) async throws {
        try await insert(10_000)
        let (requests, most) = try await run(places: places) { _ in "KOOPHONE.API.1000" }
        #expect((64...70).contains(requests))
        #expect(most <= 4)
        let row = try await user.row(
            "SELECT s.state, p.pause_cause, s.pending + s.rejected FROM job_status AS s JOIN job_progress AS p ON command_job_id = s.id"
        )
        #expect(row == ["paused", "refused", "10000"])
        #expect(try await reason().contains("KOOPHONE.API.1000 no"))
        #expect(try await reason().contains("all 6"))
        #expect(try await reason().contains("resume"))
    }

    @Test("rejects no instance that was not refused in a request of its own")
    mutating func neverUnsent() async throws {
        driver.chunkSize = 4
        try await insert(10_000)
        var alone: Set<String> = []
        try await run { claim in
            if claim.request.instances.list.count == 1 { alone.formUnion(claim.request.instances.list) }
            return "KOOPHONE.API.1000"
        }
        let rejected = try await user.rows("SELECT instance_id FROM instance_status WHERE state = 'rejected'")
        #expect(!alone.isEmpty)
        #expect(Set(rejected.compactMap { $0[0] }) == alone)
        let others = try await user.row(
            "SELECT count(*) FROM instance_status WHERE state NOT IN ('pending', 'rejected')"
        )
        #expect(others == ["0"])
    }

    @Test("goes on without this check when a user resumes it, to the last instance")
    mutating func resumed() async throws {
        try await insert(320)
        try await run { _ in "KOOPHONE.API.1000" }
        #expect(try await status().hasPrefix("paused"))
        #expect(try await driver.claim().isEmpty)
        try await user.user("UPDATE command_jobs SET state = 'running'")
        let (requests, _) = try await run { _ in "KOOPHONE.API.1000" }
        #expect(requests > 400)
        #expect(try await status() == "failed 0 0 320")
    }

    @Test("sends the good ones of a list that is mostly stale, once it is resumed")
    mutating func stale() async throws {
        try await insert(1_000)
        func isStale(_ claim: ClaimedChunk) -> String? {
            claim.request.instances.list.contains { Int($0.dropFirst()).map { $0 < 900 } ?? true }
                ? "KOOPHONE.API.1000" : nil
        }
        try await run(isStale)
        #expect(try await status().hasPrefix("paused"))
        #expect(try await Audit.complaints(user).isEmpty)
        try await user.user("UPDATE command_jobs SET state = 'running'")
        try await run(isStale)
        #expect(try await status() == "running 0 100 900")
    }

    @Test("does not pause a job of which something was accepted", arguments: [1, 32])
    mutating func accepted(_ chunkSize: Int) async throws {
        driver.chunkSize = chunkSize
        try await insert(640)
        // The first chunk is good.
        try await run { claim in
            claim.request.instances.list.contains("i0") && claim.request.instances.list.count == min(32, chunkSize)
                ? nil : "KOOPHONE.API.2004"
        }
        #expect(try await status() == "running 0 \(chunkSize) \(640 - chunkSize)")
    }

    @Test("does not pause a job that has nothing more to send")
    mutating func oneChunk() async throws {
        try await insert(32)
        let (requests, _) = try await run { _ in "KOOPHONE.API.1000" }
        #expect(requests == 63)
        #expect(try await status() == "failed 0 0 32")
    }

    @Test(
        "counts refusals alone: not what was lost, throttled, unauthenticated or never sent",
        arguments: [ServiceFailure.Outcome.unknown, .throttled, .unauthenticated, .notSent]
    )
    mutating func otherFailures(_ outcome: ServiceFailure.Outcome) async throws {
        driver.chunkSize = 1
        try await insert(640, ["max_attempts": "1000"])
        for _ in 0..<80 {
            for claim in try await driver.claim() {
                try await driver.record(driver.failed(claim, ServiceFailure(outcome, errorCode: "E", message: "m")))
            }
            driver.now = driver.now + .seconds(100)
        }
        #expect(try await status() == "running 640 0 0")
        #expect(try await user.row("SELECT refused_requests FROM job_progress") == ["0"])
    }

    @Test("leaves a canary's failure to the canary, and max_errors to max_errors")
    mutating func otherPauses() async throws {
        try await insert(640, ["canary": "8"])
        try await run { _ in "KOOPHONE.API.1000" }
        #expect(try await user.row("SELECT pause_cause FROM job_progress WHERE command_job_id = 1") == ["canary"])
        #expect(try await status() == "paused 632 0 8")
        driver.chunkSize = 1
        try await insert(10_000, ["max_errors": "5"])
        try await run { _ in "KOOPHONE.API.1000" }
        #expect(try await user.row("SELECT pause_cause FROM job_progress WHERE command_job_id = 2") == ["max_errors"])
    }

    @Test("counts anew when the job runs again after it was cancelled")
    mutating func countsAnew() async throws {
        try await insert(10_000)
        try await run { _ in "KOOPHONE.API.1000" }
        try await user.user("UPDATE command_jobs SET state = 'cancelled'")
        try await user.user("UPDATE command_jobs SET state = 'queued'")
        #expect(try await user.row("SELECT refused_requests, slow_start FROM job_progress") == ["0", "1"])
        driver.now = driver.now + .seconds(1)
        let (requests, _) = try await run { _ in "KOOPHONE.API.1000" }
        #expect((64...70).contains(requests))
        #expect(try await status().hasPrefix("paused"))
    }

    @Test("goes on counting after a crash in the middle")
    mutating func crash() async throws {
        try await insert(10_000)
        var requests = 0
        for crash in 0..<200 {
            driver.now = driver.now + .seconds(100)
            let claims = try await driver.claim()
            if claims.isEmpty { break }
            requests += claims.count
            if crash % 10 == 5 {
                _ = try await driver.store.recover(
                    rules: driver.rules,
                    at: driver.now,
                    generator: SeededGenerator(seed: 1)
                )
            } else {
                _ = try await driver.turn(claims.map { driver.refused($0) })
            }
        }
        #expect(try await status().hasPrefix("paused"))
        #expect((64...80).contains(requests))
    }
}
