import GRDB
import KoobatchCore
import TestSupport
import Testing

@testable import KoobatchStore

/// Times that a clock wrote which was ahead; the tests' own clock starts in 2020.
@Suite("Due times", .database)
struct DueTimesTests {
    private static let year = Duration.seconds(366 * 86_400)

    private var driver: StoreDriver
    private let user: DatabaseQueue
    private let schedule: PollSchedule

    init() throws {
        let database = try TestDatabase.current()
        driver = try StoreDriver(database)
        user = try database.observer()
        schedule = try #require(StoreDriver.rules.polling)
    }

    private func bound() async throws -> Bool {
        try await driver.store.boundDueTimes(by: driver.rules, at: driver.now)
    }

    @Test("of an attempt are due at once when they are further off than retry.max_delay")
    mutating func attempt() async throws {
        _ = try await user.insertJob(["a", "b"])
        let claims = try await driver.claim()
        driver.now = .start + Self.year
        try await driver.record(driver.lost(claims[0]))
        driver.now = .start
        #expect(try await driver.claim().isEmpty)
        #expect(try await bound())
        #expect(try await user.row("SELECT next_attempt_at FROM chunks") == ["\(Timestamp.start)"])
        #expect(try await driver.claim().count == 1)
        #expect(try await !bound())
    }

    @Test("of an attempt and of a look stay when their rule allows them")
    mutating func allowed() async throws {
        _ = try await user.insertJob(["a"])
        _ = try await user.insertJob(["b"])
        let claims = try await driver.claim()
        try await driver.record(driver.lost(claims[0]), driver.accepted(claims[1]))
        let longest = schedule.longestDelay
        try await user.user(
            "UPDATE chunks SET next_attempt_at = '\(Timestamp.start + .seconds(60))' WHERE state = 'pending'"
        )
        try await user.user(
            "UPDATE chunks SET next_poll_at = '\(Timestamp.start + longest)' WHERE state = 'submitted'"
        )
        #expect(try await !bound())
    }

    @Test("of a look are due at once when they are further off than the longest delay")
    mutating func poll() async throws {
        _ = try await user.insertJob(["a"])
        driver.now = .start + Self.year
        try await driver.submitAll()
        driver.now = .start
        #expect(try await bound())
        #expect(try await driver.store.duePolls(at: driver.now, places: 9, busy: []).due.count == 1)
    }

    @Test("of a late look are due at once when they are further off than twice the wait for the result")
    mutating func late() async throws {
        _ = try await user.insertJob(["a"])
        _ = try await user.insertJob(["b"], ["result_timeout": "100000"])
        try await driver.submitAll()
        for (chunk, second) in [(1, 600), (2, 100_000)] {
            driver.now = .start + .seconds(second)
            let poll = DuePoll(
                chunk: ChunkID(rawValue: Int64(chunk)),
                job: CommandJobID(rawValue: Int64(chunk)),
                taskID: "task-\(chunk)"
            )
            let answer = try await driver.report(poll, user) { _ in nil }
            _ = try await driver.store.record([answer], schedule: schedule, at: driver.now)
        }
        try await user.user(
            "UPDATE chunks SET next_poll_at = '\(driver.now + .seconds(50_000))' WHERE state = 'finished'"
        )
        #expect(try await bound())
        let due = try await driver.store.duePolls(at: driver.now, places: 9, busy: []).due
        #expect(due.map(\.chunk.rawValue) == [1])
        #expect(try await !bound())
    }

    @Test("of a pause go when it is longer than one can be")
    func pause() async throws {
        try await user.user("UPDATE daemon_state SET paused_until = '\(Timestamp.start + Self.year)'")
        #expect(try await bound())
        #expect(try await user.row("SELECT paused_until FROM daemon") == [nil])
    }

