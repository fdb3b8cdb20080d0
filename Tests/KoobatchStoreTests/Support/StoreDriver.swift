import Foundation
import GRDB
import KoobatchCore
import KoobatchStore
import TestSupport

/// What the daemon does with a store, step by step and with a clock of the test's own.
struct StoreDriver: Sendable {
    static let rules = SubmissionRules(
        backoff: Backoff(base: .seconds(1), maximum: .seconds(60)),
        polling: PollSchedule(initialDelay: .seconds(1), maxDelay: .seconds(10), resultTimeout: .seconds(600))
    )

    let store: Store
    var rules = StoreDriver.rules
    var now = Timestamp.start
    /// Instances of a new chunk.
    var chunkSize = 32
    private var generator = SeededGenerator(seed: 1)

    init(_ store: Store) {
        self.store = store
    }

    init(_ database: TestDatabase) throws {
        self.init(try database.store())
    }

    /// Moves what runs again into new chunks, and lets go what does not wait for other jobs any more.
    func prepare() async throws {
        while try await store.replan(at: now, chunkSize: chunkSize, chunks: 256) {}
        while try await store.freeBlocked(at: now, chunkSize: chunkSize) {}
    }

    /// Records answers and claims chunks.
    mutating func turn(_ answers: [AttemptResult] = [], places: Int = 0) async throws -> SubmissionBatch {
        defer { _ = generator.next() }
        return try await store.submissionBatch(
            answers: try await store.classify(answers),
            places: places,
            chunkSize: chunkSize,
            rules: rules,
            at: now,
            generator: generator
        )
    }

    /// Claims chunks that are due, after what else has to come before that.
    mutating func claim(_ places: Int = 100) async throws -> [ClaimedChunk] {
        try await prepare()
        return try await turn(places: places).claims
    }

    @discardableResult
    mutating func record(_ answers: AttemptResult...) async throws -> [SubmissionDecision?] {
        try await turn(answers).decisions.map { if case .decided(let decision) = $0 { decision } else { nil } }
    }

    func accepted(_ claim: ClaimedChunk, leavingOut missing: Set<String> = []) -> AttemptResult {
        let jobs = claim.request.instances.list.map {
            missing.contains($0) ? "null" : "\"job-\(claim.attempt.rawValue)-\($0)\""
        }
        let answer = SubmitResponse(
            taskID: "task-\(claim.attempt.rawValue)",
            jobIDs: "[\(jobs.joined(separator: ","))]",
            missing: jobs.indices.filter { jobs[$0] == "null" }
        )
        return AttemptResult(claim: claim, result: .success(answer), finishedAt: now)
    }

    func refused(_ claim: ClaimedChunk, code: String = "KOOPHONE.API.1000", status: Int = 400) -> AttemptResult {
        failed(claim, ServiceFailure(.refused, httpStatus: status, errorCode: code, message: "no"))
    }

    func failed(_ claim: ClaimedChunk, _ failure: ServiceFailure) -> AttemptResult {
        AttemptResult(claim: claim, result: .failure(failure), finishedAt: now)
    }

    func lost(_ claim: ClaimedChunk) -> AttemptResult {
        failed(claim, ServiceFailure(.unknown, errorCode: ServiceFailure.Code.timeout, message: "no answer"))
    }

    /// Has every due chunk accepted.
    mutating func submitAll() async throws {
        while case let claims = try await claim(), !claims.isEmpty {
            _ = try await turn(claims.map { accepted($0) })
        }
    }

