#!/bin/bash
# Holds what is shipped against what it may need and must have. $1: the release binary; $2: the package made of it.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
binary=$(realpath "$1")
package=$(realpath "$2")
cd "$here/../.."

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
failed=0
fail() {
    echo "$1" >&2
    failed=1
}

# The program: few libraries, and it works.
allowed='linux-vdso|ld-linux|libc\.so|libm\.so|libgcc_s|libstdc\+\+|libz\.so|libsqlite3|libpthread|libdl|librt'
others=$(ldd "$binary" | grep -vE "$allowed" || true)
[ -z "$others" ] || fail "$binary needs more than libsqlite3, libstdc++, zlib and glibc: $others"
"$binary" migrate --database "$work/koobatch.db"

# The package: of this version, of the same program, with nothing that Debian's checker minds.
[ "$(dpkg-deb --field "$package" Version)" = "$("$binary" --version)" ] || fail "$package is of another version"
depends=$(dpkg-deb --field "$package" Depends | sed -E 's/ \([^)]*\)//g')
[ "$depends" = "libc6, libgcc-s1, libsqlite3-0, libstdc++6, zlib1g" ] || fail "$package depends on $depends"
dpkg-deb --extract "$package" "$work/root"
[ "$("$work/root/usr/bin/koobatch" --version)" = "$("$binary" --version)" ] || fail "the stripped program does not run"
(cd "$work/root" && dpkg-deb --info "$package" md5sums | md5sum --check --quiet) || fail "md5sums is wrong"
if command -v lintian >/dev/null; then
    lintian --allow-root --fail-on error,warning "$package" || fail "lintian minds $package"
else
    echo "lintian is missing: the package is not checked"
fi

# Every page of the manual is there and is laid out without a warning. What the pages list, ManualTests checks.
for page in etc/man/*; do
    installed=$work/root/usr/share/man/man${page##*.}/$(basename "$page").gz
    if [ ! -f "$installed" ]; then
        fail "$page is not in the package"
    elif command -v man >/dev/null; then
        warnings=$(MANROFFSEQ='' LC_ALL=C.UTF-8 man --local-file --warnings "$installed" 2>&1 >/dev/null)
        [ -z "$warnings" ] || fail "$page: $warnings"
    else
        echo "man is missing: $page is not checked"
    fi
done
for subcommand in $("$binary" --help | sed -n 's/^  \([a-z][a-z-]*\)  .*/\1/p'); do
    for file in bash-completion/completions/koobatch zsh/vendor-completions/_koobatch fish/vendor_completions.d/koobatch.fish; do
        grep -qw -- "$subcommand" "$work/root/usr/share/$file" || fail "$file does not complete $subcommand"
    done
done

[ $failed = 0 ]
echo "$binary: $(stat -c %s "$binary") bytes, $(stat -c %s "$work/root/usr/bin/koobatch") stripped, needs $depends"
echo "$package: $(stat -c %s "$package") bytes"
