import Foundation
import TestSupport

/// What must be true of koobatch whatever a server has answered: each check says what is wrong, and nothing if nothing is.
struct ExchangeInvariants {
    /// What an instance is called whose job waits for an operator, or gives up, when an answer is lost; the first letter.
    static let onceOnly: Set<Character> = ["h", "f"]
    /// So many characters of a secret's beginning are as good as the secret.
    static let leastSecret = 12

    /// A row of the table.
    struct Attempt: Hashable {
        /// Its place in the order in which requests were sent.
        let number: Int
        let outcome: String
    }

    let secret: String
    /// For instances that a user had sent again: how many submissions were read before that.
    var released: [String: Int] = [:]
    /// How often each rule was applied, by its name.
    private(set) var applied: [String: Int] = [:]

    init(secret: String) {
        self.secret = secret
    }

    private mutating func apply(_ rule: String, _ count: Int) {
        applied[rule, default: 0] += count
    }

    /// Every rule that a look at the database, the log and the requests can tell broken.
    mutating func complaints(_ koobatch: Koobatch, truth: () -> ExchangeTruth) throws -> [String] {
        let before = truth()
        let attempts = try Self.attempts(koobatch)
        let mappings = try Self.mappings(koobatch)
        let results = try Self.results(koobatch)
        let after = truth()
        apply("process", 1)
        let death = koobatch.daemon?.isRunning == false ? ["the daemon has ended"] : []
        return death + after.complaints + repetitions(after) + visibility(before, attempts) + origins(mappings, after)
            + reports(results) + (try secrecy(koobatch))
    }

    // MARK: Requests

    /// Nothing that may have been acted on is sent again where once only is asked for.
    mutating func repetitions(_ truth: ExchangeTruth) -> [String] {
        var complaints: [String] = []
        var acted: [String: ExchangeTruth.Submission] = [:]
        for (index, submission) in truth.submissions.enumerated() {
            for instance in submission.instances where instance.first.map(Self.onceOnly.contains) == true {
                guard index >= released[instance, default: 0] else { continue }
                apply("once only", 1)
                if let earlier = acted[instance] {
                    complaints.append(
                        "\(instance) was sent again by \(submission.requestID) after \(earlier.description)"
                    )
                    break
                }
            }
            if !submission.allowsRepetition {
                for instance in submission.instances where index >= released[instance, default: 0] {
                    acted[instance] = submission
                }
            }
        }
        return complaints
    }

    /// Every request is an attempt, none is told to have never been sent, and each repetition can be seen to be one.
    mutating func visibility(_ truth: ExchangeTruth, _ attempts: [String: Attempt]) -> [String] {
        var complaints: [String] = []
        var earlier: [String: ExchangeTruth.Submission] = [:]
        var seen: Set<String> = []
        // What was sent first may be read last: on a connection that the client has given up meanwhile.
        let inOrder = truth.submissions.sorted {
            attempts[$0.requestID]?.number ?? 0 < attempts[$1.requestID]?.number ?? 0
        }
        for submission in inOrder {
            apply("request is an attempt", 1)
            if !seen.insert(submission.requestID).inserted {
                complaints.append("\(submission.requestID) was used twice")
            }
            guard let outcome = attempts[submission.requestID]?.outcome else {
                complaints.append("no attempt: \(submission.description)")
                continue
            }
            if outcome == "not_sent" { complaints.append("not_sent, but: \(submission.description)") }
            for instance in submission.instances {
                guard let first = earlier.updateValue(submission, forKey: instance) else { continue }
                apply("repetition is visible", 1)
                let outcome = attempts[first.requestID]?.outcome ?? ""
                let isVisible =
                    outcome == "unknown" || (first.allowsRepetition && outcome != "accepted" && outcome != "")
                if !isVisible { complaints.append("\(instance) was sent again after \(outcome): \(first.description)") }
            }
        }
        return complaints
    }

    // MARK: Records

