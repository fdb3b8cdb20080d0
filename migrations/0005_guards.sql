-- The koobatch schema, version 5: what a shell cannot do to the rows that the daemon keeps.


-- ---------------------------------------------------------------------------------------------------------------------
-- Counts
-- ---------------------------------------------------------------------------------------------------------------------

ALTER TABLE job_progress ADD COLUMN waiting_instances INTEGER NOT NULL DEFAULT 0
    /* Instances in chunks that are pending or submitting. At every commit these are all that is planned and pending. */;

ALTER TABLE job_progress ADD COLUMN revision INTEGER NOT NULL DEFAULT 0
    /* Goes up with every change that the triggers make to the counts; an UPDATE of the counts that leaves it is refused. */;

UPDATE job_progress
   SET waiting_instances = (SELECT coalesce(sum(size), 0)
                              FROM chunks
                             WHERE command_job_id = job_progress.command_job_id
                               AND state IN ('pending', 'submitting'))
 WHERE waiting_chunks + in_flight_chunks > 0;

-- A canary that was changed once instances had been set aside.
UPDATE job_progress
   SET plan_limit = min(total, planned + set_aside)
 WHERE planned + set_aside > plan_limit;

DROP TRIGGER chunks_after_insert;
CREATE TRIGGER chunks_after_insert
AFTER INSERT ON chunks
BEGIN
    UPDATE job_progress
       SET waiting_chunks    = waiting_chunks + 1,
           waiting_instances = waiting_instances + NEW.size,
           revision          = revision + 1
     WHERE command_job_id = NEW.command_job_id;
END;

-- One change of job_progress per change of a chunk, with its states and its chunks at once, so that a job finishes only
-- on final counts.
DROP TRIGGER chunks_count;
CREATE TRIGGER chunks_count
AFTER UPDATE OF state, submitted, succeeded, failed, unknown, cancelled, rejected ON chunks
WHEN NEW.state IS NOT OLD.state
     OR NEW.submitted <> OLD.submitted
     OR NEW.succeeded <> OLD.succeeded
     OR NEW.failed <> OLD.failed
     OR NEW.unknown <> OLD.unknown
     OR NEW.cancelled <> OLD.cancelled
     OR NEW.rejected <> OLD.rejected
BEGIN
    UPDATE job_progress
       SET submitted         = submitted + NEW.submitted - OLD.submitted,
           succeeded         = succeeded + NEW.succeeded - OLD.succeeded,
           failed            = failed + NEW.failed - OLD.failed,
           unknown           = unknown + NEW.unknown - OLD.unknown,
           cancelled         = cancelled + NEW.cancelled - OLD.cancelled,
           rejected          = rejected + NEW.rejected - OLD.rejected,
           waiting_chunks    = waiting_chunks + (NEW.state = 'pending') - (OLD.state = 'pending'),
           in_flight_chunks  = in_flight_chunks + (NEW.state IN ('submitting', 'submitted'))
                                                - (OLD.state IN ('submitting', 'submitted')),
           held_chunks       = held_chunks + (NEW.state = 'unknown') - (OLD.state = 'unknown'),
           waiting_instances = waiting_instances + NEW.size * ((NEW.state IN ('pending', 'submitting'))
                                                               - (OLD.state IN ('pending', 'submitting'))),
           revision          = revision + 1
     WHERE command_job_id = NEW.command_job_id;
END;

CREATE TRIGGER job_progress_check_counts
BEFORE UPDATE OF submitted, succeeded, failed, unknown, rejected, waiting_chunks, in_flight_chunks, held_chunks,
                 waiting_instances ON job_progress
WHEN NEW.revision <> OLD.revision + 1
BEGIN
    SELECT RAISE(ABORT, 'job_progress: counts must add up; triggers keep them, and they cannot be set by hand');
END;

-- What was never planned becomes cancelled with its job, and pending again when that runs again.
CREATE TRIGGER job_progress_check_cancelled
BEFORE UPDATE OF cancelled ON job_progress
WHEN NEW.cancelled <> OLD.cancelled
     AND NEW.revision <> OLD.revision + 1
     AND abs(NEW.cancelled - OLD.cancelled) <> OLD.total - OLD.planned
BEGIN
    SELECT RAISE(ABORT, 'job_progress: counts must add up; triggers keep them, and they cannot be set by hand');
END;

