-- The koobatch schema. `.schema` in the sqlite3 shell shows the comments inside the statements below.
--
-- People write command_jobs, the state of held chunks, and error_policies; triggers check what they write and do what
-- follows from it. The daemon's connection runs without triggers: its statements keep the same rules, guarded by state and
-- attempt, and tests hold both against each other. CHECKs hold for everybody.
--
-- Works in the sqlite3 shell of Debian 12 (3.40.1), also with PRAGMA trusted_schema = OFF: of the JSON functions only
-- json_each is used here, which that mode allows. Times are UTC text, YYYY-MM-DDTHH:MM:SS.sssZ, and compare as text. The
-- modifier '+0 days' makes SQLite compute the date: 2026-02-30 and 24:00 would stay as they are without it.

-- 'Koob': lets file(1) and the daemon tell a koobatch database from another one.
PRAGMA application_id = 1265594210;


CREATE TABLE command_jobs (
    -- One command for many instances: what users insert. Only command and instance_ids are required:
    --   INSERT INTO command_jobs (command, instance_ids) VALUES ('ls -l /system', '["a44uhlf7","efjy72gs"]');
    -- Steer a job with UPDATE: state = 'cancelled', 'paused', 'running' (resume) or, once finished, 'queued' (run
    -- again what did not succeed); priority, max_concurrency and the other settings while it runs.
    -- Chosen by SQLite, ascending.
    id                  INTEGER PRIMARY KEY AUTOINCREMENT
        CONSTRAINT "id: 1 to 1000000000000; leave it out and one is chosen" CHECK (id BETWEEN 1 AND 1000000000000),
    -- The ADB shell command.
    command             TEXT NOT NULL
        CONSTRAINT "command: 1 to 1024 bytes" CHECK (length(CAST(command AS BLOB)) BETWEEN 1 AND 1024)
        CONSTRAINT "command: only letters, digits, spaces and _ . / : -, and not only spaces"
            CHECK (command NOT GLOB '*[^A-Za-z0-9 _./:-]*' AND length(command) = length(CAST(command AS BLOB))
                   AND (trim(command) <> '' OR command = '')),
    label               TEXT CONSTRAINT "label: at most 1024 characters" CHECK (length(label) <= 1024),  -- For people.
    -- One job without finished_at per key.
    unique_key          TEXT CONSTRAINT "unique_key: 1 to 255 characters" CHECK (length(unique_key) BETWEEN 1 AND 255)
        CONSTRAINT "unique_key: no control or invisible characters, such as U+200B and U+00A0, and no space at its ends"
            CHECK (unique_key = trim(unique_key) AND instr(unique_key, char(0)) = 0
                   AND unique_key NOT GLOB '*[' || char(1) || '-' || char(31, 127) || '-' || char(160, 173, 8192) || '-'
                       || char(8207, 8232) || '-' || char(8239, 8287) || '-' || char(8303, 12288, 65279) || ']*'),
    -- Higher goes first; jobs of one priority share the requests.
    priority            INTEGER NOT NULL DEFAULT 0
        CONSTRAINT "priority: -1000000000 to 1000000000" CHECK (priority BETWEEN -1000000000 AND 1000000000),
    run_at              TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now')),  -- Nothing is sent before this time.
    expires_at          TEXT,  -- What is not submitted by this time never will be.
    -- Attempts per chunk before it fails.
    max_attempts        INTEGER NOT NULL DEFAULT 8 CONSTRAINT "max_attempts: 1 to 1000" CHECK (max_attempts BETWEEN 1 AND 1000),
    -- When a request was sent but its answer was lost: 'retry' sends it again (at least once), 'hold' waits for a
    -- person (at most once), 'fail' gives it up.
    on_unknown          TEXT NOT NULL DEFAULT 'retry'
        CONSTRAINT "on_unknown: retry, hold or fail" CHECK (on_unknown IN ('retry', 'hold', 'fail')),
    -- Chunks of this job in flight (sent and without all their results) at once.
    max_concurrency     INTEGER CONSTRAINT "max_concurrency: 1 or more" CHECK (max_concurrency BETWEEN 1 AND 1000000000),
    -- Stop starting chunks once more than this many instances failed or were rejected: '5' or '2%'.
    max_errors          TEXT CONSTRAINT "max_errors: a whole number such as 5, or a percentage from 0% to 100%"
            CHECK (length(max_errors) BETWEEN 1 AND 7 AND CASE WHEN max_errors LIKE '_%\%' ESCAPE '\'
                            THEN substr(max_errors, 1, length(max_errors) - 1) NOT GLOB '*[^0-9]*'
                                 AND CAST(max_errors AS INTEGER) <= 100 ELSE max_errors NOT GLOB '*[^0-9]*' END),
    -- This many instances go first; the rest waits until all of them succeeded.
    canary              INTEGER CONSTRAINT "canary: 1 or more" CHECK (canary BETWEEN 1 AND 1000000000),
    -- 1: on each instance this job waits for the results of the unfinished jobs inserted before it, of its priority or a
    -- higher one.
    serialize_instances INTEGER NOT NULL DEFAULT 0
        CONSTRAINT "serialize_instances: 0 or 1" CHECK (serialize_instances IN (0, 1)),
    -- Seconds after submission until a result that never came counts as unknown; NULL: poll.result_timeout.
    result_timeout      REAL CONSTRAINT "result_timeout: more than 0 seconds, at most 31536000 (a year)"
            CHECK (result_timeout > 0 AND result_timeout <= 31536000),
    -- queued, running, paused, then one of succeeded (every instance), partial (some), failed (none), cancelled,
    -- expired, submitted (results are not polled).
    state               TEXT NOT NULL DEFAULT 'queued'
        CONSTRAINT "state: queued, running, paused, succeeded, partial, failed, cancelled, expired or submitted"
            CHECK (state IN ('queued', 'running', 'paused', 'succeeded', 'partial', 'failed', 'cancelled', 'expired',
                             'submitted')),
    state_reason        TEXT,  -- Why it is in this state, for people.
    created_at          TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now')),  -- When it was inserted.
    started_at          TEXT,  -- When its first chunk was sent.
    finished_at         TEXT,  -- When nothing was left to do or to record; a cancelled job awaits its answers until then.
    -- A JSON array of 1 to 1,000,000 distinct instance ids. The last column: SQLite reads the others without it.
    instance_ids        TEXT NOT NULL,
    CONSTRAINT "started_at, finished_at: set by koobatch, in UTC, such as 2026-12-01T08:00:00.000Z"
        CHECK (started_at IS strftime('%Y-%m-%dT%H:%M:%fZ', started_at, '+0 days')
               AND finished_at IS strftime('%Y-%m-%dT%H:%M:%fZ', finished_at, '+0 days'))
) STRICT;

-- Serves: the rule of unique_key.
CREATE UNIQUE INDEX command_jobs_unique_key ON command_jobs (unique_key) WHERE unique_key IS NOT NULL AND finished_at IS NULL;

-- Serves: jobs that have just finished; jobs past the retention.
CREATE INDEX command_jobs_finished ON command_jobs (finished_at) WHERE finished_at IS NOT NULL;


CREATE TABLE job_progress (
    -- What changes often about a command job, and what the daemon looks up; read it through job_status. Apart from
    -- command_jobs because a row with a million instance ids takes milliseconds to rewrite. Instances that are in none of
    -- the counted states are pending. Kept by koobatch and by the triggers.
    command_job_id    INTEGER PRIMARY KEY REFERENCES command_jobs (id),  -- The job.
    job_state         TEXT NOT NULL,  -- Copy of command_jobs.state.
    -- Why a paused job is paused: hand (a person), canary, max_errors, refused (the API refused all that was sent of it)
    -- or restored (from a backup).
    pause_cause       TEXT CONSTRAINT "pause_cause: hand, canary, max_errors, refused or restored; only while paused"
            CHECK (coalesce(pause_cause IN ('hand', 'canary', 'max_errors', 'refused', 'restored'), 1)
                   AND (pause_cause IS NOT NULL) = (job_state = 'paused')),
    priority          INTEGER NOT NULL,  -- Copy of command_jobs.priority.
    run_at            TEXT NOT NULL,  -- Copy of command_jobs.run_at.
    is_due            INTEGER NOT NULL CHECK (is_due IN (0, 1)),  -- 0 while run_at is to come.
    expires_at        TEXT,  -- Copy of command_jobs.expires_at.
    total             INTEGER NOT NULL CHECK (total BETWEEN 1 AND 1000000),  -- All instances.
    planned           INTEGER NOT NULL DEFAULT 0,  -- Instances from the front of the list that are in chunks.
    plan_limit        INTEGER NOT NULL,  -- Instances that may be in chunks now: fewer than all while a canary is out.
    replan_after      INTEGER NOT NULL DEFAULT 0 CHECK (replan_after BETWEEN 0 AND 1000000000000000),  -- Of a run again: chunks done.
    -- Of a job that runs again: what did not succeed in its chunks up to this id goes into new ones.
    replan_upto       INTEGER CHECK (replan_upto BETWEEN 0 AND 1000000000000000),
    submitted         INTEGER NOT NULL DEFAULT 0,  -- Instances that were accepted and whose results are awaited.
    succeeded         INTEGER NOT NULL DEFAULT 0,  -- Instances that succeeded.
    failed            INTEGER NOT NULL DEFAULT 0,  -- Instances that failed.
    unknown           INTEGER NOT NULL DEFAULT 0,  -- Instances of which nobody knows whether the command ran.
    cancelled         INTEGER NOT NULL DEFAULT 0,  -- Instances that were not sent before the job was stopped.
    rejected          INTEGER NOT NULL DEFAULT 0,  -- Instances that the API refused.
    waiting_chunks    INTEGER NOT NULL DEFAULT 0,  -- Chunks that are pending.
    blocked_chunks    INTEGER NOT NULL DEFAULT 0,  -- Of these, chunks that wait for other jobs.
    in_flight_chunks  INTEGER NOT NULL DEFAULT 0,  -- Chunks that are submitting or submitted.
    held_chunks       INTEGER NOT NULL DEFAULT 0,  -- Chunks on hold.
    -- The attempt that last served this job: jobs of one priority are served least recently served first.
    last_served_attempt_id INTEGER NOT NULL DEFAULT 0 CHECK (last_served_attempt_id BETWEEN 0 AND 1000000000000000),
    -- Failed and rejected instances that a person accepted by resuming: max_errors counts from here.
    error_baseline    INTEGER NOT NULL DEFAULT 0 CHECK (error_baseline BETWEEN 0 AND 1000000),
    -- 1: the API has accepted nothing of this run yet, so that few chunks are in flight and refusals are counted.
    slow_start        INTEGER NOT NULL DEFAULT 1 CHECK (slow_start IN (0, 1)),
    refused_requests  INTEGER NOT NULL DEFAULT 0 CHECK (refused_requests BETWEEN 0 AND 1000000000),  -- Refused meanwhile.
    result_seconds    REAL CHECK (result_seconds BETWEEN 0 AND 31536000),  -- Usual time from submission to result.
    complete_looks    INTEGER NOT NULL DEFAULT 0 CHECK (complete_looks BETWEEN 0 AND 1000),  -- First looks in a row that found all results.
    since_at          TEXT,  -- For eta: one to two minutes ago, or when the job began to run; NULL unless it runs.
    since_done        INTEGER NOT NULL DEFAULT 0 CHECK (since_done BETWEEN -1000000 AND 1000000),  -- Ended by then.
    mark_at           TEXT,  -- What since_at becomes when a minute has gone by.
    mark_done         INTEGER NOT NULL DEFAULT 0 CHECK (mark_done BETWEEN -1000000 AND 1000000),  -- Ended by then.
    deleting          INTEGER NOT NULL DEFAULT 0 CHECK (deleting IN (0, 1)),  -- 1: past retention, being deleted.
    -- Every trigger adds 1; a change by hand that leaves it is refused.
    revision          INTEGER NOT NULL DEFAULT 0 CHECK (revision BETWEEN 0 AND 1000000000000000),
    CONSTRAINT "job_progress: counts must add up" CHECK (min(submitted, succeeded, failed, unknown, cancelled, rejected) >= 0
               AND submitted + succeeded + failed + unknown + cancelled + rejected <= total
               AND max(waiting_chunks, in_flight_chunks, held_chunks) <= 1000000
               AND min(waiting_chunks, in_flight_chunks, held_chunks) >= 0 AND blocked_chunks BETWEEN 0 AND waiting_chunks
               AND planned BETWEEN 0 AND plan_limit AND plan_limit <= total)
) STRICT;

