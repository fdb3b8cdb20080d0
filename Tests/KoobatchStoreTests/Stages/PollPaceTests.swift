import GRDB
import KoobatchCore
import KoobatchStore
import Testing

/// When results are asked for, and what becomes of those that come late.
@Suite("The pace of results", .database)
struct PollPaceTests {
    private var driver: StoreDriver
    private let user: DatabaseQueue
    private let schedule: PollSchedule

    init() throws {
        let database = try TestDatabase.current()
        driver = try StoreDriver(database)
        user = try database.observer()
        schedule = try #require(StoreDriver.rules.polling)
    }

    private mutating func submit(_ count: Int, _ columns: KeyValuePairs<String, String> = [:]) async throws {
        _ = try await user.insertJob((0..<count).map { "i\($0)" }, columns, slowStart: true)
        try await driver.submitAll()
    }

    /// Looks at every task that is due at the time, and returns how many there were.
    @discardableResult
    private mutating func look(at seconds: Double, _ succeeded: @Sendable (String) -> Bool?) async throws -> Int {
        driver.now = .start + .seconds(seconds)
        let due = try await driver.store.duePolls(at: driver.now, places: 1_000, busy: []).due
        var answers: [PollAnswer] = []
        for poll in due { answers.append(try await driver.report(poll, user, succeeded)) }
        _ = try await driver.store.record(answers, schedule: schedule, at: driver.now)
        return due.count
    }

    private func firstLooks() async throws -> [[String?]] {
        try await user.rows("SELECT next_poll_at, count(*) FROM chunks WHERE polls = 0 GROUP BY 1 ORDER BY 1")
    }

