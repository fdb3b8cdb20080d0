#!/bin/bash
# The main job on the simulator: starts both programs in a temporary directory, inserts jobs with the sqlite3 shell,
# shows how they go, then what a user would look at. $1: the folder of the built programs.
set -euo pipefail

bin=$1
work=$(mktemp -d "${TMPDIR:-/tmp}/koobatch-demo.XXXXXX")
db=$work/koobatch.db
simulator=
daemon=

finish() {
    status=$?
    for pid in $daemon $simulator; do kill "$pid" 2>/dev/null || true; done
    wait 2>/dev/null || true
    if [ "$status" -ne 0 ]; then
        echo "The demo failed. The daemon said:"
        tail -n 20 "$work/daemon.log" 2>/dev/null || true
    fi
    rm -rf "$work"
}
trap finish EXIT

# A script of one's own does well to wait for a lock that the daemon holds for a millisecond.
shell() {
    sqlite3 -cmd ".timeout 2000" "$@"
}

# Shows a command as one would type it, then runs it.
show() {
    printf '\n$ sqlite3 -box koobatch.db "%s"\n' "$1"
    shell -box "$db" "$1"
}

# A JSON array of $2 instance ids that begin with $1.
ids() {
    seq -f "\"$1%06.0f\"" 1 "$2" | paste -sd, | sed 's/.*/[&]/'
}

echo "== A local KooPhone API. One phone does not exist, one command takes half a second."
cat >"$work/faults.json" <<'JSON'
{
  "duration": 0.5,
  "instances": {
    "gone*": {"fail": {"error_code": "CPS0005", "error_msg": "Phone not found."}},
    "frozen*": {"refuse": {"status": 200, "error_code": "KOOPHONE.API.2004", "error_msg": "instance is frozen"}}
  },
  "rules": [{"on": "submit", "kind": "status", "status": 500, "error_code": "KOOPHONE.API.9999",
             "error_msg": "internal error", "probability": 0.1}]
}
JSON
"$bin/koophone-sim" --port 0 --token demo-token --faults "$work/faults.json" >"$work/simulator.log" &
simulator=$!
until endpoint=$(grep -o 'http://[0-9.:]*' "$work/simulator.log" 2>/dev/null); do kill -0 $simulator; read -rt 0.05 <> <(:) || true; done
echo "$endpoint"

echo
echo "== The daemon, with a configuration of its own."
(umask 077 && echo demo-token >"$work/token")
cat >"$work/koobatch.yaml" <<YAML
database: $db
koophone:
  endpoint: $endpoint
  auth:
    method: token
    token_file: $work/token
retry:
  base_delay: 0.2
poll:
  initial_delay: 0.5
YAML
cat "$work/koobatch.yaml"
"$bin/koobatch" migrate --config "$work/koobatch.yaml"
"$bin/koobatch" run --config "$work/koobatch.yaml" 2>"$work/daemon.log" &
daemon=$!
until [ "$(sqlite3 "$db" 'SELECT running FROM daemon')" = 1 ]; do kill -0 $daemon; done

echo
echo "== Three jobs: two phones; 1,000 phones; 64 phones of which one does not exist and one is frozen."
show "INSERT INTO command_jobs (command, instance_ids) VALUES ('ls -l /system', json_array('a44uhlf7', 'efjy72gs')) RETURNING id"
shell "$db" "INSERT INTO command_jobs (label, command, instance_ids) VALUES ('fleet', 'pm list packages', '$(ids phone 1000)')"
shell "$db" "INSERT INTO command_jobs (label, command, instance_ids)
               VALUES ('checkup', 'getprop ro.serialno', json_insert(json_insert('$(ids p 62)', '\$[#]', 'gone01'), '\$[#]', 'frozen01'))"

echo
echo "== On their way:"
last=
until [ "$(sqlite3 "$db" 'SELECT count(*) FROM command_jobs WHERE finished_at IS NULL')" = 0 ]; do
    kill -0 $daemon
    now=$(sqlite3 "$db" "SELECT group_concat('job ' || id || ': ' || state || ' ' || CAST(percent_done AS INTEGER) || '%', '   ')
                           FROM job_status")
    [ "$now" = "$last" ] || echo "$now"
    last=$now
done

echo
echo "== What a user looks at:"
show "SELECT id, label, command, state, total, succeeded, failed, rejected, percent_done FROM job_status"
show "SELECT instance_id, state, error_code, error_msg FROM instance_status WHERE command_job_id = 3 AND state <> 'succeeded'"
show "SELECT * FROM task_map WHERE command_job_id = 1"
show "SELECT state, error_code, output, instances, example_instance_id FROM outputs WHERE command_job_id = 3"
show "SELECT outcome, http_status, error_code, count(*) AS requests FROM attempts GROUP BY 1, 2, 3"
show "SELECT running, version, in_flight, circuit, credentials FROM daemon"

echo
echo "== The daemon stops in order."
kill -TERM $daemon
wait $daemon
daemon=
echo "exit status 0"
