-- The daemon writes chunks and attempts for every request. SQLite builds a table for an IN list of more than two values
-- whenever it evaluates one (a third of the cost of these writes), so the same rules are said in pairs; and times that only
-- the daemon writes are checked by their shape, because strftime parses and formats each of them. No row changes, so the
-- text of the schema may: https://sqlite.org/lang_altertable.html#otheralter

PRAGMA writable_schema = ON;

UPDATE sqlite_schema
   SET sql = replace(
           replace(
               sql,
               'CHECK (state IN (''pending'', ''submitting'', ''submitted'', ''finished'', ''failed'', ''unknown'', ''cancelled'', ''split'')),',
               'CHECK (state IN (''submitting'', ''submitted'') OR state IN (''finished'', ''pending'')
                   OR state IN (''failed'', ''unknown'') OR state IN (''cancelled'', ''split'')),'
           ),
           'CHECK (submitted_at IS strftime(''%Y-%m-%dT%H:%M:%fZ'', submitted_at, ''+0 days'')
               AND finished_at IS strftime(''%Y-%m-%dT%H:%M:%fZ'', finished_at, ''+0 days'')
               AND result_deadline_at IS strftime(''%Y-%m-%dT%H:%M:%fZ'', result_deadline_at, ''+0 days''))',
           'CHECK (coalesce(submitted_at GLOB ''????-??-??T??:??:??.???Z'', 1) AND coalesce(finished_at GLOB ''????-??-??T??:??:??.???Z'', 1)
               AND coalesce(result_deadline_at GLOB ''????-??-??T??:??:??.???Z'', 1))'
       )
 WHERE type = 'table' AND name = 'chunks';

UPDATE sqlite_schema
   SET sql = replace(
           sql,
           'CHECK (outcome IN (''accepted'', ''refused'', ''throttled'', ''unauthenticated'', ''not_sent'', ''unknown'')),',
           'CHECK (outcome IN (''accepted'', ''refused'') OR outcome IN (''throttled'', ''unauthenticated'') OR outcome IN (''not_sent'', ''unknown'')),'
       )
 WHERE type = 'table' AND name = 'attempts';

-- In the words of the log.
UPDATE sqlite_schema
   SET sql = replace(
           replace(
               sql,
               'the API fails and all requests pause; it is probed now and then',
               'circuit open: the API fails and requests are paused; it is probed now and then'
           ),
           'the API failed and all requests pause; a probe is out',
           'circuit half-open: the API failed and requests are paused; a probe is out'
       )
 WHERE type = 'view' AND name = 'why';

PRAGMA writable_schema = RESET;
