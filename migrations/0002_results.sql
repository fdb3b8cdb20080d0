-- The koobatch schema, version 2: a command that the API refuses, results and when to ask for them, one instance at a
-- time.


-- ---------------------------------------------------------------------------------------------------------------------
-- A command that the API refuses
-- ---------------------------------------------------------------------------------------------------------------------

ALTER TABLE job_progress ADD COLUMN trial TEXT NOT NULL DEFAULT 'starting'
    /* Whether the API takes the job's command at all. starting: no chunk is accepted, and few are in flight;
       dividing: the first refused chunk is being split, and nothing else is sent; sampling: every instance of that chunk
       was refused with one code, and a few single instances from elsewhere are tried; passed: a chunk was accepted, the
       refusals differ, or their code is one of instances; refused: the API refuses the command, and the rest is rejected
       without being sent. */
    CONSTRAINT "trial: starting, dividing, sampling, passed or refused"
        CHECK (trial IN ('starting', 'dividing', 'sampling', 'passed', 'refused'));

ALTER TABLE job_progress ADD COLUMN trial_chunk INTEGER
    /* The chunk that is being split, and has been, to find out. */;

ALTER TABLE job_progress ADD COLUMN trial_after INTEGER NOT NULL DEFAULT 0
    /* Chunks up to this id belong to an earlier run of the job. */;

ALTER TABLE chunks ADD COLUMN root_id INTEGER
    /* The chunk as it was planned that this one was split from; NULL: it was planned like this. */;

ALTER TABLE chunks ADD COLUMN is_sample INTEGER NOT NULL DEFAULT 0
    /* 1: a single instance, taken out of its chunk to find out whether the API takes the command. */
    CONSTRAINT "is_sample: 0 or 1" CHECK (is_sample IN (0, 1));

-- Serves: the claim of samples, and what became of them.
CREATE INDEX chunks_samples
    ON chunks (command_job_id, id)
    WHERE is_sample = 1;

-- Serves: the claim of the parts of a chunk that is being split.
CREATE INDEX chunks_pending_of_root
    ON chunks (root_id, next_attempt_at, id)
    WHERE state = 'pending' AND root_id IS NOT NULL;

-- Serves: what became of a chunk that was split.
CREATE INDEX chunks_of_root
    ON chunks (root_id)
    WHERE root_id IS NOT NULL;

-- Serves: rejecting the rest of a refused command.
CREATE INDEX job_progress_refused
    ON job_progress (command_job_id)
    WHERE trial = 'refused' AND waiting_chunks > 0;

-- Jobs from before have passed if anything of them was ever accepted.
UPDATE job_progress
   SET trial = 'passed'
 WHERE EXISTS (SELECT 1
                 FROM chunks
                WHERE command_job_id = job_progress.command_job_id
                  AND task_id IS NOT NULL);

-- Runs again: perhaps for what was refused and has been put right.
CREATE TRIGGER command_jobs_after_rerun
AFTER UPDATE OF state ON command_jobs
WHEN NEW.state = 'queued' AND OLD.state <> 'queued'
BEGIN
    UPDATE job_progress
       SET trial       = 'starting',
           trial_chunk = NULL,
           trial_after = coalesce((SELECT max(id) FROM chunks WHERE command_job_id = NEW.id), 0)
     WHERE command_job_id = NEW.id;
END;

CREATE TRIGGER command_jobs_after_refused
AFTER UPDATE OF finished_at ON command_jobs
WHEN NEW.finished_at IS NOT NULL AND OLD.finished_at IS NULL AND NEW.state = 'failed'
BEGIN
    UPDATE command_jobs
       SET state_reason = (SELECT 'refused: the API refuses the command, whatever the instance: '
                                  || coalesce(c.error_code, '') || ' ' || coalesce(c.error_msg, '')
                             FROM job_progress AS p
                             JOIN chunks AS c ON c.id = p.trial_chunk
                            WHERE p.command_job_id = NEW.id)
     WHERE id = NEW.id
       AND EXISTS (SELECT 1 FROM job_progress WHERE command_job_id = NEW.id AND trial = 'refused');
END;

