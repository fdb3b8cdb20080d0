import GRDB
import GRDBSQLite
import KoobatchCore
import Synchronization
import TestSupport
import Testing

@testable import KoobatchStore

/// No statement of the daemon and no documented question reads a table from end to end.
@Suite("Query plans", .database)
struct QueryPlanTests {
    /// Indexes that hold no more than the rows that are wanted, so that reading all of one is right.
    private static let toBeReadWhole = [
        "job_progress_to_send", "job_progress_scheduled", "job_progress_unfinished", "job_progress_chores",
        "chunks_submitting", "chunks_held", "chunks_next_attempt", "chunks_next_poll",
        "sqlite_autoindex_error_policies_1", "job_progress_stopped",
    ]
    /// What is small or not a table.
    private static let small = [
        "e", "json_each", "error_policies", "daemon_state", "sqlite_schema", "sqlite_sequence", "CONSTANT", "facts",
        "waiting",
        "blockers", "instance_status",
        "why", "ahead", "a", "b", "outputs", "oldest",
    ]

    static func readsTooMuch(_ step: String) -> Bool {
        let words = step.split(separator: " ").map(String.init)
        guard words.first == "SCAN", words.count > 1 else { return false }
        if small.contains(words[1]) || words[1].hasPrefix("(subquery") { return false }
        return !toBeReadWhole.contains { step.contains($0) }
    }

    static func plan(of sql: String, _ db: Database) throws -> [String] {
        // Parameters stay unbound; the plan does not depend on them.
        let statement = try db.makeStatement(sql: "EXPLAIN QUERY PLAN " + sql)
        statement.setUncheckedArguments([])
        return try Row.fetchAll(statement).map { $0["detail"] }
    }

    /// Statements that a store runs during a whole life of jobs.
    private func statements() async throws -> Set<String> {
        let database = try TestDatabase.current()
        let observer = try database.observer()
        let seen = Collected()
        let store = try database.store()
        store.database.inDatabase { db in
            db.trace { event in
                if case .statement(let statement) = event { seen.insert(statement.sql) }
            }
        }
        var driver = StoreDriver(store)
        _ = try await observer.insertJob((0..<70).map { "i\($0)" }, ["expires_at": "'2020-01-01T01:00'"])
        _ = try await observer.insertJob(["a", "b"], ["on_unknown": "'hold'", "priority": "1"])
        _ = try await store.nextSubmission(at: driver.now)
        var claims = try await driver.claim()
        try await driver.record(driver.lost(claims.removeFirst()))
        try await driver.record(driver.accepted(claims.removeFirst()), driver.refused(claims.removeFirst()))
        try await driver.pollAll(observer) { $0.hasSuffix("1") ? nil : true }
        _ = try await store.record(
            try await store.duePolls(at: driver.now + .seconds(3_600), places: 9, busy: []).due.map {
                PollAnswer(poll: $0, result: .success(TaskReport(results: [:])), finishedAt: driver.now)
            },
            schedule: try #require(driver.rules.polling),
            at: driver.now + .seconds(3_600)
        )
        _ = try await store.expire(at: driver.now + .seconds(7_200))
        _ = try await store.recover(
            rules: SubmissionRules(backoff: driver.rules.backoff, polling: nil),
            at: driver.now,
            generator: SeededGenerator(seed: 1)
        )
        _ = try await store.nextPlanning(after: driver.now)
        _ = try await store.activity()
        _ = try await store.stoppedJobs(known: [])
        _ = try await store.outlook(
            rules: driver.rules,
            retention: .seconds(1),
            trusted: driver.now,
            at: driver.now
        )
        try await observer.user("UPDATE command_jobs SET state = 'cancelled' WHERE id = 2")
        try await observer.user("UPDATE command_jobs SET state = 'queued' WHERE id = 2")
        _ = try await observer.insertJob(["t1", "t2"], ["serialize_instances": "1"], slowStart: true)
        _ = try await observer.insertJob(["t1", "t3"], ["serialize_instances": "1"])
        while case let claims = try await driver.claim(), !claims.isEmpty {
            _ = try await driver.turn(claims.map { driver.refused($0) })
        }
        try await observer.user("UPDATE command_jobs SET state = 'cancelled' WHERE id = 2 AND finished_at IS NULL")
        // Ahead of SQLite's clock, so that the daemon finds that it has come.
        _ = try await observer.insertJob(["u"], ["run_at": "'2100-01-01'"])
        driver.now = Timestamp(millisecondsSinceEpoch: 4_102_444_800_000)
        _ = try await driver.turn(try await driver.claim().map { driver.refused($0) })
        while try await store.deleteFinished(before: Timestamp("9999-12-31T00:00:00.000Z")) != nil {}
        return seen.value
    }