CREATE TRIGGER job_progress_check_plan
BEFORE UPDATE OF planned, plan_limit, set_aside ON job_progress
WHEN NEW.set_aside < 0 OR NEW.planned + NEW.set_aside > NEW.plan_limit
BEGIN
    SELECT RAISE(ABORT, 'job_progress: counts must add up; planned + set_aside is at most plan_limit');
END;

-- Without a list of columns: SET rowid = … names none.
CREATE TRIGGER job_progress_check_fixed
BEFORE UPDATE ON job_progress
WHEN NEW.command_job_id <> OLD.command_job_id OR NEW.total <> OLD.total
BEGIN
    SELECT RAISE(ABORT, 'job_progress: command_job_id and total cannot be changed');
END;

CREATE TRIGGER job_progress_check_copies
BEFORE UPDATE OF job_state, priority, run_at, expires_at ON job_progress
WHEN NEW.job_state <> OLD.job_state
     OR NEW.priority <> OLD.priority
     OR NEW.run_at <> OLD.run_at
     OR NEW.expires_at IS NOT OLD.expires_at
BEGIN
    SELECT RAISE(ABORT, 'job_progress: job_state, priority, run_at and expires_at follow command_jobs; change them there')
     WHERE NOT EXISTS (SELECT 1
                         FROM command_jobs
                        WHERE id = NEW.command_job_id
                          AND NEW.job_state IN (OLD.job_state, state)
                          AND NEW.priority IN (OLD.priority, priority)
                          AND (NEW.run_at = OLD.run_at
                               OR NEW.run_at = strftime('%Y-%m-%dT%H:%M:%fZ', run_at, 'auto', '+0 days'))
                          AND (NEW.expires_at IS OLD.expires_at
                               OR NEW.expires_at IS strftime('%Y-%m-%dT%H:%M:%fZ', expires_at, 'auto', '+0 days')));
END;

CREATE TRIGGER job_progress_check_deleting
BEFORE UPDATE OF deleting ON job_progress
WHEN NEW.deleting <> OLD.deleting
BEGIN
    SELECT RAISE(ABORT, 'deleting: only a finished job can be deleted, and a deletion that has begun goes on')
     WHERE NEW.deleting = 0
        OR NOT EXISTS (SELECT 1 FROM command_jobs WHERE id = NEW.command_job_id AND finished_at IS NOT NULL);
END;

-- As before, and not before every instance that is planned is in a chunk: planned goes up first, so that a chunk can be
-- held against it.
DROP TRIGGER job_progress_idle;
CREATE TRIGGER job_progress_idle
AFTER UPDATE ON job_progress
WHEN NEW.waiting_chunks + NEW.in_flight_chunks + NEW.held_chunks = 0
     AND NEW.replan_upto IS NULL
     AND (NEW.planned = NEW.plan_limit OR NEW.job_state IN ('cancelled', 'expired'))
     AND NEW.planned + NEW.cancelled > 0
     AND NEW.submitted + NEW.succeeded + NEW.failed + NEW.unknown + NEW.cancelled + NEW.rejected >= NEW.planned
BEGIN
    UPDATE command_jobs
       SET state = CASE WHEN NEW.submitted > 0 THEN 'submitted'
                        WHEN NEW.succeeded = NEW.total THEN 'succeeded'
                        WHEN NEW.succeeded > 0 THEN 'partial'
                        ELSE 'failed'
                   END,
           state_reason = NULL
     WHERE id = NEW.command_job_id
       AND state IN ('running', 'paused')
       AND NEW.planned = NEW.total;

    UPDATE command_jobs
       SET finished_at = strftime('%Y-%m-%dT%H:%M:%fZ', 'now')
     WHERE id = NEW.command_job_id
       AND state IN ('cancelled', 'expired')
       AND finished_at IS NULL;

    -- A canary: all of it succeeded, and the rest follows; or it did not, and a person decides.
    UPDATE job_progress
       SET plan_limit = total
     WHERE command_job_id = NEW.command_job_id
       AND planned = plan_limit
       AND plan_limit < total
       AND succeeded = planned
       AND job_state IN ('queued', 'running', 'paused');

    UPDATE command_jobs
       SET state        = 'paused',
           state_reason = 'canary: ' || (NEW.planned - NEW.succeeded) || ' of ' || NEW.planned
                          || ' instances did not succeed; resume to run the rest all the same, or cancel'
     WHERE id = NEW.command_job_id
       AND state IN ('running', 'paused')
       AND NEW.plan_limit < NEW.total
       AND NEW.succeeded < NEW.planned;