    @Test("of a job are due at once when nobody gave them, and stay when somebody did")
    mutating func runAt() async throws {
        // SQLite's clock is ahead of the tests' clock.
        try await user.user(
            """
            INSERT INTO command_jobs (command, instance_ids) VALUES ('id', '["a"]')
            """
        )
        _ = try await user.insertJob(["b"], ["run_at": "'2020-01-01 01:00'"])
        _ = try await user.insertJob(["c"], ["run_at": "'2021-01-01'"])
        #expect(try await driver.claim().isEmpty)
        try await driver.store.boundDefaultRunTimes(at: driver.now)
        #expect(try await driver.claim().map(\.job.rawValue) == [1])
        #expect(
            try await user.rows(
                "SELECT j.run_at = p.run_at FROM command_jobs AS j JOIN job_progress AS p ON p.command_job_id = j.id"
            )
                == [["1"], ["1"], ["1"]]
        )
    }

    @Test("of a result's end are no further off than the rule, and come")
    mutating func deadline() async throws {
        _ = try await user.insertJob(["a"])
        driver.now = .start + Self.year
        try await driver.submitAll()
        driver.now = .start
        _ = try await bound()
        let poll = try await driver.store.duePolls(at: driver.now, places: 9, busy: []).due[0]
        for second in [0, 10, 599] {
            driver.now = .start + .seconds(second)
            let answer = try await driver.report(poll, user) { _ in nil }
            _ = try await driver.store.record([answer], schedule: schedule, at: driver.now)
            #expect(
                try await user.row("SELECT state, result_deadline_at FROM chunks") == [
                    "submitted", "\(Timestamp.start + .seconds(600))",
                ]
            )
            let next = try await user.row("SELECT next_poll_at FROM chunks")[0].flatMap { Timestamp($0) }
            #expect(try #require(next) <= driver.now + schedule.maxDelay)
        }
        driver.now = .start + .seconds(600)
        let answer = try await driver.report(poll, user) { _ in nil }
        _ = try await driver.store.record([answer], schedule: schedule, at: driver.now)
        #expect(try await user.row("SELECT state, unknown FROM chunks") == ["finished", "1"])
        // Nothing was learned of how long results take.
        #expect(try await user.row("SELECT result_seconds FROM job_progress") == [nil])
    }

    @Test("of a result's end count only when the clock that shows them is trusted")
    mutating func leap() async throws {
        _ = try await user.insertJob(["a"])
        try await driver.submitAll()
        let poll = DuePoll(chunk: ChunkID(rawValue: 1), job: CommandJobID(rawValue: 1), taskID: "task-1")
        driver.now = .start + Self.year
        let trusted = Timestamp.start + .seconds(5)
        let answers = try await driver.store.classify([try await driver.report(poll, user) { _ in nil }])
        _ = try await driver.store.recordResults(answers, schedule: schedule, trusted: trusted, at: driver.now)
        #expect(try await user.row("SELECT state FROM chunks") == ["submitted"])
        let next = try await user.row("SELECT next_poll_at FROM chunks")[0].flatMap { Timestamp($0) }
        #expect(try #require(next) > driver.now)
        _ = try await driver.store.recordResults(answers, schedule: schedule, trusted: driver.now, at: driver.now)
        #expect(try await user.row("SELECT state FROM chunks") == ["finished"])
    }

    @Test("of the estimates of a job move on after the clock was set back, and nothing false is learned")
    mutating func eta() async throws {
        _ = try await user.insertJob(["a", "b", "c"])
        driver.chunkSize = 1
        driver.now = .start + Self.year
        try await driver.submitAll()
        driver.now = .start
        let poll = DuePoll(chunk: ChunkID(rawValue: 1), job: CommandJobID(rawValue: 1), taskID: "task-1")
        let answer = try await driver.report(poll, user) { _ in true }
        _ = try await driver.store.record([answer], schedule: schedule, at: driver.now)
        #expect(
            try await user.row("SELECT since_at, mark_at, result_seconds FROM job_progress") == [
                "\(Timestamp.start)", "\(Timestamp.start)", nil,
            ]
        )
    }

    @Test(
        "of a heartbeat tell that a daemon runs only when they are near, before or after",
        arguments: [
            ("-31 seconds", "0"), ("-29 seconds", "1"), ("29 seconds", "1"), ("31 seconds", "0"), ("1 year", "0"),
        ]
    )
    func running(_ shift: String, _ running: String) throws {
        let rows = try TestDatabase.current().shell.rows(
            """
            UPDATE daemon_state SET pid = 1, heartbeat_at = strftime('%Y-%m-%dT%H:%M:%fZ', 'now', '\(shift)');
            SELECT running, (SELECT count(*) FROM why WHERE blocker = 'daemon') FROM daemon;
            """
        )
        #expect(rows == [[running, "0"]])
    }

    @Test("that a doubted clock shows are why a job neither expires nor runs")
    func why() throws {
        let format = "strftime('%Y-%m-%dT%H:%M:%fZ', 'now'"
        let rows = try TestDatabase.current().shell.rows(
            """
            UPDATE daemon_state
               SET pid = 1, heartbeat_at = \(format)), trusted_at = \(format), '-1 day');
            INSERT INTO command_jobs (command, instance_ids, expires_at) VALUES ('id', '["a"]', \(format), '1 day'));
            INSERT INTO command_jobs (command, instance_ids, expires_at) VALUES ('id', '["b"]', \(format), '1 day'));
            \(Stages.daemon("UPDATE command_jobs SET expires_at = \(format), '-1 hour') WHERE id = 1; UPDATE job_progress SET expires_at = \(format), '-1 hour') WHERE command_job_id = 1;"))
            SELECT command_job_id, blocker, explanation FROM why ORDER BY 1;
            """
        )
        #expect(
            rows == [
                [
                    "1", "clock",
                    "the system clock jumped forward, beyond expires_at; it is classified when the clock has proved right",
                ],
                ["2", "queued", "queued: all request slots are in use"],
            ]
        )
    }
}
