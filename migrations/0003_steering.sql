-- The koobatch schema, version 3: steering jobs.
--
-- Pausing, resuming and error budgets that say and do exactly what they promise; why names the exact blocker; eta from
-- the speed of late; the planner reads only what it needs.


-- ---------------------------------------------------------------------------------------------------------------------
-- Planning
-- ---------------------------------------------------------------------------------------------------------------------

-- Serves: the planner when very many jobs are due, in its order. Jobs of one priority take turns of 32,768 instances, and
-- one that has had none goes first, so that a job of a million does not keep a small one waiting until all of it is cut.
CREATE INDEX job_progress_to_plan
    ON job_progress (priority DESC, (planned + 32767) / 32768, command_job_id, run_at, expires_at)
    WHERE job_state IN ('queued', 'running') AND planned < plan_limit AND replan_upto IS NULL;

-- Serves: the planner, for jobs that run again.
CREATE INDEX job_progress_to_replan
    ON job_progress (priority DESC, command_job_id, run_at, expires_at)
    WHERE job_state IN ('queued', 'running') AND replan_upto IS NOT NULL;

-- Serves: why, for the next time that the results of a job are asked for; moving the first look at a job's tasks once it
-- is known how long they take.
CREATE INDEX chunks_polled_of_job
    ON chunks (command_job_id, next_poll_at)
    WHERE next_poll_at IS NOT NULL;

-- Serves: the log, which tells of jobs that were paused or resumed.
CREATE INDEX job_progress_paused
    ON job_progress (command_job_id)
    WHERE job_state = 'paused';

-- Serves: why, for stopped jobs whose last results are awaited; the log.
CREATE INDEX job_progress_ending
    ON job_progress (command_job_id)
    WHERE job_state IN ('cancelled', 'expired') AND in_flight_chunks > 0;


-- ---------------------------------------------------------------------------------------------------------------------
-- Error budgets
-- ---------------------------------------------------------------------------------------------------------------------

CREATE VIEW error_budget AS
-- A row per command job with max_errors: the errors that count, and how many of them it allows. Failed and rejected
-- instances count, but for those that a person accepted by resuming the job.
SELECT p.command_job_id,
       j.max_errors,
       p.failed + p.rejected - p.errors_forgiven AS errors,
       CASE WHEN j.max_errors LIKE '%\%' ESCAPE '\'
            THEN p.total * CAST(j.max_errors AS INTEGER) / 100.0
            ELSE CAST(j.max_errors AS INTEGER)
       END                                       AS allowed
  FROM job_progress AS p
  JOIN command_jobs AS j ON j.id = p.command_job_id
 WHERE j.max_errors IS NOT NULL;

DROP TRIGGER job_progress_max_errors;

CREATE TRIGGER job_progress_max_errors
AFTER UPDATE OF failed, rejected, waiting_chunks, replan_upto ON job_progress
WHEN NEW.failed + NEW.rejected > NEW.errors_forgiven
     -- More have failed, or a chunk that was in flight is to be sent again, or the old errors of a job that runs again
     -- are all out of the counts.
     AND (NEW.failed + NEW.rejected > OLD.failed + OLD.rejected
          OR NEW.waiting_chunks > OLD.waiting_chunks
          OR OLD.replan_upto IS NOT NULL)
     AND NEW.job_state = 'running'
     -- A refused command is no reason to pause: it has come to its end.
     AND NEW.trial <> 'refused'
     AND NEW.replan_upto IS NULL
     AND (NEW.waiting_chunks > 0 OR NEW.planned < NEW.total)
BEGIN
    UPDATE command_jobs
       SET state        = 'paused',
           state_reason = (SELECT 'max_errors: ' || errors || ' instances failed, more than ' || max_errors
                                  || '; resume to go on counting from here, or cancel'
                             FROM error_budget
                            WHERE command_job_id = NEW.command_job_id)
     WHERE id = NEW.command_job_id
       AND state = 'running'
       AND EXISTS (SELECT 1
                     FROM error_budget
                    WHERE command_job_id = NEW.command_job_id
                      AND errors > allowed);