END;


-- ---------------------------------------------------------------------------------------------------------------------
-- Command jobs
-- ---------------------------------------------------------------------------------------------------------------------

CREATE TRIGGER command_jobs_check_id
BEFORE UPDATE ON command_jobs
WHEN NEW.id <> OLD.id
BEGIN
    SELECT RAISE(ABORT, 'id: cannot be changed');
END;

-- As before, and an instance that was set aside has passed the planner too.
DROP TRIGGER command_jobs_check_canary;
CREATE TRIGGER command_jobs_check_canary
BEFORE UPDATE OF canary ON command_jobs
WHEN NEW.canary IS NOT OLD.canary
BEGIN
    SELECT RAISE(ABORT, 'canary: cannot be changed once the job has started')
     WHERE EXISTS (SELECT 1 FROM job_progress WHERE command_job_id = OLD.id AND planned + set_aside > 0);
END;

CREATE TRIGGER command_jobs_check_started_at_form
BEFORE UPDATE OF started_at ON command_jobs
WHEN NEW.started_at IS NOT strftime('%Y-%m-%dT%H:%M:%fZ', NEW.started_at, '+0 days') OR NEW.started_at < '0'
BEGIN
    SELECT RAISE(ABORT, 'started_at: set by koobatch, in UTC, such as 2026-12-01T08:00:00.000Z');
END;

CREATE TRIGGER command_jobs_check_finished_at_form
BEFORE UPDATE OF finished_at ON command_jobs
WHEN NEW.finished_at IS NOT strftime('%Y-%m-%dT%H:%M:%fZ', NEW.finished_at, '+0 days') OR NEW.finished_at < '0'
BEGIN
    SELECT RAISE(ABORT, 'finished_at: set by koobatch, in UTC, such as 2026-12-01T08:00:00.000Z');
END;

-- A job that is cut short never sends what it has not sent: nobody waits for that any longer.
CREATE TRIGGER command_jobs_release_unsent
AFTER UPDATE OF state ON command_jobs
WHEN NEW.state IN ('cancelled', 'expired')
     AND NEW.state <> OLD.state
     AND EXISTS (SELECT 1 FROM instance_waits WHERE blocker_job = NEW.id)
BEGIN
    DELETE FROM instance_waits
     WHERE blocker_job = NEW.id
       AND instance_id NOT IN (SELECT e.value
                                 FROM chunks AS c
                                 JOIN json_each(c.instance_ids) AS e
                                WHERE c.command_job_id = NEW.id
                                  AND c.state = 'submitting'
                               UNION ALL
                               SELECT i.instance_id
                                 FROM chunks AS c
                                 JOIN instance_jobs AS i ON i.chunk_id = c.id
                                WHERE c.command_job_id = NEW.id
                                  AND c.state = 'submitted'
                                  AND i.state = 'submitted');
END;


-- ---------------------------------------------------------------------------------------------------------------------
-- Chunks
-- ---------------------------------------------------------------------------------------------------------------------

-- By the time of its commit every instance that is planned and pending is in a chunk, so that one more is always one too
-- many.
CREATE TRIGGER chunks_check_planned
BEFORE INSERT ON chunks
WHEN NEW.parent_id IS NULL
BEGIN
    SELECT RAISE(ABORT, 'command_job_id: chunks are cut by koobatch, and all that is planned of this job is in chunks')
     WHERE EXISTS (SELECT 1
                     FROM job_progress
                    WHERE command_job_id = NEW.command_job_id
                      AND waiting_instances + NEW.size
                          > planned - submitted - succeeded - failed - unknown - cancelled - rejected);
END;

-- A chunk is split when its answer is recorded, or while samples are taken of those that wait.
CREATE TRIGGER chunks_check_parent
BEFORE INSERT ON chunks
WHEN NEW.parent_id IS NOT NULL
BEGIN
    SELECT RAISE(ABORT, 'parent_id: chunks are split by koobatch, when the API has refused them')
     WHERE NOT EXISTS (SELECT 1
                         FROM chunks AS c
                         JOIN job_progress AS p ON p.command_job_id = c.command_job_id
                        WHERE c.id = NEW.parent_id
                          AND c.command_job_id = NEW.command_job_id
                          AND c.size > NEW.size
                          AND (c.state = 'submitting' OR (c.state = 'pending' AND p.trial = 'sampling'))
                          AND NOT EXISTS (SELECT 1 FROM attempts WHERE chunk_id = c.id AND outcome IS NULL)
                          AND NOT EXISTS (SELECT value FROM json_each(NEW.instance_ids)
                                          EXCEPT
                                          SELECT value FROM json_each(c.instance_ids)));
