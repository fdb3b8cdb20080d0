#!/bin/bash
# Makes the Debian package of a binary that is built. $1: the binary; $2: the package.
#
# The same binary gives the same package, byte for byte.
set -euo pipefail
cd "$(dirname "$0")/../.."
binary=$1
package=$2

for tool in dpkg-deb:dpkg dpkg-shlibdeps:dpkg-dev strip:binutils; do
    command -v "${tool%%:*}" >/dev/null || {
        echo "make deb needs the Debian package ${tool##*:}; install it with: sudo apt-get install ${tool##*:}" >&2
        exit 1
    }
done

version=$("$binary" --version)
head=$(head -n 1 etc/debian/changelog)
if [[ $head != "koobatch ($version) "* ]]; then
    echo "etc/debian/changelog begins with \"$head\": add an entry for $version" >&2
    exit 1
fi
SOURCE_DATE_EPOCH=$(dpkg-parsechangelog -l etc/debian/changelog -S Timestamp)
export SOURCE_DATE_EPOCH

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
root=$work/root
doc=$root/usr/share/doc/koobatch
umask 022

make --no-print-directory --silent install BINARY="$binary" DESTDIR="$root" \
    ZSH_COMPLETIONS=/usr/share/zsh/vendor-completions
gzip -9n <etc/debian/changelog >"$doc/changelog.gz"
install -m 644 etc/debian/copyright "$doc/copyright"
install -D -m 644 etc/debian/lintian-overrides "$root/usr/share/lintian/overrides/koobatch"
for text in .build/checkouts/*/LICENSE* .build/checkouts/*/NOTICE* "$(dirname "$(realpath "$(command -v swift)")")"/../share/swift/LICENSE.txt; do
    [ -f "$text" ] || continue
    printf '==== %s\n\n' "$(basename "$(dirname "$text")")/$(basename "$text")"
    cat "$text"
    echo
done | gzip -9n >"$doc/third-party-licenses.gz"

install -d "$root/DEBIAN" "$work/debian"
install -m 755 etc/debian/postinst etc/debian/prerm etc/debian/postrm "$root/DEBIAN"
echo /etc/koobatch/koobatch.yaml >"$root/DEBIAN/conffiles"
(cd "$root" && find . -path ./DEBIAN -prune -o -type f -printf '%P\0' | sort -z | xargs -0 md5sum) \
    | grep -v ' etc/' >"$root/DEBIAN/md5sums"

# dpkg-shlibdeps wants to see a source package. It knows the versions that the symbols need; 3.40 is what is tested.
printf 'Source: koobatch\n\nPackage: koobatch\nArchitecture: any\n' >"$work/debian/control"
depends=$(cd "$work" && dpkg-shlibdeps -O -eroot/usr/bin/koobatch 2>/dev/null)
depends=$(sed -E 's/^shlibs:Depends=//; s/libsqlite3-0 \([^)]*\)/libsqlite3-0 (>= 3.40)/' <<<"$depends")
sed -e "s|@VERSION@|$version|; s|@ARCHITECTURE@|$(dpkg --print-architecture)|; s|@DEPENDS@|$depends|" \
    -e "s|@SIZE@|$(du -sk --apparent-size --exclude=DEBIAN "$root" | cut -f 1)|" \
    etc/debian/control >"$root/DEBIAN/control"

find "$root" -print0 | xargs -0 touch --no-dereference --date="@$SOURCE_DATE_EPOCH"
mkdir -p "$(dirname "$package")"
dpkg-deb --root-owner-group -Zxz --build "$root" "$package"
echo "$package: $(stat -c %s "$package") bytes, $(stat -c %s "$root/usr/bin/koobatch") bytes the program; Depends: $depends"