    @Test("of the statements of the daemon use the indexes that are meant for them")
    func daemon() async throws {
        let statements = try await statements().filter { sql in
            ["SELECT", "UPDATE", "INSERT", "DELETE"].contains { sql.hasPrefix($0) }
        }
        #expect(statements.count > 25)
        let plans = try await TestDatabase.current().observer().read { db in
            try statements.map { ($0, try Self.plan(of: $0, db)) }
        }
        for (sql, plan) in plans {
            #expect(plan.filter(Self.readsTooMuch).isEmpty, "\(sql)\n\(plan.joined(separator: "\n"))")
        }
        func expect(_ index: String, in fragment: String) {
            let matching = plans.filter { $0.0.contains(fragment) }
            #expect(!matching.isEmpty, "no statement contains \(fragment)")
            #expect(matching.allSatisfy { $0.1.contains { $0.contains(index) } }, "\(fragment): \(matching)")
        }
        let claim = "p.waiting_chunks > p.blocked_chunks,"
        expect("job_progress_to_send", in: claim)
        expect("chunks_pending (command_job_id=? AND blocked=? AND next_attempt_at<?)", in: claim)
        expect(
            "chunks_pending (command_job_id=? AND blocked=? AND next_attempt_at<?)",
            in: "ORDER BY c.next_attempt_at, c.id"
        )
        expect("job_progress_scheduled", in: "SELECT min(run_at) FROM job_progress WHERE is_due = 0")
        expect("job_progress_scheduled (run_at<?)", in: "SET is_due = 1")
        expect("chunks_next_attempt (next_attempt_at>?)", in: "SELECT min(due)")
        expect("job_progress_scheduled (run_at>?)", in: "SELECT min(due)")
        expect("job_progress_chores", in: "AND replan_upto IS NOT NULL\n   AND job_state")
        expect("job_progress_chores", in: "AND blocked_chunks > 0")
        expect("job_progress_unfinished (expires_at", in: "AND expires_at <= ?\n")
        expect("job_progress_unfinished (expires_at>?)", in: "SELECT min(expires_at)")
        expect("chunks_next_poll (state=? AND next_poll_at>? AND next_poll_at<?)", in: "AND next_poll_at <= ?\n")
        expect("chunks_next_poll (state=? AND next_poll_at>?)", in: "SELECT min(next_poll_at)")
        expect("chunks_next_poll (state=? AND next_poll_at>?)", in: "AND polls = 0")
        expect("chunks_submitting", in: "WHERE c.state = 'submitting'")
        expect("command_jobs_finished (finished_at>? AND finished_at<?)", in: "finished_at < ?\n")
        expect("job_progress_stopped", in: "INDEXED BY job_progress_stopped")
        expect("chunks_of_job (command_job_id=?)", in: "ORDER BY id DESC")
        expect("attempts_of_chunk (chunk_id=?)", in: "SET outcome     = 'unknown'")
    }

    @Test("of the daemon are made once, whatever their parameters are")
    func preparedOnce() async throws {
        let database = try TestDatabase.current()
        let observer = try database.observer()
        let store = try database.store()
        var driver = StoreDriver(store)
        func round() async throws -> Int {
            _ = try await observer.insertJob(["a", "b", "c"], ["max_concurrency": "2"])
            try await driver.submitAll()
            try await driver.pollAll(observer)
            return store.database.inDatabase { db in
                var count = 0
                var next = sqlite3_next_stmt(db.sqliteConnection, nil)
                while let statement = next {
                    count += Int(sqlite3_stmt_status(statement, SQLITE_STMTSTATUS_REPREPARE, 1))
                    next = sqlite3_next_stmt(db.sqliteConnection, statement)
                }
                return count
            }
        }
        _ = try await round()
        #expect(try await round() == 0)
        #expect(try await round() == 0)
    }