END;

CREATE TRIGGER chunks_check_new
BEFORE INSERT ON chunks
WHEN NEW.task_id IS NOT NULL
     OR NEW.submitted_at IS NOT NULL
     OR NEW.finished_at IS NOT NULL
     OR NEW.superseded <> 0
BEGIN
    SELECT RAISE(ABORT, 'chunks: task_id, submitted_at, finished_at and superseded of a new chunk are not set yet');
END;

-- As before; the newest trigger is asked first, and this one has the plainer sentence.
DROP TRIGGER chunks_check_replace;
CREATE TRIGGER chunks_check_replace
BEFORE INSERT ON chunks
WHEN EXISTS (SELECT 1 FROM chunks WHERE id = NEW.id)
BEGIN
    SELECT RAISE(ABORT, 'id: a chunk with this id exists; chunks are cut by koobatch');
END;

CREATE TRIGGER chunks_check_id
BEFORE UPDATE ON chunks
WHEN NEW.id <> OLD.id OR NEW.root_id IS NOT OLD.root_id
BEGIN
    SELECT RAISE(ABORT, 'chunks: id and root_id cannot be changed');
END;

-- next_attempt_at, which a person may set while the chunk is pending, has the same one form.
CREATE TRIGGER chunks_check_submitted_at_form
BEFORE UPDATE OF submitted_at ON chunks
WHEN NEW.submitted_at IS NOT strftime('%Y-%m-%dT%H:%M:%fZ', NEW.submitted_at, '+0 days') OR NEW.submitted_at < '0'
BEGIN
    SELECT RAISE(ABORT, 'submitted_at: set by koobatch, in UTC, such as 2026-12-01T08:00:00.000Z');
END;

CREATE TRIGGER chunks_check_finished_at_form
BEFORE UPDATE OF finished_at ON chunks
WHEN NEW.finished_at IS NOT strftime('%Y-%m-%dT%H:%M:%fZ', NEW.finished_at, '+0 days') OR NEW.finished_at < '0'
BEGIN
    SELECT RAISE(ABORT, 'finished_at: set by koobatch, in UTC, such as 2026-12-01T08:00:00.000Z');
END;

-- Polling that is switched off ends a chunk in the UPDATE that takes its time away.
CREATE TRIGGER chunks_check_awaited
BEFORE UPDATE OF next_poll_at ON chunks
WHEN NEW.next_poll_at IS NULL
     AND OLD.next_poll_at IS NOT NULL
     AND NEW.state = 'submitted'
     AND NEW.submitted > 0
BEGIN
    SELECT RAISE(ABORT, 'next_poll_at: results of this chunk are still awaited, and nobody would ask for them any more');
END;

-- Its instances change with the state of a chunk; in between, only results come in, and only a new run takes them out.
CREATE TRIGGER chunks_check_counts
BEFORE UPDATE OF submitted, succeeded, failed, unknown, cancelled, rejected ON chunks
WHEN NEW.state = OLD.state
     AND NEW.state <> 'finished'
     AND (NEW.submitted <> OLD.submitted
          OR NEW.succeeded <> OLD.succeeded
          OR NEW.failed <> OLD.failed
          OR NEW.unknown <> OLD.unknown
          OR NEW.cancelled <> OLD.cancelled
          OR NEW.rejected <> OLD.rejected)
     AND CASE
             WHEN NEW.state = 'submitted'
             THEN NEW.submitted + NEW.succeeded + NEW.failed + NEW.unknown <> NEW.size
                  OR NEW.cancelled + NEW.rejected <> 0
             ELSE NEW.submitted + NEW.succeeded + NEW.failed + NEW.unknown + NEW.cancelled + NEW.rejected <> 0
                  OR (NEW.state <> 'pending' AND NEW.superseded = 0)
         END
BEGIN
    SELECT RAISE(ABORT, 'counts: at most size, and as koobatch recorded them; they cannot be set by hand');