    /// Every mapping was given in the answer to the very request that was accepted, for that very instance.
    mutating func origins(_ mappings: [[String?]], _ truth: ExchangeTruth) -> [String] {
        let submissions = Dictionary(truth.submissions.map { ($0.requestID, $0) }) { first, _ in first }
        return mappings.compactMap { row in
            apply("mapping is of its request", 1)
            let texts = row.compactMap(\.self)
            guard texts.count == 4 else { return "a mapping without an accepted attempt: \(row)" }
            let mapping = AnswerScript.Mapping(task: texts[0], instance: texts[1], job: texts[2])
            guard let submission = submissions[texts[3]] else { return "a mapping of no request: \(texts)" }
            if submission.mappings.contains(mapping) { return nil }
            let giver = truth.submissions.first { $0.mappings.contains(mapping) }?.description ?? "nobody"
            return "a mapping that was not given: \(texts), \(submission.description)\nbut by \(giver)"
        }
    }

    /// Every result is the one that was told of its job.
    mutating func reports(_ results: [[String?]]) -> [String] {
        results.compactMap { row in
            guard row.count == 3, let job = row[0], let state = row[1] else { return "a result without a job: \(row)" }
            apply("result is of its job", 1)
            let isRight = (state == "failed") == QueryAnswer.hasFailed(job: job)
            let isOwn = row[2]?.hasPrefix(QueryAnswer.mark(job: job)) ?? true
            return isRight && isOwn ? nil : "a result of another job: \(row.map { $0?.prefix(200) ?? "NULL" })"
        }
    }

    /// Neither the log nor any byte of the database holds the secret or enough of its beginning.
    mutating func secrecy(_ koobatch: Koobatch) throws -> [String] {
        var places = [("the dump", Data(try koobatch.shell.run(".dump").utf8))]
        for name in ["koobatch.db", "koobatch.db-wal"] {
            let path = koobatch.folder.appending(path: name).path
            if let content = FileManager.default.contents(atPath: path) { places.append((name, content)) }
        }
        if let daemon = koobatch.daemon { places.append(("the log", Data(try (daemon.output + daemon.errors).utf8))) }
        let beginning = secret.prefix(Self.leastSecret)
        return places.flatMap { name, content in
            [String(beginning), beginning.lowercased()].compactMap { part in
                apply("no secret", 1)
                guard let range = content.range(of: Data(part.utf8)) else { return nil }
                let start = max(content.startIndex, range.lowerBound - 500)
                let around = String(
                    decoding: content[start..<min(content.endIndex, range.upperBound + 100)],
                    as: UTF8.self
                )
                return "the secret is in \(name): \(around.debugDescription)"
            }
        }
    }

    // MARK: The database

    private static func attempts(_ koobatch: Koobatch) throws -> [String: Attempt] {
        let rows = try rows(koobatch, "request_id, CAST(id AS TEXT), outcome", "FROM attempts")
        return Dictionary(
            rows.map { ($0[0] ?? "", Attempt(number: $0[1].flatMap(Int.init) ?? 0, outcome: $0[2] ?? "")) }
        ) { first, _ in first }
    }

    private static func mappings(_ koobatch: Koobatch) throws -> [[String?]] {
        let request =
            "(SELECT max(request_id) FROM attempts AS a WHERE a.chunk_id = t.chunk_id AND outcome = 'accepted')"
        return try rows(koobatch, "task_id, instance_id, job_id, \(request)", "FROM task_map AS t")
    }

    private static func results(_ koobatch: Koobatch) throws -> [[String?]] {
        let source = "FROM instance_status WHERE job_id IS NOT NULL AND state IN ('succeeded', 'failed')"
        return try rows(koobatch, "job_id, state, output", source)
    }

    /// Rows of texts, whatever characters are in them.
    private static func rows(_ koobatch: Koobatch, _ columns: String, _ source: String) throws -> [[String?]] {
        let printed = try koobatch.shell.run("SELECT json_group_array(json_array(\(columns))) \(source);")
        return try JSONDecoder().decode([[String?]].self, from: Data(printed.utf8))
    }
}
