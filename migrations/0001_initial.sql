-- The koobatch schema, version 1.
--
-- `.schema` in the sqlite3 shell shows the comments inside the statements below. The state of every job lives here and
-- nowhere else; triggers keep the counts, the states and the finishing of jobs true for every writer, so that a row
-- changed from a shell while the daemon is stopped is as consistent as one that the daemon changed.
--
-- Needs SQLite 3.38 (the 'auto' modifier of the date functions); 3.40 is what Debian 12 has. Times are UTC text,
-- YYYY-MM-DDTHH:MM:SS.sssZ, and compare as text. The modifier '+0 days' makes SQLite compute the date: without it
-- 2026-02-30 and 24:00 would stay as they are, and no other program takes them for a time.

-- 'Koob': lets file(1) and the daemon tell a koobatch database from another one.
PRAGMA application_id = 1265594210;


CREATE TABLE command_jobs (
    -- One command for many instances: what users insert. Only command and instance_ids are required:
    --   INSERT INTO command_jobs (command, instance_ids) VALUES ('ls -l /system', '["a44uhlf7","efjy72gs"]');
    -- Steer a job with UPDATE: state = 'cancelled', 'paused', 'running' (resume) or, once finished, 'queued' (run
    -- again what did not succeed); priority, max_concurrency and the other settings while it runs.
    id              INTEGER PRIMARY KEY AUTOINCREMENT
        CONSTRAINT "id: 1 or more; leave it out and one is chosen" CHECK (id >= 1),

    -- The ADB shell command.
    command         TEXT NOT NULL
        CONSTRAINT "command: 1 to 1024 bytes"
            CHECK (length(CAST(command AS BLOB)) BETWEEN 1 AND 1024)
        CONSTRAINT "command: only letters, digits, spaces and _ . / : -, and not only spaces"
            CHECK (command NOT GLOB '*[^A-Za-z0-9 _./:-]*'
                   AND length(command) = length(CAST(command AS BLOB))
                   AND (trim(command) <> '' OR command = '')),

    -- For people; koobatch does not look at it.
    label           TEXT
        CONSTRAINT "label: at most 1024 characters" CHECK (length(label) <= 1024),

    -- At most one unfinished job per key.
    unique_key      TEXT
        CONSTRAINT "unique_key: 1 to 255 characters" CHECK (length(unique_key) BETWEEN 1 AND 255),

    -- Higher goes first; jobs of one priority take turns.
    priority        INTEGER NOT NULL DEFAULT 0,

    -- Nothing is sent before this time.
    run_at          TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now')),

    -- What is not submitted by this time never will be.
    expires_at      TEXT,

    -- Attempts per chunk before it fails.
    max_attempts    INTEGER NOT NULL DEFAULT 8
        CONSTRAINT "max_attempts: 1 to 1000" CHECK (max_attempts BETWEEN 1 AND 1000),

    -- When a request was sent but its answer was lost: 'retry' sends it again (at least once), 'hold' waits for a
    -- person (at most once), 'fail' gives it up.
    on_unknown      TEXT NOT NULL DEFAULT 'retry'
        CONSTRAINT "on_unknown: retry, hold or fail" CHECK (on_unknown IN ('retry', 'hold', 'fail')),

    -- Chunks of this job in flight (sent and without all their results) at once.
    max_concurrency INTEGER
        CONSTRAINT "max_concurrency: 1 or more" CHECK (max_concurrency >= 1),

    -- Stop starting chunks once more than this many instances failed or were rejected: '5' or '2%'.
    max_errors      TEXT
        CONSTRAINT "max_errors: a whole number such as 5, or a percentage from 0% to 100%"
            CHECK (length(max_errors) BETWEEN 1 AND 7
                   AND CASE WHEN max_errors LIKE '_%\%' ESCAPE '\'
                            THEN substr(max_errors, 1, length(max_errors) - 1) NOT GLOB '*[^0-9]*'
                                 AND CAST(max_errors AS INTEGER) <= 100
                            ELSE max_errors NOT GLOB '*[^0-9]*'
                       END),

    -- This many instances go first; the rest waits until all of them succeeded.
    canary          INTEGER
        CONSTRAINT "canary: 1 or more" CHECK (canary >= 1),

    -- Seconds after submission until a result that never came counts as unknown; NULL: poll.result_timeout.
    result_timeout  REAL
        CONSTRAINT "result_timeout: more than 0 seconds, at most 31536000 (a year)"
            CHECK (result_timeout > 0 AND result_timeout <= 31536000),

    -- queued, running, paused, then one of succeeded (every instance), partial (some), failed (none), cancelled,
    -- expired, submitted (results are not polled).
    state           TEXT NOT NULL DEFAULT 'queued'
        CONSTRAINT "state: queued, running, paused, succeeded, partial, failed, cancelled, expired or submitted"
            CHECK (state IN ('queued', 'running', 'paused', 'succeeded', 'partial', 'failed', 'cancelled', 'expired',
                             'submitted')),
    state_reason    TEXT,

    created_at      TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now')),
    started_at      TEXT,
    finished_at     TEXT,

    -- A JSON array of 1 to 1,000,000 distinct instance ids. The last column: SQLite reads the others without it.
    instance_ids    TEXT NOT NULL
) STRICT;

-- Serves: the rule of unique_key.
CREATE UNIQUE INDEX command_jobs_unique_key
    ON command_jobs (unique_key)
    WHERE unique_key IS NOT NULL AND state IN ('queued', 'running', 'paused');

-- Serves: finished jobs past the retention.
CREATE INDEX command_jobs_finished
    ON command_jobs (finished_at)
    WHERE finished_at IS NOT NULL;