END;

CREATE TRIGGER chunks_check_results
BEFORE UPDATE OF state, submitted, succeeded, failed, unknown, cancelled, rejected ON chunks
WHEN NEW.state = 'finished'
     AND OLD.state IN ('submitted', 'finished')
     AND (OLD.state = 'submitted'
          OR NEW.submitted <> OLD.submitted
          OR NEW.succeeded <> OLD.succeeded
          OR NEW.failed <> OLD.failed
          OR NEW.unknown <> OLD.unknown
          OR NEW.cancelled <> OLD.cancelled
          OR NEW.rejected <> OLD.rejected)
BEGIN
    SELECT RAISE(ABORT, 'counts: those of a finished chunk are of its instance_jobs by state; they cannot be set by hand')
     WHERE NEW.cancelled + NEW.rejected <> 0
        OR (NEW.submitted, NEW.succeeded, NEW.failed, NEW.unknown)
           IS NOT (SELECT coalesce(sum(state = 'submitted'), 0),
                          coalesce(sum(state = 'succeeded'), 0),
                          coalesce(sum(state = 'failed'), 0),
                          coalesce(sum(state = 'unknown'), 0)
                     FROM instance_jobs
                    WHERE chunk_id = NEW.id
                      AND superseded = 0);
END;

CREATE TRIGGER chunks_check_superseded
BEFORE UPDATE OF superseded ON chunks
WHEN NEW.superseded <> OLD.superseded
BEGIN
    SELECT RAISE(ABORT, 'superseded: set by koobatch when the job runs again')
     WHERE NEW.superseded = 0
        OR NEW.task_id IS NOT NULL
        OR NOT EXISTS (SELECT 1
                         FROM job_progress
                        WHERE command_job_id = NEW.command_job_id
                          AND replan_upto >= NEW.id);
END;

-- As before, and those of a finished job go with it as well; retention takes them first.
DROP TRIGGER chunks_check_delete;
CREATE TRIGGER chunks_check_delete
BEFORE DELETE ON chunks
BEGIN
    SELECT RAISE(ABORT, 'chunks: go with their command job; DELETE FROM command_jobs instead')
     WHERE EXISTS (SELECT 1 FROM command_jobs WHERE id = OLD.command_job_id)
       AND NOT EXISTS (SELECT 1 FROM job_progress WHERE command_job_id = OLD.command_job_id AND deleting = 1);
END;


-- ---------------------------------------------------------------------------------------------------------------------
-- Instance jobs and attempts
-- ---------------------------------------------------------------------------------------------------------------------

-- These fire for every instance: the rule stands in WHEN. A chunk is submitting while its answer is recorded; its rows
-- cannot be replaced after that.
CREATE TRIGGER instance_jobs_check_new
BEFORE INSERT ON instance_jobs
WHEN (SELECT state FROM chunks WHERE id = NEW.chunk_id) IS NOT 'submitting'
     OR EXISTS (SELECT 1 FROM instance_jobs WHERE id = NEW.id)
BEGIN
    SELECT RAISE(ABORT, 'instance_jobs: written by koobatch with the answer to the request of a chunk');
END;

CREATE TRIGGER instance_jobs_check_id
BEFORE UPDATE ON instance_jobs
WHEN NEW.id <> OLD.id
BEGIN
    SELECT RAISE(ABORT, 'id: cannot be changed');
END;

CREATE TRIGGER instance_jobs_check_result
BEFORE UPDATE OF state ON instance_jobs
WHEN OLD.state = 'submitted' AND NEW.state <> 'submitted' AND NEW.finished_at IS NULL
BEGIN
    SELECT RAISE(ABORT, 'state: the result of an instance has a finished_at; koobatch writes both when the API tells it');
END;

CREATE TRIGGER instance_jobs_check_superseded
BEFORE UPDATE OF superseded ON instance_jobs
WHEN NEW.superseded <> OLD.superseded
BEGIN
    SELECT RAISE(ABORT, 'superseded: set by koobatch when the job runs again')
     WHERE NEW.superseded = 0
        OR NEW.state NOT IN ('failed', 'unknown')
        OR NOT EXISTS (SELECT 1
                         FROM chunks AS c
                         JOIN job_progress AS p ON p.command_job_id = c.command_job_id
                        WHERE c.id = NEW.chunk_id
                          AND p.replan_upto >= c.id);
