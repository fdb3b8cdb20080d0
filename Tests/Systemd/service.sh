#!/bin/bash
# The package, its units and the daemon under a real systemd. $1: the package; $2: the simulator.
#
# Skips where it cannot run, unless KOOBATCH_SYSTEMD=required. Debian's base system is fetched once, into
# KOOBATCH_SYSTEMD_ROOT (default: .build/debian-12).
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
# shellcheck source-path=SCRIPTDIR source=container.sh
. "$here/container.sh"
# shellcheck source-path=SCRIPTDIR source=tap.sh
. "$here/tap.sh"

[ $# = 2 ] || { echo "usage: $0 PACKAGE SIMULATOR" >&2; exit 64; }
package=$(realpath "$1")
simulator=$(realpath "$2")
root=${KOOBATCH_SYSTEMD_ROOT:-$here/../../.build/debian-12}

missing=$(missing_requirements | paste -sd, | sed 's/,/, /g')
if [ -n "$missing" ]; then
    [ "${KOOBATCH_SYSTEMD:-}" = required ] && { echo "Bail out! needs $missing"; exit 1; }
    echo "1..0 # SKIP needs $missing"
    exit 0
fi
isolate "$package" "$simulator"

readonly database=/var/lib/koobatch/koobatch.db
readonly endpoint=http://127.0.0.1:18080

# What systemd knows of a service. $1: a property; $2: the service.
property() { inside systemctl show --property="$1" --value "${2:-koobatch}"; }
state() { inside systemctl is-active "${1:-koobatch}" || true; }
journal_of() {
    inside journalctl --sync
    inside journalctl --unit="$1" --output=cat --no-pager
}
journal() { journal_of koobatch; }
on_failure() { journal | tail -n 8; }
# Statements by a member of the group koobatch, with the stock shell.
sql() { inside runuser -u alice -- sqlite3 -cmd ".timeout 2000" "${2:-$database}" "$1"; }
sql_is() { [ "$(sql "$2")" = "$1" ]; }
modes() { inside sh -c "cd /var/lib/koobatch && stat --format='%n %a %U:%G' $1"; }
write() { inside sh -c "umask 077; cat >$1"; }
# The statement of a job. $1: how many instances; $2: its label.
job() {
    printf "INSERT INTO command_jobs (label, command, instance_ids) WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL
            SELECT i + 1 FROM n WHERE i < %d) SELECT '%s', 'ls -l /system', json_group_array('p' || i) FROM n" "$1" "$2"
}
# Inserts a job of 640 instances, and returns once requests are in flight. $1: its label.
work_on() {
    sql "$(job 640 "$1")"
    wait_until 10 in_flight || echo "# nothing is in flight"
}
in_flight() { sql_is 1 "SELECT count(*) > 0 FROM attempts WHERE finished_at IS NULL"; }
succeeded() { wait_until 30 sql_is "succeeded $1" "SELECT state || ' ' || succeeded FROM job_status WHERE label = '$2'"; }
configure() {
    inside sh -c 'cat >/etc/koobatch/koobatch.yaml' <<YAML
koophone:
  endpoint: $endpoint
$1
submit:
  max_in_flight: 2
retry:
  base_delay: 0.1
poll:
  initial_delay: 0.2
YAML
}
queue_twice() {
    inside systemctl start koobatch-nightly
    inside systemctl start koobatch-nightly
    sql "SELECT count(*) FROM command_jobs WHERE label = 'nightly'"
}
left_behind() {
    state
    inside sh -c "ls -d /etc/koobatch/* /etc/systemd/system/*.wants/koobatch.service $database 2>/dev/null"
}
main_pid() { property MainPID; }
restarted() { [ "$(state)" = active ] && [ "$(main_pid)" != "$1" ]; }
watchdog_was_fed() { [ "$(property WatchdogTimestampMonotonic)" != "$1" ]; }

prepare_root "$root"
cp "$package" "$work/koobatch.deb"
dpkg-deb -R "$package" "$work/next"
sed -i 's/^Version: .*/&+next/' "$work/next/DEBIAN/control"
dpkg-deb --root-owner-group -Znone --build "$work/next" "$work/next.deb" >/dev/null
rm -rf "$work/next"

boot "$root" "$work" "$work/console"
echo "# $(inside systemctl --version | head -n 1)"
inside useradd --create-home alice
inside useradd --create-home bob
nsenter --target "$leader" --net -- "$simulator" --port 18080 --delay 0.2 --token t0 \
    --access-key AK1 --secret-key SK1 >"$work/simulator" 2>&1 &