-- As before, and a pending chunk of a refused command is rejected without being sent; one that samples are taken from is
-- split without being sent.
DROP TRIGGER chunks_check_state;
CREATE TRIGGER chunks_check_state
BEFORE UPDATE OF state ON chunks
WHEN NEW.state IS NOT OLD.state
BEGIN
    SELECT RAISE(ABORT, 'state: only a held (unknown) chunk can be changed by hand: pending sends it again, failed gives it up')
     WHERE NOT CASE OLD.state
                   WHEN 'pending'    THEN NEW.state IN ('submitting', 'cancelled', 'failed', 'split')
                   WHEN 'submitting' THEN NEW.state IN ('submitted', 'pending', 'failed', 'unknown', 'cancelled', 'split')
                   WHEN 'submitted'  THEN NEW.state = 'finished'
                   WHEN 'unknown'    THEN NEW.state IN ('pending', 'failed')
                   ELSE 0
               END;
    SELECT RAISE(ABORT, 'state: only a held (unknown) chunk can be changed by hand: pending sends it again, failed gives it up')
     WHERE OLD.state = 'pending'
       AND NEW.state = 'failed'
       AND (NEW.rejected <> NEW.size
            OR NOT EXISTS (SELECT 1
                             FROM job_progress
                            WHERE command_job_id = OLD.command_job_id
                              AND trial = 'refused'));

    SELECT RAISE(ABORT, 'state: only a held (unknown) chunk can be changed by hand: pending sends it again, failed gives it up')
     WHERE OLD.state = 'pending'
       AND NEW.state = 'split'
       AND coalesce((SELECT sum(size)
                       FROM chunks
                      WHERE root_id = coalesce(OLD.root_id, OLD.id)
                        AND parent_id = OLD.id), 0) <> OLD.size;

    -- An open attempt is the durable intent: no request without one, and no change until it is closed.
    SELECT RAISE(ABORT, 'state: submitting needs an attempts row without an outcome')
     WHERE NEW.state = 'submitting'
       AND NOT EXISTS (SELECT 1 FROM attempts WHERE chunk_id = NEW.id AND outcome IS NULL);
    SELECT RAISE(ABORT, 'state: a request of this chunk is in flight; wait for its answer')
     WHERE OLD.state = 'submitting'
       AND EXISTS (SELECT 1 FROM attempts WHERE chunk_id = NEW.id AND outcome IS NULL);
    SELECT RAISE(ABORT, 'state: a pending chunk is cancelled with its job: UPDATE command_jobs SET state = ''cancelled''')
     WHERE OLD.state = 'pending'
       AND NEW.state = 'cancelled'
       AND EXISTS (SELECT 1
                     FROM job_progress
                    WHERE command_job_id = OLD.command_job_id
                      AND job_state IN ('queued', 'running', 'paused'));
    SELECT RAISE(ABORT, 'state: results of this chunk are still awaited')
     WHERE NEW.state = 'finished'
       AND NEW.next_poll_at IS NOT NULL;
    SELECT RAISE(ABORT, 'state: the job of this chunk has finished; nothing more is sent for it')
     WHERE NEW.state = 'pending'
       AND EXISTS (SELECT 1
                     FROM job_progress
                    WHERE command_job_id = OLD.command_job_id
                      AND job_state NOT IN ('running', 'paused'));
    -- A held chunk gets its time below.
    SELECT RAISE(ABORT, 'next_attempt_at: a pending chunk needs one, or it would never be sent')
     WHERE OLD.state = 'submitting'
       AND NEW.state = 'pending'
       AND NEW.next_attempt_at IS NULL;
END;


-- ---------------------------------------------------------------------------------------------------------------------
-- Results: when to ask for them, and those that come late
-- ---------------------------------------------------------------------------------------------------------------------

ALTER TABLE job_progress ADD COLUMN result_seconds REAL
    /* How long after their submission the results of this job have been there; the next task is asked for then. */;

ALTER TABLE job_progress ADD COLUMN complete_looks INTEGER NOT NULL DEFAULT 0
    /* First looks in a row that found all results of their task: many of them mean that result_seconds is too high. */;

ALTER TABLE chunks ADD COLUMN late_poll_at TEXT
    /* Set while a chunk that finished without all its results is looked at again, in case they come late after all. */
    CONSTRAINT "late_poll_at: UTC, such as 2026-12-01T08:00:00.000Z"
        CHECK (late_poll_at IS strftime('%Y-%m-%dT%H:%M:%fZ', late_poll_at, '+0 days'))
    CONSTRAINT "late_poll_at: only once finished"
        CHECK (late_poll_at IS NULL OR state = 'finished');

-- Serves: the claim of tasks to look at again.
CREATE INDEX chunks_late_poll
    ON chunks (late_poll_at)
    WHERE late_poll_at IS NOT NULL;

