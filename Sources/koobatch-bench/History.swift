import ArgumentParser
import Foundation
import KoobatchCore
import KoobatchStore
import Synchronization

/// What finished jobs in the file cost the unfinished ones: nothing, as far as can be measured.
struct History: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Inserts, claims, answers, results and views in a file full of finished jobs against an empty one."
    )

    @Option(help: "Finished instances in the full file, a multiple of 100000; ten million take about 3 GB.")
    var instances = 10_000_000

    @Option(help: "How often each step is measured in each file.")
    var rounds = 60

    func run() async throws {
        let folder = FileManager.default.temporaryDirectory.appending(path: "koobatch-bench-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer {
            do {
                try FileManager.default.removeItem(at: folder)
            } catch {
                print("\(folder.path) stays: \(error)")
            }
        }
        let begin = ContinuousClock.now
        let empty = try HistoryFile(path: folder.appending(path: "empty.db").path, instances: 0)
        let full = try HistoryFile(path: folder.appending(path: "full.db").path, instances: instances)
        let size = try FileManager.default.attributesOfItem(atPath: full.path)[.size] as? Int ?? 0
        print("\(instances) finished instances, \(size >> 20) MiB, written in \(ContinuousClock.now - begin)")
        let lives = [try HistoryLife(file: empty), try HistoryLife(file: full)]
        for round in 0..<rounds + 5 {
            // By turns, so that whatever else the machine does falls on both; the first rounds warm the caches.
            for index in lives.indices { try await lives[index].round(isCounted: round >= 5) }
        }
        for (before, after) in zip(lives[0].medians, lives[1].medians) {
            let ratio = percent(after.seconds / before.seconds)
            print(
                "\(before.name): empty \(milliseconds(before.seconds)), full \(milliseconds(after.seconds)), \(ratio)"
            )
        }
    }
}

/// One job's life after the other in one file, timed step by step.
private struct HistoryLife {
    private static let rules = SubmissionRules(
        backoff: Backoff(base: .seconds(1), maximum: .seconds(60)),
        polling: PollSchedule(initialDelay: .zero, maxDelay: .seconds(1), resultTimeout: .seconds(600))
    )

    private let file: HistoryFile
    private let store: Store
    private let steps = Steps()

    init(file: HistoryFile) throws {
        self.file = file
        store = try Store(path: file.path)
    }

    /// The steps in their order, each with its median in seconds.
    var medians: [(name: String, seconds: Double)] {
        steps.seconds.withLock { steps in
            steps.map { step in (step.name, step.seconds.sorted()[step.seconds.count / 2]) }
        }
    }

    private func measure<Value>(
        _ name: String,
        _ isCounted: Bool,
        _ body: () async throws -> Value
    ) async throws -> Value {
        // Sustained writing is slowed down to keep the lock free; a pause keeps that out of the figures.
        try await Task.sleep(for: .milliseconds(20))
        let begin = ContinuousClock.now
        let value = try await body()
        let duration = (ContinuousClock.now - begin).inSeconds
        guard isCounted else { return value }
        steps.seconds.withLock { steps in
            if let index = steps.firstIndex(where: { $0.name == name }) {
                steps[index].seconds.append(duration)
            } else {
                steps.append((name, [duration]))
            }
        }
        return value
    }

    private final class Steps: Sendable {
        let seconds = Mutex<[(name: String, seconds: [Double])]>([])
    }

    /// A job of 1,024 instances from the insert to the end, with the views in the middle.
    func round(isCounted: Bool) async throws {
        let list = (0..<1_024).map { "\"x\($0)\"" }.joined(separator: ",")
        let job = try await measure("insert, in a shell of its own", isCounted) {
            try file.run("INSERT INTO command_jobs (command, instance_ids) VALUES ('ls', '[\(list)]') RETURNING id;")
        }
        let now = Timestamp(millisecondsSinceEpoch: Int64(Date().timeIntervalSince1970 * 1_000) + 1_000)
        try await measure("plan 32 chunks", isCounted) {
            let slices = try await store.jobsToPlan(at: now, instances: 8_192, known: nil).map { job in
                let chunks = Chunking.chunks(of: try job.parseInstanceIDs(), size: 32).map(Array.init)
                return PlannedSlice(job: job.id, plannedBefore: 0, chunks: chunks)
            }
            _ = try await store.plan(slices, at: now)
        }
        let claims = try await measure("claim 32 chunks", isCounted) {
            try await turn([], places: 32, at: now).claims
        }
        for (name, view) in Self.views(of: job) {
            _ = try await measure("\(name), 20 times in one shell", isCounted) {
                try file.run(String(repeating: view + ";\n", count: 20))
            }
        }
        let answers = claims.map { claim in
            let names = claim.request.instanceIDs
            let jobs = Dictionary(uniqueKeysWithValues: names.map { ($0, "\(claim.attempt.rawValue)-\($0)") })
            let accepted = SubmitAnswer(taskID: "task\(claim.attempt.rawValue)", jobIDs: jobs, missing: [])
            return SubmissionAnswer(claim: claim, result: .success(accepted), finishedAt: now)
        }
        _ = try await measure("record 32 answers", isCounted) { try await turn(answers, places: 0, at: now) }
        let due = try await measure("look for due results", isCounted) {
            try await store.duePolls(at: now + .seconds(1), places: 100, busy: []).due
        }
        let attempts = Dictionary(uniqueKeysWithValues: claims.map { ($0.chunk, $0) })
        let reports = due.compactMap { poll -> PollAnswer? in
            guard let claim = attempts[poll.chunk] else { return nil }
            let done = InstanceResult(succeeded: true, errorCode: nil, output: "ok")
            let results = claim.request.instanceIDs.map { ("\(claim.attempt.rawValue)-\($0)", done) }
            let report = TaskReport(results: Dictionary(uniqueKeysWithValues: results))
            return PollAnswer(poll: poll, result: .success(report), finishedAt: now)
        }
        guard let schedule = Self.rules.polling else { return }
        _ = try await measure("record 32 results", isCounted) {
            try await store.record(reports, schedule: schedule, at: now + .seconds(1))
        }
        guard try file.run("SELECT state FROM job_status WHERE id = \(job);") == "succeeded" else {
            throw TestBed.Failed(description: "job \(job) has not succeeded")
        }
    }

    private static func views(of job: String) -> KeyValuePairs<String, String> {
        [
            "job_status of a job": "SELECT * FROM job_status WHERE id = \(job)",
            "why": "SELECT * FROM why",
            "chunks of a job": "SELECT count(*) FROM chunks WHERE command_job_id = \(job)",
            "instance_status of a job": "SELECT count(*) FROM instance_status WHERE command_job_id = \(job)",
            "outputs of a job": "SELECT * FROM outputs WHERE command_job_id = \(job)",
            "daemon": "SELECT * FROM daemon",
        ]
    }

    private func turn(_ answers: [SubmissionAnswer], places: Int, at now: Timestamp) async throws -> SubmissionTurn {
        try await store.submissionTurn(
            answers: answers,
            isCharged: true,
            places: places,
            rules: Self.rules,
            at: now,
            generator: SystemRandomNumberGenerator()
        )
    }
}
