import GRDB
import KoobatchCore
import KoobatchStore
import TestSupport
import Testing

@Suite("Submission", .database)
struct SubmissionTests {
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

    private func insert(_ count: Int, _ columns: KeyValuePairs<String, String> = [:]) async throws {
        _ = try await user.insertJob(instances(count), columns)
    }

    @Test("stores the task and every job id together")
    mutating func mapping() async throws {
        let strange = ["a/b", "[c]", "it's", "{}"]
        _ = try await user.insertJob(strange)
        let claim = try await driver.claim()[0]
        #expect(try await driver.record(driver.accepted(claim)) == [.accept])
        let rows = try await user.rows("SELECT task_id, instance_id, job_id FROM task_map")
        #expect(rows == strange.map { ["task-1", $0, "job-1-\($0)"] })
        #expect(try await user.row("SELECT outcome, http_status FROM attempts") == ["accepted", "200"])
        let chunk = try await user.row("SELECT state, task_id, submitted, next_poll_at, result_deadline_at FROM chunks")
        #expect(
            chunk == [
                "submitted", "task-1", "4", "\(Timestamp.start + .seconds(1))", "\(Timestamp.start + .seconds(600))",
            ]
        )
    }

    @Test("makes instances unknown that the answer leaves out", arguments: [["i0"], ["i0", "i1", "i2"]])
    func missing(_ missing: [String]) async throws {
        var driver = driver
        try await insert(3)
        let claim = try await driver.claim()[0]
        try await driver.record(driver.accepted(claim, leavingOut: Set(missing)))
        let rows = try await user.rows(
            "SELECT instance_id FROM instance_status WHERE error_code = 'koobatch.not_mapped'"
        )
        #expect(rows.map { $0[0] } == missing)
        try await driver.pollAll(user)
        let row = try await user.row("SELECT state, succeeded, unknown FROM job_status")
        #expect(row == [missing.count == 3 ? "failed" : "partial", "\(3 - missing.count)", "\(missing.count)"])
    }

    @Test("changes nothing for a late or repeated answer, and says so")
    mutating func repeated() async throws {
        try await insert(32)
        let claim = try await driver.claim()[0]
        try await driver.record(driver.accepted(claim))
        let shell = try TestDatabase.current().shell
        let before = try shell.dump()
        #expect(
            try await driver.record(driver.accepted(claim), driver.refused(claim), driver.lost(claim)) == [
                nil, nil, nil,
            ]
        )
        #expect(try shell.dump() == before)
    }

    @Test("does not let an answer to an earlier attempt settle a later one")
    mutating func earlierAttempt() async throws {
        try await insert(32)
        let first = try await driver.claim()[0]
        _ = try await driver.store.recover(
            rules: driver.rules,
            at: driver.now,
            generator: SystemRandomNumberGenerator()
        )
        let second = try await driver.claim()[0]
        #expect(first.chunk == second.chunk)
        #expect(try await driver.record(driver.accepted(first), driver.accepted(second)) == [nil, .accept])
        #expect(try await user.row("SELECT task_id FROM chunks") == ["task-2"])
        #expect(try await user.rows("SELECT outcome FROM attempts") == [["unknown"], ["accepted"]])
    }

    @Test("bisects a refused chunk until the instance that is refused is alone, and no other fails")
    mutating func split() async throws {
        try await insert(32)
        for _ in 0..<10 {
            let answers = try await driver.claim().map { claim in
                claim.request.instances.list.contains("i13") ? driver.refused(claim) : driver.accepted(claim)
            }
            _ = try await driver.turn(answers)
            #expect(try await Audit.complaints(user).isEmpty)
        }
        try await driver.pollAll(user)
        let row = try await user.row("SELECT state, succeeded, rejected FROM job_status")
        #expect(row == ["partial", "31", "1"])
        #expect(try await user.row("SELECT instance_id FROM instance_status WHERE state = 'rejected'") == ["i13"])
        #expect(try await user.row("SELECT count(*) FROM chunks WHERE split_from IS NOT NULL") == ["10"])
    }

    @Test(
        "does not charge attempts for throttling and refused credentials",
        arguments: [ServiceFailure.Outcome.throttled, .unauthenticated]
    )
    func uncharged(_ outcome: ServiceFailure.Outcome) async throws {
        var driver = driver
        try await insert(1, ["max_attempts": "1"])
        for _ in 0..<5 {
            let claim = try await driver.claim()[0]
            try await driver.record(
                driver.failed(claim, ServiceFailure(outcome, httpStatus: 429, errorCode: "T", message: "m"))
            )
            #expect(try await user.row("SELECT state, attempts, error_code FROM chunks") == ["pending", "0", "T"])
            driver.now = driver.now + .seconds(100)
        }
        #expect(try await user.row("SELECT count(*) FROM attempts") == ["5"])
    }

    @Test("fails a chunk that ran out of attempts, with the last error")
    mutating func exhausted() async throws {
        try await insert(2, ["max_attempts": "2"])
        for _ in 0..<2 {
            let claim = try await driver.claim()[0]
            try await driver.record(driver.lost(claim))
            driver.now = driver.now + .seconds(100)
        }
        #expect(try await user.row("SELECT state, failed FROM job_status") == ["failed", "2"])
        let rows = try await user.rows("SELECT DISTINCT state, error_code, error_msg FROM instance_status")
        #expect(rows == [["failed", ServiceFailure.Code.timeout, "no answer"]])
    }

    @Test("counts no attempt that never reached the API, and probes with another chunk where there is one")
    mutating func neverSent() async throws {
        try await insert(64, ["max_attempts": "1"])
        let first = try await driver.turn(places: 1).claims
        let notSent = ServiceFailure(.notSent, errorCode: "koobatch.connect", message: "m")
        try await driver.record(driver.failed(first[0], notSent))
        #expect(try await user.row("SELECT state, attempts FROM chunks") == ["pending", "0"])
        driver.now = driver.now + .seconds(100)
        let probe = try await driver.store.submissionBatch(
            answers: [],
            places: 1,
            isProbe: true,
            chunkSize: 32,
            rules: driver.rules,
            at: driver.now,
            generator: SystemRandomNumberGenerator()
        ).claims
        #expect(probe.map(\.chunk.rawValue) == [2])
        #expect(try await driver.turn(places: 1).claims.map(\.chunk) == first.map(\.chunk))
    }

    @Test("says when the next attempt is due, and does not send before")
    mutating func backoff() async throws {
        try await insert(32)
        let failure = ServiceFailure(.throttled, errorCode: "T", message: "m", retryAfter: .seconds(20))
        let answer = driver.failed(try await driver.claim()[0], failure)
        let turn = try await driver.turn([answer], places: 9)
        #expect(turn.claims.isEmpty)
        #expect(turn.nextDue == .start + .seconds(20))
        driver.now = .start + .seconds(20)
        #expect(try await driver.claim().count == 1)
    }

    @Test("follows an edited error policy at once")
    mutating func editedPolicy() async throws {
        try await insert(32)
        try await user.user("UPDATE error_policies SET action = 'fail' WHERE code = 'KOOPHONE.API.1000'")
        #expect(try await driver.record(driver.refused(try await driver.claim()[0])) == [.fail(instances: .failed)])
    }

    // MARK: Recovery

    @Test(
        "settles what an earlier daemon left in flight by on_unknown",
        arguments: [
            ("retry", "pending", "running 32 0"), ("hold", "unknown", "running 0 32"),
            ("fail", "failed", "failed 0 32"),
        ]
    )
    func recover(_ onUnknown: String, _ state: String, _ status: String) async throws {
        var driver = driver
        try await insert(32, ["on_unknown": "'\(onUnknown)'"])
        _ = try await driver.claim()
        let another = StoreDriver(try TestDatabase.current().store())
        let count = try await another.store.recover(
            rules: another.rules,
            at: another.now,
            generator: SystemRandomNumberGenerator()
        )
        #expect(count == 1)
        #expect(try await user.row("SELECT state FROM chunks") == [state])
        #expect(try await user.row("SELECT outcome, error_code FROM attempts") == ["unknown", "koobatch.interrupted"])
        let row = try await user.row("SELECT state, pending, unknown FROM job_status")
        #expect(row.compactMap(\.self).joined(separator: " ") == status)
        #expect(try await driver.claim().count == (onUnknown == "retry" ? 1 : 0))
    }
}