-- A result that comes late changes the end of its job, never its finished_at.
CREATE TRIGGER job_progress_late
AFTER UPDATE OF succeeded ON job_progress
WHEN NEW.job_state IN ('failed', 'partial')
     AND NEW.succeeded > OLD.succeeded
BEGIN
    UPDATE command_jobs
       SET state = iif(NEW.succeeded = NEW.total, 'succeeded', 'partial')
     WHERE id = NEW.command_job_id
       AND state IN ('failed', 'partial')
       AND state <> iif(NEW.succeeded = NEW.total, 'succeeded', 'partial');
END;

-- As before, but for the end that late results change.
DROP TRIGGER command_jobs_check_state;
CREATE TRIGGER command_jobs_check_state
BEFORE UPDATE OF state ON command_jobs
WHEN NEW.state IS NOT OLD.state
BEGIN
    SELECT RAISE(ABORT, 'state: this job has finished; only queued is possible, which runs again what did not succeed')
     WHERE OLD.state NOT IN ('queued', 'running', 'paused')
       AND NEW.state <> 'queued'
       AND NOT (OLD.state IN ('failed', 'partial')
                AND NEW.state IN ('partial', 'succeeded')
                AND NEW.state = (SELECT CASE WHEN succeeded = total THEN 'succeeded'
                                             WHEN succeeded > 0 THEN 'partial'
                                             ELSE 'failed'
                                        END
                                   FROM job_progress
                                  WHERE command_job_id = OLD.id));
    SELECT RAISE(ABORT, 'state: queued is for a finished job (to run again what did not succeed); to resume a paused job set running')
     WHERE OLD.state IN ('running', 'paused')
       AND NEW.state = 'queued';

    -- A job runs again.
    SELECT RAISE(ABORT, 'state: every instance succeeded; there is nothing to run again')
     WHERE OLD.state = 'succeeded';
    SELECT RAISE(ABORT, 'state: requests of this job are still in flight; run it again when finished_at is set')
     WHERE NEW.state = 'queued'
       AND OLD.finished_at IS NULL;
    SELECT RAISE(ABORT, 'state: no instance of this job is failed, unknown, cancelled or rejected; there is nothing to run again')
     WHERE NEW.state = 'queued'
       AND NOT EXISTS (SELECT 1
                         FROM job_progress
                        WHERE command_job_id = OLD.id
                          AND failed + unknown + cancelled + rejected > 0);
    SELECT RAISE(ABORT, 'expires_at: is past; set a later time or NULL in the same UPDATE')
     WHERE NEW.state = 'queued'
       AND julianday(NEW.expires_at, 'auto') <= julianday('now');

    -- What only the course of the job decides.
    SELECT RAISE(ABORT, 'state: set by koobatch when every instance of the job has its end; to stop the job set cancelled')
     WHERE NEW.state IN ('succeeded', 'partial', 'failed', 'submitted')
       AND NOT EXISTS (SELECT 1
                         FROM job_progress
                        WHERE command_job_id = OLD.id
                          AND planned = total
                          AND replan_upto IS NULL
                          AND waiting_chunks + in_flight_chunks + held_chunks = 0
                          AND NEW.state = CASE WHEN submitted > 0 THEN 'submitted'
                                               WHEN succeeded = total THEN 'succeeded'
                                               WHEN succeeded > 0 THEN 'partial'
                                               ELSE 'failed'
                                          END);
    SELECT RAISE(ABORT, 'state: set by koobatch when expires_at has passed; to stop the job set cancelled')
     WHERE NEW.state = 'expired'
       AND coalesce(julianday(NEW.expires_at, 'auto') > julianday('now'), 1);
END;


-- ---------------------------------------------------------------------------------------------------------------------
-- One instance at a time: serialize_instances
-- ---------------------------------------------------------------------------------------------------------------------

ALTER TABLE command_jobs ADD COLUMN serialize_instances INTEGER NOT NULL DEFAULT 0
    /* 1: on each instance this job waits for the results of the jobs of its priority or a higher one that were inserted
       before it and have not finished there. Costs a pass over the unfinished instances of those jobs at the insert. */
    CONSTRAINT "serialize_instances: 0 or 1" CHECK (serialize_instances IN (0, 1));

ALTER TABLE job_progress ADD COLUMN set_aside INTEGER NOT NULL DEFAULT 0
    /* Instances that the planner has passed over because they wait for another job; they are pending. */;

