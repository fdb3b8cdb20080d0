import GRDB
import KoobatchCore
import KoobatchStore
import TestSupport
import Testing

/// Whatever the daemon, the API and people do in whatever order, the database tells one consistent story.
@Suite("Histories", .database)
struct HistoryTests {
    /// Histories of one database; statements that are prepared once make the later ones cheap.
    private static let batch: UInt64 = 15

    @Test("of the stages that tests begin with are true")
    func stages() async throws {
        let database = try TestDatabase.current()
        try database.shell.rows(Stages.statements)
        #expect(try await Audit.complaints(database.observer()) == [])
    }

    @Test(
        "of random steps keep every count, view and end of a job true, and every job comes to its end",
        arguments: 0..<20 as Range<UInt64>
    )
    func random(batch: UInt64) async throws {
        var history = try History(TestDatabase.current())
        for seed in batch * Self.batch..<(batch + 1) * Self.batch {
            history.begin(seed: seed)
            for _ in 0..<40 {
                let step = try await history.step()
                let complaints = try await history.complaints() + history.transitions()
                try #require(complaints.isEmpty, "seed \(seed), after \(history.steps), \(step): \(complaints)")
            }
            try await history.finish()
            let left = try await history.unfinished()
            try #require(left.isEmpty, "seed \(seed), after \(history.steps): \(left)")
            try await history.deleteAll()
            let complaints = try await history.complaints()
            try #require(complaints.isEmpty, "seed \(seed), at the end: \(complaints)")
        }
    }
}

/// A random course of events.
private struct History {
    private enum Step: CaseIterable {
        case insert, prepare, claim, answer, poll, tick, change, settle, recover, expire, delete
    }

    private(set) var steps: [String] = []
    private var driver: StoreDriver
    private let user: DatabaseQueue
    private var random = SeededGenerator(seed: 0)
    private var sent: [ClaimedChunk] = []
    /// Answers that may arrive twice.
    private var past: [AttemptResult] = []
    /// What there was after the last step.
    private var states: [String: String] = [:]

    init(_ database: TestDatabase) throws {
        driver = try StoreDriver(database)
        user = try database.observer()
    }

    /// Starts anew in an empty database.
    mutating func begin(seed: UInt64) {
        random = SeededGenerator(seed: seed)
        driver.now = .start
        (steps, sent, past, states) = ([], [], [], [:])
    }

    func complaints() async throws -> [String] {
        try await Audit.complaints(user)
    }

    /// The changes of state since the last call that the states of Core do not name: what the schema forbids people, and the
    /// daemon, which runs without triggers, may not do either.
    mutating func transitions() async throws -> [String] {
        let now = try await user.rows(
            """
            SELECT 'job ' || id, state FROM command_jobs
             UNION ALL
            SELECT 'chunk ' || id, state FROM chunks
             UNION ALL
            SELECT 'instance ' || instance_id || ' of chunk ' || chunk_id, state FROM instance_status WHERE chunk_id IS NOT NULL
            """
        )
        let states = Dictionary(uniqueKeysWithValues: now.map { ($0[0] ?? "", $0[1] ?? "") })
        defer { self.states = states }
        return states.compactMap { thing, state in
            guard let before = self.states[thing], before != state else { return nil }
            let isLegal =
                switch thing.prefix(3) {
                case "job": Self.isLegal(CommandJobState.self, before, state)
                case "chu": Self.isLegal(ChunkState.self, before, state)
                default: Self.isLegal(InstanceState.self, before, state)
                }
            return isLegal ? nil : "\(thing) went from \(before) to \(state)"
        }
    }

    private static func isLegal<S: LifecycleState>(_: S.Type, _ before: String, _ after: String) -> Bool {
        guard let before = S(rawValue: before), let after = S(rawValue: after) else { return false }
        if before.successors.contains(after) { return true }
        // An answer that names no instance is an acceptance of which nothing is awaited: two changes in one transaction.
        return before as? ChunkState == .submitting && after as? ChunkState == .finished
    }