-- Serves: the claim of what is sent next.
CREATE INDEX job_progress_to_send ON job_progress (priority DESC, last_served_attempt_id, command_job_id)
    WHERE is_due = 1 AND job_state IN ('queued', 'running') AND (waiting_chunks > blocked_chunks OR planned < plan_limit);

-- Serves: jobs whose run_at comes next.
CREATE INDEX job_progress_scheduled ON job_progress (run_at) WHERE is_due = 0 AND job_state IN ('queued', 'running');

-- Serves: the expiry of jobs, and whatever lists unfinished jobs.
CREATE INDEX job_progress_unfinished ON job_progress (expires_at) WHERE job_state IN ('queued', 'running', 'paused');

-- Serves: what else the daemon has to do: run again, free what waited for other jobs, delete.
CREATE INDEX job_progress_chores ON job_progress (deleting, command_job_id)
    WHERE deleting = 1 OR replan_upto IS NOT NULL OR blocked_chunks > 0;

-- Serves: the log, which tells of jobs that were paused or resumed, or that await their last answers.
CREATE INDEX job_progress_stopped ON job_progress (command_job_id)
    WHERE job_state = 'paused' OR (job_state IN ('cancelled', 'expired') AND in_flight_chunks > 0);


CREATE TABLE chunks (
    -- Up to 32 instances of a command job: one API request, answered with one task_id. Written by koobatch when it is
    -- sent. A held chunk is settled with UPDATE: state = 'pending' sends it again, state = 'failed' gives it up.
    id                 INTEGER PRIMARY KEY AUTOINCREMENT,  -- Chosen by SQLite, ascending.
    command_job_id     INTEGER NOT NULL REFERENCES command_jobs (id),  -- The job.
    -- pending, submitting, submitted, then one of finished (accepted, nothing more awaited), failed, unknown (held),
    -- cancelled, split (replaced by smaller chunks).
    state              TEXT NOT NULL
        CONSTRAINT "state: pending, submitting, submitted, finished, failed, unknown, cancelled or split"
            CHECK (state IN ('pending', 'submitting', 'submitted', 'finished', 'failed', 'unknown', 'cancelled', 'split')),
    task_id            TEXT,  -- The id of the API's answer.
    -- Its instances; the counts below are of those that are in a state other than pending. All 0 once a run of what did
    -- not succeed has moved them to a later chunk.
    size               INTEGER NOT NULL,
    submitted          INTEGER NOT NULL DEFAULT 0,  -- Instances whose results are awaited.
    succeeded          INTEGER NOT NULL DEFAULT 0,  -- Instances that succeeded.
    failed             INTEGER NOT NULL DEFAULT 0,  -- Instances that failed.
    unknown            INTEGER NOT NULL DEFAULT 0,  -- Instances of which nobody knows whether the command ran.
    cancelled          INTEGER NOT NULL DEFAULT 0,  -- Instances that were not sent before the job was stopped.
    rejected           INTEGER NOT NULL DEFAULT 0,  -- Instances that the API refused.
    -- Attempts that count against max_attempts. Throttled ones and ones refused for their credentials do not.
    attempts           INTEGER NOT NULL DEFAULT 0 CONSTRAINT "attempts: 0 to 1000000" CHECK (attempts BETWEEN 0 AND 1000000),
    next_attempt_at    TEXT,  -- Set while the chunk is pending; no further off than retry.max_delay.
    error_code         TEXT,  -- Of the last attempt that was not accepted, or of the task if the API no longer knows it.
    error_msg          TEXT,  -- Says more than the code.
    submitted_at       TEXT,  -- When the API accepted it.
    finished_at        TEXT,  -- When it came to its end.
    next_poll_at       TEXT,  -- When the results are next asked for; of a finished chunk: results that did not come in time, once more.
    -- How often they have been asked for.
    polls              INTEGER NOT NULL DEFAULT 0 CONSTRAINT "polls: 0 to 1000000000" CHECK (polls BETWEEN 0 AND 1000000000),
    result_deadline_at TEXT,  -- When results that have not come count as unknown.
    split_from         INTEGER REFERENCES chunks (id),  -- The chunk that was split into this one and another.
    -- 1: pending, and its instances wait for their results in earlier jobs (serialize_instances).
    blocked            INTEGER NOT NULL DEFAULT 0 CONSTRAINT "blocked: 0 or 1, and only while pending"
            CHECK (blocked = 0 OR (blocked = 1 AND state IN ('pending', 'cancelled'))),
    CONSTRAINT "counts: at most size" CHECK (size BETWEEN 1 AND 100
               AND min(submitted, succeeded, failed, unknown, cancelled, rejected) >= 0
               AND submitted + succeeded + failed + unknown + cancelled + rejected <= size),
    CONSTRAINT "next_attempt_at: UTC, such as 2026-12-01T08:00:00.000Z, and only while pending"
        CHECK (next_attempt_at IS strftime('%Y-%m-%dT%H:%M:%fZ', next_attempt_at, '+0 days')
               AND (next_attempt_at IS NULL OR state = 'pending')),
    CONSTRAINT "next_poll_at: UTC, such as 2026-12-01T08:00:00.000Z, and only of an accepted chunk"
        CHECK (next_poll_at IS strftime('%Y-%m-%dT%H:%M:%fZ', next_poll_at, '+0 days')
               AND (next_poll_at IS NULL OR task_id IS NOT NULL)),
    CONSTRAINT "task_id: 1 to 32 characters, and set exactly when accepted" CHECK (coalesce(length(task_id) BETWEEN 1 AND 32, 1)
               AND (state IN ('submitted', 'finished')) = (task_id IS NOT NULL)),
    CONSTRAINT "submitted_at, finished_at, result_deadline_at: UTC, such as 2026-12-01T08:00:00.000Z"
        CHECK (submitted_at IS strftime('%Y-%m-%dT%H:%M:%fZ', submitted_at, '+0 days')
               AND finished_at IS strftime('%Y-%m-%dT%H:%M:%fZ', finished_at, '+0 days')
               AND result_deadline_at IS strftime('%Y-%m-%dT%H:%M:%fZ', result_deadline_at, '+0 days'))
) STRICT;

-- Serves: the views, by job; running again; deleting a job.
CREATE INDEX chunks_of_job ON chunks (command_job_id);

-- Serves: the claim of a job's chunks that are to be sent again, and cancelling them.
CREATE INDEX chunks_pending ON chunks (command_job_id, blocked, next_attempt_at) WHERE state = 'pending';

-- Serves: the time until the submitter next has work.
CREATE INDEX chunks_next_attempt ON chunks (next_attempt_at) WHERE state = 'pending' AND blocked = 0;

-- Serves: recovery after a crash, and daemon.in_flight.
CREATE INDEX chunks_submitting ON chunks (command_job_id) WHERE state = 'submitting';

-- Serves: why, cancelling and the CLI, for held chunks.
CREATE INDEX chunks_held ON chunks (command_job_id) WHERE state = 'unknown';

-- Serves: tasks to ask for: awaited results first, then those that did not come in time.
CREATE INDEX chunks_next_poll ON chunks (state, next_poll_at) WHERE next_poll_at IS NOT NULL;