-- Serves: finding what a job that takes turns has to wait for.
CREATE INDEX job_progress_open
    ON job_progress (priority)
    WHERE waiting_chunks + in_flight_chunks + held_chunks > 0;

CREATE TABLE instance_waits (
    -- A row per instance of a job that waits for its result in an earlier job; gone when that is there.
    instance_id TEXT NOT NULL,
    blocker_job INTEGER NOT NULL REFERENCES command_jobs (id),
    waiter_job  INTEGER NOT NULL REFERENCES command_jobs (id),
    PRIMARY KEY (waiter_job, instance_id, blocker_job)
) STRICT, WITHOUT ROWID;

-- Serves: the end of an instance, a chunk or a job that others wait for.
CREATE INDEX instance_waits_of_blocker
    ON instance_waits (blocker_job, instance_id);

CREATE TABLE set_aside_instances (
    -- An instance that the planner has passed over because it waits; in a chunk as soon as it is free.
    command_job_id INTEGER NOT NULL REFERENCES command_jobs (id),
    instance_id    TEXT NOT NULL,
    free           INTEGER NOT NULL DEFAULT 0 CHECK (free IN (0, 1)),
    PRIMARY KEY (command_job_id, instance_id)
) STRICT, WITHOUT ROWID;

-- Serves: the planner, for instances that have become free.
CREATE INDEX set_aside_instances_free
    ON set_aside_instances (command_job_id)
    WHERE free = 1;

CREATE TRIGGER command_jobs_check_serialize
BEFORE UPDATE OF serialize_instances ON command_jobs
WHEN NEW.serialize_instances <> OLD.serialize_instances
BEGIN
    SELECT RAISE(ABORT, 'serialize_instances: cannot be changed after the insert; cancel the job and insert another');
END;

CREATE TRIGGER command_jobs_after_insert_serialized
AFTER INSERT ON command_jobs
WHEN NEW.serialize_instances = 1
BEGIN
    -- Accepted, and its result awaited.
    INSERT INTO instance_waits (waiter_job, instance_id, blocker_job)
    SELECT NEW.id, i.instance_id, p.command_job_id
      FROM job_progress AS p
     CROSS JOIN chunks AS c ON c.command_job_id = p.command_job_id
     CROSS JOIN instance_jobs AS i ON i.chunk_id = c.id
     WHERE p.waiting_chunks + p.in_flight_chunks + p.held_chunks > 0
       AND p.priority >= NEW.priority
       AND c.state = 'submitted'
       AND i.state = 'submitted'
       AND i.instance_id IN (SELECT value FROM json_each(NEW.instance_ids))
        ON CONFLICT DO NOTHING;

    -- In a chunk that is to be sent, is being sent or is on hold.
    INSERT INTO instance_waits (waiter_job, instance_id, blocker_job)
    SELECT NEW.id, e.value, p.command_job_id
      FROM job_progress AS p
     CROSS JOIN chunks AS c ON c.command_job_id = p.command_job_id
     CROSS JOIN json_each(c.instance_ids) AS e
     WHERE p.waiting_chunks + p.in_flight_chunks + p.held_chunks > 0
       AND p.priority >= NEW.priority
       AND c.state IN ('pending', 'submitting', 'unknown')
       AND e.value IN (SELECT value FROM json_each(NEW.instance_ids))
        ON CONFLICT DO NOTHING;

    -- Not in a chunk yet, or set aside; of a job that is about to run again, everything.
    INSERT INTO instance_waits (waiter_job, instance_id, blocker_job)
    SELECT NEW.id, e.value, p.command_job_id
      FROM job_progress AS p
     CROSS JOIN command_jobs AS j ON j.id = p.command_job_id
     CROSS JOIN json_each(j.instance_ids) AS e
     WHERE p.job_state IN ('queued', 'running', 'paused')
       AND (p.planned < p.total OR p.replan_upto IS NOT NULL)
       AND p.priority >= NEW.priority
       AND p.command_job_id <> NEW.id
       AND (p.replan_upto IS NOT NULL
            OR e.key >= p.planned + p.set_aside
            OR EXISTS (SELECT 1
                         FROM set_aside_instances AS s
                        WHERE s.command_job_id = p.command_job_id
                          AND s.instance_id = e.value))
       AND e.value IN (SELECT value FROM json_each(NEW.instance_ids))
        ON CONFLICT DO NOTHING;
END;

