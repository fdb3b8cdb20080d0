-- The start, the end and every pause of a job change its row. SQLite rewrites a row with its list, 30 ms of the write lock
-- where it has a million instances, unless the row keeps its size: then it writes the pages that differ. So a row with a
-- long list gets a column whose size makes up for that of the others. It is computed by SQLite, whoever writes.
--
-- The rows move into a table of the new form, whose root page then changes places with the old one's: indexes, triggers and
-- views stay as they are, and so does the order of the schema: https://sqlite.org/lang_altertable.html#otheralter

CREATE TABLE command_jobs_padded (id INTEGER);

PRAGMA writable_schema = ON;

UPDATE sqlite_schema
   SET sql = (SELECT replace(
                         replace(sql, 'CREATE TABLE command_jobs (', 'CREATE TABLE command_jobs_padded ('),
                         '    -- A JSON array of 1 to 1,000,000 distinct',
                         '    -- For SQLite: where the list is long, zeros that keep the size of the row, which then changes without the list.
    padding             BLOB GENERATED ALWAYS AS (iif(length(CAST(instance_ids AS BLOB)) < 32768, NULL, zeroblob(max(58, 320
        - length(CAST(state || coalesce(started_at, '''') || coalesce(finished_at, '''') || coalesce(expires_at, '''')
                      || coalesce(state_reason, '''') AS BLOB)) - coalesce(length(CAST(state_reason AS BLOB)) > 57, 0))))) STORED,
    -- A JSON array of 1 to 1,000,000 distinct'
                     )
                FROM sqlite_schema
               WHERE type = 'table' AND name = 'command_jobs')
 WHERE type = 'table' AND name = 'command_jobs_padded';

-- Comments in fewer lines.
UPDATE sqlite_schema
   SET sql = replace(
           replace(
               replace(
                   sql,
                   '    -- Chosen by SQLite, ascending.
    id                  INTEGER PRIMARY KEY AUTOINCREMENT',
                   '    id                  INTEGER PRIMARY KEY AUTOINCREMENT  -- Chosen by SQLite, ascending.'
               ),
               '    -- The ADB shell command.
    command             TEXT NOT NULL',
               '    command             TEXT NOT NULL  -- The ADB shell command.'
           ),
           '    -- Higher goes first; jobs of one priority share the requests.
    priority            INTEGER NOT NULL DEFAULT 0',
           '    priority            INTEGER NOT NULL DEFAULT 0  -- Higher goes first; jobs of one priority share the requests.'
       )
 WHERE type = 'table' AND name = 'command_jobs_padded';

UPDATE sqlite_schema
   SET sql = replace(
           sql,
           '    -- What changes often about a command job, and what the daemon looks up; read it through job_status. Apart from
    -- command_jobs because a row with a million instance ids takes milliseconds to rewrite. Instances that are in none of
    -- the counted states are pending. Kept by koobatch and by the triggers.
',
           '    -- What changes often about a command job, and what the daemon looks up; read it through job_status. Instances that
    -- are in none of the counted states are pending. Kept by koobatch and by the triggers.
'
       )
 WHERE type = 'table' AND name = 'job_progress';

PRAGMA writable_schema = RESET;

-- With columns that somebody has added; SQLite computes the padding.
INSERT INTO command_jobs_padded SELECT * FROM command_jobs;

PRAGMA writable_schema = ON;

UPDATE sqlite_schema AS this
   SET rootpage = other.rootpage,
       sql      = replace(other.sql, 'CREATE TABLE ' || other.name || ' (', 'CREATE TABLE ' || this.name || ' (')
  FROM (SELECT name, rootpage, sql FROM sqlite_schema WHERE type = 'table') AS other
 WHERE this.type = 'table'
   AND (this.name, other.name) IN (VALUES ('command_jobs', 'command_jobs_padded'),
                                          ('command_jobs_padded', 'command_jobs'));

PRAGMA writable_schema = RESET;

DROP TABLE command_jobs_padded;
