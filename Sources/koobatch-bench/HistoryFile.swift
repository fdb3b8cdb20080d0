import Foundation
import KoobatchStore
import TestSupport

/// A database full of finished jobs, as if the daemon had run them all: a job for every 100,000 instances.
struct HistoryFile {
    private static let chunksOfJob = 3_125

    let path: String

    /// Creates a database with so many finished instances, a multiple of 100,000.
    ///
    /// The triggers, which would take hours, are taken off meanwhile; what they keep is written here.
    init(path: String, instances: Int) throws {
        self.path = path
        try Store.migrate(path: path)
        let chunks = instances / 32
        guard chunks > 0 else { return }
        let triggers = try run("SELECT sql || ';' FROM sqlite_schema WHERE type = 'trigger';")
        let names = try run("SELECT name FROM sqlite_schema WHERE type = 'trigger';").split(separator: "\n")
        let time = "'2026-01-01T00:00:00.000Z'"
        let all = "'[\((0..<32).map(String.init).joined(separator: ","))]'"
        try run(
            """
            PRAGMA journal_mode = OFF;
            PRAGMA synchronous = OFF;
            PRAGMA cache_size = -262144;
            BEGIN;
            \(names.map { "DROP TRIGGER \($0);" }.joined(separator: "\n"))
            CREATE TEMP TABLE n AS WITH RECURSIVE n (c) AS (SELECT 0 UNION ALL SELECT c + 1 FROM n WHERE c < \(chunks - 1))
                SELECT c FROM n;

            INSERT INTO command_jobs (id, command, instance_ids, state, run_at, created_at, started_at, finished_at)
            SELECT c / \(Self.chunksOfJob) + 1, 'ls', json_group_array('h' || (c * 32 + value)), 'succeeded',
                   \(time), \(time), \(time), \(time)
              FROM n JOIN json_each(\(all))
             GROUP BY c / \(Self.chunksOfJob);

            INSERT INTO job_progress (command_job_id, job_state, priority, run_at, total, planned, plan_limit, succeeded)
            SELECT id, state, 0, run_at, total, total, total, total
              FROM (SELECT id, state, run_at, json_array_length(instance_ids) AS total FROM command_jobs);

            INSERT INTO chunks (id, command_job_id, state, task_id, attempts, submitted_at, finished_at, polls, size,
                                succeeded, instance_ids)
            SELECT c + 1, c / \(Self.chunksOfJob) + 1, 'finished', printf('%032x', c), 1, \(time), \(time), 1, 32, 32,
                   (SELECT json_group_array('h' || (c * 32 + value)) FROM json_each(\(all)))
              FROM n;

            INSERT INTO instance_jobs (chunk_id, instance_id, job_id, state, output, finished_at)
            SELECT c + 1, 'h' || (c * 32 + value), printf('%032x', c * 32 + value), 'succeeded', 'ok', \(time)
              FROM n JOIN json_each(\(all));

            INSERT INTO attempts (chunk_id, request_id, started_at, finished_at, outcome, http_status)
            SELECT c + 1, printf('%032x', c), \(time), \(time), 'accepted', 200 FROM n;

            \(triggers)
            COMMIT;
            """
        )
    }

    /// Runs statements in the stock shell and returns what it prints.
    @discardableResult
    func run(_ statements: String) throws -> String {
        let outcome = try Command.run(["sqlite3", "-batch", "-bail", path], input: statements)
        guard outcome.status == 0 else { throw TestBed.Failed(description: outcome.errors) }
        return outcome.output.trimmingCharacters(in: .newlines)
    }
}
