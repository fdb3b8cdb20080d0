import Foundation

/// A database full of finished jobs, as if the daemon had run them all: a job for every 100,000 instances.
///
/// The only part of the benchmark that knows more of the schema than is promised to users.
enum History {
    private static let chunksOfJob = 3_125

    /// Fills the database of a bed, which nobody has open, with so many finished instances.
    ///
    /// The triggers, which would take hours, are taken off meanwhile; what they keep is written here.
    static func write(instances: Int, to bed: TestBed) throws {
        let chunks = instances / 32
        let triggers = try bed.shell("SELECT sql || ';' FROM sqlite_schema WHERE type = 'trigger';")
        let names = try bed.shell("SELECT name FROM sqlite_schema WHERE type = 'trigger';").split(separator: "\n")
        try bed.shell(
            """
            PRAGMA journal_mode = OFF;
            PRAGMA synchronous = OFF;
            PRAGMA cache_size = -262144;
            BEGIN;
            \(names.map { "DROP TRIGGER \"\($0)\";" }.joined(separator: "\n"))
            CREATE TEMP TABLE n AS WITH RECURSIVE n (c) AS (SELECT 0 UNION ALL SELECT c + 1 FROM n WHERE c < \(chunks - 1))
                SELECT c FROM n;
            \(rows)
            \(triggers)
            COMMIT;
            PRAGMA journal_mode = WAL;
            """
        )
    }

    /// What a daemon would have written for the chunks 0, 1, 2, … of the table n.
    private static var rows: String {
        // Too young to be deleted by the daemon, which would be measured with it.
        let time = "strftime('%Y-%m-%dT%H:%M:%fZ', 'now')"
        let all = "'[\((0..<32).map(String.init).joined(separator: ","))]'"
        let states = "'\(String(repeating: "s", count: 32))'"
        return """
            INSERT INTO command_jobs (id, command, instance_ids, state, run_at, created_at, started_at, finished_at)
            SELECT c / \(chunksOfJob) + 1, 'ls', json_group_array('h' || (c * 32 + value)), 'succeeded',
                   \(time), \(time), \(time), \(time)
              FROM n JOIN json_each(\(all))
             GROUP BY c / \(chunksOfJob);

            INSERT INTO job_progress (command_job_id, job_state, priority, run_at, is_due, total, planned, plan_limit,
                                      succeeded, slow_start)
            SELECT id, state, 0, run_at, 1, total, total, total, total, 0
              FROM (SELECT id, state, run_at, json_array_length(instance_ids) AS total FROM command_jobs);

            INSERT INTO chunks (id, command_job_id, state, task_id, attempts, submitted_at, finished_at, polls, size,
                                succeeded)
            SELECT c + 1, c / \(chunksOfJob) + 1, 'finished', printf('%032x', c), 1, \(time), \(time), 1, 32, 32
              FROM n;

            INSERT INTO chunk_instances (chunk_id, instance_ids, job_ids, states, outputs)
            SELECT c + 1,
                   (SELECT json_group_array('h' || (c * 32 + value)) FROM json_each(\(all))),
                   (SELECT json_group_array(printf('%032x', c * 32 + value)) FROM json_each(\(all))),
                   \(states), '"ok"'
              FROM n;

            INSERT INTO attempts (chunk_id, request_id, started_at, finished_at, outcome, http_status)
            SELECT c + 1, printf('%032x', c), \(time), \(time), 'accepted', 200 FROM n;
            """
    }
}
