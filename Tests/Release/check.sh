#!/bin/bash
# Holds the release binary against what it may need at run time. $1: the binary.
set -euo pipefail

allowed='linux-vdso|ld-linux|libc\.so|libm\.so|libgcc_s|libstdc\+\+|libz\.so|libsqlite3|libpthread|libdl|librt'
others=$(ldd "$1" | grep -vE "$allowed" || true)
if [ -n "$others" ]; then
    echo "$1 needs more than libsqlite3, libstdc++, zlib and glibc:" >&2
    echo "$others" >&2
    exit 1
fi
"$1" --version
"$1" migrate --database "$(mktemp -d)/koobatch.db"
echo "$1: $(stat -c %s "$1") bytes, $(ldd "$1" | grep -c so) libraries, all of them allowed"
