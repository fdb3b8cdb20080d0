import GRDB
import KoobatchCore
import KoobatchStore
import Testing

@Suite("Polling", .database)
struct PollingTests {
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
        _ = try await user.insertJob((0..<count).map { "i\($0)" }, columns)
        try await driver.submitAll()
    }

    private func due(_ places: Int = 100, busy: Set<ChunkID> = []) async throws -> [DuePoll] {
        try await driver.store.duePolls(at: driver.now, places: places, busy: busy).due
    }

    @Test("offers tasks that are due, longest due first, without those that are being asked for")
    mutating func due() async throws {
        try await submit(96)
        try await user.user("UPDATE chunks SET next_poll_at = '\(Timestamp.start + .seconds(1))'")
        #expect(try await due().isEmpty)
        #expect(try await driver.store.duePolls(at: driver.now, places: 9, busy: []).next == .start + .seconds(1))
        driver.now = .start + .seconds(1)
        try await user.user("UPDATE chunks SET next_poll_at = '2020-01-01T00:00:00.500Z' WHERE id = 3")
        #expect(try await due().map(\.chunk.rawValue) == [3, 1, 2])
        #expect(try await due(1).map(\.taskID) == ["task-3"])
        #expect(try await due(1, busy: [ChunkID(rawValue: 3)]).map(\.taskID) == ["task-1"])
        #expect(try await driver.store.duePolls(at: driver.now, places: 9, busy: []).next == nil)
    }

    @Test("records two answers about one task one after the other")
    mutating func twice() async throws {
        try await submit(36)
        driver.now = .start + .seconds(60)
        var answers: [PollAnswer] = []
        for poll in try await due() {
            answers.append(try await driver.report(poll, user) { $0.hasSuffix("0") ? true : nil })
            answers.append(try await driver.report(poll, user) { _ in true })
        }
        let ended = try await driver.store.record(answers, schedule: schedule, at: driver.now)
        #expect(ended == [4, 28, 0, 4])
        #expect(
            try await user.rows("SELECT state, polls, succeeded FROM chunks") == [
                ["finished", "2", "32"], ["finished", "2", "4"],
            ]
        )
        #expect(try await user.row("SELECT state, succeeded FROM job_status") == ["succeeded", "36"])
    }

    @Test("records results as they come, and finishes chunk and job with the last one")
    mutating func partial() async throws {
        try await submit(4)
        driver.now = .start + .seconds(1)
        let poll = try await due()[0]
        let first = try await driver.report(poll, user) {
            ["job-1-i0", "job-1-i1"].contains($0) ? $0.hasSuffix("0") : nil
        }
        #expect(try await driver.store.record([first], schedule: schedule, at: driver.now) == [2])
        #expect(
            try await user.row("SELECT state, submitted, succeeded, failed FROM job_status") == [
                "running", "2", "1", "1",
            ]
        )
        #expect(
            try await user.row("SELECT next_poll_at, polls FROM chunks") == [
                "\(Timestamp.start + .seconds(2))", "1",
            ]
        )
        let rows = try await user.rows(
            "SELECT state, error_code, output, finished_at IS NULL FROM instance_status WHERE state <> 'submitted'"
        )
        #expect(rows == [["succeeded", nil, "out", "0"], ["failed", "CPS0005", "out", "0"]])
        try await driver.pollAll(user)
        #expect(try await user.row("SELECT state, succeeded, failed FROM job_status") == ["partial", "3", "1"])
        #expect(try await user.row("SELECT state, next_poll_at FROM chunks") == ["finished", nil])
    }

    @Test("changes nothing for a report that comes after the end, and says so")
    mutating func late() async throws {
        try await submit(2)
        driver.now = .start + .seconds(1)
        let poll = try await due()[0]
        let report = try await driver.report(poll, user) { _ in true }
        let opposite = try await driver.report(poll, user) { _ in false }
        #expect(try await driver.store.record([report, opposite], schedule: schedule, at: driver.now) == [2, nil])
        #expect(try await user.row("SELECT state, succeeded FROM job_status") == ["succeeded", "2"])
    }

    @Test("does not count a result twice that two reports bring")
    mutating func overlapping() async throws {
        try await submit(2)
        driver.now = .start + .seconds(1)
        let report = try await driver.report(try await due()[0], user) { $0.hasSuffix("0") ? true : nil }
        #expect(try await driver.store.record([report, report], schedule: schedule, at: driver.now) == [1, 0])
        #expect(try await user.row("SELECT submitted, succeeded FROM job_status") == ["1", "1"])
    }

    @Test("ignores jobs that are not of the task")
    mutating func strangers() async throws {
        try await submit(1)
        driver.now = .start + .seconds(1)
        let report = TaskReport(results: ["job-9-i9": InstanceResult(succeeded: true)])
        let answer = PollAnswer(poll: try await due()[0], result: .success(report), finishedAt: driver.now)
        #expect(try await driver.store.record([answer], schedule: schedule, at: driver.now) == [0])
        #expect(try await user.row("SELECT submitted FROM job_status") == ["1"])
    }

    @Test(
        "gives up results at the result timeout of the job, else of the configuration",
        arguments: [("NULL", 600), ("30", 30), ("0.5", 1)]
    )
    func timeout(_ own: String, _ seconds: Int) async throws {
        var test = self
        try await test.submit(2, ["result_timeout": own])
        for (at, state) in [(seconds - 1, "running"), (seconds, "failed")] where at > 0 {
            let now = Timestamp.start + .seconds(at)
            let answers = try await test.driver.store.duePolls(at: now, places: 9, busy: []).due.map {
                PollAnswer(poll: $0, result: .success(TaskReport(results: [:])), finishedAt: now)
            }
            _ = try await test.driver.store.record(answers, schedule: schedule, at: now)
            #expect(try await user.row("SELECT state FROM job_status") == [state])
        }
        let rows = try await user.rows("SELECT DISTINCT state, error_code FROM instance_status")
        #expect(rows == [["unknown", "koobatch.result_timeout"]])
    }

    @Test("gives up a task that the API does not know, and keeps the results that it had")
    mutating func unknownTask() async throws {
        try await submit(2)
        driver.now = .start + .seconds(1)
        let poll = try await due()[0]
        let report = try await driver.report(poll, user) { $0.hasSuffix("0") ? true : nil }
        let gone = ServiceFailure(.refused, httpStatus: 400, errorCode: "KOOPHONE.API.1323", message: "no such task")
        let failure = PollAnswer(poll: poll, result: .failure(gone), finishedAt: driver.now)
        #expect(try await driver.store.record([report, failure], schedule: schedule, at: driver.now) == [1, 0])
        #expect(try await user.row("SELECT state, succeeded, unknown FROM job_status") == ["partial", "1", "1"])
        #expect(
            try await user.row("SELECT error_code FROM instance_status WHERE state = 'unknown'") == [
                "KOOPHONE.API.1323"
            ]
        )
    }

    @Test("asks again after a failure that says nothing of the task, and shows it meanwhile")
    mutating func failure() async throws {
        try await submit(1)
        driver.now = .start + .seconds(1)
        let busy = ServiceFailure(
            .throttled,
            httpStatus: 429,
            errorCode: "APIGW.0308",
            message: "m",
            retryAfter: .seconds(5)
        )
        let answer = PollAnswer(poll: try await due()[0], result: .failure(busy), finishedAt: driver.now)
        #expect(try await driver.store.record([answer], schedule: schedule, at: driver.now) == [0])
        let row = try await user.row("SELECT state, next_poll_at, error_code FROM chunks")
        #expect(row == ["submitted", "\(Timestamp.start + .seconds(6))", "APIGW.0308"])
        try await driver.pollAll(user)
        #expect(try await user.row("SELECT state, error_code FROM chunks") == ["finished", nil])
    }

    @Test("ends jobs as submitted when results are not polled")
    mutating func off() async throws {
        driver.rules = SubmissionRules(backoff: driver.rules.backoff, polling: nil)
        try await submit(33)
        #expect(
            try await user.row("SELECT state, submitted, finished_at IS NULL FROM job_status") == [
                "submitted", "33", "0",
            ]
        )
        #expect(try await user.row("SELECT count(*) FROM task_map") == ["33"])
    }

    @Test("ends what was awaited when polling is turned off")
    mutating func turnedOff() async throws {
        try await submit(2)
        let rules = SubmissionRules(backoff: driver.rules.backoff, polling: nil)
        _ = try await driver.store.recover(rules: rules, at: driver.now, generator: SystemRandomNumberGenerator())
        #expect(try await user.row("SELECT state, submitted FROM job_status") == ["submitted", "2"])
        #expect(try await Audit.complaints(user).isEmpty)
    }
}