END;

-- A budget that is made smaller than what has failed already holds from now on, not from the next failure.
CREATE TRIGGER command_jobs_after_max_errors
AFTER UPDATE OF max_errors ON command_jobs
WHEN NEW.max_errors IS NOT OLD.max_errors AND NEW.state = 'running' AND OLD.state = 'running'
BEGIN
    UPDATE command_jobs
       SET state        = 'paused',
           state_reason = (SELECT 'max_errors: ' || errors || ' instances failed, more than ' || max_errors
                                  || '; resume to go on counting from here, or cancel'
                             FROM error_budget
                            WHERE command_job_id = NEW.id)
     WHERE id = NEW.id
       AND EXISTS (SELECT 1
                     FROM error_budget
                     JOIN job_progress USING (command_job_id)
                    WHERE command_job_id = NEW.id
                      AND errors > allowed
                      AND trial <> 'refused'
                      AND replan_upto IS NULL
                      AND (waiting_chunks > 0 OR planned < total));
END;


-- ---------------------------------------------------------------------------------------------------------------------
-- Speed
-- ---------------------------------------------------------------------------------------------------------------------

CREATE TABLE job_pace (
    -- How far each running job was a while ago, kept by triggers: job_status.eta is from the speed since then. A pause
    -- and a new run of what did not succeed begin anew.
    command_job_id INTEGER PRIMARY KEY REFERENCES command_jobs (id),

    -- One to two minutes ago, or when the job began to run: the time, and its instances with an end by then.
    since_at       TEXT NOT NULL,
    since_done     INTEGER NOT NULL,

    -- What since becomes when a minute has gone by.
    mark_at        TEXT NOT NULL,
    mark_done      INTEGER NOT NULL
) STRICT;

INSERT INTO job_pace (command_job_id, since_at, since_done, mark_at, mark_done)
SELECT command_job_id,
       strftime('%Y-%m-%dT%H:%M:%fZ', 'now'),
       succeeded + failed + unknown + cancelled + rejected,
       strftime('%Y-%m-%dT%H:%M:%fZ', 'now'),
       succeeded + failed + unknown + cancelled + rejected
  FROM job_progress
 WHERE job_state = 'running';

CREATE TRIGGER job_progress_pace
AFTER UPDATE OF succeeded, failed, unknown, cancelled, rejected ON job_progress
WHEN NEW.job_state = 'running'
     AND NEW.succeeded + NEW.failed + NEW.unknown + NEW.cancelled + NEW.rejected
         <> OLD.succeeded + OLD.failed + OLD.unknown + OLD.cancelled + OLD.rejected
BEGIN
    UPDATE job_pace
       SET since_at   = mark_at,
           since_done = mark_done,
           mark_at    = strftime('%Y-%m-%dT%H:%M:%fZ', 'now'),
           mark_done  = NEW.succeeded + NEW.failed + NEW.unknown + NEW.cancelled + NEW.rejected
     WHERE command_job_id = NEW.command_job_id
       AND mark_at < strftime('%Y-%m-%dT%H:%M:%fZ', 'now', '-60 seconds');

    -- Fewer have an end: those that run again, or a held chunk that was released.
    UPDATE job_pace
       SET since_done = since_done - (OLD.succeeded + OLD.failed + OLD.unknown + OLD.cancelled + OLD.rejected)
                        + (NEW.succeeded + NEW.failed + NEW.unknown + NEW.cancelled + NEW.rejected),
           mark_done  = mark_done - (OLD.succeeded + OLD.failed + OLD.unknown + OLD.cancelled + OLD.rejected)
                        + (NEW.succeeded + NEW.failed + NEW.unknown + NEW.cancelled + NEW.rejected)
     WHERE command_job_id = NEW.command_job_id
       AND NEW.succeeded + NEW.failed + NEW.unknown + NEW.cancelled + NEW.rejected
           < OLD.succeeded + OLD.failed + OLD.unknown + OLD.cancelled + OLD.rejected;
END;