END;

-- A result that comes late, or that a person knows. What is still submitted is counted when its results are recorded.
CREATE TRIGGER instance_jobs_late
AFTER UPDATE OF state ON instance_jobs
WHEN OLD.state = 'unknown' AND NEW.state <> 'unknown' AND NEW.superseded = 0
BEGIN
    UPDATE chunks
       SET unknown   = unknown - 1,
           succeeded = succeeded + (NEW.state = 'succeeded'),
           failed    = failed + (NEW.state = 'failed')
     WHERE id = NEW.chunk_id
       AND state = 'finished';
END;

DROP TRIGGER instance_jobs_check_delete;
CREATE TRIGGER instance_jobs_check_delete
BEFORE DELETE ON instance_jobs
BEGIN
    SELECT RAISE(ABORT, 'instance_jobs: go with their command job; DELETE FROM command_jobs instead')
     WHERE EXISTS (SELECT 1
                     FROM chunks
                     JOIN command_jobs ON command_jobs.id = chunks.command_job_id
                     LEFT JOIN job_progress ON job_progress.command_job_id = chunks.command_job_id
                    WHERE chunks.id = OLD.chunk_id
                      AND coalesce(job_progress.deleting, 0) = 0);
END;

CREATE TRIGGER attempts_check_replace
BEFORE INSERT ON attempts
WHEN EXISTS (SELECT 1 FROM attempts WHERE id = NEW.id)
BEGIN
    SELECT RAISE(ABORT, 'id: an attempt with this id exists; attempts are written by koobatch');
END;

DROP TRIGGER attempts_check_delete;
CREATE TRIGGER attempts_check_delete
BEFORE DELETE ON attempts
BEGIN
    SELECT RAISE(ABORT, 'attempts: go with their command job; DELETE FROM command_jobs instead')
     WHERE EXISTS (SELECT 1
                     FROM chunks
                     JOIN command_jobs ON command_jobs.id = chunks.command_job_id
                     LEFT JOIN job_progress ON job_progress.command_job_id = chunks.command_job_id
                    WHERE chunks.id = OLD.chunk_id
                      AND coalesce(job_progress.deleting, 0) = 0);
END;


-- ---------------------------------------------------------------------------------------------------------------------
-- The daemon
-- ---------------------------------------------------------------------------------------------------------------------

CREATE TRIGGER daemon_state_check_times
BEFORE UPDATE OF started_at, heartbeat_at, stopped_at, paused_until, last_error_at ON daemon_state
WHEN NEW.started_at IS NOT strftime('%Y-%m-%dT%H:%M:%fZ', NEW.started_at, '+0 days')
     OR NEW.heartbeat_at IS NOT strftime('%Y-%m-%dT%H:%M:%fZ', NEW.heartbeat_at, '+0 days')
     OR NEW.stopped_at IS NOT strftime('%Y-%m-%dT%H:%M:%fZ', NEW.stopped_at, '+0 days')
     OR NEW.paused_until IS NOT strftime('%Y-%m-%dT%H:%M:%fZ', NEW.paused_until, '+0 days')
     OR NEW.last_error_at IS NOT strftime('%Y-%m-%dT%H:%M:%fZ', NEW.last_error_at, '+0 days')
     OR min(coalesce(NEW.started_at, '0'), coalesce(NEW.heartbeat_at, '0'), coalesce(NEW.stopped_at, '0'),
            coalesce(NEW.paused_until, '0'), coalesce(NEW.last_error_at, '0')) < '0'
BEGIN
    SELECT RAISE(ABORT, 'daemon_state: times are UTC, such as 2026-12-01T08:00:00.000Z; the daemon writes them');
END;


-- ---------------------------------------------------------------------------------------------------------------------
-- Views
-- ---------------------------------------------------------------------------------------------------------------------

DROP VIEW job_status;

CREATE VIEW job_status AS
-- A row per command job: its state, its instances by state (they add up to total), and how far it is. percent_done is
-- 100.0 once every instance has its end, and not before. eta is from the speed of the last one to two minutes, or since
-- the job began to run, was resumed or run again, if that is later; NULL unless it runs, results have come in that time
-- and more are to come.
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
       1000 * (p.succeeded + p.failed + p.unknown + p.cancelled + p.rejected) / p.total / 10.0 AS percent_done,
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
