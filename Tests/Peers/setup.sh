#!/bin/sh
# Makes the environment that the benchmark's peers run in: setup.sh FOLDER. What cannot be had is told and left out; the
# benchmark says so in its table.
set -u

folder=${1:?usage: setup.sh FOLDER}
here=$(dirname "$0")

install() {
    if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
        echo "installing $*"
        { apt-get update -qq && apt-get install -qq -y --no-install-recommends "$@"; } >/dev/null && return
    fi
    echo "these Debian packages are missing, and with them some peers of the benchmark: $*" >&2
}

command -v wrk >/dev/null || install wrk
python3 -c "import ensurepip, venv" 2>/dev/null || install python3-venv

if ! cmp -s "$here/requirements.txt" "$folder/requirements.txt"; then
    python3 -m venv "$folder" && "$folder/bin/pip" install --quiet -r "$here/requirements.txt" &&
        cp "$here/requirements.txt" "$folder/requirements.txt" ||
        echo "the Python peers of the benchmark cannot be installed" >&2
fi
exit 0