-- ---------------------------------------------------------------------------------------------------------------------
-- Changing the state of a job
-- ---------------------------------------------------------------------------------------------------------------------

DROP TRIGGER command_jobs_after_state;

CREATE TRIGGER command_jobs_after_state
AFTER UPDATE OF state ON command_jobs
WHEN NEW.state IS NOT OLD.state
BEGIN
    -- First the row itself, then job_progress, then the chunks, whose last change may finish the job.
    UPDATE command_jobs
       SET started_at   = CASE WHEN NEW.state = 'running'
                               THEN coalesce(started_at, strftime('%Y-%m-%dT%H:%M:%fZ', 'now'))
                               ELSE started_at
                          END,
           finished_at  = CASE WHEN NEW.state IN ('queued', 'running', 'paused') THEN NULL
                               WHEN NEW.state IN ('cancelled', 'expired') THEN NULL
                               ELSE coalesce(finished_at, strftime('%Y-%m-%dT%H:%M:%fZ', 'now'))
                          END,
           state_reason = CASE WHEN NEW.state_reason IS NOT OLD.state_reason THEN NEW.state_reason
                               WHEN NEW.state = 'paused' THEN 'paused by hand'
                               WHEN NEW.state = 'cancelled' THEN 'cancelled by hand'
                               WHEN NEW.state = 'expired' THEN 'expires_at passed before everything was submitted'
                               WHEN NEW.state = 'queued' THEN 'run again what did not succeed'
                          END
     WHERE id = NEW.id;

    -- Runs again: what was never planned is pending once more; what was planned and did not succeed is planned anew. A
    -- canary that has not succeeded goes first again.
    UPDATE job_progress
       SET cancelled       = cancelled - (total - planned),
           errors_forgiven = 0,
           replan_after    = 0,
           replan_upto     = (SELECT max(id)
                                FROM chunks
                               WHERE command_job_id = NEW.id)
     WHERE command_job_id = NEW.id
       AND NEW.state = 'queued';

    -- Resumes: errors beyond max_errors are accepted, and so are those of a canary that has come to its end, which lets
    -- the rest go. Errors within max_errors still count. What waits to run again has not failed anew.
    UPDATE job_progress
       SET errors_forgiven = CASE WHEN (planned = plan_limit
                                        AND plan_limit < total
                                        AND waiting_chunks + in_flight_chunks + held_chunks = 0)
                                       OR EXISTS (SELECT 1
                                                    FROM error_budget
                                                   WHERE command_job_id = NEW.id
                                                     AND errors > allowed)
                                  THEN failed + rejected
                                  ELSE errors_forgiven
                             END,
           plan_limit      = CASE WHEN planned = plan_limit
                                       AND waiting_chunks + in_flight_chunks + held_chunks = 0
                                  THEN total
                                  ELSE plan_limit
                             END
     WHERE command_job_id = NEW.id
       AND OLD.state = 'paused'
       AND NEW.state = 'running'
       AND planned > 0
       AND replan_upto IS NULL;

    -- Cut short: what was not planned counts as cancelled.
    UPDATE job_progress
       SET cancelled   = cancelled + (total - planned),
           replan_upto = NULL
     WHERE command_job_id = NEW.id
       AND NEW.state IN ('cancelled', 'expired');

    DELETE FROM job_pace
     WHERE command_job_id = NEW.id
       AND NEW.state <> 'running';

    INSERT INTO job_pace (command_job_id, since_at, since_done, mark_at, mark_done)
    SELECT command_job_id,
           strftime('%Y-%m-%dT%H:%M:%fZ', 'now'),
           succeeded + failed + unknown + cancelled + rejected,
           strftime('%Y-%m-%dT%H:%M:%fZ', 'now'),
           succeeded + failed + unknown + cancelled + rejected
      FROM job_progress
     WHERE command_job_id = NEW.id
       AND NEW.state = 'running';

    UPDATE job_progress
       SET job_state = NEW.state
     WHERE command_job_id = NEW.id;

    UPDATE chunks
       SET state           = 'cancelled',
           cancelled       = size,
           next_attempt_at = NULL,
           finished_at     = strftime('%Y-%m-%dT%H:%M:%fZ', 'now')
     WHERE command_job_id = NEW.id
       AND state = 'pending'
       AND NEW.state IN ('cancelled', 'expired');

    UPDATE chunks
       SET state = 'failed'
     WHERE command_job_id = NEW.id
       AND state = 'unknown'
       AND NEW.state IN ('cancelled', 'expired');
