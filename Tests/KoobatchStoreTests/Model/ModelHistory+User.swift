import GRDB
import KoobatchCore
import TestSupport

/// What people do, and what the model says of it.
extension ModelHistory {
    mutating func insert() async throws -> String? {
        let names = (0..<Int.random(in: 1...12, using: &random)).map { "i\($0)" }.shuffled(using: &random)
        func pick<Value>(_ values: Value...) -> Value { values[Int.random(in: values.indices, using: &random)] }
        let canary: Int? = pick(nil, nil, nil, 1, 3)
        let expiresAt: Timestamp? = pick(nil, nil, nil, driver.now + .seconds(200))
        let runAt = pick(Timestamp.start, .start, .start, driver.now, driver.now + .seconds(30))
        let state = pick(CommandJobState.queued, .queued, .queued, .queued, .queued, .queued, .paused)
        var job = ModelJob(id: 0, names: names, state: state, runAt: runAt, canary: canary)
        job.pause = state == .paused ? .hand : nil
        job.key = pick(nil, nil, "k")
        job.priority = pick(0, 0, 1)
        job.expiresAt = expiresAt
        job.maxAttempts = pick(1, 2, 8)
        job.onUnknown = pick(.retry, .hold, .fail)
        job.maxConcurrency = pick(nil, nil, 1, 2)
        job.maxErrors = pick(nil, nil, "0", "2", "20%")
        let isRefused = job.key != nil && jobs.values.contains { $0.key == job.key && !$0.isFinished }
        note(
            "\(names.count) canary \(canary ?? 0) max_errors \(job.maxErrors ?? "") \(state)\(isRefused ? ", to be refused" : "")"
        )
        do {
            let id = try await insert(job, canary)
            if isRefused, !isFree { return "the insert was not refused" }
            jobs[id] = job.numbered(id)
        } catch let error as DatabaseError where error.resultCode == .SQLITE_CONSTRAINT {
            if !isRefused, !isFree { return "the insert was refused: \(error.message ?? "")" }
        }
        return nil
    }

    private mutating func insert(_ job: ModelJob, _ canary: Int?) async throws -> Int64 {
        let isSerialized = isFree && Int.random(in: 0..<3, using: &random) == 0
        let names = "[\(job.names.map { "\"\($0)\"" }.joined(separator: ","))]"
        return try await statements.run(
            """
            INSERT INTO command_jobs (command, instance_ids, run_at, canary, state, unique_key, priority, expires_at,
                                      max_attempts, on_unknown, max_concurrency, max_errors, serialize_instances)
            VALUES ('id', ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
            """,
            [
                names, job.runAt, canary, job.state, job.key, job.priority, job.expiresAt, job.maxAttempts,
                job.onUnknown,
                job.maxConcurrency, job.maxErrors, isSerialized,
            ],
            on: user
        )
    }

    mutating func steer() async throws -> String? {
        guard let id = jobs.keys.sorted().randomElement(using: &random), let job = jobs[id] else { return nil }
        let now = driver.now
        let statements: [ModelStatement] =
            [CommandJobState.paused, .running, .running, .running, .running, .queued, .queued].map { .state($0) }
            + CommandJobState.allCases.map { .state($0) }
            + [.priority(0), .priority(1), .priority(2), .maxConcurrency(nil), .maxConcurrency(1), .maxConcurrency(3)]
            + [.maxErrors(nil), .maxErrors("0"), .maxErrors("1"), .maxErrors("50%"), .canary(2)]
            + [
                .runAt(.start), .runAt(now), .runAt(now + .seconds(60)), .expiresAt(nil),
                .expiresAt(now + .seconds(60)),
            ]
            + [.onUnknown(.hold), .onUnknown(.fail), .maxAttempts(1), .maxAttempts(8), .runAgainWithoutExpiry]
            + [
                "command = 'rm'", "instance_ids = '[\"z\"]'", "id = id + 1000", "created_at = '2021-01-01'",
                "finished_at = '2021-01-01'", "started_at = '2021-01-01'", "state = 'done'", "state = NULL",
                "max_attempts = 0", "max_concurrency = 0", "max_errors = 'x'", "priority = 'high'",
            ].map { .fixed($0) }
        guard let statement = statements.randomElement(using: &random) else { return nil }
        let others = jobs.values.filter { $0.id != id }
        let allowed = job.allows(statement, others: others)
        let complaint = try await say("UPDATE command_jobs SET \(statement)", id, allowed: allowed)
        if allowed, !isFree { jobs[id]?.obey(statement) }
        return complaint
    }

    mutating func settle() async throws -> String? {
        if isFree { return try await settleFreely() }
        let all = jobs.values.sorted { $0.id < $1.id }.flatMap { job in job.chunks.indices.map { (job.id, $0) } }
        let held = all.filter { jobs[$0.0]?.chunks[$0.1].state == .unknown }
        let isKind = !held.isEmpty && Bool.random(using: &random)
        guard let (id, index) = (isKind ? held : all).randomElement(using: &random), let job = jobs[id] else {
            return nil
        }
        let chunk = job.chunks[index]
        guard let next = (isKind ? [.pending, .failed] : ChunkState.allCases).randomElement(using: &random) else {
            return nil
        }
        let isRelease = chunk.state == .unknown && next == .pending
        // Without a time of the user's own a released chunk is due by SQLite's clock, which is years ahead.
        let own = isRelease && Bool.random(using: &random) ? driver.now : nil
        let time = own.map { ", next_attempt_at = '\($0)'" } ?? ""
        let allowed = job.allows(next, of: chunk)
        let complaint = try await say("UPDATE chunks SET state = '\(next.rawValue)'\(time)", chunk.id, allowed: allowed)
        if allowed {
            jobs[id]?.obey(next, of: index, due: own ?? Timestamp(millisecondsSinceEpoch: 1_790_000_000_000))
        }
        return complaint
    }

    mutating func delete() async throws -> String? {
        guard let id = jobs.keys.sorted().randomElement(using: &random), let job = jobs[id] else { return nil }
        let complaint = try await say("DELETE FROM command_jobs", id, allowed: job.isFinished)
        let isGone =
            isFree ? try await user.rows("SELECT 1 FROM command_jobs WHERE id = \(id)").isEmpty : job.isFinished
        if isGone { jobs[id] = nil }
        return complaint
    }
}