CREATE TABLE chunk_instances (
    -- The instances of a chunk and what became of them, as documents: JSON arrays in one order. Apart from chunks, so that
    -- a change of state does not rewrite them. instance_status, task_map and outputs unfold them. Written by koobatch.
    -- A document of results is NULL where there is nothing to tell, and a single value where all instances have the same.
    chunk_id     INTEGER PRIMARY KEY REFERENCES chunks (id),  -- The chunk.
    instance_ids TEXT NOT NULL CONSTRAINT "instance_ids: a JSON array" CHECK (instance_ids GLOB '[[]"?*"]'),  -- The instance ids.
    -- The API's id of each, from its answer; null for an instance that the answer left out. NULL until accepted.
    job_ids      TEXT CONSTRAINT "job_ids: a JSON array" CHECK (job_ids GLOB '[[]*]'),
    -- A letter for each instance: a (awaited), s (succeeded), f (failed), u (unknown) or m (moved to a later chunk, to run
    -- again). NULL until accepted or moved.
    states       TEXT CONSTRAINT "states: letters of a s f u m" CHECK (states NOT GLOB '*[^asfum]*'),
    outputs      TEXT,  -- What the command printed.
    error_codes  TEXT,  -- Error codes of instances that failed or are unknown.
    error_msgs   TEXT,  -- What says more than the codes.
    result_times TEXT  -- When each result was recorded, where that is not chunks.finished_at.
) STRICT;


CREATE TABLE attempts (
    -- One request that was sent or is about to be sent. The row is durable before the network is touched.
    id          INTEGER PRIMARY KEY AUTOINCREMENT,  -- Chosen by SQLite, ascending.
    chunk_id    INTEGER NOT NULL REFERENCES chunks (id),  -- The chunk that was to be submitted.
    -- The x-request-id of the request: the API's operators find it by this.
    request_id  TEXT NOT NULL CONSTRAINT "request_id: 1 to 64 characters" CHECK (length(request_id) BETWEEN 1 AND 64),
    started_at  TEXT NOT NULL,  -- When it was about to be sent.
    finished_at TEXT,  -- When its answer came, or the wait for it ended.
    -- NULL while the answer is awaited. not_sent: certainly never reached the API. unknown: may have been acted on.
    outcome     TEXT CONSTRAINT "outcome: accepted, refused, throttled, unauthenticated, not_sent or unknown"
            CHECK (outcome IN ('accepted', 'refused', 'throttled', 'unauthenticated', 'not_sent', 'unknown')),
    http_status INTEGER CONSTRAINT "http_status: 0 to 999" CHECK (http_status BETWEEN 0 AND 999),  -- The status of the answer.
    error_code  TEXT,  -- The API's code, or one of koobatch's own, which begin with koobatch.
    error_msg   TEXT,  -- Says more than the code.
    CONSTRAINT "finished_at: set exactly with outcome" CHECK ((outcome IS NULL) = (finished_at IS NULL))
) STRICT;

-- Serves: the attempts of a chunk; deleting them.
CREATE INDEX attempts_of_chunk ON attempts (chunk_id);


CREATE TABLE error_policies (
    -- What koobatch does about an error code of the API. Edit it: the daemon follows without a restart.
    --   retry         try the chunk again later
    --   fail          fail the chunk
    --   split         bisect the chunk; an instance refused alone is rejected
    --   isolate       bisect likewise; an instance refused alone is tried again
    --   authenticate  renew the credentials, then try again
    --   stop          nothing can succeed: pause all requests and probe
    --   unknown       it may have acted: on_unknown of the job decides
    -- The error code.
    code   TEXT PRIMARY KEY CONSTRAINT "code: 1 to 64 characters" CHECK (length(code) BETWEEN 1 AND 64),
    -- What is done about it.
    action TEXT NOT NULL CONSTRAINT "action: retry, fail, split, isolate, authenticate, stop or unknown"
            CHECK (action IN ('retry', 'fail', 'split', 'isolate', 'authenticate', 'stop', 'unknown')),
    note   TEXT  -- For people.
) STRICT, WITHOUT ROWID;

INSERT INTO error_policies (code, action, note) VALUES
    ('KOOPHONE.API.0000', 'stop',         'the tenant does not exist'),
    ('KOOPHONE.API.0001', 'stop',         'a request header is missing'),
    ('KOOPHONE.API.0002', 'stop',         'a request header is missing'),
    ('KOOPHONE.API.0004', 'stop',         'the project does not exist'),
    ('KOOPHONE.API.0005', 'stop',         'a request header is missing'),
    ('KOOPHONE.API.1000', 'split',        'request parameter error: an instance id, or the command'),
    ('KOOPHONE.API.1001', 'split',        'no permission for an instance'),
    ('KOOPHONE.API.1002', 'split',        'the instances are not in one region'),
    ('KOOPHONE.API.1004', 'stop',         'the service is not subscribed'),
    ('KOOPHONE.API.1012', 'split',        'the instances do not belong to one tenant'),
    ('KOOPHONE.API.1323', 'fail',         'a query: there is no such task'),
    ('KOOPHONE.API.2004', 'split',        'an instance is frozen'),
    ('KOOPHONE.API.2005', 'isolate',      'an instance is in recovery'),
    ('KOOPHONE.API.2006', 'isolate',      'an instance is in backup'),
    ('KOOPHONE.API.9999', 'unknown',      'internal error of the API: it may have acted'),
    ('APIGW.0101',        'stop',         'no such API on this endpoint'),
    ('APIGW.0201',        'fail',         'the request is too large'),
    ('APIGW.0301',        'authenticate', 'the token or signature is not valid'),
    ('APIGW.0308',        'retry',        'throttled'),
    ('APIG.0301',         'authenticate', 'the token or signature is not valid'),
    ('APIG.0308',         'retry',        'throttled');


CREATE TABLE daemon_state (
    -- The one row that the daemon keeps of itself; read it through the view daemon.
    id                  INTEGER PRIMARY KEY CHECK (id = 1),  -- Always 1.
    pid                 INTEGER CHECK (pid BETWEEN 1 AND 4294967295),  -- Its process.
    version             TEXT,  -- Its version.
    started_at          TEXT,  -- When it started.
    heartbeat_at        TEXT,  -- Its last heartbeat; there is one every 10 seconds.
    trusted_at          TEXT,  -- The same by what the clock is trusted for: earlier while a leap forward is doubted.
    stopped_at          TEXT,  -- When it stopped in order; NULL while it runs or when it was killed.
    requests_per_second REAL  -- The rate limit in force; NULL: unlimited.
        CONSTRAINT "requests_per_second: 0.001 to 1000000" CHECK (requests_per_second BETWEEN 0.001 AND 1000000),
    -- The circuit breaker: closed when requests flow, open when they pause.
    circuit             TEXT NOT NULL DEFAULT 'closed'
        CONSTRAINT "circuit: closed, open or half-open" CHECK (circuit IN ('closed', 'open', 'half-open')),
    -- What the API last said of the credentials.
    credentials         TEXT NOT NULL DEFAULT 'unknown' CONSTRAINT "credentials: unknown, accepted or refused"
            CHECK (credentials IN ('unknown', 'accepted', 'refused')),
    paused_until        TEXT,  -- Nothing is sent before this time: Retry-After, an open circuit or refused credentials.
    last_error          TEXT,  -- The last failure that made requests pause.
    last_error_at       TEXT,  -- When that was.
    backup_at           TEXT,  -- In a backup: when it was made. The next start pauses what is unfinished and clears it.
    CONSTRAINT "daemon_state: times are UTC, such as 2026-12-01T08:00:00.000Z; the daemon writes them"
        CHECK (started_at IS strftime('%Y-%m-%dT%H:%M:%fZ', started_at, '+0 days')
               AND heartbeat_at IS strftime('%Y-%m-%dT%H:%M:%fZ', heartbeat_at, '+0 days')
               AND trusted_at IS strftime('%Y-%m-%dT%H:%M:%fZ', trusted_at, '+0 days')
               AND stopped_at IS strftime('%Y-%m-%dT%H:%M:%fZ', stopped_at, '+0 days')
               AND paused_until IS strftime('%Y-%m-%dT%H:%M:%fZ', paused_until, '+0 days')
               AND last_error_at IS strftime('%Y-%m-%dT%H:%M:%fZ', last_error_at, '+0 days')
               AND backup_at IS strftime('%Y-%m-%dT%H:%M:%fZ', backup_at, '+0 days'))
) STRICT;

INSERT INTO daemon_state (id) VALUES (1);


CREATE TABLE daemon_metrics (
    -- What the daemon has measured, for koobatch metrics; written with its heartbeat.
    id         INTEGER PRIMARY KEY CHECK (id = 1),  -- Always 1.
    written_at TEXT NOT NULL,  -- When it was written.
    exposition TEXT NOT NULL  -- Prometheus text.
) STRICT;


-- ---------------------------------------------------------------------------------------------------------------------
-- What follows from the counts of a job: said here for the triggers and for the daemon
-- ---------------------------------------------------------------------------------------------------------------------