END;

-- A person who starts a queued job by hand does not also choose when it started.
CREATE TRIGGER command_jobs_check_started_at
BEFORE UPDATE OF started_at ON command_jobs
WHEN NEW.started_at IS NOT OLD.started_at AND NEW.state IS NOT OLD.state
BEGIN
    SELECT RAISE(ABORT, 'started_at: set by koobatch');
END;

-- INSERT OR REPLACE would take the old row away without a trigger that takes it out of the counts.
CREATE TRIGGER chunks_check_replace
BEFORE INSERT ON chunks
WHEN EXISTS (SELECT 1 FROM chunks WHERE id = NEW.id)
BEGIN
    SELECT RAISE(ABORT, 'id: a chunk with this id exists; chunks are cut by koobatch');
END;

CREATE TRIGGER job_progress_check_replace
BEFORE INSERT ON job_progress
WHEN EXISTS (SELECT 1 FROM job_progress WHERE command_job_id = NEW.command_job_id)
BEGIN
    SELECT RAISE(ABORT, 'job_progress: has a row for this job, which triggers keep');
END;


-- ---------------------------------------------------------------------------------------------------------------------
-- Views
-- ---------------------------------------------------------------------------------------------------------------------

DROP VIEW job_status;

CREATE VIEW job_status AS
-- A row per command job: its state, its instances by state (they add up to total), and how far it is. eta is from the
-- speed of the last one to two minutes, or since the job began to run, was resumed or run again, if that is later; NULL
-- unless it runs, results have come in that time and more are to come.
SELECT j.id,
       j.label,
       j.command,
       j.state,
       j.state_reason,
       p.total,
       p.total - p.submitted - p.succeeded - p.failed - p.unknown - p.cancelled - p.rejected AS pending,
       p.submitted,
       p.succeeded,
       p.failed,
       p.unknown,
       p.cancelled,
       p.rejected,
       round(100.0 * (p.succeeded + p.failed + p.unknown + p.cancelled + p.rejected) / p.total, 1) AS percent_done,
       j.created_at,
       j.started_at,
       j.finished_at,
       CASE WHEN p.succeeded + p.failed + p.unknown + p.cancelled + p.rejected > s.since_done
                 AND p.succeeded + p.failed + p.unknown + p.cancelled + p.rejected < p.total
            THEN strftime('%Y-%m-%dT%H:%M:%fZ',
                          min(julianday('now')
                              + (julianday('now') - julianday(s.since_at))
                                * (p.total - p.succeeded - p.failed - p.unknown - p.cancelled - p.rejected)
                                / (p.succeeded + p.failed + p.unknown + p.cancelled + p.rejected - s.since_done),
                              -- The end of the year 9999, where the calendar of SQLite ends.
                              5373484.0))
       END AS eta
  FROM command_jobs AS j
  JOIN job_progress AS p ON p.command_job_id = j.id
  LEFT JOIN job_pace AS s ON s.command_job_id = j.id;

DROP VIEW why;