CREATE TRIGGER instance_jobs_release
AFTER UPDATE OF state ON instance_jobs
WHEN NEW.state <> 'submitted' AND EXISTS (SELECT 1 FROM instance_waits)
BEGIN
    DELETE FROM instance_waits
     WHERE blocker_job = (SELECT command_job_id FROM chunks WHERE id = NEW.chunk_id)
       AND instance_id = NEW.instance_id;
END;

CREATE TRIGGER chunks_release
AFTER UPDATE OF state ON chunks
WHEN NEW.state IN ('finished', 'failed', 'cancelled')
     AND NEW.state <> OLD.state
     AND EXISTS (SELECT 1 FROM instance_waits WHERE blocker_job = NEW.command_job_id)
BEGIN
    DELETE FROM instance_waits
     WHERE blocker_job = NEW.command_job_id
       AND instance_id IN (SELECT value FROM json_each(NEW.instance_ids));
END;

-- What is left when a job has finished was never put into a chunk.
CREATE TRIGGER command_jobs_release
AFTER UPDATE OF finished_at ON command_jobs
WHEN NEW.finished_at IS NOT NULL AND OLD.finished_at IS NULL
BEGIN
    DELETE FROM instance_waits WHERE blocker_job = NEW.id;
    DELETE FROM instance_waits WHERE waiter_job = NEW.id;
END;

CREATE TRIGGER instance_waits_after_delete
AFTER DELETE ON instance_waits
BEGIN
    UPDATE set_aside_instances
       SET free = 1
     WHERE command_job_id = OLD.waiter_job
       AND instance_id = OLD.instance_id
       AND NOT EXISTS (SELECT 1
                         FROM instance_waits
                        WHERE waiter_job = OLD.waiter_job
                          AND instance_id = OLD.instance_id);
END;

CREATE TRIGGER command_jobs_after_delete_serialized
AFTER DELETE ON command_jobs
WHEN OLD.serialize_instances = 1
BEGIN
    DELETE FROM set_aside_instances WHERE command_job_id = OLD.id;
    DELETE FROM instance_waits WHERE waiter_job = OLD.id;
END;

-- As before, and the instances that were set aside.
DROP VIEW instance_status;
CREATE VIEW instance_status AS
-- A row per instance of a command job, from the moment of the insert.
-- Accepted by the API:
SELECT c.command_job_id,
       i.instance_id,
       c.id AS chunk_id,
       i.state,
       c.task_id,
       i.job_id,
       i.error_code,
       i.error_msg,
       i.output,
       c.submitted_at,
       i.finished_at
  FROM chunks AS c
  JOIN instance_jobs AS i ON i.chunk_id = c.id
 WHERE i.superseded = 0
UNION ALL
-- In a chunk that is not accepted (yet):
SELECT c.command_job_id,
       e.value,
       c.id,
       CASE WHEN c.failed > 0 THEN 'failed'
            WHEN c.rejected > 0 THEN 'rejected'
            WHEN c.unknown > 0 THEN 'unknown'
            WHEN c.cancelled > 0 THEN 'cancelled'
            ELSE 'pending'
       END,
       NULL,
       NULL,
       c.error_code,
       c.error_msg,
       NULL,
       NULL,
       c.finished_at
  FROM chunks AS c
  JOIN json_each(c.instance_ids) AS e
 WHERE c.task_id IS NULL
   AND c.state <> 'split'
   AND c.superseded = 0
UNION ALL
-- Not yet in a chunk:
SELECT j.id,
       e.value,
       NULL,
       CASE WHEN j.state IN ('cancelled', 'expired') THEN 'cancelled' ELSE 'pending' END,
       NULL,
       NULL,
       NULL,
       NULL,
       NULL,
       NULL,
       CASE WHEN j.state IN ('cancelled', 'expired') THEN j.finished_at END
  FROM job_progress AS p
  JOIN command_jobs AS j ON j.id = p.command_job_id
  JOIN json_each(j.instance_ids) AS e
 WHERE p.planned + p.set_aside < p.total
   AND e.key >= p.planned + p.set_aside
UNION ALL
-- Set aside, because another job is not done with it:
SELECT s.command_job_id,
       s.instance_id,
       NULL,
       CASE WHEN p.job_state IN ('cancelled', 'expired') THEN 'cancelled' ELSE 'pending' END,
       NULL,
       NULL,
       NULL,
       NULL,
       NULL,
       NULL,
       NULL
  FROM set_aside_instances AS s
  JOIN job_progress AS p ON p.command_job_id = s.command_job_id;