CREATE TABLE job_progress (
    -- What changes often or is looked up often about a command job, kept by triggers; read it through job_status.
    -- Apart from command_jobs because a row with a million instance ids takes milliseconds to rewrite.
    -- The instances that are in none of the counted states are pending.
    command_job_id   INTEGER PRIMARY KEY REFERENCES command_jobs (id),

    -- Copies of the columns of command_jobs that claims are ordered and filtered by.
    job_state        TEXT NOT NULL,
    priority         INTEGER NOT NULL,
    run_at           TEXT NOT NULL,
    expires_at       TEXT,

    -- Instances: all; cut into chunks so far; to be cut into chunks now (fewer than all while a canary is out).
    total            INTEGER NOT NULL,
    planned          INTEGER NOT NULL DEFAULT 0,
    plan_limit       INTEGER NOT NULL,

    -- A job that runs again: what did not succeed in its chunks after replan_after up to replan_upto goes into new ones.
    replan_after     INTEGER NOT NULL DEFAULT 0,
    replan_upto      INTEGER,

    -- Instances by state.
    submitted        INTEGER NOT NULL DEFAULT 0,
    succeeded        INTEGER NOT NULL DEFAULT 0,
    failed           INTEGER NOT NULL DEFAULT 0,
    unknown          INTEGER NOT NULL DEFAULT 0,
    cancelled        INTEGER NOT NULL DEFAULT 0,
    rejected         INTEGER NOT NULL DEFAULT 0,

    -- Chunks that can still change: pending; submitting or submitted; held.
    waiting_chunks   INTEGER NOT NULL DEFAULT 0,
    in_flight_chunks INTEGER NOT NULL DEFAULT 0,
    held_chunks      INTEGER NOT NULL DEFAULT 0,

    -- The claim that last served this job: jobs of one priority are served least recently served first.
    turn             INTEGER NOT NULL DEFAULT 0,

    -- Failed and rejected instances that a person accepted by resuming: max_errors counts from here.
    errors_forgiven  INTEGER NOT NULL DEFAULT 0,

    CONSTRAINT "job_progress: counts must add up"
        CHECK (submitted >= 0 AND succeeded >= 0 AND failed >= 0 AND unknown >= 0 AND cancelled >= 0 AND rejected >= 0
               AND submitted + succeeded + failed + unknown + cancelled + rejected <= total
               AND waiting_chunks >= 0 AND in_flight_chunks >= 0 AND held_chunks >= 0
               AND planned BETWEEN 0 AND plan_limit AND plan_limit <= total)
) STRICT;

-- Serves: the claim of chunks to submit, in order of priority and turn.
CREATE INDEX job_progress_claimable
    ON job_progress (priority DESC, turn, command_job_id)
    WHERE job_state = 'running' AND waiting_chunks > 0;

-- Serves: the time until the submitter next has work, for jobs whose run_at was put off while they ran.
CREATE INDEX job_progress_postponed
    ON job_progress (run_at)
    WHERE job_state = 'running' AND waiting_chunks > 0;

-- Serves: the planner, and the time until it next has work.
CREATE INDEX job_progress_plannable
    ON job_progress (run_at)
    WHERE job_state IN ('queued', 'running') AND (planned < plan_limit OR replan_upto IS NOT NULL);

-- Serves: the expiry of jobs.
CREATE INDEX job_progress_expiring
    ON job_progress (expires_at)
    WHERE expires_at IS NOT NULL AND job_state IN ('queued', 'running', 'paused');

-- Serves: why, which lists unfinished jobs.
CREATE INDEX job_progress_unfinished
    ON job_progress (command_job_id)
    WHERE job_state IN ('queued', 'running', 'paused');


CREATE TABLE chunks (
    -- Up to 32 instances of a command job: one API request, answered with one task_id. Cut by the daemon.
    -- A held chunk is settled with UPDATE: state = 'pending' sends it again, state = 'failed' gives it up.
    id                 INTEGER PRIMARY KEY AUTOINCREMENT,
    command_job_id     INTEGER NOT NULL REFERENCES command_jobs (id),

    -- The chunk that was split into this one and others.
    parent_id          INTEGER REFERENCES chunks (id),

    state              TEXT NOT NULL DEFAULT 'pending'
        CONSTRAINT "state: pending, submitting, submitted, finished, failed, unknown, cancelled or split"
            CHECK (state IN ('pending', 'submitting', 'submitted', 'finished', 'failed', 'unknown', 'cancelled',
                             'split')),

    -- The id of the API's answer.
    task_id            TEXT,

    -- Attempts that count against max_attempts. Throttled ones and ones refused for their credentials do not.
    attempts           INTEGER NOT NULL DEFAULT 0
        CONSTRAINT "attempts: 0 or more" CHECK (attempts >= 0),

    -- Set while the chunk is pending.
    next_attempt_at    TEXT,

    -- Of the last attempt that was not accepted, or of the task if the API no longer knows it.
    error_code         TEXT,
    error_msg          TEXT,

    submitted_at       TEXT,
    finished_at        TEXT,

    -- Set while results are awaited.
    next_poll_at       TEXT,
    polls              INTEGER NOT NULL DEFAULT 0,
    result_deadline_at TEXT,

    -- Its instances, and those of them that are in a state other than pending. All 0 once a run of what did not
    -- succeed has moved them to a later chunk.
    size               INTEGER NOT NULL,
    submitted          INTEGER NOT NULL DEFAULT 0,
    succeeded          INTEGER NOT NULL DEFAULT 0,
    failed             INTEGER NOT NULL DEFAULT 0,
    unknown            INTEGER NOT NULL DEFAULT 0,
    cancelled          INTEGER NOT NULL DEFAULT 0,
    rejected           INTEGER NOT NULL DEFAULT 0,

    -- 1: its instances have moved to later chunks (only a chunk without a task_id moves as a whole).
    superseded         INTEGER NOT NULL DEFAULT 0 CHECK (superseded IN (0, 1)),

    instance_ids       TEXT NOT NULL,

    CONSTRAINT "size: the number of instance_ids" CHECK (size = json_array_length(instance_ids) AND size >= 1),
    CONSTRAINT "counts: at most size"
        CHECK (submitted + succeeded + failed + unknown + cancelled + rejected <= size),
    CONSTRAINT "next_attempt_at: UTC, such as 2026-12-01T08:00:00.000Z"
        CHECK (next_attempt_at IS strftime('%Y-%m-%dT%H:%M:%fZ', next_attempt_at, '+0 days')),
    CONSTRAINT "next_poll_at: UTC, such as 2026-12-01T08:00:00.000Z"
        CHECK (next_poll_at IS strftime('%Y-%m-%dT%H:%M:%fZ', next_poll_at, '+0 days')),
    CONSTRAINT "result_deadline_at: UTC, such as 2026-12-01T08:00:00.000Z"
        CHECK (result_deadline_at IS strftime('%Y-%m-%dT%H:%M:%fZ', result_deadline_at, '+0 days')),
    CONSTRAINT "next_attempt_at: only while pending" CHECK (next_attempt_at IS NULL OR state = 'pending'),
    CONSTRAINT "next_poll_at: only while submitted" CHECK (next_poll_at IS NULL OR state = 'submitted'),
    CONSTRAINT "task_id: set exactly when accepted" CHECK ((state IN ('submitted', 'finished')) = (task_id IS NOT NULL)),
    CONSTRAINT "task_id: 1 to 32 characters" CHECK (length(task_id) BETWEEN 1 AND 32)
) STRICT;