CREATE VIEW why AS
-- A row per command job or chunk that waits: for what exactly, and the earliest time it can move (NULL: unknown, or a
-- matter of what a person does).
WITH facts AS (
    SELECT strftime('%Y-%m-%dT%H:%M:%fZ', 'now') AS now,
           coalesce(stopped_at IS NULL
                    AND heartbeat_at >= strftime('%Y-%m-%dT%H:%M:%fZ', 'now', '-30 seconds'), 0) AS running,
           heartbeat_at,
           circuit,
           credentials,
           last_error,
           requests_per_second,
           CASE WHEN paused_until > strftime('%Y-%m-%dT%H:%M:%fZ', 'now') THEN paused_until END AS paused_until
      FROM daemon_state
),
-- The jobs whose chunks are sent next: those that a job of lower priority waits behind.
ahead AS MATERIALIZED (
    SELECT p.command_job_id,
           p.priority
      FROM job_progress AS p
      JOIN command_jobs AS j ON j.id = p.command_job_id
     WHERE p.job_state = 'running'
       AND p.waiting_chunks > 0
       -- The plus: read in the order of the claim, up to the limit, and not by time.
       AND +p.run_at <= strftime('%Y-%m-%dT%H:%M:%fZ', 'now')
       AND (p.expires_at IS NULL OR p.expires_at > strftime('%Y-%m-%dT%H:%M:%fZ', 'now'))
       AND (j.max_concurrency IS NULL OR p.in_flight_chunks < j.max_concurrency)
       AND p.trial <> 'refused'
       AND EXISTS (SELECT 1
                     FROM chunks AS c
                    WHERE c.command_job_id = p.command_job_id
                      AND c.state = 'pending'
                      AND c.next_attempt_at <= strftime('%Y-%m-%dT%H:%M:%fZ', 'now'))
     ORDER BY p.priority DESC, p.turn, p.command_job_id
     LIMIT 5
),
waiting AS (
    SELECT p.command_job_id,
           j.state,
           j.state_reason,
           j.run_at,
           j.max_concurrency,
           p.priority,
           p.total,
           p.planned,
           p.plan_limit,
           p.set_aside,
           p.trial,
           p.replan_upto,
           p.succeeded,
           p.waiting_chunks,
           p.in_flight_chunks,
           p.held_chunks,
           -- All that is to be sent now has been sent.
           p.waiting_chunks = 0 AND p.planned = p.plan_limit AND p.replan_upto IS NULL AS is_sent,
           (SELECT min(c.next_attempt_at)
              FROM chunks AS c
             WHERE c.command_job_id = p.command_job_id
               AND c.state = 'pending') AS next_attempt_at,
           facts.*
      FROM job_progress AS p
      JOIN command_jobs AS j ON j.id = p.command_job_id
      JOIN facts
     WHERE p.job_state IN ('queued', 'running', 'paused')
),
blockers AS (
    SELECT command_job_id,
           CASE WHEN state = 'paused'
                     AND is_sent AND plan_limit < total AND in_flight_chunks + held_chunks = 0 AND planned > 0
                    THEN 'canary'
                WHEN state = 'paused'
                     AND (state_reason LIKE 'max_errors:%'
                          OR (replan_upto IS NULL
                              AND EXISTS (SELECT 1
                                            FROM error_budget AS b
                                           WHERE b.command_job_id = waiting.command_job_id
                                             AND b.errors > b.allowed)))
                     AND NOT (is_sent AND plan_limit = total)
                    THEN 'max_errors'
                WHEN state = 'paused' AND NOT (is_sent AND plan_limit = total) THEN 'pause'
                WHEN run_at > now AND NOT is_sent THEN 'run_at'
                WHEN NOT running THEN 'daemon'
                WHEN set_aside > 0 AND waiting_chunks = 0 AND planned + set_aside = plan_limit AND replan_upto IS NULL
                    THEN 'serialize_instances'
                WHEN is_sent AND in_flight_chunks = 0 THEN 'hold'
                WHEN credentials = 'refused' THEN 'credentials'
                WHEN circuit <> 'closed' THEN 'circuit'
                WHEN paused_until IS NOT NULL THEN 'rate_limit'
                WHEN is_sent AND plan_limit < total THEN 'canary'
                WHEN is_sent THEN 'results'
                WHEN in_flight_chunks >= max_concurrency THEN 'max_concurrency'
                WHEN (trial = 'starting' AND in_flight_chunks >= 4) OR trial IN ('dividing', 'sampling', 'refused')
                    THEN 'trial'
                WHEN next_attempt_at > now AND planned = plan_limit AND replan_upto IS NULL THEN 'backoff'
                WHEN requests_per_second IS NOT NULL
                     AND NOT EXISTS (SELECT 1 FROM ahead WHERE ahead.priority > waiting.priority)
                    THEN 'rate_limit'
                ELSE 'turn'
           END AS blocker,
           waiting.*
      FROM waiting
)
SELECT command_job_id,
       NULL AS chunk_id,
       blocker,
       CASE blocker
           WHEN 'canary' THEN CASE WHEN state = 'paused'
                                   THEN coalesce(state_reason, 'the first ' || planned || ' instances did not all succeed')
                                   ELSE 'the first ' || planned || ' instances must succeed before the other '
                                        || (total - planned) || ' are sent; ' || succeeded || ' have so far'
                              END
           WHEN 'max_errors' THEN coalesce((SELECT 'max_errors: ' || errors || ' instances failed, more than ' || max_errors
                                                   || '; resume to go on counting from here, or cancel'
                                              FROM error_budget AS b
                                             WHERE b.command_job_id = blockers.command_job_id
                                               AND errors > allowed),
                                           state_reason)
           WHEN 'pause' THEN coalesce(state_reason, 'paused')
                             || '; resume with UPDATE command_jobs SET state = ''running'' WHERE id = ' || command_job_id
           WHEN 'run_at' THEN 'not before run_at, ' || run_at
           WHEN 'daemon' THEN 'the daemon is not running' || coalesce(', last seen ' || heartbeat_at, '')
                              || '; start it with koobatch run'
           WHEN 'results' THEN 'everything is sent; chunks whose results are awaited: ' || in_flight_chunks
           WHEN 'hold' THEN 'chunks on hold, because their answers were lost: ' || held_chunks || '; a person decides, see their rows'
           WHEN 'credentials' THEN 'the API refuses the credentials; renew the token' || coalesce(' (' || last_error || ')', '')
           WHEN 'circuit' THEN CASE circuit WHEN 'open' THEN 'the API fails and all requests pause; it is probed now and then'
                                            ELSE 'the API failed and all requests pause; a probe is out'
                               END || coalesce(' (' || last_error || ')', '')
           WHEN 'rate_limit' THEN CASE WHEN paused_until IS NOT NULL
                                       THEN 'the API asked for a pause until ' || paused_until
                                       ELSE 'requests go at '
                                            || CASE WHEN requests_per_second >= 1
                                                    THEN round(requests_per_second, 1) || ' a second'
                                                    ELSE '1 every ' || printf('%.3g', 1 / requests_per_second) || ' seconds'
                                               END || ' at most, which is'
                                            || ' what the API takes or requests_per_second allows; '
                                            || 'chunks of this job that wait: ' || waiting_chunks
                                  END
           WHEN 'max_concurrency' THEN 'chunks in flight: ' || in_flight_chunks || ', and max_concurrency allows '
                                       || max_concurrency
           WHEN 'serialize_instances' THEN 'instances that wait for their results in earlier jobs: ' || set_aside
                                           || coalesce('; one of them in job '
                                                       || (SELECT w.blocker_job
                                                             FROM instance_waits AS w
                                                            WHERE w.waiter_job = blockers.command_job_id
                                                            LIMIT 1), '')
           WHEN 'trial' THEN CASE trial
                                 WHEN 'starting' THEN 'few chunks are in flight until the API has accepted one'
                                 WHEN 'refused' THEN 'the API refuses the command; the rest is being rejected'
                                 ELSE 'a chunk was refused; whether an instance or the command is the cause is being found out'
                             END
           WHEN 'backoff' THEN 'chunks that wait for their next attempt: ' || waiting_chunks || '; see their rows'
           ELSE coalesce((SELECT 'its turn comes after jobs of higher priority: '
                                 || group_concat(a.command_job_id, ', ') || iif(count(*) > 4, ' and more', '')
                            FROM ahead AS a
                           WHERE a.priority > blockers.priority),
                         'its turn: jobs of one priority share the requests that may be in flight at once')
       END AS explanation,
       CASE blocker
           WHEN 'run_at' THEN run_at
           WHEN 'backoff' THEN next_attempt_at
           WHEN 'credentials' THEN paused_until
           WHEN 'circuit' THEN paused_until
           -- A request may start by then; whether it is one of this job's depends on the others.
           WHEN 'rate_limit' THEN coalesce(paused_until,
                                           strftime('%Y-%m-%dT%H:%M:%fZ', now,
                                                    '+' || max(1 / requests_per_second, 0.001) || ' seconds'))
           WHEN 'turn' THEN CASE WHEN NOT EXISTS (SELECT 1 FROM ahead WHERE ahead.priority > blockers.priority) THEN now END
           -- When results are next asked for.
           WHEN 'max_concurrency' THEN (SELECT max(blockers.now, min(c.next_poll_at))
                                          FROM chunks AS c
                                         WHERE c.command_job_id = blockers.command_job_id
                                           AND c.next_poll_at IS NOT NULL)
           WHEN 'results' THEN (SELECT max(blockers.now, min(c.next_poll_at))
                                  FROM chunks AS c
                                 WHERE c.command_job_id = blockers.command_job_id
                                   AND c.next_poll_at IS NOT NULL)
           WHEN 'canary' THEN (SELECT max(blockers.now, min(c.next_poll_at))
                                 FROM chunks AS c
                                WHERE c.command_job_id = blockers.command_job_id
                                  AND c.next_poll_at IS NOT NULL
                                  AND blockers.state <> 'paused')
       END AS earliest_at,
       NULL AS request_id
  FROM blockers