wait_until 10 grep -q listening "$work/simulator"

# From here on what fails is a check: that of the step, or of what needs it.
set +e

echo "# Install"
check "the package installs and says what to do next" \
    says "sudo systemctl enable --now koobatch" inside dpkg --install /host/koobatch.deb
check "it starts nothing by itself" is "inactive disabled" echo "$(state) $(inside systemctl is-enabled koobatch || true)"
check "the directory is for koobatch and its group alone" is ". 2770 koobatch:koobatch" modes .
check "the installed units verify" inside env MANPATH=/host systemd-analyze verify --man=no --recursive-errors=yes \
    koobatch.service koobatch@eu.service
inside usermod --append --groups koobatch alice

echo "# A configuration that is wrong"
inside systemctl --quiet start koobatch
check "without a token the start fails with status 78 and is not tried again" \
    is "failed exit-code 78 0" echo "$(state) $(property Result) $(property ExecMainStatus) $(property NRestarts)"
check "the journal says which setting wants the token" says "koophone.auth.token_file: required" journal
echo t0 | write /etc/koobatch/token
echo "submit: {chunk_size: 101}" | inside tee /etc/koobatch/koobatch.yaml >/dev/null
inside systemctl start koobatch
check "a bad configuration ends with status 78 and is not tried again" \
    is "failed 78 0" echo "$(state) $(property ExecMainStatus) $(property NRestarts)"
check "the journal names every problem" says "submit.chunk_size: must be" journal

echo "# Start and use"
configure ""
check "enable --now returns once the daemon is ready" inside systemctl enable --now --quiet koobatch
check "it is active" is active state
check "its status says what it does" wait_until 5 fails is "" property StatusText
check "the database, its WAL and its lock are for the group" is "koobatch.db 660 koobatch:koobatch
koobatch.db-shm 660 koobatch:koobatch
koobatch.db-wal 660 koobatch:koobatch
koobatch.db.lock 660 koobatch:koobatch" modes "koobatch.db*"
check "a member of the group inserts a job with sqlite3" sql "$(job 2 first)"
check "its results appear" succeeded 2 first
check "its filter of system calls refuses nothing that it does" fails grep -E "errno=1( |$)" <(journal)
check "a stranger can do nothing with the database" \
    says "unable to open database" inside runuser -u bob -- sqlite3 $database "SELECT * FROM job_status"
check "the sandbox holds: no privileges, none to be had, a filter of system calls" is "CapEff:	0000000000000000
NoNewPrivs:	1
Seccomp:	2" inside grep -E '^(CapEff|NoNewPrivs|Seccomp):' "/proc/$(main_pid)/status"
check "and a file system that is read-only elsewhere" \
    says "Read-only file system" inside nsenter --target "$(main_pid)" --mount touch /etc/koobatch/x

echo "# Reload"
pid=$(main_pid)
configure "log: {level: debug}"
check "reload succeeds with a good configuration" inside systemctl reload koobatch
check "it is put in force by the same process" wait_until 5 says "The configuration has changed from=info key=log.level to=debug" journal
configure "log: {level: loud}"
check "reload succeeds with a bad one too: the service goes on" inside systemctl reload koobatch
check "the journal names the problem, and the old configuration stays in force" \
    wait_until 5 says "the old one stays in force" journal
check "the process is the same, and works" is "active $pid" echo "$(state) $(main_pid)"
configure ""
sql "$(job 2 reloaded)"
check "jobs run after it" succeeded 2 reloaded

echo "# Crash, stall, stop"
work_on crash
pid=$(main_pid)
inside systemctl kill --signal=KILL --kill-whom=main koobatch
check "killed with work in flight, it is started again" wait_until 15 restarted "$pid"
check "nothing is lost: all 640 instances succeed" succeeded 640 crash
check "the repeated requests are visible" sql_is 1 "SELECT count(*) > 0 FROM attempts WHERE outcome = 'unknown'"

inside mkdir -p /run/systemd/system/koobatch.service.d
printf '[Service]\nWatchdogSec=4\n' | inside tee /run/systemd/system/koobatch.service.d/test.conf >/dev/null
inside systemctl daemon-reload
inside systemctl restart koobatch
check "the idle daemon feeds the watchdog" wait_until 10 watchdog_was_fed "$(property WatchdogTimestampMonotonic)"
pid=$(main_pid)
inside systemctl kill --signal=STOP --kill-whom=main koobatch
check "one that stalls is killed by the watchdog and started again" wait_until 20 restarted "$pid"
check "the journal says why" says "Watchdog timeout" journal
inside rm -r /run/systemd/system/koobatch.service.d
inside systemctl daemon-reload
inside systemctl restart koobatch

