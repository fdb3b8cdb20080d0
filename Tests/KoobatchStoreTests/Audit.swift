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
                            sum(state IN ('submitting', 'submitted')) AS in_flight,
                            sum(state = 'unknown')                    AS held,
                            sum(size) FILTER (WHERE state IN ('pending', 'submitting')) AS instances
                       FROM chunks
                      GROUP BY command_job_id) AS c ON c.command_job_id = p.command_job_id
         WHERE (p.waiting_chunks, p.in_flight_chunks, p.held_chunks, p.waiting_instances)
               IS NOT (coalesce(waiting, 0), coalesce(in_flight, 0), coalesce(held, 0), coalesce(instances, 0))
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
        "what is set aside is counted, waits for a job or is free, and is in no chunk": """
        SELECT p.command_job_id, p.planned, p.set_aside, s.*
          FROM job_progress AS p
          LEFT JOIN (SELECT command_job_id,
                            count(*)                        AS instances,
                            sum(free = EXISTS (SELECT 1
                                                 FROM instance_waits AS w
                                                WHERE w.waiter_job = s.command_job_id
                                                  AND w.instance_id = s.instance_id)) AS wrong
                       FROM set_aside_instances AS s
                      GROUP BY command_job_id) AS s ON s.command_job_id = p.command_job_id
         WHERE p.set_aside <> coalesce(s.instances, 0)
            OR s.wrong > 0
            OR p.planned + p.set_aside > p.plan_limit
        """,
        "nobody waits for what has ended": """
        SELECT w.*
          FROM instance_waits AS w
          JOIN command_jobs AS j ON j.id = w.blocker_job
         WHERE j.finished_at IS NOT NULL
            OR NOT EXISTS (SELECT 1 FROM command_jobs WHERE id = w.waiter_job AND finished_at IS NULL)
        """,
        "an open attempt belongs to a chunk that is submitting, and the other way round": """
        SELECT c.id, c.state, count(a.id)
          FROM chunks AS c
          LEFT JOIN attempts AS a ON a.chunk_id = c.id AND a.outcome IS NULL
         GROUP BY c.id
        HAVING count(a.id) <> (c.state = 'submitting')
        """,
        "task_map has the accepted instances": """
        SELECT i.chunk_id, i.instance_id
          FROM instance_jobs AS i
         WHERE i.job_id IS NOT NULL
           AND NOT EXISTS (SELECT 1
                             FROM task_map AS t
                            WHERE t.chunk_id = i.chunk_id AND t.instance_id = i.instance_id AND t.job_id = i.job_id)
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
        SELECT 'instance_waits', waiter_job FROM instance_waits WHERE blocker_job NOT IN (SELECT id FROM command_jobs)
        UNION ALL
        SELECT 'set_aside_instances', command_job_id FROM set_aside_instances
         WHERE command_job_id NOT IN (SELECT id FROM command_jobs)
        UNION ALL
        SELECT 'instance_jobs', id FROM instance_jobs WHERE chunk_id NOT IN (SELECT id FROM chunks)
        """,
    ]
}