-- Serves: the views, by job; running again; deleting a job.
CREATE INDEX chunks_of_job
    ON chunks (command_job_id);

-- Serves: the claim of a job's due chunks, and cancelling them.
CREATE INDEX chunks_pending_of_job
    ON chunks (command_job_id, next_attempt_at, id)
    WHERE state = 'pending';

-- Serves: the time until the submitter next has work.
CREATE INDEX chunks_next_attempt
    ON chunks (next_attempt_at)
    WHERE state = 'pending';

-- Serves: recovery after a crash, and daemon.in_flight.
CREATE INDEX chunks_submitting
    ON chunks (id)
    WHERE state = 'submitting';

-- Serves: why and cancelling, for held chunks.
CREATE INDEX chunks_held
    ON chunks (command_job_id)
    WHERE state = 'unknown';

-- Serves: the claim of tasks to poll.
CREATE INDEX chunks_next_poll
    ON chunks (next_poll_at)
    WHERE next_poll_at IS NOT NULL;


CREATE TABLE instance_jobs (
    -- One instance of an accepted chunk, with the job_id of the API's answer and, in time, its result. Instances of
    -- chunks that are not accepted have no row here; instance_status shows both.
    id          INTEGER PRIMARY KEY,
    chunk_id    INTEGER NOT NULL REFERENCES chunks (id),
    instance_id TEXT NOT NULL,

    -- NULL: the API's answer left this instance out.
    job_id      TEXT,

    state       TEXT NOT NULL
        CONSTRAINT "state: submitted, succeeded, failed or unknown"
            CHECK (state IN ('submitted', 'succeeded', 'failed', 'unknown')),
    error_code  TEXT,
    error_msg   TEXT,

    -- What the command printed: at most 1,024 bytes reach the API.
    output      TEXT,
    finished_at TEXT,

    -- 1: it did not succeed and was run again in a later chunk.
    superseded  INTEGER NOT NULL DEFAULT 0 CHECK (superseded IN (0, 1)),

    -- Serves: the views and results of a chunk.
    UNIQUE (chunk_id, instance_id)
) STRICT;


CREATE TABLE attempts (
    -- One request that was sent or is about to be sent. The row is durable before the network is touched.
    id          INTEGER PRIMARY KEY AUTOINCREMENT,
    chunk_id    INTEGER NOT NULL REFERENCES chunks (id),

    -- The x-request-id of the request: the API's operators find it by this.
    request_id  TEXT NOT NULL,
    started_at  TEXT NOT NULL,
    finished_at TEXT,

    -- NULL while the answer is awaited. not_sent: certainly never reached the API. unknown: may have been acted on.
    outcome     TEXT
        CONSTRAINT "outcome: accepted, refused, throttled, unauthenticated, not_sent or unknown"
            CHECK (outcome IN ('accepted', 'refused', 'throttled', 'unauthenticated', 'not_sent', 'unknown')),
    http_status INTEGER,
    error_code  TEXT,
    error_msg   TEXT,

    CONSTRAINT "finished_at: set exactly with outcome" CHECK ((outcome IS NULL) = (finished_at IS NULL))
) STRICT;

-- Serves: the attempts of a chunk, and the rule that a chunk with a request in flight cannot be changed by hand.
CREATE INDEX attempts_of_chunk
    ON attempts (chunk_id);


