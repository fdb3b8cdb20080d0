-- The koobatch schema, version 4: operating the daemon.

-- ---------------------------------------------------------------------------------------------------------------------
-- Metrics
-- ---------------------------------------------------------------------------------------------------------------------

CREATE TABLE daemon_metrics (
    -- The one row in which the daemon leaves what it has measured since it started, for `koobatch metrics`; rewritten
    -- at every sign of life. Apart from daemon_state, whose row is small and changes more often.
    id         INTEGER PRIMARY KEY CHECK (id = 1),
    -- Before daemon_state.started_at: an earlier daemon measured it.
    written_at TEXT NOT NULL,
    -- In the Prometheus text format.
    exposition TEXT NOT NULL
) STRICT;


-- ---------------------------------------------------------------------------------------------------------------------
-- Retention
-- ---------------------------------------------------------------------------------------------------------------------

ALTER TABLE job_progress ADD COLUMN deleting INTEGER NOT NULL DEFAULT 0
    /* 1: the job is past retention.finished_jobs and is being deleted, a little at a time: its chunks first, it last. */
    CHECK (deleting IN (0, 1));

-- Serves: going on with a deletion.
CREATE INDEX job_progress_deleting
    ON job_progress (command_job_id)
    WHERE deleting = 1;

CREATE TRIGGER command_jobs_check_deleting
BEFORE UPDATE OF state ON command_jobs
WHEN NEW.state IS NOT OLD.state
BEGIN
    SELECT RAISE(ABORT, 'state: this job is past retention.finished_jobs and is being deleted; insert it again')
     WHERE EXISTS (SELECT 1 FROM job_progress WHERE command_job_id = OLD.id AND deleting = 1);
END;
