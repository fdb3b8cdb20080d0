import GRDB
import KoobatchCore
import KoobatchStore
import TestSupport
import Testing

/// A command that the API refuses fails its job after one chunk's worth of requests.
@Suite("A refused command", .database)
struct TrialTests {
    private var driver: StoreDriver
    private let user: DatabaseQueue

    init() throws {
        let database = try TestDatabase.current()
        driver = try StoreDriver(database)
        user = try database.observer()
    }

    private func instances(_ count: Int) -> [String] { (0..<count).map { "i\($0)" } }

    /// Answers requests until nothing is claimed any more; returns how many there were.
    private mutating func run(
        places: Int = 32,
        _ isRefused: (ClaimedChunk) -> String?
    ) async throws -> (requests: Int, mostBeforeAcceptance: Int) {
        var requests = 0
        var most = 0
        while case let claims = try await driver.claim(places), !claims.isEmpty {
            if requests == 0 { most = claims.count }
            var open = claims
            // Answers come one by one, and each turn claims for the place that it frees.
            while let claim = open.popLast() {
                requests += 1
                let answer = isRefused(claim).map { driver.refused(claim, code: $0) } ?? driver.accepted(claim)
                open += try await driver.turn([answer], places: places - open.count).claims
            }
            while try await driver.store.rejectRefused(at: driver.now, chunks: 256) {}
            driver.now = driver.now + .milliseconds(1)
        }
        return (requests, most)
    }

