import Foundation
import TestSupport
import Testing

/// A koobatch and a hostile server, for a few rounds: jobs under hostile answers, then under good ones.
final class ExchangeRun {
    /// Mixed case, as tokens have it.
    static let secret = "MIIFuzzQx7Lw2ZpR9vKt4YbN8sJc3HdGm6XeTa1UoWkVjPnBy5rDqEhS"
    /// How long jobs may take once the server behaves well.
    static let patience = Duration.seconds(60)

    let koobatch: Koobatch
    let server: HostileServer
    var invariants = ExchangeInvariants(secret: secret)
    private var dice: Dice
    private let mostInstances: Int

    /// Starts a daemon with settings of the seed's choice.
    init(seed: UInt64) throws {
        dice = Dice(seed: seed, subject: "run")
        let size = dice.pick(1, 3, 5, 32)
        mostInstances = size * 20
        server = try HostileServer(HostileCloud(seed: seed, secret: Self.secret))
        koobatch = try Koobatch()
        try koobatch.write(secret: Self.secret, to: "token")
        try koobatch.configure(
            endpoint: server.endpoint,
            settings: """
                submit: {timeout: 0.4, chunk_size: \(size), max_in_flight: \(dice.pick(1, 4, 8))}
                retry: {base_delay: 0.01, max_delay: 0.03}
                poll: {initial_delay: 0.02, max_delay: 0.1}
                log: {format: \(dice.pick("json", "text")), level: \(dice.pick("info", "debug", "trace"))}
                """
        )
        try koobatch.start()
    }

    /// Inserts jobs, lets the server answer them badly and then well, and returns every broken rule.
    func round(_ number: Int, requests: Int, seconds: Int) throws -> [String] {
        server.behave(false)
        let before = try koobatch.row("SELECT count(*) FROM attempts")[0]
        for (index, policy) in ["retry", "hold", "hold", "fail"].enumerated() {
            _ = try koobatch.insert(
                instances: dice.int(1...dice.pick(3, mostInstances / 2, mostInstances)),
                prefix: "\(policy.prefix(1))\(number)\(["a", "b", "c", "d"][index])",
                columns: [("on_unknown", "'\(policy)'"), ("max_attempts", dice.pick("1", "3", "1000"))]
            )
        }
        try koobatch.wait(
            for: """
                SELECT (SELECT count(*) - \(before) >= \(requests) FROM attempts WHERE outcome IS NOT NULL)
                       OR julianday('now') - (SELECT max(julianday(created_at)) FROM command_jobs) > \(seconds) / 86400.0
                       OR (SELECT count(*) = 0
                             FROM job_progress
                            WHERE job_state IN ('queued', 'running')
                              AND (planned < total OR waiting_chunks + in_flight_chunks > 0))
                """
        )
        let broken = try complaints() + recovery()
        // What does not come to an end would only be waited for again.
        return broken.isEmpty ? try settlement() + complaints() : broken
    }

    /// Ends the daemon in order and looks once more.
    func end() throws -> [String] {
        let daemon = try #require(koobatch.daemon)
        let log = try daemon.output + daemon.errors
        let status = try koobatch.stop()
        return (status == 0 ? [] : ["the daemon ended with \(status): \(log.suffix(3_000))"]) + (try complaints())
    }

    /// The broken rules of a moment, whatever is going on.
    func complaints() throws -> [String] {
        let truth = Truth(koobatch: koobatch)
        try truth.expectIntegrity()
        try truth.expectCountsAddUp()
        return try invariants.complaints(koobatch) { server.truth }
    }

    /// Once the server behaves well every job ends by itself within a minute, but for what waits for an operator.
    private func recovery() throws -> [String] {
        server.behave(true)
        let deadline = ContinuousClock.now + Self.patience
        let isIdle = """
            SELECT count(*) = 0
              FROM command_jobs AS j
              JOIN job_progress AS p ON p.command_job_id = j.id
             WHERE j.finished_at IS NULL
               AND j.state <> 'paused'
               AND (p.held_chunks = 0 OR p.waiting_chunks + p.in_flight_chunks > 0 OR p.planned < p.total)
            """
        repeat {
            do {
                try koobatch.wait(for: isIdle, within: Self.patience)
            } catch is Koobatch.Timeout {
                return try awaited()
            }
            // A job of which everything was refused waits for an operator, who has it go on.
            let resumed = try koobatch.shell.run(
                "UPDATE command_jobs SET state = 'running' WHERE state = 'paused' RETURNING id;"
            )
            if resumed.isEmpty { break }
        } while ContinuousClock.now < deadline
        let unfinished = try koobatch.shell.run(
            "SELECT id, state, state_reason FROM command_jobs WHERE on_unknown <> 'hold' AND finished_at IS NULL"
        )
        return unfinished.isEmpty ? [] : ["not finished within \(Self.patience): \(unfinished)"]
    }

    /// The jobs of the API whose results are awaited, and where they come from.
    private func awaited() throws -> [String] {
        let truth = server.truth
        let state = try koobatch.shell.run(
            """
            .mode line
            SELECT * FROM daemon;
            SELECT * FROM chunks WHERE state IN ('pending', 'submitting', 'submitted');
            SELECT * FROM why;
            """
        )
        let rows = try koobatch.shell.rows(
            "SELECT task_id, job_id, instance_id FROM instance_status WHERE state = 'submitted' LIMIT 3"
        )
        return ["not finished within \(Self.patience), after \(truth.exchanges) exchanges: \(state)"]
            + rows.map { row in
                let submission = truth.submissions.last { $0.mappings.contains { $0.task == row[0] } }
                let jobs = truth.jobs[row[0]] ?? []
                return
                    "no result: \(row) asked for \(truth.queries[row[0], default: 0]) times of \(jobs), \(submission?.description ?? "never sent")"
            }
    }

    /// A user settles what is held: a part is sent again, the rest given up.
    private func settlement() throws -> [String] {
        let sent = server.truth.submissions.count
        let again = try koobatch.shell.rows(
            """
            SELECT instance_id
              FROM instance_status
             WHERE chunk_id IN (SELECT id FROM chunks WHERE state = 'unknown' AND id % 2 = 0)
            """
        )
        for row in again { invariants.released[row[0]] = sent }
        try koobatch.shell.run(
            """
            UPDATE chunks SET state = 'pending' WHERE state = 'unknown' AND id % 2 = 0;
            UPDATE chunks SET state = 'failed' WHERE state = 'unknown' AND id % 2 = 1;
            """
        )
        // An answer that a busy machine has lost is held again.
        try koobatch.wait(
            for: "SELECT count(*) = 0 FROM chunks WHERE state IN ('pending', 'submitting', 'submitted')",
            within: Self.patience
        )
        try koobatch.shell.run("UPDATE chunks SET state = 'failed' WHERE state = 'unknown';")
        try koobatch.waitUntilFinished(within: Self.patience)
        return []
    }
}