CREATE VIEW error_budget AS
-- A row per job with max_errors: the errors that count, how many are allowed, and what to say when there are more.
SELECT p.command_job_id,
       p.failed + p.rejected - p.error_baseline AS errors,
       CAST(j.max_errors AS INTEGER) * iif(j.max_errors LIKE '%\%' ESCAPE '\', p.total, 100) / 100 AS allowed,
       'max_errors: ' || (p.failed + p.rejected - p.error_baseline) || ' instances failed, more than ' || j.max_errors
       || '; resume to go on counting from here, or cancel' AS explanation
  FROM job_progress AS p
  JOIN command_jobs AS j ON j.id = p.command_job_id
 WHERE j.max_errors IS NOT NULL;

CREATE VIEW job_decisions AS
-- A row per job whose state or plan is to change because of its counts: the next state, why, and how much may be planned.
SELECT command_job_id,
       job_state,
       CASE WHEN is_ended AND job_state IN ('cancelled', 'expired') THEN job_state
            WHEN is_ended AND submitted > 0 THEN 'submitted'
            WHEN (is_ended OR is_late) AND succeeded = total THEN 'succeeded'
            WHEN (is_ended OR is_late) AND succeeded > 0 THEN 'partial'
            WHEN is_ended THEN 'failed'
            WHEN is_canary_bad OR is_over_budget THEN 'paused'
            ELSE job_state
       END AS next_state,
       CASE WHEN is_canary_bad THEN 'canary' WHEN is_over_budget THEN 'max_errors' END AS pause_cause,
       CASE WHEN is_canary_bad
            THEN 'canary: ' || (planned - succeeded) || ' of ' || planned
                 || ' instances did not succeed; resume to run the rest all the same, or cancel'
            WHEN is_over_budget
            THEN (SELECT explanation FROM error_budget AS b WHERE b.command_job_id = f.command_job_id)
       END AS reason,
       iif(is_canary_good, total, plan_limit) AS plan_limit,
       is_ended
  FROM (SELECT p.*,
               is_idle AND ((planned = total AND job_state IN ('running', 'paused'))
                            OR (job_state IN ('cancelled', 'expired')
                                AND (SELECT finished_at FROM command_jobs WHERE id = command_job_id) IS NULL)) AS is_ended,
               (job_state = 'failed' AND succeeded > 0) OR (job_state = 'partial' AND succeeded = total) AS is_late,
               is_idle AND is_canary_over AND succeeded = planned AS is_canary_good,
               is_idle AND is_canary_over AND succeeded < planned AND pause_cause IS NOT 'canary' AS is_canary_bad,
               job_state = 'running' AND replan_upto IS NULL AND (waiting_chunks > 0 OR planned < total)
               AND failed + rejected > error_baseline
               AND EXISTS (SELECT 1 FROM error_budget AS b
                            WHERE b.command_job_id = p.command_job_id AND errors > allowed) AS is_over_budget
          FROM (SELECT *,
                       waiting_chunks + in_flight_chunks + held_chunks = 0 AND replan_upto IS NULL AS is_idle,
                       planned = plan_limit AND planned BETWEEN 1 AND total - 1 AND job_state IN ('running', 'paused')
                       AS is_canary_over
                  FROM job_progress) AS p) AS f
 WHERE is_ended OR is_late OR is_canary_good OR is_canary_bad OR is_over_budget;


-- ---------------------------------------------------------------------------------------------------------------------
-- Rules of command_jobs: what is refused
-- ---------------------------------------------------------------------------------------------------------------------

CREATE TRIGGER command_jobs_check_insert BEFORE INSERT ON command_jobs
BEGIN
    SELECT RAISE(ABORT, 'id: a job with this id exists; insert without an id and one is chosen')
     WHERE EXISTS (SELECT 1 FROM command_jobs WHERE id = NEW.id);
    SELECT RAISE(ABORT, 'state: a new job is queued or paused') WHERE NEW.state NOT IN ('queued', 'paused');
    SELECT RAISE(ABORT, 'started_at: set by koobatch') WHERE NEW.started_at IS NOT NULL;
    SELECT RAISE(ABORT, 'finished_at: set by koobatch') WHERE NEW.finished_at IS NOT NULL;
    SELECT RAISE(ABORT, 'run_at: a date and time of 2001 to 9999 that SQLite understands, such as 2026-12-01 08:00:00')
     WHERE NEW.run_at IS NOT NULL AND coalesce(strftime('%Y-%m-%dT%H:%M:%fZ', NEW.run_at, 'auto', '+0 days'), '') < '2001';
    SELECT RAISE(ABORT, 'expires_at: a date and time of 2001 to 9999 that SQLite understands, such as 2026-12-01 08:00:00')
     WHERE NEW.expires_at IS NOT NULL
       AND coalesce(strftime('%Y-%m-%dT%H:%M:%fZ', NEW.expires_at, 'auto', '+0 days'), '') < '2001';
    SELECT RAISE(ABORT, 'created_at: a date and time that SQLite understands; leave it out and it is now')
     WHERE coalesce(strftime('%Y-%m-%dT%H:%M:%fZ', NEW.created_at, 'auto', '+0 days'), '') < '2001';
    SELECT RAISE(ABORT, 'expires_at: must be later than run_at')
     WHERE julianday(NEW.expires_at, 'auto') <= julianday(NEW.run_at, 'auto');
    SELECT RAISE(ABORT, 'unique_key: an unfinished job has this key') WHERE NEW.unique_key IS NOT NULL
       AND EXISTS (SELECT 1 FROM command_jobs WHERE unique_key = NEW.unique_key AND finished_at IS NULL);
    SELECT RAISE(ABORT, 'instance_ids: required, a JSON array such as ["a44uhlf7","efjy72gs"]') WHERE NEW.instance_ids IS NULL;
    SELECT RAISE(ABORT, 'instance_ids: must hold 1 to 1000000 instance ids')
     WHERE trim(substr(NEW.instance_ids, 1, 100), char(9, 10, 13, 32)) = '[]';
    -- Of the escapes of JSON only \/ and \u can stand in an id. What SQLite itself refuses in JSON it refuses with a message
    -- that names no column; in long lists it takes too long to look.
    SELECT RAISE(ABORT, 'instance_ids: an instance id is of visible ASCII characters, without space, " and \')
      FROM (SELECT NEW.instance_ids AS list, char(9, 10, 13) AS white LIMIT 1)
     WHERE (instr(list, '\') > 0
            AND (instr(replace(replace(list, '\/', ''), '\u', ''), '\') > 0 OR instr(list, '\u0000') > 0
                 OR list GLOB '*\u[^0-9A-Fa-f]*' OR list GLOB '*\u?[^0-9A-Fa-f]*'
                 OR list GLOB '*\u??[^0-9A-Fa-f]*' OR list GLOB '*\u???[^0-9A-Fa-f]*'))
        OR (length(list) < 100000
            AND (list GLOB '*[' || char(1) || '-' || char(8, 11, 12, 14) || '-' || char(31) || ']*'
                 OR list GLOB '*[^][", ' || white || '][' || white || ']*'
                 OR list GLOB '*[' || white || '][^][", ' || white || ']*'));
    -- An array of strings without \" is the first quote, the last, and between them only "," and what holds no quote.
    SELECT RAISE(ABORT, 'instance_ids: not a JSON array of strings; give one such as ["a44uhlf7","efjy72gs"]')
      FROM (SELECT replace(replace(replace(replace(NEW.instance_ids, ' ', ''), char(10), ''), char(13), ''), char(9), '')
                   AS list LIMIT 1)
     WHERE substr(list, 1, 2) <> '["' OR substr(list, -2) <> '"]' OR instr(list, char(0)) > 0
        OR length(list) - length(replace(list, '"', '')) <> 2 + 2 * (length(list) - length(replace(list, '","', ''))) / 3;
END;

CREATE TRIGGER command_jobs_check_update BEFORE UPDATE ON command_jobs
BEGIN
    SELECT RAISE(ABORT, 'id: cannot be changed') WHERE NEW.id <> OLD.id;
    SELECT RAISE(ABORT, 'command: cannot be changed; cancel the job and insert another') WHERE NEW.command IS NOT OLD.command;
    SELECT RAISE(ABORT, 'serialize_instances: cannot be changed after the insert; cancel the job and insert another')
     WHERE NEW.serialize_instances <> OLD.serialize_instances;
    SELECT RAISE(ABORT, 'created_at: cannot be changed') WHERE NEW.created_at IS NOT OLD.created_at
       AND NEW.created_at IS NOT strftime('%Y-%m-%dT%H:%M:%fZ', OLD.created_at, 'auto', '+0 days');
    SELECT RAISE(ABORT, 'started_at: set by koobatch') WHERE NEW.started_at IS NOT OLD.started_at
       AND (OLD.started_at IS NOT NULL OR NEW.state <> 'running' OR OLD.state <> 'running');
    SELECT RAISE(ABORT, 'finished_at: set by koobatch') WHERE NEW.finished_at IS NOT OLD.finished_at
       AND CASE WHEN NEW.finished_at IS NULL THEN OLD.state <> 'queued' OR NEW.state <> 'queued'
               ELSE OLD.finished_at IS NOT NULL
                    OR NOT EXISTS (SELECT 1 FROM job_decisions WHERE command_job_id = OLD.id AND is_ended)
           END;
    SELECT RAISE(ABORT, 'run_at: a date and time of 2001 to 9999 that SQLite understands, such as 2026-12-01 08:00:00')
     WHERE NEW.run_at IS NOT NULL AND coalesce(strftime('%Y-%m-%dT%H:%M:%fZ', NEW.run_at, 'auto', '+0 days'), '') < '2001';
    SELECT RAISE(ABORT, 'expires_at: a date and time of 2001 to 9999 that SQLite understands, such as 2026-12-01 08:00:00')
     WHERE NEW.expires_at IS NOT NULL
       AND coalesce(strftime('%Y-%m-%dT%H:%M:%fZ', NEW.expires_at, 'auto', '+0 days'), '') < '2001';
    SELECT RAISE(ABORT, 'expires_at: must be later than run_at')
     WHERE julianday(NEW.expires_at, 'auto') <= julianday(NEW.run_at, 'auto');
    SELECT RAISE(ABORT, 'unique_key: an unfinished job has this key') WHERE NEW.unique_key IS NOT NULL
       AND (NEW.finished_at IS NULL OR NEW.state = 'queued') AND EXISTS (SELECT 1 FROM command_jobs WHERE unique_key = NEW.unique_key
                      AND finished_at IS NULL AND id <> OLD.id);
    SELECT RAISE(ABORT, 'canary: cannot be changed once the job has started') WHERE NEW.canary IS NOT OLD.canary
       AND EXISTS (SELECT 1 FROM job_progress WHERE command_job_id = OLD.id AND planned > 0);
END;

CREATE TRIGGER command_jobs_check_list BEFORE UPDATE OF instance_ids ON command_jobs
WHEN NEW.instance_ids IS NOT OLD.instance_ids
BEGIN SELECT RAISE(ABORT, 'instance_ids: cannot be changed; cancel the job and insert another'); END;

CREATE TRIGGER command_jobs_check_state BEFORE UPDATE OF state ON command_jobs
WHEN NEW.state IS NOT OLD.state
BEGIN
    SELECT RAISE(ABORT, 'state: this job is past retention.finished_jobs and is being deleted; insert it again')
     WHERE EXISTS (SELECT 1 FROM job_progress WHERE command_job_id = OLD.id AND deleting = 1);
    SELECT RAISE(ABORT, 'state: this job has finished; only queued is possible, which runs again what did not succeed')
     WHERE OLD.state NOT IN ('queued', 'running', 'paused') AND NEW.state <> 'queued'
       AND NOT EXISTS (SELECT 1 FROM job_decisions WHERE command_job_id = OLD.id AND next_state = NEW.state);
    SELECT RAISE(ABORT, 'state: queued is for a finished job (to run again what did not succeed); to resume a paused job set running')
     WHERE OLD.state IN ('running', 'paused') AND NEW.state = 'queued';
    SELECT RAISE(ABORT, 'state: every instance succeeded; there is nothing to run again') WHERE OLD.state = 'succeeded';
    SELECT RAISE(ABORT, 'state: requests of this job are still in flight; run it again when finished_at is set')
     WHERE NEW.state = 'queued' AND OLD.finished_at IS NULL;
    SELECT RAISE(ABORT, 'state: no instance of this job is failed, unknown, cancelled or rejected; there is nothing to run again')
     WHERE NEW.state = 'queued'
       AND (SELECT failed + unknown + cancelled + rejected FROM job_progress WHERE command_job_id = OLD.id) = 0;
    SELECT RAISE(ABORT, 'expires_at: is past; set a later time or NULL in the same UPDATE') WHERE NEW.state = 'queued'
       AND julianday(NEW.expires_at, 'auto') <= julianday('now');
    SELECT RAISE(ABORT, 'state: set by koobatch when every instance of the job has its end; to stop the job set cancelled')
     WHERE NEW.state IN ('succeeded', 'partial', 'failed', 'submitted')
       AND NOT EXISTS (SELECT 1 FROM job_decisions WHERE command_job_id = OLD.id AND next_state = NEW.state);
    SELECT RAISE(ABORT, 'state: set by koobatch when expires_at has passed; to stop the job set cancelled')
     WHERE NEW.state = 'expired' AND coalesce(julianday(NEW.expires_at, 'auto') > julianday('now'), 1);
END;

CREATE TRIGGER command_jobs_check_delete BEFORE DELETE ON command_jobs
WHEN OLD.finished_at IS NULL
BEGIN SELECT RAISE(ABORT, 'command_jobs: only a finished job can be deleted; cancel it first and wait for finished_at'); END;


-- ---------------------------------------------------------------------------------------------------------------------
-- Bookkeeping of command_jobs: what follows from what people write
-- ---------------------------------------------------------------------------------------------------------------------

CREATE TRIGGER command_jobs_after_insert AFTER INSERT ON command_jobs
BEGIN
    -- One pass over what may be a million ids: they are sorted, so that equal ones meet.
    INSERT INTO job_progress (command_job_id, job_state, pause_cause, priority, run_at, is_due, expires_at, total, plan_limit)
    SELECT NEW.id, NEW.state, iif(NEW.state = 'paused', 'hand', NULL), NEW.priority,
           strftime('%Y-%m-%dT%H:%M:%fZ', NEW.run_at, 'auto', '+0 days'),
           strftime('%Y-%m-%dT%H:%M:%fZ', NEW.run_at, 'auto', '+0 days') <= strftime('%Y-%m-%dT%H:%M:%fZ', 'now'),
           strftime('%Y-%m-%dT%H:%M:%fZ', NEW.expires_at, 'auto', '+0 days'),
           CASE
               WHEN total > 1000000 THEN RAISE(ABORT, 'instance_ids: must hold 1 to 1000000 instance ids')
               WHEN instr(NEW.instance_ids, '""') > 0 THEN RAISE(ABORT, 'instance_ids: an instance id must not be empty')
               WHEN is_strange AND instr(NEW.instance_ids, char(65279))
               THEN RAISE(ABORT, 'instance_ids: an instance id holds U+FEFF (byte order mark): not visible ASCII')
               WHEN is_strange AND instr(NEW.instance_ids, char(8203))
               THEN RAISE(ABORT, 'instance_ids: an instance id holds U+200B (zero width space): not visible ASCII')
               WHEN is_strange AND instr(NEW.instance_ids, char(160))
               THEN RAISE(ABORT, 'instance_ids: an instance id holds U+00A0 (no-break space): not visible ASCII')
               WHEN is_strange
               THEN RAISE(ABORT, 'instance_ids: an instance id is of visible ASCII characters, without space, " and \')
               WHEN longest > 32 THEN RAISE(ABORT, 'instance_ids: an instance id must have at most 32 characters')
               WHEN most > 1 THEN RAISE(ABORT, 'instance_ids: the instance ids must be distinct')
               ELSE total
           END,
           min(total, coalesce(NEW.canary, total))
      FROM (SELECT sum(times) AS total, max(times) AS most, max(length(value)) AS longest,
                   max(value GLOB '*[^]!#-[^-~]*') AS is_strange
              FROM (SELECT value, count(*) AS times FROM json_each(NEW.instance_ids) GROUP BY value));
    UPDATE command_jobs
       SET run_at     = strftime('%Y-%m-%dT%H:%M:%fZ', run_at, 'auto', '+0 days'),
           expires_at = strftime('%Y-%m-%dT%H:%M:%fZ', expires_at, 'auto', '+0 days'),
           created_at = strftime('%Y-%m-%dT%H:%M:%fZ', created_at, 'auto', '+0 days')
     WHERE id = NEW.id
       AND (run_at <> strftime('%Y-%m-%dT%H:%M:%fZ', run_at, 'auto', '+0 days')
            OR expires_at <> strftime('%Y-%m-%dT%H:%M:%fZ', expires_at, 'auto', '+0 days')
            OR created_at <> strftime('%Y-%m-%dT%H:%M:%fZ', created_at, 'auto', '+0 days'));
END;

CREATE TRIGGER command_jobs_after_settings AFTER UPDATE OF priority, run_at, expires_at, canary, max_errors ON command_jobs
BEGIN
    UPDATE command_jobs
       SET run_at     = strftime('%Y-%m-%dT%H:%M:%fZ', run_at, 'auto', '+0 days'),
           expires_at = strftime('%Y-%m-%dT%H:%M:%fZ', expires_at, 'auto', '+0 days')
     WHERE id = NEW.id
       AND (run_at <> strftime('%Y-%m-%dT%H:%M:%fZ', run_at, 'auto', '+0 days')
            OR expires_at <> strftime('%Y-%m-%dT%H:%M:%fZ', expires_at, 'auto', '+0 days'));
    UPDATE job_progress
       SET priority   = NEW.priority,
           run_at     = strftime('%Y-%m-%dT%H:%M:%fZ', NEW.run_at, 'auto', '+0 days'),
           is_due     = strftime('%Y-%m-%dT%H:%M:%fZ', NEW.run_at, 'auto', '+0 days')
                        <= strftime('%Y-%m-%dT%H:%M:%fZ', 'now'),
           expires_at = strftime('%Y-%m-%dT%H:%M:%fZ', NEW.expires_at, 'auto', '+0 days'),
           plan_limit = iif(planned = 0 AND NEW.canary IS NOT OLD.canary, min(total, coalesce(NEW.canary, total)), plan_limit),
           revision   = revision + 1
     WHERE command_job_id = NEW.id;
END;

CREATE TRIGGER command_jobs_after_state AFTER UPDATE OF state ON command_jobs
WHEN NEW.state IS NOT OLD.state
BEGIN
    -- First the row itself, then job_progress, then the chunks, whose last change may finish the job.
    UPDATE command_jobs
       SET started_at   = iif(NEW.state = 'running', coalesce(started_at, strftime('%Y-%m-%dT%H:%M:%fZ', 'now')), started_at),
           finished_at  = iif(NEW.state = 'queued', NULL, finished_at),
           state_reason = CASE WHEN NEW.state_reason IS NOT OLD.state_reason THEN NEW.state_reason
                               WHEN NEW.state = 'paused' THEN 'paused by hand'
                               WHEN NEW.state = 'cancelled' THEN 'cancelled by hand'
                               WHEN NEW.state = 'expired' THEN 'expires_at passed before everything was submitted'
                               WHEN NEW.state = 'queued' THEN 'run again what did not succeed' END
     WHERE id = NEW.id;
    -- Resumes: errors beyond max_errors are accepted, and so are those of a canary that has come to its end, which lets
    -- the rest go. Errors within max_errors still count. What waits to run again has not failed anew.
    UPDATE job_progress
       SET error_baseline = iif((planned = plan_limit AND plan_limit < total
                                 AND waiting_chunks + in_flight_chunks + held_chunks = 0)
                                OR EXISTS (SELECT 1 FROM error_budget WHERE command_job_id = NEW.id AND errors > allowed),
                                failed + rejected, error_baseline),
           plan_limit     = iif(planned = plan_limit AND waiting_chunks + in_flight_chunks + held_chunks = 0,
                                total, plan_limit),
           slow_start     = iif(pause_cause = 'refused', 0, slow_start),
           revision       = revision + 1
     WHERE command_job_id = NEW.id AND OLD.state = 'paused' AND NEW.state = 'running' AND planned > 0 AND replan_upto IS NULL;
    -- Runs again: what was never planned is pending once more; what was planned and did not succeed is planned anew, a
    -- canary that has not succeeded first. Stopped: what was not planned counts as cancelled.
    UPDATE job_progress
       SET cancelled        = CASE WHEN NEW.state = 'queued' THEN cancelled - (total - planned)
                                   WHEN NEW.state IN ('cancelled', 'expired') THEN cancelled + (total - planned)
                                   ELSE cancelled END,
           error_baseline   = iif(NEW.state = 'queued', 0, error_baseline),
           slow_start       = iif(NEW.state = 'queued', 1, slow_start),
           refused_requests = iif(NEW.state = 'queued', 0, refused_requests),
           replan_after     = iif(NEW.state = 'queued', 0, replan_after),
           replan_upto      = CASE WHEN NEW.state = 'queued'
                                   THEN (SELECT max(id) FROM chunks WHERE command_job_id = NEW.id)
                                   WHEN NEW.state NOT IN ('cancelled', 'expired') THEN replan_upto END,
           job_state        = NEW.state,
           pause_cause      = CASE WHEN NEW.state = 'paused'
                                   THEN coalesce((SELECT pause_cause FROM job_decisions WHERE command_job_id = NEW.id), 'hand')
                              END,
           since_at         = iif(NEW.state = 'running', strftime('%Y-%m-%dT%H:%M:%fZ', 'now'), NULL),
           since_done       = succeeded + failed + unknown + cancelled + rejected,
           mark_at          = iif(NEW.state = 'running', strftime('%Y-%m-%dT%H:%M:%fZ', 'now'), NULL),
           mark_done        = succeeded + failed + unknown + cancelled + rejected,
           revision         = revision + 1
     WHERE command_job_id = NEW.id;
    UPDATE chunks
       SET state           = iif(state = 'pending', 'cancelled', 'failed'),
           next_attempt_at = NULL
     WHERE command_job_id = NEW.id AND state IN ('pending', 'unknown') AND NEW.state IN ('cancelled', 'expired');
END;

CREATE TRIGGER job_progress_decide AFTER UPDATE ON job_progress
WHEN EXISTS (SELECT 1 FROM job_decisions WHERE command_job_id = NEW.command_job_id)
BEGIN
    UPDATE command_jobs
       SET state        = d.next_state,
           state_reason = iif(d.next_state <> d.job_state OR d.pause_cause IS NOT NULL, d.reason, state_reason),
           finished_at  = iif(d.is_ended, strftime('%Y-%m-%dT%H:%M:%fZ', 'now'), finished_at)
      FROM job_decisions AS d WHERE id = NEW.command_job_id AND d.command_job_id = NEW.command_job_id;
    UPDATE job_progress
       SET plan_limit  = d.plan_limit,
           pause_cause = iif(job_progress.job_state = 'paused', coalesce(d.pause_cause, job_progress.pause_cause), NULL),
           revision    = revision + 1
      FROM job_decisions AS d WHERE job_progress.command_job_id = NEW.command_job_id AND d.command_job_id = NEW.command_job_id;
END;

CREATE TRIGGER command_jobs_after_delete AFTER DELETE ON command_jobs
BEGIN
    DELETE FROM attempts WHERE chunk_id IN (SELECT id FROM chunks WHERE command_job_id = OLD.id);
    DELETE FROM chunk_instances WHERE chunk_id IN (SELECT id FROM chunks WHERE command_job_id = OLD.id);
    DELETE FROM chunks WHERE command_job_id = OLD.id;
    DELETE FROM job_progress WHERE command_job_id = OLD.id;
END;


-- ---------------------------------------------------------------------------------------------------------------------
-- Chunks, and what only koobatch writes
-- ---------------------------------------------------------------------------------------------------------------------

CREATE TRIGGER chunks_check_update BEFORE UPDATE ON chunks
BEGIN
    SELECT RAISE(ABORT, 'state: a pending chunk is cancelled with its job: UPDATE command_jobs SET state = ''cancelled''')
      FROM job_progress WHERE OLD.state = 'pending' AND NEW.state = 'cancelled' AND command_job_id = OLD.command_job_id
       AND job_state IN ('queued', 'running', 'paused');
    SELECT RAISE(ABORT, 'state: only a held (unknown) chunk can be changed by hand: pending sends it again, failed gives it up')
     WHERE NEW.state IS NOT OLD.state AND NOT CASE OLD.state
                   WHEN 'unknown' THEN coalesce(NEW.state IN ('pending', 'failed'), 0)
                   WHEN 'pending' THEN coalesce(NEW.state = 'cancelled', 0) ELSE 0
               END;
    SELECT RAISE(ABORT, 'state: the job of this chunk has finished; nothing more is sent for it')
      FROM job_progress WHERE OLD.state = 'unknown'
       AND NEW.state = 'pending' AND command_job_id = OLD.command_job_id AND job_state NOT IN ('running', 'paused');
    SELECT RAISE(ABORT, 'next_attempt_at: a pending chunk needs one, or it would never be sent')
     WHERE NEW.state = 'pending' AND OLD.state = 'pending' AND NEW.next_attempt_at IS NULL AND OLD.next_attempt_at IS NOT NULL;
    SELECT RAISE(ABORT, 'next_poll_at: results of this chunk are still awaited, and nobody would ask for them any more')
     WHERE NEW.next_poll_at IS NULL AND OLD.next_poll_at IS NOT NULL AND NEW.state = 'submitted';
    -- Beside these only what the trigger below adds to a change of state.
    SELECT RAISE(ABORT, 'chunks: written by koobatch; by hand only the state of a held chunk, next_attempt_at and next_poll_at')
     WHERE (NEW.id, NEW.command_job_id, NEW.task_id, NEW.size, NEW.submitted, NEW.succeeded, NEW.failed, NEW.rejected,
            NEW.attempts, NEW.error_code, NEW.error_msg, NEW.submitted_at, NEW.polls, NEW.result_deadline_at, NEW.split_from)
           IS NOT (OLD.id, OLD.command_job_id, OLD.task_id, OLD.size, OLD.submitted, OLD.succeeded, OLD.failed,
                   OLD.rejected, OLD.attempts, OLD.error_code, OLD.error_msg, OLD.submitted_at, OLD.polls,
                   OLD.result_deadline_at, OLD.split_from)
        OR (OLD.next_poll_at IS NULL AND NEW.next_poll_at IS NOT NULL)
        OR (NEW.blocked <> OLD.blocked AND (OLD.state, NEW.state, NEW.blocked) <> ('cancelled', 'cancelled', 0))
        OR (NEW.unknown <> OLD.unknown AND (OLD.state, NEW.state, NEW.unknown) <> ('pending', 'pending', 0))
        OR (NEW.cancelled <> OLD.cancelled
            AND (OLD.state, NEW.state, NEW.cancelled, OLD.finished_at IS NULL) <> ('cancelled', 'cancelled', OLD.size, 1))
        OR (NEW.finished_at IS NOT OLD.finished_at
            AND (OLD.finished_at IS NOT NULL OR OLD.state NOT IN ('failed', 'cancelled') OR NEW.state <> OLD.state));
END;

CREATE TRIGGER chunks_after_state AFTER UPDATE OF state ON chunks
WHEN NEW.state <> OLD.state
BEGIN
    UPDATE chunks
       SET unknown         = iif(NEW.state = 'pending', 0, unknown),
           cancelled       = iif(NEW.state = 'cancelled', size, cancelled),
           blocked         = 0,
           next_attempt_at = iif(NEW.state = 'pending', coalesce(next_attempt_at, strftime('%Y-%m-%dT%H:%M:%fZ', 'now')), NULL),
           finished_at     = iif(NEW.state = 'pending', finished_at, strftime('%Y-%m-%dT%H:%M:%fZ', 'now'))
     WHERE id = NEW.id;
    -- From pending to cancelled, or from unknown to pending or failed.
    UPDATE job_progress
       SET unknown        = unknown - iif(NEW.state = 'pending', NEW.size, 0),
           cancelled      = cancelled + iif(NEW.state = 'cancelled', NEW.size, 0),
           waiting_chunks = waiting_chunks + (NEW.state = 'pending') - (OLD.state = 'pending'),
           blocked_chunks = blocked_chunks - OLD.blocked,
           held_chunks    = held_chunks - (OLD.state = 'unknown'),
           since_done     = since_done - iif(NEW.state = 'pending', NEW.size, 0),
           mark_done      = mark_done - iif(NEW.state = 'pending', NEW.size, 0),
           revision       = revision + 1
     WHERE command_job_id = NEW.command_job_id;
END;

CREATE TRIGGER chunks_check_insert BEFORE INSERT ON chunks
BEGIN SELECT RAISE(ABORT, 'chunks: written by koobatch; insert a row of command_jobs instead'); END;

CREATE TRIGGER chunks_check_delete BEFORE DELETE ON chunks
WHEN EXISTS (SELECT 1 FROM command_jobs WHERE id = OLD.command_job_id)
BEGIN SELECT RAISE(ABORT, 'chunks: go with their command job; DELETE FROM command_jobs instead'); END;

CREATE TRIGGER chunk_instances_check_insert BEFORE INSERT ON chunk_instances
BEGIN SELECT RAISE(ABORT, 'chunk_instances: written by koobatch'); END;

CREATE TRIGGER chunk_instances_check_update BEFORE UPDATE ON chunk_instances
BEGIN SELECT RAISE(ABORT, 'chunk_instances: written by koobatch'); END;

CREATE TRIGGER chunk_instances_check_delete BEFORE DELETE ON chunk_instances
WHEN EXISTS (SELECT 1 FROM chunks JOIN command_jobs AS j ON j.id = command_job_id WHERE chunks.id = OLD.chunk_id)
BEGIN SELECT RAISE(ABORT, 'chunk_instances: go with their command job; DELETE FROM command_jobs instead'); END;

CREATE TRIGGER attempts_check_insert BEFORE INSERT ON attempts
BEGIN SELECT RAISE(ABORT, 'attempts: written by koobatch before each request'); END;

CREATE TRIGGER attempts_check_update BEFORE UPDATE ON attempts
BEGIN SELECT RAISE(ABORT, 'attempts: written by koobatch; what was sent cannot be changed'); END;

CREATE TRIGGER attempts_check_delete BEFORE DELETE ON attempts
WHEN EXISTS (SELECT 1 FROM chunks JOIN command_jobs AS j ON j.id = command_job_id WHERE chunks.id = OLD.chunk_id)
BEGIN SELECT RAISE(ABORT, 'attempts: go with their command job; DELETE FROM command_jobs instead'); END;

CREATE TRIGGER job_progress_check_insert BEFORE INSERT ON job_progress
WHEN EXISTS (SELECT 1 FROM job_progress WHERE command_job_id = NEW.command_job_id)
    OR NOT EXISTS (SELECT 1 FROM command_jobs WHERE id = NEW.command_job_id)
BEGIN SELECT RAISE(ABORT, 'job_progress: kept by koobatch; insert a row of command_jobs instead'); END;

CREATE TRIGGER job_progress_check_update BEFORE UPDATE ON job_progress
WHEN NEW.revision <> OLD.revision + 1 OR NEW.command_job_id <> OLD.command_job_id OR NEW.total <> OLD.total
BEGIN SELECT RAISE(ABORT, 'job_progress: counts must add up, so koobatch keeps them; change the row of command_jobs instead'); END;

CREATE TRIGGER job_progress_check_delete BEFORE DELETE ON job_progress
WHEN EXISTS (SELECT 1 FROM command_jobs WHERE id = OLD.command_job_id)
BEGIN SELECT RAISE(ABORT, 'job_progress: goes with its command job; DELETE FROM command_jobs instead'); END;

CREATE TRIGGER daemon_state_check_insert BEFORE INSERT ON daemon_state
BEGIN SELECT RAISE(ABORT, 'daemon_state: has one row, which the daemon writes'); END;

CREATE TRIGGER daemon_state_check_delete BEFORE DELETE ON daemon_state
BEGIN SELECT RAISE(ABORT, 'daemon_state: its one row stays; why and daemon read it'); END;


-- ---------------------------------------------------------------------------------------------------------------------
-- Views
-- ---------------------------------------------------------------------------------------------------------------------

CREATE VIEW job_status AS
-- A row per command job: its state, its instances by state (they add up to total), and how far it is. percent_done is
-- 100.0 once every instance has its end, and not before. eta is from the speed of the last one to two minutes, or since
-- the job began to run, was resumed or run again, if that is later; NULL unless it runs, results have come in that time
-- and more are to come.
SELECT j.id, j.label, j.command, j.state, j.state_reason, p.total,
       p.total - p.submitted - p.succeeded - p.failed - p.unknown - p.cancelled - p.rejected AS pending,
       p.submitted, p.succeeded, p.failed, p.unknown, p.cancelled, p.rejected,
       1000 * (p.succeeded + p.failed + p.unknown + p.cancelled + p.rejected) / p.total / 10.0 AS percent_done,
       j.created_at, j.started_at, j.finished_at,
       CASE WHEN p.succeeded + p.failed + p.unknown + p.cancelled + p.rejected > p.since_done
                 AND p.succeeded + p.failed + p.unknown + p.cancelled + p.rejected < p.total
            THEN strftime('%Y-%m-%dT%H:%M:%fZ', min(julianday('now')
                              + nullif(max(julianday('now') - julianday(p.since_at), 0.0), 0.0)
                                * (p.total - p.succeeded - p.failed - p.unknown - p.cancelled - p.rejected)
                                / (p.succeeded + p.failed + p.unknown + p.cancelled + p.rejected - p.since_done),
                              -- The end of the year 9999, where the calendar of SQLite ends.
                              5373484.0))
       END AS eta
  FROM command_jobs AS j
  JOIN job_progress AS p ON p.command_job_id = j.id;

CREATE VIEW instance_status AS
-- A row per instance of a command job, from the moment of the insert. In a chunk:
SELECT c.command_job_id,
       e.value AS instance_id,
       c.id    AS chunk_id,
       CASE substr(d.states, e.key + 1, 1)
           WHEN 'a' THEN 'submitted' WHEN 's' THEN 'succeeded' WHEN 'f' THEN 'failed' WHEN 'u' THEN 'unknown'
           ELSE CASE WHEN c.failed > 0 THEN 'failed' WHEN c.rejected > 0 THEN 'rejected' WHEN c.unknown > 0 THEN 'unknown'
                     WHEN c.cancelled > 0 THEN 'cancelled' ELSE 'pending' END
       END AS state,
       c.task_id,
       (SELECT value FROM json_each(d.job_ids, '$[' || e.key || ']')) AS job_id,
       iif(d.states IS NULL, c.error_code,
           (SELECT value FROM json_each(d.error_codes, iif(d.error_codes GLOB '[[]*', '$[' || e.key || ']', '$'))))
           AS error_code,
       iif(d.states IS NULL, c.error_msg,
           (SELECT value FROM json_each(d.error_msgs, iif(d.error_msgs GLOB '[[]*', '$[' || e.key || ']', '$')))) AS error_msg,
       (SELECT value FROM json_each(d.outputs, iif(d.outputs GLOB '[[]*', '$[' || e.key || ']', '$'))) AS output,
       c.submitted_at,
       iif(d.result_times IS NULL, c.finished_at,
           (SELECT value FROM json_each(d.result_times, iif(d.result_times GLOB '[[]*', '$[' || e.key || ']', '$'))))
           AS finished_at
  FROM chunks AS c
 CROSS JOIN chunk_instances AS d ON d.chunk_id = c.id
 CROSS JOIN json_each(d.instance_ids) AS e
 WHERE c.state <> 'split' AND coalesce(substr(d.states, e.key + 1, 1), '') <> 'm'
UNION ALL
-- Not yet in a chunk:
SELECT j.id, e.value, NULL, iif(j.state IN ('cancelled', 'expired'), 'cancelled', 'pending'),
       NULL, NULL, NULL, NULL, NULL, NULL, iif(j.state IN ('cancelled', 'expired'), j.finished_at, NULL)
  FROM job_progress AS p
 CROSS JOIN command_jobs AS j ON j.id = p.command_job_id
 CROSS JOIN json_each(j.instance_ids) AS e
 WHERE p.planned < p.total AND e.key >= p.planned;

CREATE VIEW task_map AS
-- A row per accepted instance: what a poller of one's own needs. Instances that ran again have a row per time.
SELECT c.command_job_id, c.id AS chunk_id, c.task_id, e.value AS instance_id,
       (SELECT value FROM json_each(d.job_ids, '$[' || e.key || ']')) AS job_id
  FROM chunks AS c
 CROSS JOIN chunk_instances AS d ON d.chunk_id = c.id
 CROSS JOIN json_each(d.instance_ids) AS e
 WHERE c.task_id IS NOT NULL AND (SELECT type FROM json_each(d.job_ids, '$[' || e.key || ']')) = 'text';

CREATE VIEW outputs AS
-- The distinct results of a job, commonest first: thousands of results at a glance.
SELECT command_job_id, state, error_code, output, sum(instances) AS instances, min(instance_id) AS example_instance_id
  FROM (SELECT command_job_id,
               CASE substr(states, e.key + 1, 1)
                   WHEN 's' THEN 'succeeded' WHEN 'f' THEN 'failed' WHEN 'u' THEN 'unknown'
                   ELSE CASE WHEN failed > 0 THEN 'failed' WHEN rejected > 0 THEN 'rejected' ELSE 'unknown' END
               END AS state,
               iif(states IS NULL, chunk_error_code,
                   (SELECT value FROM json_each(error_codes, iif(error_codes GLOB '[[]*', '$[' || e.key || ']', '$'))))
                   AS error_code,
               (SELECT value FROM json_each(outputs, iif(outputs GLOB '[[]*', '$[' || e.key || ']', '$'))) AS output,
               iif(is_same, size, 1) AS instances,
               iif(is_same, substr(instance_ids, 3, instr(substr(instance_ids, 3), '"') - 1), e.value) AS instance_id
          FROM (SELECT c.command_job_id,
                       c.size, c.failed, c.rejected, c.error_code AS chunk_error_code, d.instance_ids, d.states,
                       d.outputs, d.error_codes,
                       -- All instances of the chunk have the same result: it counts at once.
                       d.states IS NULL
                       OR (trim(d.states, substr(d.states, 1, 1)) = ''
                           AND coalesce(d.outputs, '') NOT GLOB '[[]*'
                           AND coalesce(d.error_codes, '') NOT GLOB '[[]*') AS is_same
                  FROM chunks AS c
                 CROSS JOIN chunk_instances AS d ON d.chunk_id = c.id
                 WHERE c.succeeded + c.failed + c.unknown + c.rejected > 0)
         CROSS JOIN json_each(iif(is_same, '[0]', instance_ids)) AS e
         WHERE coalesce(substr(states, e.key + 1, 1), '') NOT IN ('a', 'm'))
 GROUP BY command_job_id, state, error_code, output
 ORDER BY sum(instances) DESC, state, error_code, output;

CREATE VIEW daemon AS
-- The daemon; running is 1 while its heartbeat is fresh.
SELECT pid, version, started_at, heartbeat_at, stopped_at,
       stopped_at IS NULL AND abs(julianday('now') - julianday(heartbeat_at)) <= 30.0 / 86400 AS running,
       (SELECT count(*) FROM chunks WHERE state = 'submitting') AS in_flight,
       requests_per_second, circuit, credentials, paused_until, last_error, last_error_at
  FROM daemon_state;

CREATE VIEW awaited_results AS
-- A row per job that awaits results: of which instances, the oldest first, and when these are given up. Results can come
-- with each look; of a chunk that was looked at five times in vain none is promised before it is given up.
SELECT command_job_id,
       'results awaited of '
       || (SELECT group_concat(value, ', ')
             FROM (SELECT e.value FROM chunk_instances AS d CROSS JOIN json_each(d.instance_ids) AS e
                    WHERE d.chunk_id = oldest.chunk_id AND substr(d.states, e.key + 1, 1) = 'a' LIMIT 3))
       || iif(p.submitted > min(oldest.submitted, 3), ' and ' || (p.submitted - min(oldest.submitted, 3)) || ' more', '')
       || coalesce(', given up at ' || oldest.deadline_at, '') AS explanation,
       (SELECT max(strftime('%Y-%m-%dT%H:%M:%fZ', 'now'),
                   min(iif(polls < 5, next_poll_at, coalesce(result_deadline_at, next_poll_at))))
          FROM chunks AS c WHERE c.command_job_id = oldest.command_job_id AND c.state = 'submitted') AS earliest_at
  FROM (SELECT command_job_id, id AS chunk_id, submitted, result_deadline_at AS deadline_at,
               min(coalesce(result_deadline_at, submitted_at))
          FROM chunks WHERE state = 'submitted' AND next_poll_at IS NOT NULL GROUP BY command_job_id) AS oldest
  JOIN job_progress AS p USING (command_job_id);

CREATE VIEW why AS
-- A row per command job or chunk that waits: for what exactly, and the earliest time it can move (NULL: unknown, or a
-- matter of what a person does).
WITH facts AS (
    SELECT strftime('%Y-%m-%dT%H:%M:%fZ', 'now') AS now,
           coalesce((SELECT running FROM daemon), 0) AS running, trusted_at, heartbeat_at, circuit, credentials, last_error, requests_per_second,
           CASE WHEN paused_until > strftime('%Y-%m-%dT%H:%M:%fZ', 'now') THEN paused_until END AS paused_until
      FROM daemon_state
),
-- The jobs whose chunks are sent next: those that a job of lower priority waits behind.
ahead AS MATERIALIZED (
    SELECT p.command_job_id, p.priority
      FROM job_progress AS p
      JOIN command_jobs AS j ON j.id = p.command_job_id
     WHERE p.is_due = 1 AND p.job_state IN ('queued', 'running')
       AND (p.waiting_chunks > p.blocked_chunks OR p.planned < p.plan_limit)
       AND p.run_at <= strftime('%Y-%m-%dT%H:%M:%fZ', 'now')
       AND (p.expires_at IS NULL OR p.expires_at > strftime('%Y-%m-%dT%H:%M:%fZ', 'now'))
       AND (j.max_concurrency IS NULL OR p.in_flight_chunks < j.max_concurrency)
       AND (p.planned < p.plan_limit
            OR EXISTS (SELECT 1 FROM chunks AS c
                        WHERE c.command_job_id = p.command_job_id AND c.state = 'pending' AND c.blocked = 0
                          AND c.next_attempt_at <= strftime('%Y-%m-%dT%H:%M:%fZ', 'now')))
     ORDER BY p.priority DESC, p.last_served_attempt_id, p.command_job_id LIMIT 5
),
waiting AS (
    SELECT p.command_job_id,
           p.job_state, p.pause_cause, j.state_reason, p.run_at, p.expires_at, j.max_concurrency, p.priority, p.total, p.planned,
           p.plan_limit, p.slow_start, p.replan_upto, p.succeeded, p.waiting_chunks, p.blocked_chunks,
           p.in_flight_chunks, p.held_chunks,
           -- All that is to be sent now has been sent.
           p.waiting_chunks = 0 AND p.planned = p.plan_limit AND p.replan_upto IS NULL AS is_sent,
           (SELECT explanation FROM error_budget WHERE command_job_id = j.id AND errors > allowed) AS over_budget,
           p.waiting_chunks = p.blocked_chunks AND p.planned = p.plan_limit AND p.replan_upto IS NULL AS is_blocked,
           (SELECT min(next_attempt_at) FROM chunks WHERE command_job_id = j.id AND state = 'pending' AND blocked = 0)
           AS next_attempt_at,
           a.explanation AS awaited, a.earliest_at AS results_at, facts.*
      FROM job_progress AS p
      JOIN command_jobs AS j ON j.id = p.command_job_id
      JOIN facts
      LEFT JOIN awaited_results AS a ON a.command_job_id = p.command_job_id
     WHERE p.job_state IN ('queued', 'running', 'paused')
),
blockers AS (
    SELECT CASE WHEN pause_cause = 'canary' THEN 'canary'
                WHEN job_state = 'paused' AND NOT (is_sent AND plan_limit = total)
                THEN iif(pause_cause = 'max_errors' OR (over_budget IS NOT NULL AND replan_upto IS NULL), 'max_errors', 'pause')
                WHEN run_at > now AND NOT is_sent THEN 'run_at'
                WHEN NOT running THEN 'daemon'
                WHEN expires_at BETWEEN trusted_at AND now AND trusted_at < heartbeat_at AND NOT is_sent THEN 'clock'
                WHEN blocked_chunks > 0 AND is_blocked THEN 'serialize_instances'
                WHEN is_sent AND in_flight_chunks = 0 THEN 'hold'
                WHEN credentials = 'refused' THEN 'credentials'
                WHEN circuit <> 'closed' THEN 'circuit'
                WHEN paused_until IS NOT NULL THEN 'rate_limit'
                WHEN is_sent THEN iif(plan_limit < total, 'canary', 'results')
                WHEN in_flight_chunks >= max_concurrency THEN 'max_concurrency'
                WHEN slow_start = 1 AND in_flight_chunks >= 4 THEN 'slow_start'
                WHEN next_attempt_at > now AND planned = plan_limit AND replan_upto IS NULL THEN 'backoff'
                WHEN requests_per_second > 0 AND NOT EXISTS (SELECT 1 FROM ahead WHERE priority > waiting.priority)
                THEN 'rate_limit'
                ELSE 'queued' END AS blocker,
           waiting.*
      FROM waiting
)
SELECT command_job_id, NULL AS chunk_id, blocker,
       CASE blocker
           WHEN 'canary' THEN iif(job_state = 'paused', coalesce(state_reason, 'the canary did not succeed'),
                                  'the first ' || planned || ' instances must succeed before the other '
                                  || (total - planned) || ' are sent; ' || succeeded || ' have so far')
           WHEN 'max_errors' THEN coalesce(over_budget, state_reason)
           WHEN 'pause' THEN coalesce(state_reason, 'paused')
                             || '; resume with UPDATE command_jobs SET state = ''running'' WHERE id = ' || command_job_id
           WHEN 'run_at' THEN 'not before run_at, ' || run_at
           WHEN 'daemon' THEN 'the daemon is not running' || coalesce(', last seen ' || heartbeat_at, '')
                              || '; start it with koobatch run'
           WHEN 'clock' THEN 'the system clock jumped forward, beyond expires_at; it is classified when the clock has proved right'
           WHEN 'results' THEN 'everything is sent; chunks whose results are awaited: ' || in_flight_chunks
           WHEN 'hold' THEN 'chunks on hold, because their answers were lost: ' || held_chunks
                            || '; operator action required: see the chunk''s row in chunks'
           WHEN 'credentials' THEN 'the API refuses the credentials; renew the token' || coalesce(' (' || last_error || ')', '')
           WHEN 'circuit' THEN iif(circuit = 'open', 'the API fails and all requests pause; it is probed now and then',
                                   'the API failed and all requests pause; a probe is out')
                               || coalesce(' (' || last_error || ')', '')
           WHEN 'rate_limit' THEN coalesce('the API asked for a pause until ' || paused_until,
                                           'requests go at ' || iif(requests_per_second >= 1, round(requests_per_second, 1) || ' a second',
                                                '1 every ' || printf('%.3g', 1 / requests_per_second) || ' seconds')
                                           || ' at most: what the API takes or requests_per_second allows')
           WHEN 'max_concurrency' THEN 'chunks in flight: ' || in_flight_chunks || ', and max_concurrency allows ' || max_concurrency
           WHEN 'serialize_instances'
           THEN 'chunks whose instances wait for their results in earlier jobs: ' || blocked_chunks || coalesce(
                    (SELECT '; ' || group_concat('job ' || id || ': ' || explanation, '; ')
                       FROM (SELECT a.command_job_id AS id, a.explanation
                               FROM awaited_results AS a JOIN job_progress AS p ON p.command_job_id = a.command_job_id
                              WHERE a.command_job_id < blockers.command_job_id AND p.priority >= blockers.priority
                              ORDER BY a.command_job_id LIMIT 3)), '')
           WHEN 'slow_start' THEN 'few chunks are in flight until the API has accepted one'
           WHEN 'backoff' THEN 'chunks that wait for their next attempt: ' || waiting_chunks || '; see their rows'
           ELSE coalesce((SELECT 'queued: jobs of higher priority go first: '
                                 || group_concat(a.command_job_id, ', ') || iif(count(*) > 4, ' and more', '')
                            FROM ahead AS a WHERE a.priority > blockers.priority),
                         'queued: all request slots are in use')
       END || iif(is_awaiting, coalesce('; ' || awaited, ''), '') AS explanation,
       CASE WHEN blocker = 'run_at' THEN run_at
            WHEN blocker = 'backoff' THEN next_attempt_at
            WHEN blocker IN ('credentials', 'circuit') THEN paused_until
            WHEN blocker = 'rate_limit'
            THEN coalesce(paused_until, strftime('%Y-%m-%dT%H:%M:%fZ', now, max(1 / requests_per_second, 0.001) || ' seconds'))
            WHEN blocker = 'queued' AND NOT EXISTS (SELECT 1 FROM ahead WHERE priority > blockers.priority) THEN now
            WHEN is_awaiting THEN results_at
       END AS earliest_at,
       NULL AS request_id
  FROM (SELECT *, blocker IN ('max_concurrency', 'results') OR (blocker = 'canary' AND job_state <> 'paused') AS is_awaiting
          FROM blockers) AS blockers
UNION ALL
-- Stopped, and not at its end yet:
SELECT p.command_job_id, NULL, 'results',
       p.job_state || '; chunks in flight, whose answers and results are awaited: ' || p.in_flight_chunks
       || coalesce('; ' || a.explanation, ''), a.earliest_at, NULL
  FROM job_progress AS p
  LEFT JOIN awaited_results AS a ON a.command_job_id = p.command_job_id
 WHERE p.job_state <> 'paused' AND (p.job_state = 'paused' OR (p.job_state IN ('cancelled', 'expired') AND p.in_flight_chunks > 0))
UNION ALL
SELECT c.command_job_id, c.id, 'backoff',
       coalesce((SELECT CASE outcome WHEN 'unknown' THEN 'its last request was sent and the answer lost: '
                                     WHEN 'not_sent' THEN 'its last request never reached the API: '
                                     WHEN 'throttled' THEN 'its last request was throttled: '
                                     WHEN 'unauthenticated' THEN 'its last request was refused for the credentials: '
                                     ELSE 'its last request was refused: ' END
                   FROM attempts WHERE chunk_id = c.id ORDER BY id DESC LIMIT 1)
                || coalesce(c.error_code || ' ', '') || coalesce(c.error_msg, ''),
                'not sent yet, and put off') || '; ' || c.attempts || ' of ' || j.max_attempts || ' attempts are used'
           || iif(j.state = 'paused', '; its job is paused', ''),
       iif(j.state = 'paused', NULL, max(c.next_attempt_at, j.run_at)),
       (SELECT request_id FROM attempts WHERE chunk_id = c.id ORDER BY id DESC LIMIT 1)
  FROM chunks AS c
  JOIN command_jobs AS j ON j.id = c.command_job_id
 WHERE c.state = 'pending' AND c.blocked = 0 AND c.next_attempt_at > strftime('%Y-%m-%dT%H:%M:%fZ', 'now')
UNION ALL
SELECT c.command_job_id, c.id, 'hold',
       'a request was sent and its answer lost: ' || coalesce(c.error_code || ' ', '') || coalesce(c.error_msg, '')
           || '; UPDATE chunks SET state = ''pending'' WHERE id = ' || c.id || ' sends it again, ''failed'' gives it up',
       NULL, (SELECT request_id FROM attempts WHERE chunk_id = c.id ORDER BY id DESC LIMIT 1)
  FROM chunks AS c WHERE c.state = 'unknown';