work_on stop
inside systemctl stop koobatch
check "stopped with requests in flight, it ends in order" \
    is "inactive success 0" echo "$(state) $(property Result) $(property ExecMainStatus)"
check "each of them is recorded, and their job waits" is "0|1|running" \
    sql "SELECT (SELECT count(*) FROM attempts WHERE finished_at IS NULL), submitted + succeeded > 0, state
           FROM job_status WHERE label = 'stop'"
# shellcheck disable=SC2016
inside runuser -u alice -- sqlite3 $database "$(job 2 'dead shell')" '.shell kill -KILL $PPID'
check "a member's shell that died left its WAL to the group" \
    is "koobatch.db-wal 660 alice:koobatch" modes koobatch.db-wal
inside systemctl start koobatch
check "the job that was stopped goes on to its end" succeeded 640 stop
check "and so does what the dead shell had inserted" succeeded 2 "dead shell"

echo "# The other ways to authenticate"
inside rm /etc/koobatch/token
echo sim-password | write /etc/koobatch/password
configure "  auth: {method: password, iam_endpoint: '$endpoint', user: sim-user, domain: sim-domain, project: sim-project}"
inside systemctl restart koobatch
sql "$(job 2 password)"
check "a password is passed as a credential" succeeded 2 password
inside rm /etc/koobatch/password
echo SK1 | write /etc/koobatch/secret_key
configure "  auth: {method: aksk, access_key: AK1}"
inside systemctl restart koobatch
sql "$(job 2 aksk)"
check "a secret key is passed as a credential" succeeded 2 aksk
echo t0 | write /etc/koobatch/token
configure ""
inside systemctl restart koobatch

echo "# An instance of its own, and a timer"
echo t0 | write /etc/koobatch/eu.token
printf 'koophone: {endpoint: "%s"}\npoll: {initial_delay: 0.2}\n' $endpoint | inside tee /etc/koobatch/eu.yaml >/dev/null
inside systemctl start koobatch@eu
check "an instance without a database of its own does not touch the other's" \
    says "cannot lock $database.lock" journal_of koobatch@eu
inside systemctl stop koobatch@eu
echo "database: /var/lib/koobatch/eu/koobatch.db" | inside tee -a /etc/koobatch/eu.yaml >/dev/null
check "with one it starts beside the other" inside systemctl start koobatch@eu
eu=/var/lib/koobatch/eu/koobatch.db
sql "$(job 2 eu)" $eu
check "and works" wait_until 10 is succeeded sql "SELECT state FROM job_status WHERE label = 'eu'" $eu
inside systemctl stop koobatch@eu koobatch
inside sh -c 'cp /usr/share/doc/koobatch/examples/koobatch-nightly.* /etc/systemd/system && systemctl daemon-reload'
check "the example timer can be enabled" inside systemctl enable --now --quiet koobatch-nightly.timer
check "its service queues a job, and no second one while that is unfinished" is 1 queue_twice
check "the journal names the job" says "queued job" journal_of koobatch-nightly
inside systemctl start koobatch
check "the job runs" succeeded 2 nightly

echo "# Upgrade, removal"
work_on upgrade
pid=$(main_pid)
check "an upgrade installs while the daemon works, and keeps the configuration" \
    says "Setting up koobatch" inside dpkg --install /host/next.deb
check "the new daemon runs, and the other instance, which did not, does not" \
    is "active new inactive" echo "$(state) $([ "$(main_pid)" = "$pid" ] || echo new) $(state koobatch@eu)"
check "nothing is lost: all 640 instances succeed" succeeded 640 upgrade
check "removal stops the daemon" inside dpkg --remove koobatch
check "and keeps configuration and database" is "inactive
/etc/koobatch/eu.token
/etc/koobatch/eu.yaml
/etc/koobatch/koobatch.yaml
/etc/koobatch/secret_key
/etc/koobatch/token
/etc/systemd/system/multi-user.target.wants/koobatch.service
$database" left_behind
check "purging says that the databases stay" \
    says "the databases in /var/lib/koobatch stay" inside dpkg --purge koobatch
check "the configuration, the secrets and the link that enabled it are gone, the record is not" is "inactive
$database" left_behind
check "what was recorded can still be read" sql "SELECT count(*) FROM job_status"

summary || exit 1
