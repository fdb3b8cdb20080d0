import GRDB
import KoobatchCore
import KoobatchStore
import Testing

@Suite("Claims", .database)
struct ClaimTests {
    private var driver: StoreDriver
    private let user: DatabaseQueue

    init() throws {
        let database = try TestDatabase.current()
        driver = try StoreDriver(database)
        user = try database.observer()
    }

    /// 2100-01-01.
    private static let later = Timestamp(millisecondsSinceEpoch: 4_102_444_800_000)

    private func instances(_ count: Int) -> [String] {
        (0..<count).map { "i\($0)" }
    }

    private func insert(_ count: Int, _ columns: KeyValuePairs<String, String> = [:]) async throws {
        _ = try await user.insertJob(instances(count), columns)
    }

    @Test("asks for fresh connections where nothing may be sent twice", arguments: ["retry", "hold", "fail"])
    mutating func freshConnections(onUnknown: String) async throws {
        try await insert(1, ["on_unknown": "'\(onUnknown)'"])
        let claims = try await driver.claim()
        #expect(claims.map(\.request.needsFreshConnection) == [onUnknown != "retry"])
    }

    @Test("has the intent of every claim in the database before it is returned")
    mutating func durableIntent() async throws {
        try await insert(64)
        let claims = try await driver.claim()
        try #require(claims.count == 2)
        let rows = try await user.rows(
            """
            SELECT a.id, a.chunk_id, a.request_id, a.started_at, a.outcome, c.state, c.attempts, c.next_attempt_at
              FROM attempts AS a JOIN chunks AS c ON c.id = a.chunk_id
             ORDER BY a.id
            """
        )
        #expect(
            rows
                == claims.map { claim in
                    [
                        "\(claim.attempt.rawValue)", "\(claim.chunk.rawValue)", claim.request.requestID.rawValue,
                        "\(Timestamp.start)", nil, "submitting", "1", nil,
                    ]
                }
        )
        #expect(Set(claims.map(\.request.requestID)).count == 2)
        #expect(claims.allSatisfy { $0.request.command == "id" && $0.request.requestID.rawValue.count == 32 })
    }

    @Test("claims no chunk twice and none beyond the places")
    mutating func once() async throws {
        try await insert(96)
        #expect(try await driver.claim(2).map(\.chunk.rawValue) == [1, 2])
        #expect(try await driver.claim(2).map(\.chunk.rawValue) == [3])
        #expect(try await driver.claim(2).isEmpty)
        #expect(try await driver.claim(0).isEmpty)
    }

    @Test("serves higher priorities first and passes on what they leave")
    mutating func priorities() async throws {
        try await insert(96)
        try await insert(64, ["priority": "2"])
        try await insert(32, ["priority": "-1"])
        #expect(try await driver.claim(1).map(\.job.rawValue) == [2])
        #expect(try await driver.claim(5).map(\.job.rawValue) == [2, 1, 1, 1, 3])
    }

    @Test("shares places evenly among jobs of one priority, the least recently served first")
    mutating func fairness() async throws {
        for _ in 0..<3 { try await insert(320) }
        #expect(try await driver.claim(6).map(\.job.rawValue).sorted() == [1, 1, 2, 2, 3, 3])
        #expect(try await driver.claim(1).map(\.job.rawValue) == [1])
        #expect(try await driver.claim(1).map(\.job.rawValue) == [2])
        #expect(try await driver.claim(2).map(\.job.rawValue) == [3, 1])
        try await insert(32)
        #expect(try await driver.claim(1).map(\.job.rawValue) == [4])
    }

    @Test("keeps max_concurrency chunks of a job in flight, results included")
    mutating func maxConcurrency() async throws {
        try await insert(128, ["max_concurrency": "2"])
        let claims = try await driver.claim()
        #expect(claims.count == 2)
        try await driver.record(driver.accepted(claims[0]))
        #expect(try await driver.claim().isEmpty)
        try await driver.pollAll(user)
        #expect(try await driver.claim().count == 1)
        try await user.user("UPDATE command_jobs SET max_concurrency = 3")
        #expect(try await driver.claim().count == 1)
    }

    @Test("sends nothing before run_at, even if it was put off while the job ran, and says when that is")
    mutating func runAt() async throws {
        try await insert(64)
        _ = try await driver.claim(1)
        // Ahead of SQLite's clock, too.
        driver.now = Self.later
        try await user.user("UPDATE command_jobs SET run_at = '2100-01-01T01:00'")
        let turn = try await driver.turn(places: 9)
        #expect(turn.claims.isEmpty)
        #expect(turn.nextDue == Self.later + .seconds(3_600))
        #expect(try await driver.store.nextSubmission(at: driver.now) == Self.later + .seconds(3_600))
        driver.now = Self.later + .seconds(3_600)
        #expect(try await driver.store.nextSubmission(at: driver.now) == driver.now)
        #expect(try await driver.claim().count == 1)
    }

    @Test("sends nothing from expires_at on; what is in flight is recorded")
    mutating func expiresAt() async throws {
        try await insert(64, ["expires_at": "'2020-01-01T01:00'"])
        let claims = try await driver.claim(1)
        driver.now = .start + .seconds(3_600)
        #expect(try await driver.claim().isEmpty)
        let (expired, next) = try await driver.store.expire(at: driver.now)
        #expect(expired.map(\.rawValue) == [1])
        #expect(next == nil)
        try await driver.record(driver.accepted(claims[0]))
        try await driver.pollAll(user)
        let row = try await user.row("SELECT state, succeeded, cancelled, finished_at IS NULL FROM job_status")
        #expect(row == ["expired", "32", "32", "0"])
        #expect(try await driver.store.expire(at: driver.now).expired.isEmpty)
    }

    @Test("does not expire a job that is wholly submitted, and says when the next one may")
    mutating func notExpired() async throws {
        try await insert(2, ["expires_at": "'2020-01-01T01:00'"])
        try await insert(2, ["expires_at": "'2020-01-01T02:00'"])
        #expect(try await driver.store.expire(at: .start).next == .start + .seconds(3_600))
        try await driver.submitAll()
        let (expired, next) = try await driver.store.expire(at: .start + .seconds(3_600))
        #expect(expired.isEmpty)
        #expect(next == .start + .seconds(7_200))
    }

    @Test(
        "reads a long list once, cuts it in order, and comes to its end",
        arguments: [1, 31, 1_999, 2_000, 2_001, 5_000]
    )
    mutating func longLists(_ count: Int) async throws {
        try await insert(count)
        var sent: [String] = []
        while case let claims = try await driver.claim(7), !claims.isEmpty {
            sent += claims.flatMap(\.request.instances.list)
            _ = try await driver.turn(claims.map { driver.accepted($0) })
        }
        #expect(sent == instances(count))
    }

    @Test("goes on where it was after a restart in the middle of a list")
    mutating func restart() async throws {
        try await insert(5_000)
        var sent = try await driver.claim(3).flatMap(\.request.instances.list)
        var another = StoreDriver(try TestDatabase.current().store())
        while case let claims = try await another.claim(), !claims.isEmpty {
            sent += claims.flatMap(\.request.instances.list)
            _ = try await another.turn(claims.map { another.accepted($0) })
        }
        #expect(sent == instances(5_000))
    }
}
