import GRDB

/// What must be true of the database after every commit, whoever made it.
enum Audit {
    /// The rules that are broken, each with where; empty when all is well.
    static func complaints(_ database: DatabaseQueue) async throws -> [String] {
        // Not `read`: its PRAGMA query_only would have SQLite prepare every statement anew.
        try await database.writeWithoutTransaction { db in
            try rules.flatMap { rule, sql in
                try Row.fetchAll(db.cachedStatement(sql: sql)).map { "\(rule): \($0)" }
            }
        }
    }

    /// Each query finds the rows that break the rule.
    private static let rules: KeyValuePairs<String, String> = [
        "the counts of job_status add up to total": """
        SELECT *
          FROM job_status
         WHERE pending < 0
            OR pending + submitted + succeeded + failed + unknown + cancelled + rejected <> total
        """,
        "instance_status has every instance exactly once, in the states that job_status counts": """
        SELECT s.*, i.*
          FROM job_status AS s
          JOIN command_jobs AS j ON j.id = s.id
          LEFT JOIN (SELECT command_job_id,
                            count(*)                    AS instances,
                            count(DISTINCT instance_id) AS different,
                            sum(state = 'pending')      AS pending,
                            sum(state = 'submitted')    AS submitted,
                            sum(state = 'succeeded')    AS succeeded,
                            sum(state = 'failed')       AS failed,
                            sum(state = 'unknown')      AS unknown,
                            sum(state = 'cancelled')    AS cancelled,
                            sum(state = 'rejected')     AS rejected
                       FROM instance_status
                      GROUP BY command_job_id) AS i ON i.command_job_id = s.id
         WHERE (s.total, s.total, s.pending, s.submitted, s.succeeded, s.failed, s.unknown, s.cancelled, s.rejected)
               IS NOT
               (i.instances, i.different, i.pending, i.submitted, i.succeeded, i.failed, i.unknown, i.cancelled,
                i.rejected)
        """,
        "instance_status has the instances of the job and no others": """
        SELECT i.*
          FROM instance_status AS i
          JOIN command_jobs AS j ON j.id = i.command_job_id
         WHERE i.instance_id NOT IN (SELECT value FROM json_each(j.instance_ids))
        """,
        "job_progress agrees with the job": """
        SELECT *
          FROM command_jobs AS j
          LEFT JOIN job_progress AS p ON p.command_job_id = j.id
         WHERE (j.state, j.priority, j.run_at, j.expires_at) IS NOT (p.job_state, p.priority, p.run_at, p.expires_at)
        """,
        "job_progress agrees with the chunks": """
        SELECT p.*, c.*
          FROM job_progress AS p
          LEFT JOIN (SELECT command_job_id,
                            sum(state = 'pending')                    AS waiting,
                            sum(state = 'pending' AND blocked = 1)    AS blocked,
                            sum(state IN ('submitting', 'submitted')) AS in_flight,
                            sum(state = 'unknown')                    AS held,
                            sum(submitted)                            AS submitted,
                            sum(succeeded)                            AS succeeded,
                            sum(failed)                               AS failed,
                            sum(unknown)                              AS unknown,
                            sum(cancelled)                            AS cancelled,
                            sum(rejected)                             AS rejected
                       FROM chunks
                      GROUP BY command_job_id) AS c ON c.command_job_id = p.command_job_id
         WHERE (p.waiting_chunks, p.blocked_chunks, p.in_flight_chunks, p.held_chunks, p.submitted, p.succeeded, p.failed,
                p.unknown, p.cancelled, p.rejected)
               IS NOT
               (coalesce(c.waiting, 0), coalesce(c.blocked, 0), coalesce(c.in_flight, 0), coalesce(c.held, 0),
                coalesce(c.submitted, 0), coalesce(c.succeeded, 0), coalesce(c.failed, 0), coalesce(c.unknown, 0),
                coalesce(c.cancelled, 0) + iif(p.job_state IN ('cancelled', 'expired'), p.total - p.planned, 0),
                coalesce(c.rejected, 0))
        """,
        "nothing that the counts of a job ask for is left undone": "SELECT * FROM job_decisions",
        "the documents of a chunk have an entry for each of its instances": """
        SELECT c.id, c.state, c.size, d.*
          FROM chunks AS c
          JOIN chunk_instances AS d ON d.chunk_id = c.id
         WHERE json_array_length(d.instance_ids) <> c.size
            OR json_array_length(d.job_ids) <> c.size
            OR length(d.states) <> c.size
            OR (c.task_id IS NOT NULL) > (d.job_ids IS NOT NULL AND d.states IS NOT NULL)
            OR c.size IN (SELECT 0
                           UNION ALL
                          SELECT c.size
                            FROM json_each(json_array(d.outputs, d.error_codes, d.error_msgs, d.result_times)) AS e
                           WHERE e.value GLOB '[[]*'
                             AND json_array_length(e.value) <> c.size)
        """,
        "the letters of a chunk that was accepted are its counts, and those of another are of instances that moved": """
        SELECT c.*, d.states
          FROM chunks AS c
          JOIN chunk_instances AS d ON d.chunk_id = c.id
         WHERE d.states IS NOT NULL
           AND (c.submitted, c.succeeded, c.failed, c.unknown)
               IS NOT
               (c.size - length(replace(d.states, 'a', '')), c.size - length(replace(d.states, 's', '')),
                c.size - length(replace(d.states, 'f', '')), c.size - length(replace(d.states, 'u', '')))
        """,
        "chunks that are counted as one thing are that, and those that are open are not over": """
        SELECT *
          FROM chunks
         WHERE (state IN ('pending', 'submitting', 'split')
                AND submitted + succeeded + failed + unknown + cancelled + rejected > 0)
            OR (state = 'unknown') > (unknown = size)
            OR (blocked = 1) > (state = 'pending')
            OR (state = 'pending') <> (next_attempt_at IS NOT NULL)
            OR (finished_at IS NOT NULL) <> (state IN ('finished', 'failed', 'cancelled', 'split'))
            OR (submitted_at IS NOT NULL) < (state IN ('submitted', 'finished'))
            OR (state = 'submitted') > (submitted > 0)
        """,
        "a job has its end exactly when nothing of it can change": """
        SELECT j.id, j.state, j.finished_at, p.*
          FROM command_jobs AS j
          JOIN job_progress AS p ON p.command_job_id = j.id
         WHERE (j.finished_at IS NOT NULL)
               <> (j.state NOT IN ('queued', 'running', 'paused')
                   AND p.waiting_chunks + p.in_flight_chunks + p.held_chunks = 0)
            OR (j.state IN ('running', 'paused')
                AND p.planned = p.total AND p.replan_upto IS NULL
                AND p.waiting_chunks + p.in_flight_chunks + p.held_chunks = 0)
            OR (j.state = 'succeeded') > (p.succeeded = p.total)
            OR (j.state = 'partial') > (p.succeeded BETWEEN 1 AND p.total - 1)
            OR (j.state = 'failed') > (p.succeeded = 0)
            OR (j.started_at IS NULL AND (p.planned > 0 OR j.state IN ('running', 'succeeded', 'partial', 'failed')))
        """,
        "an open attempt belongs to a chunk that is submitting, and the other way round": """
        SELECT c.id, c.state, count(a.id)
          FROM chunks AS c
          LEFT JOIN attempts AS a ON a.chunk_id = c.id AND a.outcome IS NULL
         GROUP BY c.id
        HAVING count(a.id) <> (c.state = 'submitting')
        """,
        "task_map has the accepted instances": """
        SELECT c.id, c.size - c.unknown, count(t.job_id)
          FROM chunks AS c
          JOIN chunk_instances AS d ON d.chunk_id = c.id
          LEFT JOIN task_map AS t ON t.chunk_id = c.id AND t.task_id = c.task_id AND t.command_job_id = c.command_job_id
         GROUP BY c.id
        HAVING count(t.job_id) <> coalesce((SELECT count(value) FROM json_each(d.job_ids)), 0)
        """,
        "outputs counts what ended": """
        SELECT s.id, s.succeeded + s.failed + s.unknown + s.rejected, o.instances
          FROM job_status AS s
          LEFT JOIN (SELECT command_job_id, sum(instances) AS instances
                       FROM outputs
                      GROUP BY command_job_id) AS o ON o.command_job_id = s.id
         WHERE s.succeeded + s.failed + s.unknown + s.rejected <> coalesce(o.instances, 0)
        """,
        "why has a row for every unfinished job": """
        SELECT id
          FROM command_jobs
         WHERE state IN ('queued', 'running', 'paused')
           AND 1 <> (SELECT count(*)
                       FROM why
                      WHERE command_job_id = command_jobs.id AND chunk_id IS NULL AND explanation IS NOT NULL)
        """,
        "nothing is left of a deleted job": """
        SELECT 'chunks', id FROM chunks WHERE command_job_id NOT IN (SELECT id FROM command_jobs)
        UNION ALL
        SELECT 'job_progress', command_job_id FROM job_progress
         WHERE command_job_id NOT IN (SELECT id FROM command_jobs)
        UNION ALL
        SELECT 'attempts', id FROM attempts WHERE chunk_id NOT IN (SELECT id FROM chunks)
        UNION ALL
        SELECT 'chunk_instances', chunk_id FROM chunk_instances WHERE chunk_id NOT IN (SELECT id FROM chunks)
        UNION ALL
        SELECT 'chunks without instances', id FROM chunks WHERE id NOT IN (SELECT chunk_id FROM chunk_instances)
        """,
    ]
}