    func unfinished() async throws -> [[String?]] {
        try await user.rows(
            """
            SELECT j.id, j.state, j.state_reason, p.*, w.*
              FROM command_jobs AS j
              JOIN job_progress AS p ON p.command_job_id = j.id
              LEFT JOIN why AS w ON w.command_job_id = j.id
             WHERE j.finished_at IS NULL
            """
        )
    }

    /// Does something and says what.
    mutating func step() async throws -> String {
        let step = try #require(Step.allCases.randomElement(using: &random))
        steps.append("\(step)")
        switch step {
        case .insert: try await insert()
        case .prepare:
            driver.chunkSize = Int.random(in: 1...8, using: &random)
            try await driver.prepare()
        case .claim: sent += try await driver.claim(Int.random(in: 1...6, using: &random))
        case .answer: try await answer()
        case .poll: try await poll()
        case .tick: driver.now = driver.now + .seconds(Int.random(in: 1...90, using: &random))
        case .change: try await change()
        case .settle: try await settle()
        case .recover: try await recover()
        case .expire: _ = try await driver.store.expire(at: driver.now)
        case .delete: try await statement("DELETE FROM command_jobs", job())
        }
        return steps.last ?? ""
    }

    /// What a person types about a row; the schema may refuse it with a sentence that begins with the name of a thing.
    private mutating func statement(_ sql: String, _ id: Int64) async throws {
        steps[steps.count - 1] += " \(sql) \(id)"
        do {
            try await user.user(sql + " WHERE id = ?", [id])
        } catch let error as DatabaseError where error.resultCode == .SQLITE_CONSTRAINT {
            let message = try #require(error.message)
            #expect(message.contains(#/^(CHECK constraint failed: )?[a-z_]+: /#), "\(message)")
        }
    }

    private mutating func insert() async throws {
        let instances = (0..<Int.random(in: 1...20, using: &random)).map { "\"i\($0)\"" }.shuffled(using: &random)
        func pick(_ values: String?...) -> String? { values.randomElement(using: &random) ?? nil }
        try await user.user(
            """
            INSERT INTO command_jobs (command, instance_ids, on_unknown, max_attempts, canary, max_errors, max_concurrency,
                                      priority, expires_at, run_at, state, serialize_instances)
            VALUES ('id', ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
            """,
            [
                "[\(instances.joined(separator: ","))]",
                pick("retry", "hold", "fail"),
                pick("1", "2", "8"),
                pick(nil, nil, "1", "3"),
                pick(nil, nil, "0", "2", "20%"),
                pick(nil, nil, "1", "2"),
                pick("0", "0", "1"),
                pick(nil, nil, nil, "\(driver.now + .seconds(120))"),
                pick("\(Timestamp.start)", "\(driver.now)"),
                pick("queued", "queued", "queued", "paused"),
                pick("0", "0", "1"),
            ]
        )
    }

    private mutating func answer() async throws {
        sent.shuffle(using: &random)
        var answers: [AttemptResult] = []
        for _ in 0..<Int.random(in: 1...4, using: &random) {
            guard let claim = sent.popLast() else { break }
            answers.append(answer(to: claim))
        }
        past += answers
        if Bool.random(using: &random), let again = past.randomElement(using: &random) { answers.append(again) }
        answers.shuffle(using: &random)
        let turn = try await driver.turn(answers, places: Int.random(in: 0...2, using: &random))
        sent += turn.claims
    }

    private mutating func answer(to claim: ClaimedChunk) -> AttemptResult {
        switch Int.random(in: 0..<12, using: &random) {
        case 0..<4: return driver.accepted(claim)
        case 4:
            let missing = claim.request.instances.list.filter { _ in Bool.random(using: &random) }
            return driver.accepted(claim, leavingOut: Set(missing))
        case 5: return driver.lost(claim)
        case 6: return driver.refused(claim)
        case 7: return driver.refused(claim, code: "KOOPHONE.API.2005", status: 200)
        case 8: return driver.refused(claim, code: "APIGW.0201", status: 413)
        case 9: return driver.failed(claim, ServiceFailure(.throttled, httpStatus: 429, errorCode: "T", message: "m"))
        case 10: return driver.failed(claim, ServiceFailure(.notSent, errorCode: "N", message: "m"))
        default: return driver.refused(claim, code: "KOOPHONE.API.9999", status: 500)
        }
    }