    @Test("of the claim read the jobs in order when very many are due, and sort none")
    func manyDue() async throws {
        let database = try TestDatabase.current()
        let seen = Collected()
        let store = try database.store()
        try await database.observer().user(
            """
            WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1200)
            INSERT INTO command_jobs (command, instance_ids, run_at) SELECT 'id', '["a"]', '2019-01-01' FROM n
            """
        )
        store.database.inDatabase { db in
            db.trace { event in
                if case .statement(let statement) = event { seen.insert(statement.sql) }
            }
        }
        var driver = StoreDriver(store)
        #expect(try await driver.claim(256).map(\.job.rawValue) == Array(1...256))
        let statement = try #require(seen.value.first { $0.contains("p.waiting_chunks > p.blocked_chunks,") })
        let plan = try await database.observer().read { try Self.plan(of: statement, $0) }
        #expect(plan.first?.hasPrefix("SCAN p USING INDEX job_progress_to_send") == true, "\(plan)")
        #expect(!plan.contains { $0.contains("TEMP B-TREE") }, "\(plan)")
    }

    @Test(
        "of a look for one instance over all jobs read the chunks once, and nothing for each of their instances",
        arguments: [
            "SELECT * FROM instance_status WHERE instance_id = 'i7'",
            "SELECT * FROM task_map WHERE instance_id = 'i7'",
        ]
    )
    func oneInstance(_ sql: String) async throws {
        let plan = try await TestDatabase.current().observer().read { try Self.plan(of: sql, $0) }
        // The documents by their key, and json_each as what it is: neither is materialised, sorted or indexed anew.
        let chunks = plan.filter { $0.contains(" c") && !$0.contains("json_each") && $0.hasPrefix("SCAN") }
        #expect(chunks == ["SCAN c"], "\(plan)")
        #expect(plan.contains("SEARCH d USING INTEGER PRIMARY KEY (rowid=?)"), "\(plan)")
        #expect(
            !plan.contains { $0.contains("MATERIALIZE") || $0.contains("AUTOMATIC") || $0.contains("B-TREE") },
            "\(plan)"
        )
    }

    @Test(
        "of the documented questions use indexes",
        arguments: [
            "SELECT * FROM job_status WHERE id = 7",
            "SELECT * FROM job_status ORDER BY id DESC LIMIT 20",
            "SELECT * FROM error_budget WHERE command_job_id = 7",
            "SELECT * FROM instance_status WHERE command_job_id = 7",
            "SELECT * FROM instance_status WHERE command_job_id = 7 AND state = 'failed'",
            "SELECT * FROM task_map WHERE command_job_id = 7",
            "SELECT * FROM outputs WHERE command_job_id = 7",
            "SELECT * FROM why",
            "SELECT * FROM why WHERE command_job_id = 7",
            "SELECT * FROM daemon",
            "SELECT * FROM chunks WHERE command_job_id = 7",
            "SELECT * FROM attempts WHERE chunk_id = 91 ORDER BY id",
        ]
    )
    func questions(_ sql: String) async throws {
        let plan = try await TestDatabase.current().observer().read { try Self.plan(of: sql, $0) }
        let isList = sql.contains("LIMIT")
        #expect(plan.filter(Self.readsTooMuch).filter { !(isList && $0.hasPrefix("SCAN j")) }.isEmpty, "\(plan)")
    }

    @Test(
        "of the triggers behind a user's statement use indexes",
        arguments: [
            "INSERT INTO command_jobs (command, instance_ids, unique_key) VALUES ('id', '[\"a\"]', 'k')",
            "UPDATE command_jobs SET state = 'cancelled' WHERE id = 2",
            "UPDATE command_jobs SET priority = 9, max_concurrency = 4, run_at = 'now' WHERE id = 2",
            "UPDATE command_jobs SET state = 'queued' WHERE id = 4",
            "UPDATE command_jobs SET state = 'paused' WHERE id = 2",
            "UPDATE command_jobs SET state = 'running' WHERE id = 5",
            "UPDATE command_jobs SET max_errors = 1 WHERE id = 2",
            "UPDATE chunks SET state = 'pending' WHERE id = 4",
            "UPDATE chunks SET state = 'failed' WHERE id = 4",
            "DELETE FROM command_jobs WHERE id = 4",
        ]
    )
    func triggers(_ sql: String) throws {
        let shell = try TestDatabase.current().shell
        try shell.rows(Stages.statements)
        let outcome = try shell.outcome(of: ".eqp trigger\n\(sql);")
        #expect(outcome.status == 0)
        let steps = outcome.output.split(separator: "\n").map { $0.drop { !$0.isLetter } }
        #expect(!steps.isEmpty)
        #expect(steps.map(String.init).filter(Self.readsTooMuch).isEmpty, "\(outcome.output)")
    }
}

final class Collected: Sendable {
    private let statements = Mutex<Set<String>>([])

    var value: Set<String> { statements.withLock { $0 } }

    func insert(_ statement: String) {
        statements.withLock { _ = $0.insert(statement) }
    }
}
