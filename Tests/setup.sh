#!/bin/sh
# Sees to what the build and the tests need: Swift 6.2, libsqlite3's headers and the sqlite3 shell.
set -eu

command -v swift >/dev/null || {
    echo "koobatch needs Swift 6.2 or newer on the PATH: https://www.swift.org/install/linux/" >&2
    exit 1
}

missing=""
[ -e /usr/include/sqlite3.h ] || missing="libsqlite3-dev"
command -v sqlite3 >/dev/null || missing="$missing sqlite3"
[ -z "$missing" ] && exit 0

if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    echo "installing $missing"
    # shellcheck disable=SC2086
    { apt-get update -qq && apt-get install -qq -y --no-install-recommends $missing; } >/dev/null
else
    echo "koobatch needs these Debian packages: $missing; install them with: sudo apt-get install $missing" >&2
    exit 1
fi