    private mutating func poll() async throws {
        let schedule = try #require(driver.rules.polling)
        let fate = Int.random(in: 0..<6, using: &random)
        let late = driver.now + .seconds(fate == 0 ? 700 : 0)
        var answers: [PollAnswer] = []
        for poll in try await driver.store.duePolls(at: late, places: 5, busy: []).due {
            let salt = random.next()
            let report = try await driver.report(poll, user) { job in
                switch (salt ^ UInt64(job.utf8.reduce(0) { $0 &* 31 &+ Int($1) }.magnitude)) % 5 {
                case 0: nil
                case 1: false
                default: true
                }
            }
            let unknown = ServiceFailure(.refused, httpStatus: 400, errorCode: "KOOPHONE.API.1323", message: "no task")
            answers.append(
                fate == 1 ? PollAnswer(poll: poll, result: .failure(unknown), finishedAt: driver.now) : report
            )
        }
        if let again = answers.first { answers.append(again) }
        _ = try await driver.store.record(answers, schedule: schedule, at: late)
    }

    private mutating func job() async throws -> Int64 {
        let jobs = try await user.writeWithoutTransaction { try Int64.fetchAll($0, sql: "SELECT id FROM command_jobs") }
        return jobs.randomElement(using: &random) ?? 1
    }

    private mutating func change() async throws {
        let changes = [
            "state = 'cancelled'", "state = 'paused'", "state = 'running'", "state = 'queued'",
            "state = 'queued', expires_at = NULL", "priority = priority + 1", "max_concurrency = 1",
            "max_errors = 1", "canary = 2", "run_at = '2020-01-01T00:01'", "expires_at = NULL", "state = 'expired'",
            "state = 'succeeded'", "state = 'failed'", "finished_at = 'now'", "started_at = 'now'",
        ]
        let change = try #require(changes.randomElement(using: &random))
        try await statement("UPDATE command_jobs SET \(change)", job())
    }

    private mutating func settle() async throws {
        let held = try await user.writeWithoutTransaction {
            try Int64.fetchAll($0, sql: "SELECT id FROM chunks WHERE state <> 'finished'")
        }
        let state = ["pending", "failed", "cancelled", "split"].randomElement(using: &random) ?? "pending"
        try await statement("UPDATE chunks SET state = '\(state)'", held.randomElement(using: &random) ?? 1)
    }

    /// The daemon dies and another one starts; answers to the first still come.
    private mutating func recover() async throws {
        past += sent.map { driver.accepted($0) }
        sent = []
        _ = try await driver.store.recover(rules: driver.rules, at: driver.now, generator: random)
    }

    /// Everything goes well from now on, and a person settles what waits for one.
    mutating func finish() async throws {
        // A chunk that a person released is due by the clock of SQLite.
        driver.now = Timestamp(millisecondsSinceEpoch: 4_102_444_800_000)
        for _ in 0..<60 {
            try await user.user("UPDATE chunks SET state = 'failed' WHERE state = 'unknown'")
            try await user.user("UPDATE command_jobs SET state = 'running' WHERE state = 'paused'")
            driver.now = driver.now + .seconds(700)
            _ = try await driver.store.expire(at: driver.now)
            sent += try await driver.claim()
            _ = try await driver.turn(sent.map { driver.accepted($0) })
            sent = []
            try await driver.pollAll(user)
            if try await unfinished().isEmpty { return }
        }
    }

    func deleteAll() async throws {
        try await user.user("DELETE FROM command_jobs")
    }
}