    @Test("is found out by a few tasks, and the others are looked at once it is known")
    mutating func probeTasks() async throws {
        try await submit(32 * 100)
        #expect(
            try await firstLooks() == [
                ["\(Timestamp.start + .seconds(1))", "2"], ["\(Timestamp.start + .seconds(40))", "98"],
            ]
        )
        #expect(try await look(at: 1) { _ in nil } == 2)
        #expect(try await look(at: 2.5) { _ in true } == 2)
        // The look was due after 2 s, and was late; the other task's lowered that.
        let seconds = try await user.row("SELECT CAST(round(result_seconds, 3) AS TEXT) FROM job_progress")
        #expect(seconds == ["1.92"])
        #expect(try await firstLooks() == [["\(Timestamp.start + .seconds(2.5))", "98"]])
        #expect(try await look(at: 2.5) { _ in true } == 98)
        #expect(try await user.row("SELECT state FROM job_status") == ["succeeded"])
    }

    @Test("brings the others forward even where their first look is not far off")
    mutating func near() async throws {
        try await submit(32 * 3, ["result_timeout": "8"])
        #expect(try await look(at: 5) { _ in true } == 2)
        #expect(try await firstLooks() == [["\(Timestamp.start + .seconds(5))", "1"]])
    }

    @Test("times the first look at what is submitted later")
    mutating func later() async throws {
        try await submit(32)
        try await look(at: 1) { _ in nil }
        try await look(at: 5) { $0.hasSuffix("-i0") ? true : nil }
        #expect(try await user.row("SELECT CAST(result_seconds AS TEXT) FROM job_progress") == ["2.0"])
        // What did not succeed runs again, in the same job.
        try await user.user("UPDATE command_jobs SET result_timeout = 1")
        try await look(at: 601) { $0.hasSuffix("-i1") ? false : true }
        try await user.user("UPDATE command_jobs SET state = 'queued', result_timeout = NULL")
        try await driver.submitAll()
        let typical = try #require(
            try await user.row("SELECT CAST(result_seconds AS TEXT) FROM job_progress")[0].flatMap(Double.init)
        )
        #expect(try await firstLooks() == [["\(driver.now + .seconds(typical))", "1"]])
    }

    /// Seconds from now to the first looks at what is submitted next.
    private mutating func nextFirstLooks() async throws -> [Double] {
        try await driver.submitAll()
        return try await user.rows("SELECT next_poll_at FROM chunks WHERE polls = 0 AND next_poll_at IS NOT NULL").map {
            (try #require($0[0].flatMap { Timestamp($0) }) - driver.now).inSeconds
        }
    }

    @Test(
        "does not take the time that a daemon was away for a duration",
        arguments: [5, 100, 7_200, 3 * 86_400] as [Double]
    )
    mutating func away(seconds: Double) async throws {
        try await submit(32 * 12, ["max_concurrency": "4", "result_timeout": "1000000"])
        #expect(try await look(at: seconds) { _ in true } >= 2)
        // The tasks whose own first look is not due yet are brought forward.
        try await look(at: seconds + 0.5) { _ in true }
        let next = try await nextFirstLooks()
        #expect(next.count == 4)
        #expect(next.allSatisfy { $0 <= 1 }, "\(next)")
        #expect(try await Audit.complaints(user).isEmpty)
    }

    @Test("does not take the time of failing queries for a duration", arguments: [3, 20])
    mutating func failing(queries: Int) async throws {
        try await submit(32 * 12, ["max_concurrency": "2", "result_timeout": "1000000"])
        var now = 1.0
        for _ in 0..<queries {
            driver.now = .start + .seconds(now)
            let due = try await driver.store.duePolls(at: driver.now, places: 1_000, busy: []).due
            let failure = ServiceFailure(.notSent, errorCode: ServiceFailure.Code.connect, message: "no connection")
            _ = try await driver.store.record(
                due.map { PollAnswer(poll: $0, result: .failure(failure), finishedAt: driver.now) },
                schedule: schedule,
                at: driver.now
            )
            now += 60
        }
        try await look(at: now) { _ in true }
        var waits: [Double] = []
        for _ in 0..<5 {
            let next = try #require(try await nextFirstLooks().max())
            waits.append(next)
            now += next
            try await look(at: now) { _ in true }
        }
        #expect(waits.reduce(0, +) <= now / 2, "\(waits)")
        #expect(try #require(waits.last) <= 10, "\(waits)")
    }

    @Test(
        "does not take a machine that was suspended during a query for slow phones",
        arguments: [100, 3 * 86_400] as [Double]
    )
    mutating func suspended(seconds: Double) async throws {
        try await submit(32 * 8, ["max_concurrency": "2", "result_timeout": "1000000"])
        driver.now = .start + .seconds(1)
        let due = try await driver.store.duePolls(at: driver.now, places: 1_000, busy: []).due
        #expect(due.count == 2)
        driver.now = .start + .seconds(seconds)
        var answers: [PollAnswer] = []
        for poll in due { answers.append(try await driver.report(poll, user) { _ in true }) }
        _ = try await driver.store.record(answers, schedule: schedule, at: driver.now)
        let next = try await nextFirstLooks()
        #expect(next.count == 2)
        #expect(next.allSatisfy { $0 <= 1 }, "\(next)")
    }

    @Test("never makes a task wait beyond its deadline")
    mutating func deadline() async throws {
        try await submit(32 * 6, ["result_timeout": "4"])
        #expect(
            try await firstLooks() == [
                ["\(Timestamp.start + .seconds(1))", "2"], ["\(Timestamp.start + .seconds(4))", "4"],
            ]
        )
    }

    @Test("lets a result that comes late better the end of its job")
    mutating func late() async throws {
        try await submit(3, ["result_timeout": "8"])
        try await look(at: 1) { $0.hasSuffix("-i0") ? true : nil }
        try await look(at: 8) { _ in nil }
        #expect(try await user.row("SELECT state, succeeded, unknown FROM job_status") == ["partial", "1", "2"])
        let finished = try await user.row("SELECT finished_at FROM job_status")
        #expect(try await driver.store.duePolls(at: driver.now, places: 9, busy: []).next == .start + .seconds(12))

        #expect(try await look(at: 12) { $0.hasSuffix("-i1") ? false : nil } == 1)
        #expect(
            try await user.row("SELECT state, succeeded, failed, unknown FROM job_status") == [
                "partial", "1", "1", "1",
            ]
        )
        #expect(try await look(at: 18) { $0.hasSuffix("-i2") ? true : nil } == 1)
        #expect(
            try await user.row("SELECT state, succeeded, failed, unknown FROM job_status") == [
                "partial", "2", "1", "0",
            ]
        )
        #expect(try await user.row("SELECT finished_at FROM job_status") == finished)
        #expect(try await user.row("SELECT next_poll_at FROM chunks") == [nil])
        #expect(try await Audit.complaints(user).isEmpty)
    }

    @Test("makes a job succeed by the last of its results, however late", arguments: [1, 3])
    mutating func lateSuccess(_ count: Int) async throws {
        try await submit(count, ["result_timeout": "8"])
        try await look(at: 8) { _ in nil }
        #expect(try await user.row("SELECT state FROM job_status") == ["failed"])
        try await look(at: 12) { _ in true }
        #expect(
            try await user.row(
                "SELECT s.state, p.job_state, s.succeeded FROM job_status AS s JOIN job_progress AS p ON p.command_job_id = s.id"
            )
                == ["succeeded", "succeeded", "\(count)"]
        )
        #expect(try await Audit.complaints(user).isEmpty)
    }

    @Test("looks late a few times and then no more")
    mutating func noMore() async throws {
        try await submit(1, ["result_timeout": "8"])
        try await look(at: 8) { _ in nil }
        var looks: [Timestamp] = []
        while let next = try await driver.store.duePolls(at: driver.now, places: 9, busy: []).next {
            looks.append(next)
            try await look(at: (next - .start).inSeconds) { _ in nil }
        }
        #expect(looks.map { ($0 - .start).inSeconds } == [12, 18, 27])
    }

    @Test("leaves alone what has run again meanwhile")
    mutating func rerun() async throws {
        try await submit(2, ["result_timeout": "8"])
        try await look(at: 8) { _ in nil }
        try await user.user("UPDATE command_jobs SET state = 'queued'")
        try await driver.prepare()
        try await look(at: 12) { _ in true }
        #expect(try await user.row("SELECT state, pending, succeeded FROM job_status") == ["running", "2", "0"])
        #expect(try await Audit.complaints(user).isEmpty)
    }
}