    @Test("costs at most 70 requests, whatever may be in flight", arguments: [1, 2, 5, 32, 200])
    mutating func refused(_ places: Int) async throws {
        _ = try await user.insertJob(instances(10_000), onTrial: true)
        try await driver.plan()
        let (requests, first) = try await run(places: places) { _ in "KOOPHONE.API.1000" }
        #expect(requests <= 70)
        #expect(first <= CommandTrial.chunksBeforeAcceptance)
        #expect(try await user.row("SELECT state, rejected, pending FROM job_status") == ["failed", "10000", "0"])
        #expect(
            try await user.rows("SELECT state, error_code, count(*) FROM instance_status GROUP BY 1, 2")
                == [["rejected", "KOOPHONE.API.1000", "10000"]]
        )
        let reason = try await user.row("SELECT state_reason FROM job_status")
        #expect(reason == ["refused: the API refuses the command, whatever the instance: KOOPHONE.API.1000 no"])
    }

    @Test("is not concluded from a first chunk that is bad through and through", arguments: [1, 4])
    mutating func firstChunks(_ bad: Int) async throws {
        _ = try await user.insertJob(instances(3_200), onTrial: true)
        try await driver.plan()
        let guilty = Set(instances(32 * bad))
        _ = try await run { $0.request.instanceIDs.contains(where: guilty.contains) ? "KOOPHONE.API.2004" : nil }
        #expect(
            try await user.row("SELECT state, rejected, submitted FROM job_status")
                == ["running", "\(32 * bad)", "\(3_200 - 32 * bad)"]
        )
    }

    @Test(
        "is not concluded from a list with a bad instance in every chunk",
        arguments: [1, 2, 32],
        ["KOOPHONE.API.2004", "KOOPHONE.API.1000"]
    )
    mutating func oneInEveryChunk(_ chunkSize: Int, _ code: String) async throws {
        _ = try await user.insertJob(instances(640), onTrial: true)
        try await driver.plan(chunkSize: chunkSize)
        let guilty = Set(instances(640).enumerated().filter { $0.offset < 32 || $0.offset % 32 == 5 }.map(\.element))
        _ = try await run { $0.request.instanceIDs.contains(where: guilty.contains) ? code : nil }
        #expect(
            try await user.row("SELECT rejected, submitted, pending FROM job_status")
                == ["\(guilty.count)", "\(640 - guilty.count)", "0"]
        )
        #expect(try await Audit.complaints(user).isEmpty)
    }

    @Test("is concluded where chunks have one instance, too")
    mutating func singleInstances() async throws {
        _ = try await user.insertJob(instances(1_000), onTrial: true)
        try await driver.plan(chunkSize: 1)
        let (requests, _) = try await run { _ in "KOOPHONE.API.1000" }
        #expect(requests <= 70)
        #expect(try await user.row("SELECT state, rejected FROM job_status") == ["failed", "1000"])
    }

    @Test("is not concluded from refusals that differ")
    mutating func differs() async throws {
        _ = try await user.insertJob(instances(640), onTrial: true)
        try await driver.plan()
        let (requests, _) = try await run {
            $0.request.instanceIDs.contains("i3") ? "KOOPHONE.API.2004" : "KOOPHONE.API.1000"
        }
        // Four of the chunks were asked for a sample, and were then one instance smaller.
        #expect(requests == 20 * 63 - 4)
        #expect(try await user.row("SELECT state, rejected FROM job_status") == ["failed", "640"])
        #expect(try await user.row("SELECT trial FROM job_progress") == ["passed"])
    }

    @Test("is concluded of a job of one chunk without a word too many")
    mutating func oneChunk() async throws {
        _ = try await user.insertJob(instances(32), onTrial: true)
        try await driver.plan()
        let (requests, _) = try await run { _ in "KOOPHONE.API.1000" }
        #expect(requests == 63)
        #expect(try await user.row("SELECT state, rejected FROM job_status") == ["failed", "32"])
        #expect(try await Audit.complaints(user).isEmpty)
    }

    @Test("is left to the canary where there is one")
    mutating func canary() async throws {
        _ = try await user.insertJob(instances(640), ["canary": "8"], onTrial: true)
        try await driver.plan()
        _ = try await run { _ in "KOOPHONE.API.1000" }
        #expect(try await user.row("SELECT state, rejected, pending FROM job_status") == ["paused", "8", "632"])
    }

    @Test("does not pause for max_errors once it is known")
    mutating func maxErrors() async throws {
        _ = try await user.insertJob(instances(10_000), ["max_errors": "'50'"], onTrial: true)
        try await driver.plan()
        _ = try await run { _ in "KOOPHONE.API.1000" }
        #expect(try await user.row("SELECT state, rejected FROM job_status") == ["failed", "10000"])
    }

    @Test("rejects also what is not in chunks yet, and runs again from the start when asked")
    mutating func again() async throws {
        _ = try await user.insertJob(instances(20_000), onTrial: true)
        let first = try await driver.store.jobsToPlan(at: driver.now, instances: 1_000_000, known: nil)[0]
        let slice = Chunking.chunks(of: try first.parseInstanceIDs().prefix(3_200), size: 32).map(Array.init)
        _ = try await driver.store.plan([PlannedSlice(job: first.id, plannedBefore: 0, chunks: slice)], at: driver.now)
        _ = try await run { _ in "KOOPHONE.API.1000" }
        #expect(try await user.row("SELECT state, rejected, pending FROM job_status") == ["running", "3200", "16800"])
        try await driver.plan()
        while try await driver.store.rejectRefused(at: driver.now, chunks: 256) {}
        #expect(try await user.row("SELECT state, rejected FROM job_status") == ["failed", "20000"])

        try await user.user("UPDATE command_jobs SET state = 'queued'")
        #expect(try await user.row("SELECT trial FROM job_progress") == ["starting"])
        driver.now = driver.now + .seconds(1)
        try await driver.plan()
        let (requests, _) = try await run { _ in nil }
        #expect(requests == 625)
        try await driver.pollAll(user)
        #expect(try await user.row("SELECT state, state_reason FROM job_status") == ["succeeded", nil])
    }

    @Test("goes on after a crash in the middle")
    mutating func crash() async throws {
        _ = try await user.insertJob(instances(10_000), onTrial: true)
        try await driver.plan()
        var crashes = 0
        var requests = 0
        while case let claims = try await driver.claim(32), !claims.isEmpty {
            requests += claims.count
            if crashes < 3 {
                crashes += 1
                _ = try await driver.store.recover(
                    rules: driver.rules,
                    at: driver.now,
                    generator: SeededGenerator(seed: 1)
                )
            } else {
                _ = try await driver.turn(claims.map { driver.refused($0) })
            }
            while try await driver.store.rejectRefused(at: driver.now, chunks: 256) {}
            driver.now = driver.now + .milliseconds(1)
        }
        #expect(requests <= 70 + 3 * CommandTrial.chunksBeforeAcceptance)
        #expect(try await user.row("SELECT state, rejected FROM job_status") == ["failed", "10000"])
    }

    @Test("may not be claimed by hand")
    mutating func byHand() async throws {
        _ = try await user.insertJob(instances(64), onTrial: true)
        try await driver.plan()
        await #expect(throws: DatabaseError.self) {
            try await user.user(
                "UPDATE chunks SET state = 'failed', rejected = size, next_attempt_at = NULL WHERE id = 1"
            )
        }
        await #expect(throws: DatabaseError.self) {
            try await user.user("UPDATE chunks SET state = 'split', next_attempt_at = NULL WHERE id = 1")
        }
    }
}
