import Foundation
import GRDB
import KoobatchCore
import KoobatchStore
import TestSupport

/// What the daemon does, and what the model expects of it.
extension ModelHistory {
    /// What runs again goes into new chunks.
    mutating func replan(chunkSize: Int) async throws -> String? {
        note("in chunks of \(chunkSize)")
        driver.chunkSize = chunkSize
        try await driver.prepare()
        let new = try await newChunks()
        if isFree { return nil }
        for id in jobs.keys {
            var ids = (new[id] ?? []).map(\.id)
            let moved =
                jobs[id]?.replan(chunkSize: chunkSize, at: driver.now) { ids.isEmpty ? 0 : ids.removeFirst() } ?? []
            let stored = try (new[id] ?? []).map { try JSONDecoder().decode([String].self, from: Data($0.names.utf8)) }
            if stored != moved { return "chunks of job \(id): \(stored)\nmodel: \(moved)" }
        }
        return nil
    }

    /// Chunks that wait are sent, and then new ones are cut from the lists.
    mutating func claim(_ places: Int) async throws -> String? {
        if let complaint = try await replan(chunkSize: driver.chunkSize) { return complaint }
        note("\(places)")
        if isFree {
            sent += try await driver.claim(places)
            return nil
        }
        // Few chunks in flight before the first acceptance, and jobs that are refused, have tests of their own.
        try await user.endSlowStarts()
        let claims = try await driver.turn(places: places).claims
        var new = try await newChunks().mapValues { $0.map(\.id) }
        var left = places
        // Higher priorities first, each as far as it goes.
        for (priority, equals) in Dictionary(grouping: jobs.values, by: \.priority).sorted(by: { $0.key > $1.key }) {
            let claimable = Dictionary(
                uniqueKeysWithValues: equals.map { job in
                    (job.id, job.claimable(chunkSize: driver.chunkSize, at: driver.now))
                }
            )
            let expected = min(left, claimable.values.reduce(0) { $0 + $1.count })
            let mine = Dictionary(grouping: claims.filter { claimable[$0.job.rawValue] != nil }, by: \.job.rawValue)
            let claimed = mine.values.reduce(0) { $0 + $1.count }
            if claimed != expected {
                return "claimed \(claimed) of priority \(priority) where the model says \(expected)"
            }
            for (job, claims) in mine {
                let first = claimable[job]?.prefix(claims.count).map(\.names) ?? []
                if claims.map(\.request.instances.list) != first { return "claimed \(claims) where \(first) are first" }
            }
            // Nobody has two more than one who wants more, unless some of what waits is not due.
            let least = claimable.filter { $0.value.count > mine[$0.key]?.count ?? 0 }.map { mine[$0.key]?.count ?? 0 }
                .min()
            let isDue = equals.allSatisfy { job in job.waiting.allSatisfy { $0.due <= driver.now } }
            if isDue, let least, let most = mine.values.map(\.count).max(), most > least + 1 {
                return "one job has \(most) places and another \(least)"
            }
            left -= claimed
        }
        for claim in claims {
            let id = claim.job.rawValue
            if new[id]?.first == claim.chunk.rawValue {
                new[id]?.removeFirst()
                jobs[id]?.cut(claim.request.instances.list, as: claim.chunk.rawValue, at: driver.now)
            }
            change(claim) { job, index in
                job.chunks[index].state = .submitting
                job.chunks[index].attempts += 1
                job.chunks[index].attempt = claim.attempt
            }
        }
        sent += claims
        return new.values.allSatisfy(\.isEmpty) ? nil : "chunks that were cut and not claimed: \(new)"
    }

    private mutating func change(_ claim: ClaimedChunk, _ body: (inout ModelJob, Int) -> Void) {
        let id = claim.job.rawValue
        guard let index = jobs[id]?.chunks.firstIndex(where: { $0.id == claim.chunk.rawValue }) else { return }
        if var job = jobs[id] {
            body(&job, index)
            jobs[id] = job
        }
    }

    mutating func answer() async throws -> String? {
        sent.shuffle(using: &random)
        var answers: [(claim: ClaimedChunk, outcome: ModelOutcome, missing: Set<String>)] = []
        for _ in 0..<Int.random(in: 1...4, using: &random) {
            guard let claim = sent.popLast() else { break }
            let outcome =
                Int.random(in: 0..<3, using: &random) == 0
                ? .accepted : ModelOutcome.allCases.randomElement(using: &random)
            let missing =
                outcome == .partly ? claim.request.instances.list.filter { _ in Bool.random(using: &random) } : []
            answers.append((claim, outcome ?? .accepted, Set(missing)))
        }
        // One that comes twice changes nothing the second time.
        if let again = answers.first, Bool.random(using: &random) { answers.append((again.claim, .lost, [])) }
        if isFree {
            answers.shuffle(using: &random)
            // With what can be sent then.
            sent += try await driver.turn(
                answers.map { submission($0.claim, $0.outcome, $0.missing) },
                places: Int.random(in: 0...2, using: &random)
            ).claims
            return nil
        }
        note(answers.map { "\($0.claim.chunk.rawValue) \($0.outcome)" }.joined(separator: ", "))
        _ = try await driver.turn(answers.map { submission($0.claim, $0.outcome, $0.missing) })
        return try await take(answers)
    }