UNION ALL
-- Stopped, and not at its end yet:
SELECT p.command_job_id,
       NULL,
       'results',
       p.job_state || '; chunks in flight, whose answers and results are awaited: ' || p.in_flight_chunks,
       (SELECT max(strftime('%Y-%m-%dT%H:%M:%fZ', 'now'), min(c.next_poll_at))
          FROM chunks AS c
         WHERE c.command_job_id = p.command_job_id
           AND c.next_poll_at IS NOT NULL),
       NULL
  FROM job_progress AS p
 WHERE p.job_state IN ('cancelled', 'expired')
   AND p.in_flight_chunks > 0
UNION ALL
SELECT c.command_job_id,
       c.id,
       'backoff',
       coalesce((SELECT CASE outcome WHEN 'unknown' THEN 'its last request was sent and the answer lost: '
                                     WHEN 'not_sent' THEN 'its last request never reached the API: '
                                     WHEN 'throttled' THEN 'its last request was throttled: '
                                     WHEN 'unauthenticated' THEN 'its last request was refused for the credentials: '
                                     ELSE 'its last request was refused: '
                        END
                   FROM attempts
                  WHERE chunk_id = c.id
                  ORDER BY id DESC
                  LIMIT 1)
                || coalesce(c.error_code || ' ', '') || coalesce(c.error_msg, ''),
                'not sent yet, and put off')
           || '; ' || c.attempts || ' of ' || j.max_attempts || ' attempts are used'
           || iif(j.state = 'paused', '; its job is paused', ''),
       iif(j.state = 'paused', NULL, max(c.next_attempt_at, j.run_at)),
       (SELECT request_id FROM attempts WHERE chunk_id = c.id ORDER BY id DESC LIMIT 1)
  FROM chunks AS c
  JOIN command_jobs AS j ON j.id = c.command_job_id
 WHERE c.state = 'pending'
   AND c.next_attempt_at > strftime('%Y-%m-%dT%H:%M:%fZ', 'now')
UNION ALL
SELECT c.command_job_id,
       c.id,
       'hold',
       'a request was sent and its answer lost: '
           || coalesce(c.error_code || ' ', '') || coalesce(c.error_msg, '')
           || '; UPDATE chunks SET state = ''pending'' WHERE id = ' || c.id || ' sends it again, ''failed'' gives it up',
       NULL,
       (SELECT request_id FROM attempts WHERE chunk_id = c.id ORDER BY id DESC LIMIT 1)
  FROM chunks AS c
 WHERE c.state = 'unknown';
