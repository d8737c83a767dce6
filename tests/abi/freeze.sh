#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Writes down today's interface: the ABI baselines, the coming release's nodes, and, for the first release, its headers.
# docs/abi.md tells when. What a tag of the release says is out is left alone.
#
#   tests/abi/freeze.sh BUILD
set -eu
build=${1:?usage: tests/abi/freeze.sh BUILD}
build=$(cd "$build" && pwd)
cd "$(dirname "$0")"
root=../..
version=$(sed -n "s/^  version: '\(.*\)',/\1/p" $root/meson.build)
release=${version%.*}

ninja -C "$build" tests/abi/libselsnap-abi.so tests/abi/libselsnap-select-abi.so >/dev/null
for name in selsnap selsnap-select; do
    python3 -B check_baseline.py --renew "baseline/lib$name.xml" "$build/tests/abi/lib$name-abi.so" $root/include
done

if git rev-parse -q --verify "refs/tags/v$release.0" >/dev/null; then
    echo "$release is out: its nodes stay as they are"
    exit 0
fi
write_node() { # NODE MAP
    sed -n "/^$1 {/,/^}/p" "$2" | grep -oE '\bselsnap_[a-z0-9_]+' | LC_ALL=C sort >"nodes/$1.txt"
    [ -s "nodes/$1.txt" ] || rm "nodes/$1.txt"
}
write_node "SELSNAP_$release" $root/src/api/selsnap.map
write_node "SELSNAP_SELECT_$release" $root/src/select/selsnap-select.map
if [ "$version" = 0.1.0 ]; then
    cp $root/include/selsnap/*.h "$build/include/selsnap/version.h" first/selsnap/
    (cd first && find . -type f ! -name SHA256SUMS | sed 's|^\./||' | LC_ALL=C sort | xargs sha256sum >SHA256SUMS)
fi