    private mutating func take(
        _ answers: [(claim: ClaimedChunk, outcome: ModelOutcome, missing: Set<String>)]
    ) async throws -> String? {
        let dues = try await dues()
        var new = try await newChunks().mapValues { $0.map(\.id) }
        let now = driver.now
        for answer in answers {
            let id = answer.claim.job.rawValue
            var ids = new[id] ?? []
            let due = dues[answer.claim.chunk.rawValue] ?? now
            var isWrong = false
            change(answer.claim) { job, index in
                guard job.chunks[index].attempt == answer.claim.attempt else { return }
                isWrong = due < now || due > now + .seconds(60)
                job.answer(index, answer.outcome, missing: answer.missing, due: due, at: now) {
                    ids.isEmpty ? 0 : ids.removeFirst()
                }
            }
            if isWrong { return "due again at \(due)" }
            new[id] = ids
        }
        return nil
    }

    /// The next attempts of pending chunks; the delay before one is random.
    private func dues() async throws -> [Int64: Timestamp] {
        let rows = try await user.writeWithoutTransaction { db in
            try Row.fetchAll(db.cachedStatement(sql: "SELECT id, next_attempt_at FROM chunks WHERE state = 'pending'"))
                .map { ($0[0] as Int64, $0[1] as Timestamp) }
        }
        return Dictionary(uniqueKeysWithValues: rows)
    }

    private func submission(_ claim: ClaimedChunk, _ outcome: ModelOutcome, _ missing: Set<String>) -> AttemptResult {
        switch outcome {
        case .accepted, .partly: driver.accepted(claim, leavingOut: missing)
        case .lost: driver.lost(claim)
        case .refused: driver.refused(claim)
        case .busy: driver.refused(claim, code: "KOOPHONE.API.2005", status: 200)
        case .tooLarge: driver.refused(claim, code: "APIGW.0201", status: 413)
        case .throttled:
            driver.failed(claim, ServiceFailure(.throttled, httpStatus: 429, errorCode: "T", message: "m"))
        case .notSent: driver.failed(claim, ServiceFailure(.notSent, errorCode: "N", message: "m"))
        case .internalError: driver.refused(claim, code: "KOOPHONE.API.9999", status: 500)
        }
    }

    mutating func poll() async throws -> String? {
        guard let schedule = driver.rules.polling else { return nil }
        if Int.random(in: 0..<8, using: &random) == 0 { driver.now = driver.now + .seconds(700) }
        let isForgotten = Int.random(in: 0..<6, using: &random) == 0
        var answers: [PollAnswer] = []
        // Of results after the deadline the model does not know.
        if !isFree {
            try await user.user(
                "UPDATE chunks SET next_poll_at = NULL WHERE state = 'finished' AND next_poll_at IS NOT NULL"
            )
        }
        for poll in try await driver.store.duePolls(at: driver.now, places: 5, busy: []).due {
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
                isForgotten ? PollAnswer(poll: poll, result: .failure(unknown), finishedAt: driver.now) : report
            )
        }
        note("at \(driver.now)\(isForgotten ? ", forgotten" : ""): \(answers.map(\.poll.chunk.rawValue))")
        if isFree, let again = answers.first { answers.append(again) }
        _ = try await driver.store.record(answers, schedule: schedule, at: driver.now)
        if isFree { return nil }
        for answer in answers {
            guard let id = jobs.values.first(where: { $0.chunks.contains { $0.id == answer.poll.chunk.rawValue } })?.id,
                let index = jobs[id]?.chunks.firstIndex(where: { $0.id == answer.poll.chunk.rawValue }),
                jobs[id]?.chunks[index].state == .submitted
            else { return "asked for \(answer.poll), which awaits nothing" }
            let reported: [String: InstanceResult] =
                if case .success(let report) = answer.result { report.results } else { [:] }
            // The ids that the driver gives: job-ATTEMPT-INSTANCE.
            let pairs = reported.map { (String($0.key.split(separator: "-")[2]), $0.value.succeeded) }
            let results = Dictionary(uniqueKeysWithValues: pairs)
            jobs[id]?.poll(index, results: results, isForgotten: isForgotten, at: driver.now)
        }
        return nil
    }

    /// The daemon dies and another one starts; answers to the first may still come.
    mutating func recover() async throws -> String? {
        _ = try await driver.store.recover(rules: driver.rules, at: driver.now, generator: random)
        if isFree { return nil }
        for id in jobs.keys.sorted() {
            for index in jobs[id]?.chunks.indices ?? 0..<0 where jobs[id]?.chunks[index].state == .submitting {
                jobs[id]?.answer(index, .lost, due: driver.now, at: driver.now) { 0 }
            }
            // What is put off for longer than the longest backoff was written by a clock that was ahead.
            let latest = driver.now + driver.rules.backoff.maximum
            for index in jobs[id]?.chunks.indices ?? 0..<0 {
                guard let due = jobs[id]?.chunks[index].due, due > latest else { continue }
                jobs[id]?.chunks[index].due = driver.now
            }
        }
        return nil
    }

    mutating func expire() async throws -> String? {
        _ = try await driver.store.expire(at: driver.now)
        if isFree { return nil }
        for (id, job) in jobs where job.isOpen && job.expiresAt.map({ $0 <= driver.now }) ?? false {
            if !job.waiting.isEmpty || job.planned < job.names.count || job.runsAgain { jobs[id]?.stop(.expired) }
        }
        return nil
    }
}