    /// The results of a task: what the closure says of each `job_id`, nothing for `nil`.
    func report(
        _ poll: DuePoll,
        _ database: DatabaseQueue,
        _ succeeded: @Sendable (String) -> Bool?
    ) async throws -> PollAnswer {
        let jobs = try await database.writeWithoutTransaction { db in
            try String.fetchAll(
                db.cachedStatement(
                    sql: "SELECT job_id FROM task_map WHERE chunk_id = ?"
                ),
                arguments: [poll.chunk]
            )
        }
        let results = jobs.compactMap { job in
            succeeded(job).map {
                (job, InstanceResult(succeeded: $0, errorCode: $0 ? nil : "CPS0005", output: "out"))
            }
        }
        let report = TaskReport(results: Dictionary(uniqueKeysWithValues: results))
        return PollAnswer(poll: poll, result: .success(report), finishedAt: now)
    }

    /// Asks for all results that are awaited; each is what the closure says.
    mutating func pollAll(
        _ database: DatabaseQueue,
        _ succeeded: @Sendable (String) -> Bool? = { _ in true }
    ) async throws {
        now = now + .seconds(60)
        guard let polling = rules.polling else { return }
        var answers: [PollAnswer] = []
        for poll in try await store.duePolls(at: now, places: 10_000, busy: []).due {
            answers.append(try await report(poll, database, succeeded))
        }
        _ = try await store.record(answers, schedule: polling, at: now)
    }
}

extension Store {
    /// Records what came of queries; for each in order the instances that it ended, `nil` for one that changed nothing.
    func record(_ answers: [PollAnswer], schedule: PollSchedule, at now: Timestamp) async throws -> [Int?] {
        try await recordResults(try await classify(answers), schedule: schedule, at: now).map(\.ended)
    }
}

extension DatabaseQueue {
    /// Inserts a job that is due at the start of the tests' clock; returns its id.
    ///
    /// - Parameter slowStart: whether few of its chunks are in flight until one is accepted.
    func insertJob(
        _ instances: [String],
        _ columns: KeyValuePairs<String, String> = [:],
        slowStart: Bool = false
    ) async throws -> CommandJobID {
        let names = columns.map { ", \($0.key)" }.joined()
        let values = columns.map { ", \($0.value)" }.joined()
        let runAt = columns.contains { $0.key == "run_at" } ? ("", "") : (", run_at", ", '\(Timestamp.start)'")
        return try await writeWithoutTransaction { db in
            try db.execute(
                sql: """
                    INSERT INTO command_jobs (command, instance_ids\(runAt.0)\(names))
                    VALUES ('id', ?\(runAt.1)\(values))
                    """,
                arguments: [Self.json(instances)]
            )
            let job = CommandJobID(rawValue: db.lastInsertedRowID)
            if !slowStart {
                try db.execute(
                    sql: "UPDATE job_progress SET slow_start = 0, revision = revision + 1 WHERE command_job_id = ?",
                    arguments: [job]
                )
            }
            return job
        }
    }

    /// Lets all chunks of all jobs be in flight at once, as if some were accepted.
    func endSlowStarts() async throws {
        try await user("UPDATE job_progress SET slow_start = 0, revision = revision + 1 WHERE slow_start = 1")
    }

    private static func json(_ instances: [String]) throws -> String {
        String(decoding: try JSONEncoder().encode(instances), as: UTF8.self)
    }

    /// Runs a statement of a user.
    func user(_ sql: String, _ arguments: StatementArguments = []) async throws {
        try await writeWithoutTransaction { try $0.cachedStatement(sql: sql).execute(arguments: arguments) }
    }

    /// The rows of a query, as text.
    func rows(_ sql: String) async throws -> [[String?]] {
        try await writeWithoutTransaction { db in
            try Row.fetchAll(db.cachedStatement(sql: sql)).map { row in
                row.databaseValues.map { String.fromDatabaseValue($0) ?? text($0) }
            }
        }
    }

    /// A row of a query, as text.
    func row(_ sql: String) async throws -> [String?] {
        try await rows(sql).first ?? []
    }
}

private func text(_ value: DatabaseValue) -> String? {
    value.isNull
        ? nil : Int64.fromDatabaseValue(value).map(String.init) ?? Double.fromDatabaseValue(value).map { "\($0)" }
}