CREATE TABLE error_policies (
    -- What koobatch does about an error code of the API. Edit it: the daemon follows without a restart.
    --   retry         try the chunk again later
    --   fail          fail the chunk
    --   split         bisect the chunk; an instance refused alone is rejected
    --   isolate       bisect likewise; an instance refused alone is tried again
    --   authenticate  renew the credentials, then try again
    --   stop          nothing can succeed: pause all requests and probe
    --   unknown       it may have acted: the job's on_unknown decides
    code   TEXT PRIMARY KEY
        CONSTRAINT "code: 1 to 64 characters" CHECK (length(code) BETWEEN 1 AND 64),
    action TEXT NOT NULL
        CONSTRAINT "action: retry, fail, split, isolate, authenticate, stop or unknown"
            CHECK (action IN ('retry', 'fail', 'split', 'isolate', 'authenticate', 'stop', 'unknown')),
    note   TEXT
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
    ('KOOPHONE.API.9999', 'unknown',      'internal error of the API; it may have acted'),
    ('APIGW.0101',        'stop',         'no such API on this endpoint'),
    ('APIGW.0201',        'fail',         'the request is too large'),
    ('APIGW.0301',        'authenticate', 'the token or signature is not valid'),
    ('APIG.0301',         'authenticate', 'the token or signature is not valid'),
    ('APIGW.0308',        'retry',        'throttled'),
    ('APIG.0308',         'retry',        'throttled');


CREATE TABLE daemon_state (
    -- The one row that the daemon keeps of itself; read it through the view daemon.
    id                  INTEGER PRIMARY KEY CHECK (id = 1),
    pid                 INTEGER,
    version             TEXT,
    started_at          TEXT,
    heartbeat_at        TEXT,
    stopped_at          TEXT,
    requests_per_second REAL,
    circuit             TEXT NOT NULL DEFAULT 'closed'
        CONSTRAINT "circuit: closed, open or half-open" CHECK (circuit IN ('closed', 'open', 'half-open')),
    credentials         TEXT NOT NULL DEFAULT 'unknown'
        CONSTRAINT "credentials: unknown, accepted or refused"
            CHECK (credentials IN ('unknown', 'accepted', 'refused')),
    -- Nothing is sent before this time: Retry-After, an open circuit or refused credentials.
    paused_until        TEXT,
    last_error          TEXT,
    last_error_at       TEXT
) STRICT;

INSERT INTO daemon_state (id) VALUES (1);

CREATE TRIGGER daemon_state_check_delete
BEFORE DELETE ON daemon_state
BEGIN
    SELECT RAISE(ABORT, 'daemon_state: its one row stays; why and daemon read it');
END;


-- ---------------------------------------------------------------------------------------------------------------------
-- Inserting a job
-- ---------------------------------------------------------------------------------------------------------------------

CREATE TRIGGER command_jobs_check_insert
BEFORE INSERT ON command_jobs
BEGIN
    SELECT RAISE(ABORT, 'id: a job with this id exists; insert without an id and one is chosen')
     WHERE EXISTS (SELECT 1 FROM command_jobs WHERE id = NEW.id);
    -- Ids grow from the largest: one near the end of the range would leave none for the jobs after it.
    SELECT RAISE(ABORT, 'id: at most 1000000000000; leave it out and one is chosen')
     WHERE NEW.id > 1000000000000;

    SELECT RAISE(ABORT, 'state: a new job is queued or paused')
     WHERE NEW.state NOT IN ('queued', 'paused');

    SELECT RAISE(ABORT, 'started_at: set by koobatch') WHERE NEW.started_at IS NOT NULL;
    SELECT RAISE(ABORT, 'finished_at: set by koobatch') WHERE NEW.finished_at IS NOT NULL;

    SELECT RAISE(ABORT, 'instance_ids: required, a JSON array such as ["a44uhlf7","efjy72gs"]')
     WHERE NEW.instance_ids IS NULL;
    SELECT RAISE(ABORT, 'instance_ids: must be text, a JSON array such as ["a44uhlf7","efjy72gs"]')
     WHERE typeof(NEW.instance_ids) <> 'text';
    SELECT RAISE(ABORT, 'instance_ids: not valid JSON; give an array such as ["a44uhlf7","efjy72gs"]')
     WHERE NOT json_valid(NEW.instance_ids)
        OR instr(NEW.instance_ids, char(0)) > 0;
    SELECT RAISE(ABORT, 'instance_ids: must be a JSON array such as ["a44uhlf7","efjy72gs"]')
     WHERE json_type(NEW.instance_ids) <> 'array';
    SELECT RAISE(ABORT, 'instance_ids: must hold 1 to 1000000 instance ids')
     WHERE json_array_length(NEW.instance_ids) NOT BETWEEN 1 AND 1000000;

    -- SQLite ends a string at an escaped NUL, other readers of JSON do not. An escaped backslash is not its beginning.
    SELECT RAISE(ABORT, 'instance_ids: an instance id must not hold control characters or broken Unicode')
     WHERE instr(NEW.instance_ids, '\u0000') > 0
       AND instr(replace(NEW.instance_ids, '\\', ''), '\u0000') > 0;

    -- One pass over what may be a million ids.
    SELECT CASE
               WHEN not_text > 0
                   THEN RAISE(ABORT, 'instance_ids: every instance id must be a JSON string')
               WHEN shortest < 1
                   THEN RAISE(ABORT, 'instance_ids: an instance id must not be empty')
               WHEN longest > 32
                   THEN RAISE(ABORT, 'instance_ids: an instance id must have at most 32 characters')
               WHEN control > 0
                   THEN RAISE(ABORT, 'instance_ids: an instance id must not hold control characters or broken Unicode')
               WHEN different < all_of_them
                   THEN RAISE(ABORT, 'instance_ids: the instance ids must be distinct')
           END
      FROM (SELECT count(*)                                        AS all_of_them,
                   count(DISTINCT value)                           AS different,
                   sum(type <> 'text')                             AS not_text,
                   min(length(value))                              AS shortest,
                   max(length(value))                              AS longest,
                   -- SQLite reads half a surrogate pair and broken UTF-8 as U+FFFD.
                   sum(value GLOB '*[' || char(1) || '-' || char(31) || char(127) || '-' || char(159) || char(65533)
                                  || ']*')                         AS control
              FROM json_each(NEW.instance_ids));

    SELECT RAISE(ABORT, 'run_at: a date and time of 2001 to 9999 that SQLite understands, such as 2026-12-01 08:00:00')
     WHERE NEW.run_at IS NOT NULL
       AND coalesce(strftime('%Y-%m-%dT%H:%M:%fZ', NEW.run_at, 'auto', '+0 days'), '') < '2001';
    SELECT RAISE(ABORT, 'expires_at: a date and time of 2001 to 9999 that SQLite understands, such as 2026-12-01 08:00:00')
     WHERE NEW.expires_at IS NOT NULL
       AND coalesce(strftime('%Y-%m-%dT%H:%M:%fZ', NEW.expires_at, 'auto', '+0 days'), '') < '2001';
    SELECT RAISE(ABORT, 'created_at: a date and time that SQLite understands; leave it out and it is now')
     WHERE coalesce(strftime('%Y-%m-%dT%H:%M:%fZ', NEW.created_at, 'auto', '+0 days'), '') < '2001';
    SELECT RAISE(ABORT, 'expires_at: must be later than run_at')
     WHERE julianday(NEW.expires_at, 'auto') <= julianday(NEW.run_at, 'auto');

    SELECT RAISE(ABORT, 'unique_key: an unfinished job has this key')
     WHERE NEW.unique_key IS NOT NULL
       AND EXISTS (SELECT 1
                     FROM command_jobs
                    WHERE unique_key = NEW.unique_key
                      AND state IN ('queued', 'running', 'paused'));
END;

CREATE TRIGGER command_jobs_after_insert
AFTER INSERT ON command_jobs
BEGIN
    INSERT INTO job_progress (command_job_id, job_state, priority, run_at, expires_at, total, plan_limit)
    SELECT NEW.id,
           NEW.state,
           NEW.priority,
           strftime('%Y-%m-%dT%H:%M:%fZ', NEW.run_at, 'auto', '+0 days'),
           strftime('%Y-%m-%dT%H:%M:%fZ', NEW.expires_at, 'auto', '+0 days'),
           total,
           min(total, coalesce(NEW.canary, total))
      FROM (SELECT json_array_length(NEW.instance_ids) AS total);

    UPDATE command_jobs
       SET run_at     = strftime('%Y-%m-%dT%H:%M:%fZ', run_at, 'auto', '+0 days'),
           expires_at = strftime('%Y-%m-%dT%H:%M:%fZ', expires_at, 'auto', '+0 days'),
           created_at = strftime('%Y-%m-%dT%H:%M:%fZ', created_at, 'auto', '+0 days')
     WHERE id = NEW.id
       AND (run_at <> strftime('%Y-%m-%dT%H:%M:%fZ', run_at, 'auto', '+0 days')
            OR expires_at <> strftime('%Y-%m-%dT%H:%M:%fZ', expires_at, 'auto', '+0 days')
            OR created_at <> strftime('%Y-%m-%dT%H:%M:%fZ', created_at, 'auto', '+0 days'));
END;


-- ---------------------------------------------------------------------------------------------------------------------
-- Changing a job
-- ---------------------------------------------------------------------------------------------------------------------

CREATE TRIGGER command_jobs_check_fixed
BEFORE UPDATE OF id, command, instance_ids ON command_jobs
BEGIN
    SELECT RAISE(ABORT, 'id: cannot be changed') WHERE NEW.id <> OLD.id;
    SELECT RAISE(ABORT, 'command: cannot be changed; cancel the job and insert another')
     WHERE NEW.command IS NOT OLD.command;
    SELECT RAISE(ABORT, 'instance_ids: cannot be changed; cancel the job and insert another')
     WHERE NEW.instance_ids IS NOT OLD.instance_ids;
END;

CREATE TRIGGER command_jobs_check_canary
BEFORE UPDATE OF canary ON command_jobs
WHEN NEW.canary IS NOT OLD.canary
BEGIN
    SELECT RAISE(ABORT, 'canary: cannot be changed once the job has started')
     WHERE EXISTS (SELECT 1 FROM job_progress WHERE command_job_id = OLD.id AND planned > 0);
END;

CREATE TRIGGER command_jobs_check_times
BEFORE UPDATE OF run_at, expires_at, created_at ON command_jobs
BEGIN
    SELECT RAISE(ABORT, 'created_at: cannot be changed')
     WHERE NEW.created_at IS NOT OLD.created_at
       AND NEW.created_at IS NOT strftime('%Y-%m-%dT%H:%M:%fZ', OLD.created_at, 'auto', '+0 days');
    SELECT RAISE(ABORT, 'run_at: a date and time of 2001 to 9999 that SQLite understands, such as 2026-12-01 08:00:00')
     WHERE NEW.run_at IS NOT NULL
       AND coalesce(strftime('%Y-%m-%dT%H:%M:%fZ', NEW.run_at, 'auto', '+0 days'), '') < '2001';
    SELECT RAISE(ABORT, 'expires_at: a date and time of 2001 to 9999 that SQLite understands, such as 2026-12-01 08:00:00')
     WHERE NEW.expires_at IS NOT NULL
       AND coalesce(strftime('%Y-%m-%dT%H:%M:%fZ', NEW.expires_at, 'auto', '+0 days'), '') < '2001';
    SELECT RAISE(ABORT, 'expires_at: must be later than run_at')
     WHERE julianday(NEW.expires_at, 'auto') <= julianday(NEW.run_at, 'auto');
END;

CREATE TRIGGER command_jobs_check_unique_key
BEFORE UPDATE OF unique_key, state ON command_jobs
WHEN NEW.unique_key IS NOT NULL AND NEW.state IN ('queued', 'running', 'paused')
BEGIN
    SELECT RAISE(ABORT, 'unique_key: an unfinished job has this key')
     WHERE EXISTS (SELECT 1
                     FROM command_jobs
                    WHERE unique_key = NEW.unique_key
                      AND state IN ('queued', 'running', 'paused')
                      AND id <> NEW.id);
END;

CREATE TRIGGER command_jobs_check_state
BEFORE UPDATE OF state ON command_jobs
WHEN NEW.state IS NOT OLD.state
BEGIN
    SELECT RAISE(ABORT, 'state: this job has finished; only queued is possible, which runs again what did not succeed')
     WHERE OLD.state NOT IN ('queued', 'running', 'paused')
       AND NEW.state <> 'queued';
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

CREATE TRIGGER command_jobs_check_finished_at
BEFORE UPDATE OF started_at, finished_at ON command_jobs
BEGIN
    SELECT RAISE(ABORT, 'finished_at: set by koobatch')
     WHERE NEW.finished_at IS NOT OLD.finished_at
       AND NEW.finished_at IS NOT NULL
       AND (OLD.finished_at IS NOT NULL
            OR NEW.state IN ('queued', 'running', 'paused')
            OR EXISTS (SELECT 1
                         FROM job_progress
                        WHERE command_job_id = OLD.id
                          AND waiting_chunks + in_flight_chunks + held_chunks > 0));
    SELECT RAISE(ABORT, 'finished_at: set by koobatch')
     WHERE NEW.finished_at IS NULL
       AND OLD.finished_at IS NOT NULL
       AND NEW.state NOT IN ('queued', 'running', 'paused');
    SELECT RAISE(ABORT, 'started_at: set by koobatch')
     WHERE NEW.started_at IS NOT OLD.started_at
       AND (OLD.started_at IS NOT NULL OR NEW.state <> 'running');
END;

-- Keeps the copies in job_progress, and writes times in the one form that compares as text.
CREATE TRIGGER command_jobs_after_settings
AFTER UPDATE OF priority, run_at, expires_at, canary ON command_jobs
BEGIN
    UPDATE job_progress
       SET priority   = NEW.priority,
           run_at     = strftime('%Y-%m-%dT%H:%M:%fZ', NEW.run_at, 'auto', '+0 days'),
           expires_at = strftime('%Y-%m-%dT%H:%M:%fZ', NEW.expires_at, 'auto', '+0 days')
     WHERE command_job_id = NEW.id;

    UPDATE job_progress
       SET plan_limit = min(total, coalesce(NEW.canary, total))
     WHERE command_job_id = NEW.id
       AND planned = 0
       AND NEW.canary IS NOT OLD.canary;

    UPDATE command_jobs
       SET run_at     = strftime('%Y-%m-%dT%H:%M:%fZ', run_at, 'auto', '+0 days'),
           expires_at = strftime('%Y-%m-%dT%H:%M:%fZ', expires_at, 'auto', '+0 days')
     WHERE id = NEW.id
       AND (run_at <> strftime('%Y-%m-%dT%H:%M:%fZ', run_at, 'auto', '+0 days')
            OR expires_at <> strftime('%Y-%m-%dT%H:%M:%fZ', expires_at, 'auto', '+0 days'));
END;

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

    -- Resumes: the errors so far are accepted, and a canary that has come to its end lets the rest go.
    UPDATE job_progress
       SET errors_forgiven = failed + rejected,
           plan_limit      = CASE WHEN planned = plan_limit
                                       AND waiting_chunks + in_flight_chunks + held_chunks = 0
                                  THEN total
                                  ELSE plan_limit
                             END
     WHERE command_job_id = NEW.id
       AND OLD.state = 'paused'
       AND NEW.state = 'running'
       AND planned > 0;

    -- Cut short: what was not planned counts as cancelled.
    UPDATE job_progress
       SET cancelled   = cancelled + (total - planned),
           replan_upto = NULL
     WHERE command_job_id = NEW.id
       AND NEW.state IN ('cancelled', 'expired');

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


-- ---------------------------------------------------------------------------------------------------------------------
-- The end of a job, its canary and its error budget
-- ---------------------------------------------------------------------------------------------------------------------

CREATE TRIGGER job_progress_check_delete
BEFORE DELETE ON job_progress
BEGIN
    SELECT RAISE(ABORT, 'job_progress: goes with its command job; DELETE FROM command_jobs instead')
     WHERE EXISTS (SELECT 1 FROM command_jobs WHERE id = OLD.command_job_id);
END;

-- Nothing is left to do for what is planned: the job finishes, or its canary does.
CREATE TRIGGER job_progress_idle
AFTER UPDATE ON job_progress
WHEN NEW.waiting_chunks + NEW.in_flight_chunks + NEW.held_chunks = 0
     AND NEW.replan_upto IS NULL
     AND (NEW.planned = NEW.plan_limit OR NEW.job_state IN ('cancelled', 'expired'))
     AND NEW.planned + NEW.cancelled > 0
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

CREATE TRIGGER job_progress_max_errors
AFTER UPDATE OF failed, rejected, waiting_chunks ON job_progress
WHEN NEW.failed + NEW.rejected > NEW.errors_forgiven
     -- More have failed, or a chunk that was in flight is to be sent again.
     AND (NEW.failed + NEW.rejected > OLD.failed + OLD.rejected OR NEW.waiting_chunks > OLD.waiting_chunks)
     AND NEW.job_state = 'running'
     AND NEW.replan_upto IS NULL
     AND (NEW.waiting_chunks > 0 OR NEW.planned < NEW.total)
BEGIN
    UPDATE command_jobs
       SET state        = 'paused',
           state_reason = 'max_errors: ' || (NEW.failed + NEW.rejected - NEW.errors_forgiven)
                          || ' instances failed, more than ' || max_errors || '; resume to go on counting from here, or cancel'
     WHERE id = NEW.command_job_id
       AND state = 'running'
       AND max_errors IS NOT NULL
       AND NEW.failed + NEW.rejected - NEW.errors_forgiven
           > CASE WHEN max_errors LIKE '%\%' ESCAPE '\'
                  THEN NEW.total * CAST(max_errors AS INTEGER) / 100.0
                  ELSE CAST(max_errors AS INTEGER)
             END;
END;


-- ---------------------------------------------------------------------------------------------------------------------
-- Chunks, instance jobs and attempts
-- ---------------------------------------------------------------------------------------------------------------------

CREATE TRIGGER chunks_check_insert
BEFORE INSERT ON chunks
BEGIN
    SELECT RAISE(ABORT, 'state: a new chunk is pending')
     WHERE NEW.state <> 'pending'
        OR NEW.submitted + NEW.succeeded + NEW.failed + NEW.unknown + NEW.cancelled + NEW.rejected <> 0;
    SELECT RAISE(ABORT, 'next_attempt_at: a pending chunk needs one, or it would never be sent')
     WHERE NEW.next_attempt_at IS NULL;
    SELECT RAISE(ABORT, 'command_job_id: chunks are cut by koobatch, for running and paused jobs only')
     WHERE NOT EXISTS (SELECT 1
                         FROM job_progress
                        WHERE command_job_id = NEW.command_job_id
                          AND job_state IN ('running', 'paused'));
END;

CREATE TRIGGER chunks_after_insert
AFTER INSERT ON chunks
BEGIN
    UPDATE job_progress
       SET waiting_chunks = waiting_chunks + 1
     WHERE command_job_id = NEW.command_job_id;
END;

CREATE TRIGGER chunks_check_fixed
BEFORE UPDATE OF id, command_job_id, parent_id, size, instance_ids, task_id ON chunks
BEGIN
    SELECT RAISE(ABORT, 'chunks: id, command_job_id, parent_id, size and instance_ids cannot be changed')
     WHERE NEW.id <> OLD.id
        OR NEW.command_job_id <> OLD.command_job_id
        OR NEW.parent_id IS NOT OLD.parent_id
        OR NEW.size <> OLD.size
        OR NEW.instance_ids <> OLD.instance_ids;
    SELECT RAISE(ABORT, 'task_id: cannot be changed')
     WHERE OLD.task_id IS NOT NULL
       AND NEW.task_id IS NOT OLD.task_id;
END;

CREATE TRIGGER chunks_check_state
BEFORE UPDATE OF state ON chunks
WHEN NEW.state IS NOT OLD.state
BEGIN
    SELECT RAISE(ABORT, 'state: only a held (unknown) chunk can be changed by hand: pending sends it again, failed gives it up')
     WHERE NOT CASE OLD.state
                   WHEN 'pending'    THEN NEW.state IN ('submitting', 'cancelled')
                   WHEN 'submitting' THEN NEW.state IN ('submitted', 'pending', 'failed', 'unknown', 'cancelled', 'split')
                   WHEN 'submitted'  THEN NEW.state = 'finished'
                   WHEN 'unknown'    THEN NEW.state IN ('pending', 'failed')
                   ELSE 0
               END;

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

CREATE TRIGGER chunks_check_due
BEFORE UPDATE OF next_attempt_at ON chunks
WHEN OLD.state = 'pending' AND NEW.state = 'pending' AND NEW.next_attempt_at IS NULL
BEGIN
    SELECT RAISE(ABORT, 'next_attempt_at: a pending chunk needs one, or it would never be sent');
END;

-- A held chunk that a person sends again is due at once, and its instances are pending again.
CREATE TRIGGER chunks_after_release
AFTER UPDATE OF state ON chunks
WHEN OLD.state = 'unknown' AND NEW.state = 'pending'
BEGIN
    UPDATE chunks
       SET unknown         = 0,
           next_attempt_at = coalesce(next_attempt_at, strftime('%Y-%m-%dT%H:%M:%fZ', 'now'))
     WHERE id = NEW.id;
END;

CREATE TRIGGER chunks_after_give_up
AFTER UPDATE OF state ON chunks
WHEN OLD.state = 'unknown' AND NEW.state = 'failed' AND NEW.finished_at IS NULL
BEGIN
    UPDATE chunks
       SET finished_at = strftime('%Y-%m-%dT%H:%M:%fZ', 'now')
     WHERE id = NEW.id;
END;

-- Counts: one change of job_progress per change of a chunk, with its states and its chunks at once, so that a job
-- finishes only on final counts.
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
       SET submitted        = submitted + NEW.submitted - OLD.submitted,
           succeeded        = succeeded + NEW.succeeded - OLD.succeeded,
           failed           = failed + NEW.failed - OLD.failed,
           unknown          = unknown + NEW.unknown - OLD.unknown,
           cancelled        = cancelled + NEW.cancelled - OLD.cancelled,
           rejected         = rejected + NEW.rejected - OLD.rejected,
           waiting_chunks   = waiting_chunks + (NEW.state = 'pending') - (OLD.state = 'pending'),
           in_flight_chunks = in_flight_chunks + (NEW.state IN ('submitting', 'submitted'))
                                               - (OLD.state IN ('submitting', 'submitted')),
           held_chunks      = held_chunks + (NEW.state = 'unknown') - (OLD.state = 'unknown')
     WHERE command_job_id = NEW.command_job_id;
END;

CREATE TRIGGER chunks_check_delete
BEFORE DELETE ON chunks
BEGIN
    SELECT RAISE(ABORT, 'chunks: go with their command job; DELETE FROM command_jobs instead')
     WHERE EXISTS (SELECT 1 FROM command_jobs WHERE id = OLD.command_job_id AND finished_at IS NULL);
END;

-- These two fire for every instance: the rule stands in WHEN, which costs a fraction of a SELECT in the body.
CREATE TRIGGER instance_jobs_check_insert
BEFORE INSERT ON instance_jobs
WHEN NEW.state <> iif(NEW.job_id IS NULL, 'unknown', 'submitted')
BEGIN
    SELECT RAISE(ABORT, 'state: a new instance job is submitted, or unknown if the answer left it out');
END;

CREATE TRIGGER instance_jobs_check_state
BEFORE UPDATE OF state ON instance_jobs
WHEN NEW.state <> OLD.state
     AND NOT (OLD.state = 'submitted' OR (OLD.state = 'unknown' AND NEW.state IN ('succeeded', 'failed')))
BEGIN
    SELECT RAISE(ABORT, 'state: a submitted instance becomes succeeded, failed or unknown, an unknown one succeeded or failed');
END;

CREATE TRIGGER instance_jobs_check_fixed
BEFORE UPDATE OF chunk_id, instance_id, job_id ON instance_jobs
WHEN NEW.chunk_id <> OLD.chunk_id
     OR NEW.instance_id <> OLD.instance_id
     OR NEW.job_id IS NOT OLD.job_id
BEGIN
    SELECT RAISE(ABORT, 'instance_jobs: chunk_id, instance_id and job_id cannot be changed');
END;

CREATE TRIGGER instance_jobs_check_delete
BEFORE DELETE ON instance_jobs
BEGIN
    SELECT RAISE(ABORT, 'instance_jobs: go with their command job; DELETE FROM command_jobs instead')
     WHERE EXISTS (SELECT 1
                     FROM chunks
                     JOIN command_jobs ON command_jobs.id = chunks.command_job_id
                    WHERE chunks.id = OLD.chunk_id
                      AND command_jobs.finished_at IS NULL);
END;

CREATE TRIGGER attempts_check_update
BEFORE UPDATE ON attempts
WHEN OLD.outcome IS NOT NULL
     OR NEW.id <> OLD.id
     OR NEW.chunk_id <> OLD.chunk_id
     OR NEW.request_id <> OLD.request_id
     OR NEW.started_at <> OLD.started_at
BEGIN
    SELECT RAISE(ABORT, 'attempts: a finished attempt cannot be changed');
END;

CREATE TRIGGER attempts_check_delete
BEFORE DELETE ON attempts
BEGIN
    SELECT RAISE(ABORT, 'attempts: go with their command job; DELETE FROM command_jobs instead')
     WHERE EXISTS (SELECT 1
                     FROM chunks
                     JOIN command_jobs ON command_jobs.id = chunks.command_job_id
                    WHERE chunks.id = OLD.chunk_id
                      AND command_jobs.finished_at IS NULL);
END;


-- ---------------------------------------------------------------------------------------------------------------------
-- Deleting a job
-- ---------------------------------------------------------------------------------------------------------------------

CREATE TRIGGER command_jobs_check_delete
BEFORE DELETE ON command_jobs
WHEN OLD.finished_at IS NULL
BEGIN
    SELECT RAISE(ABORT, 'command_jobs: only a finished job can be deleted; cancel it first and wait for finished_at');
END;

CREATE TRIGGER command_jobs_after_delete
AFTER DELETE ON command_jobs
BEGIN
    DELETE FROM attempts WHERE chunk_id IN (SELECT id FROM chunks WHERE command_job_id = OLD.id);
    DELETE FROM instance_jobs WHERE chunk_id IN (SELECT id FROM chunks WHERE command_job_id = OLD.id);
    DELETE FROM chunks WHERE command_job_id = OLD.id;
    DELETE FROM job_progress WHERE command_job_id = OLD.id;
END;


-- ---------------------------------------------------------------------------------------------------------------------
-- Views
-- ---------------------------------------------------------------------------------------------------------------------

CREATE VIEW job_status AS
-- A row per command job: its state, its instances by state (they add up to total), and how far it is.
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
       -- At the speed so far.
       CASE WHEN j.state = 'running' AND p.succeeded + p.failed + p.unknown + p.rejected > 0
            THEN strftime('%Y-%m-%dT%H:%M:%fZ',
                          julianday('now')
                          + (julianday('now') - julianday(j.started_at))
                            * (p.total - p.succeeded - p.failed - p.unknown - p.cancelled - p.rejected)
                            / (p.succeeded + p.failed + p.unknown + p.rejected))
       END AS eta
  FROM command_jobs AS j
  JOIN job_progress AS p ON p.command_job_id = j.id;

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
 WHERE p.planned < p.total
   AND e.key >= p.planned;

CREATE VIEW task_map AS
-- A row per accepted instance: what a poller of one's own needs. Instances that ran again have a row per time.
SELECT c.command_job_id,
       c.id AS chunk_id,
       c.task_id,
       i.instance_id,
       i.job_id
  FROM chunks AS c
  JOIN instance_jobs AS i ON i.chunk_id = c.id
 WHERE i.job_id IS NOT NULL;

CREATE VIEW outputs AS
-- The distinct results of a job, commonest first: thousands of results at a glance.
-- The detour through JSON groups one job at a time: SQLite pushes no WHERE command_job_id = ? through a GROUP BY into
-- instance_status, so that a view of that would read the instances of all jobs to tell of one.
SELECT p.command_job_id,
       r.value ->> 'state'               AS state,
       r.value ->> 'error_code'          AS error_code,
       r.value ->> 'output'              AS output,
       r.value ->> 'instances'           AS instances,
       r.value ->> 'example_instance_id' AS example_instance_id
  FROM job_progress AS p
  JOIN json_each((
           SELECT json_group_array(json_object('state', state, 'error_code', error_code, 'output', output,
                                               'instances', instances, 'example_instance_id', example_instance_id))
             FROM (SELECT state,
                          error_code,
                          output,
                          count(*)         AS instances,
                          min(instance_id) AS example_instance_id
                     FROM (SELECT i.state,
                                  i.error_code,
                                  i.output,
                                  i.instance_id
                             FROM chunks AS c
                             JOIN instance_jobs AS i ON i.chunk_id = c.id
                            WHERE c.command_job_id = p.command_job_id
                              AND i.superseded = 0
                              AND i.state <> 'submitted'
                           UNION ALL
                           SELECT CASE WHEN c.failed > 0 THEN 'failed'
                                       WHEN c.rejected > 0 THEN 'rejected'
                                       ELSE 'unknown'
                                  END,
                                  c.error_code,
                                  NULL,
                                  e.value
                             FROM chunks AS c
                             JOIN json_each(c.instance_ids) AS e
                            WHERE c.command_job_id = p.command_job_id
                              AND c.task_id IS NULL
                              AND c.failed + c.rejected + c.unknown > 0)
                    GROUP BY state, error_code, output
                    ORDER BY count(*) DESC, state, error_code, output))) AS r;

CREATE VIEW daemon AS
-- The daemon; running is 1 while its heartbeat is fresh.
SELECT pid,
       version,
       started_at,
       heartbeat_at,
       stopped_at,
       stopped_at IS NULL AND heartbeat_at >= strftime('%Y-%m-%dT%H:%M:%fZ', 'now', '-30 seconds') AS running,
       (SELECT count(*) FROM chunks WHERE state = 'submitting') AS in_flight,
       requests_per_second,
       circuit,
       credentials,
       paused_until,
       last_error,
       last_error_at
  FROM daemon_state;

CREATE VIEW why AS
-- A row per command job or chunk that waits: for what exactly, and the earliest time it can move (NULL: unknown).
WITH facts AS (
    SELECT strftime('%Y-%m-%dT%H:%M:%fZ', 'now') AS now,
           coalesce(stopped_at IS NULL
                    AND heartbeat_at >= strftime('%Y-%m-%dT%H:%M:%fZ', 'now', '-30 seconds'), 0) AS running,
           circuit,
           credentials,
           CASE WHEN paused_until > strftime('%Y-%m-%dT%H:%M:%fZ', 'now') THEN paused_until END AS paused_until
      FROM daemon_state
),
waiting AS (
    SELECT p.command_job_id,
           j.state,
           j.state_reason,
           j.run_at,
           j.max_concurrency,
           p.total,
           p.planned,
           p.plan_limit,
           p.replan_upto,
           p.waiting_chunks,
           p.in_flight_chunks,
           p.held_chunks,
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
           CASE WHEN state = 'paused' AND state_reason LIKE 'canary:%' THEN 'canary'
                WHEN state = 'paused' AND state_reason LIKE 'max_errors:%' THEN 'max_errors'
                WHEN state = 'paused' THEN 'pause'
                WHEN run_at > now THEN 'run_at'
                WHEN NOT running THEN 'daemon'
                WHEN replan_upto IS NOT NULL THEN 'turn'
                WHEN waiting_chunks = 0 AND planned = plan_limit AND plan_limit < total THEN 'canary'
                WHEN waiting_chunks = 0 AND planned = plan_limit AND in_flight_chunks > 0 THEN 'results'
                WHEN waiting_chunks = 0 AND planned = plan_limit THEN 'hold'
                WHEN credentials = 'refused' THEN 'credentials'
                WHEN circuit <> 'closed' THEN 'circuit'
                WHEN paused_until IS NOT NULL THEN 'rate_limit'
                WHEN in_flight_chunks >= max_concurrency THEN 'max_concurrency'
                WHEN next_attempt_at > now THEN 'backoff'
                ELSE 'turn'
           END AS blocker,
           waiting.*
      FROM waiting
)
SELECT command_job_id,
       NULL AS chunk_id,
       blocker,
       CASE blocker
           WHEN 'canary' THEN coalesce(state_reason, 'the first ' || planned || ' instances must succeed before the rest is sent')
           WHEN 'max_errors' THEN state_reason
           WHEN 'pause' THEN coalesce(state_reason, 'paused') || '; resume with UPDATE command_jobs SET state = ''running'' WHERE id = ' || command_job_id
           WHEN 'run_at' THEN 'not before run_at'
           WHEN 'daemon' THEN 'the daemon is not running; start it with koobatch run'
           WHEN 'results' THEN in_flight_chunks || ' chunks are submitted and their results awaited'
           WHEN 'hold' THEN held_chunks || ' chunks are on hold: their answers were lost and a person decides'
           WHEN 'credentials' THEN 'the API refuses the credentials; renew the token'
           WHEN 'circuit' THEN 'the API fails; it is being probed'
           WHEN 'rate_limit' THEN 'the API asked for a pause'
           WHEN 'max_concurrency' THEN in_flight_chunks || ' chunks are in flight, as many as max_concurrency allows'
           WHEN 'backoff' THEN 'every chunk that is left waits for its next attempt'
           ELSE 'its turn: jobs of higher priority, or a free place among the requests in flight'
       END AS explanation,
       CASE blocker
           WHEN 'run_at' THEN run_at
           WHEN 'backoff' THEN next_attempt_at
           WHEN 'credentials' THEN paused_until
           WHEN 'circuit' THEN paused_until
           WHEN 'rate_limit' THEN paused_until
       END AS earliest_at,
       NULL AS request_id
  FROM blockers
UNION ALL
SELECT c.command_job_id,
       c.id,
       'backoff',
       'attempt ' || c.attempts || ' failed: ' || coalesce(c.error_code || ' ', '') || coalesce(c.error_msg, ''),
       c.next_attempt_at,
       (SELECT request_id FROM attempts WHERE chunk_id = c.id ORDER BY id DESC LIMIT 1)
  FROM chunks AS c
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
