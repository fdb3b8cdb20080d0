#!/bin/bash
# Holds the units against systemd's own checks. They name the installed program and manual pages, which are replaced by
# a program that exists and the pages of this tree.
set -euo pipefail
cd "$(dirname "$0")/../.."

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

mkdir -p "$work/man/man1" "$work/man/man5"
cp etc/man/*.1 "$work/man/man1"
cp etc/man/*.5 "$work/man/man5"
sed 's|/usr/bin/koobatch|/bin/true|' systemd/koobatch.service >"$work/koobatch.service"
sed 's|/usr/bin/koobatch|/bin/true|' systemd/koobatch@.service >"$work/koobatch@tenant.service"
sed 's|/usr/bin/sqlite3|/bin/true|' systemd/examples/koobatch-nightly.service >"$work/koobatch-nightly.service"
cp systemd/examples/koobatch-nightly.timer "$work"
man=no
command -v man >/dev/null && man=yes
MANPATH=$work/man systemd-analyze verify --man=$man --recursive-errors=yes "$work"/*.service "$work"/*.timer

# $1: a unit; $2: the exposure that is allowed, times ten.
exposure() {
    local said
    if ! said=$(systemd-analyze security --no-pager --offline=true --threshold="$2" "$work/$1"); then
        echo "$said" | grep -v '^✓'
        return 1
    fi
    echo "$said" | tail -n 1 | sed 's/^→ //'
}
exposure koobatch.service 13
exposure koobatch@tenant.service 13
exposure koobatch-nightly.service 30

# One unit is the other with the name of the instance put in.
named=$(sed -e '/^#/d' -e 's|in SQLite$|& (%i)|' -e 's|run$|& --config /etc/koobatch/%i.yaml|' \
    -e 's|^StateDirectory=koobatch$|&/%i|' -e 's|^RuntimeDirectory=koobatch$|&-%i|' -e 's|:/etc/koobatch/|&%i.|' systemd/koobatch.service)
if ! diff <(echo "$named") <(sed '/^#/d' systemd/koobatch@.service); then
    echo "systemd/koobatch.service and systemd/koobatch@.service differ in more than the instance's name" >&2
    exit 1
fi
