# shellcheck shell=bash
# A Debian 12 with systemd as PID 1, booted by systemd-nspawn in namespaces of its own. Sourced by service.sh.
#
# Everything is inside a PID and a mount namespace that end with the script, however it ends; the root file system is
# read through an overlay in memory, so that each boot is pristine. Kill -9 leaves an empty cgroup and a directory of
# temporary files, nothing else.

readonly packages=systemd,systemd-sysv,dbus,libnss-systemd,procps,sqlite3,libsqlite3-0,libstdc++6,zlib1g
readonly cgroups=/sys/fs/cgroup
work=${KOOBATCH_TEST_WORK:-}
machine=koobatch-test-${work##*.}
leader=
nspawn=

# Names what is missing for the tests; says nothing where all is there.
missing_requirements() {
    local tool
    [ "$(id -u)" = 0 ] || echo "root"
    for tool in systemd-nspawn:systemd-container debootstrap:debootstrap nsenter:util-linux dpkg-deb:dpkg; do
        command -v "${tool%%:*}" >/dev/null || echo "the Debian package ${tool##*:}"
    done
}

# Runs this script anew inside namespaces of its own, with a directory for temporary files in $work, then removes what is
# left of it, and ends. Returns at once where it runs inside already.
isolate() {
    [ -z "$work" ] || return 0
    local child status=0
    work=$(mktemp -d "${TMPDIR:-/tmp}/koobatch-systemd.XXXXXX")
    machine=koobatch-test-${work##*.}
    KOOBATCH_TEST_WORK=$work setpriv --pdeathsig KILL \
        unshare --mount --pid --fork --kill-child --mount-proc --propagation private bash "$0" "$@" &
    child=$!
    # The first process of a PID namespace takes all others along.
    trap 'pkill -KILL --parent "$child"' INT TERM
    trap clean_up EXIT
    wait "$child" || status=$?
    # A signal ends the wait before its time.
    wait "$child" 2>/dev/null || true
    exit $status
}

clean_up() {
    find /sys/fs/cgroup -depth -path "*/$machine*" -type d -exec rmdir {} + 2>/dev/null || true
    rmdir "/run/systemd/nspawn/propagate/$machine" 2>/dev/null || true
    rm -rf "$work"
}

# $1: the directory of the root file system, which is made once.
prepare_root() {
    local root=$1
    [ -e "$root/.complete" ] && return
    echo "# debootstrap into $root"
    rm -rf "$root"
    mkdir -p "$root"
    if ! debootstrap --variant=minbase --include=$packages bookworm "$root" >"$root.log" 2>&1; then
        tail -n 20 "$root.log"
        echo "Bail out! debootstrap failed"
        exit 1
    fi
    rm -rf "$root"/var/lib/apt/lists/* "$root"/var/cache/apt/archives/*.deb
    touch "$root/.complete"
}

# Boots. $1: the root file system; $2: a directory that the machine sees as /host, read-only; $3: a file for its console.
boot() {
    local root=$1 host=$2 console=$3
    # systemd wants a cgroup v2 and nothing else, which is not how every machine mounts it.
    umount -R $cgroups
    mount -t cgroup2 none $cgroups
    mkdir "$cgroups/$machine"
    bash -c "echo \$\$ >$cgroups/$machine/cgroup.procs
        exec systemd-nspawn --quiet --directory='$root' --volatile=overlay --bind-ro='$host:/host' --machine=$machine \
            --boot --register=no --keep-unit --console=pipe --link-journal=no --private-network \
            --capability=CAP_BPF --system-call-filter=bpf" </dev/null >"$console" 2>&1 &
    nspawn=$!
    wait_until 30 booted || {
        tail -n 20 "$console"
        echo "Bail out! systemd did not come up"
        exit 1
    }
}

booted() {
    # Of nspawn's children the machine's first process is the one that is number 1 in its own namespace.
    for leader in $(pgrep -P "$nspawn"); do
        grep -qE '^NSpid:.*[[:space:]]1$' "/proc/$leader/status" && break
        leader=
    done
    [ -n "$leader" ] && [ "$(inside systemctl is-system-running)" = running ]
}

# Runs a command in the machine, as root.
inside() {
    nsenter --target "$leader" --mount --uts --ipc --net --pid --cgroup -- "$@"
}

# Waits until a command succeeds. $1: for how many seconds at most.
wait_until() {
    local end=$((SECONDS + $1))
    shift
    until "$@" >/dev/null 2>&1; do
        [ $SECONDS -lt $end ] || return 1
        read -rt 0.1 <> <(:) || true
    done
}
