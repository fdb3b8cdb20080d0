#!/bin/sh
# Submits chunks of 32 with curl and keeps the answers with the sqlite3 shell, 32 at once under xargs:
#
#     xargs_client.sh ENDPOINT TOKEN_FILE DATABASE CHUNKS
#
# A process of each for every chunk; WAL, synchronous=FULL, one commit and one row a chunk, a busy timeout of a minute. No
# intent is stored before a request, nothing is retried.
set -eu

endpoint=$1 database=$3 chunks=$4
token=$(cat "$2")
export endpoint database token

sqlite3 -batch "$database" >/dev/null <<SQL
PRAGMA journal_mode = WAL;
CREATE TABLE answers (chunk INTEGER PRIMARY KEY, task_id TEXT NOT NULL, jobs TEXT NOT NULL) STRICT;
SQL

# shellcheck disable=SC2016
seq 0 $((chunks - 1)) | xargs -P 32 -n 1 sh -c '
    names=
    for i in 0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24 25 26 27 28 29 30 31; do
        names="$names,\"p$1x$i\""
    done
    answer=$(curl --silent --show-error --fail-with-body -H "X-Auth-Token: $token" -H "x-request-id: xargs$1" \
        -H "Content-Type: application/json" -d "{\"command\":\"ls\",\"instance_ids\":[${names#,}]}" \
        "$endpoint/v1/instances/async-command") || exit 255
    sqlite3 -batch -bail -cmd ".timeout 60000" "$database" "
        PRAGMA synchronous = FULL;
        INSERT INTO answers
        SELECT $1, j ->> '"'"'$.data.task_id'"'"',
               (SELECT json_group_array(value ->> '"'"'job_id'"'"') FROM json_each(j, '"'"'$.data.cmd_jobs'"'"'))
          FROM (SELECT '"'"'$answer'"'"' AS j);" || exit 255
' sh
