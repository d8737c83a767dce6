#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Makes the packages of Debian from what is committed, and tries them; TAP on standard output.
#
#   tests/packages/run.sh [STAGE...]     all of these, in this order, if none is named:
#
#   build    the source by `meson dist`, and packages from it
#   lint     lintian finds no error and no warning
#   again    a second build, elsewhere and otherwise, has the same bytes
#   smoke    in a clean root made by debootstrap the packages install, work (debian/tests/smoke), and go without a trace;
#            needs root, and a mirror of Debian
#
# Packages and logs are in build-packages/. What building needs: apt-get build-dep ./tests/packages; the rest: lintian,
# debootstrap, faketime. `tests/run.sh packages` installs all of it, and runs this.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
place=$root/build-packages
clean=$place/clean-root
number=0
failed=0

case_ok() { number=$((number + 1)) && echo "ok $number - $*"; }
case_failed() { number=$((number + 1)) && failed=$((failed + 1)) && echo "not ok $number - $*"; }
case_skipped() { number=$((number + 1)) && echo "ok $number - $* # SKIP $why"; }

# Runs a command with its output in a log of a name; if it fails the end of that is shown, and nothing else is done.
logged() {
    local name=$1
    shift
    "$@" >"$place/$name.log" 2>&1 </dev/null && return
    tail -n 40 "$place/$name.log" | sed 's/^/# /'
    case_failed "$name: the whole log is $place/$name.log"
    exit 1
}

# The tarball of a release, from the last commit.
make_source() {
    rm -rf "$place"
    mkdir -p "$place"
    git -C "$root" diff-index --quiet HEAD || echo "# what is not committed is not in the packages"
    logged dist-setup meson setup "$place/dist" "$root" -Dtests=false -Dtools=false -Dselect=disabled
    logged dist meson dist -C "$place/dist" --no-tests --allow-dirty
    tarball=$(echo "$place"/dist/meson-dist/selsnap-*.tar.xz)
    case_ok "meson dist makes ${tarball##*/}"
}

# Unpacks the source into a folder and puts debian/ in place; the version and the date are those of the source. By this
# revision Debian's own packages of the version, should there be any, are newer.
unpack() {
    local folder=$1 version
    tarball=$(echo "$place"/dist/meson-dist/selsnap-*.tar.xz)
    version=${tarball##*/selsnap-}
    version=${version%.tar.xz}
    mkdir -p "$folder"
    cp "$tarball" "$folder/selsnap_$version.orig.tar.xz"
    tar -xf "$tarball" -C "$folder"
    source=$folder/selsnap-$version
    cp -r "$source/tests/packages/debian" "$source/debian"
    cat >"$source/debian/changelog" <<END
selsnap ($version-0upstream1) unstable; urgency=medium

  * See /usr/share/doc/libselsnap0/changelog.gz.

 -- $(sed -n 's/^Maintainer: //p' "$source/debian/control")  $(git -C "$root" log -1 --format=%cD)
END
}

build() {
    make_source
    unpack "$place/first"
    cd "$source"
    logged build env LC_ALL=C.UTF-8 TZ=UTC DEB_BUILD_OPTIONS="${DEB_BUILD_OPTIONS:-}" dpkg-buildpackage -us -uc --jobs=auto
    cp "$place"/first/*.deb "$place"
    case_ok "$(find "$place" -maxdepth 1 -name '*.deb' ! -name '*-dbgsym_*' | wc -l) packages are built"
}

lint() {
    local log=$place/lintian.log
    if lintian --profile debian --allow-root --fail-on error,warning --show-overrides "$place"/first/*.changes >"$log" 2>&1; then
        case_ok "lintian has no error and no warning"
    else
        case_failed "lintian"
    fi
    sed 's/^/# /' "$log"
}

# In another folder, 400 days later, in another time zone and language, with another umask, home and number of processors.
again() {
    local other="$place/second/somewhere+else" ours theirs
    rm -rf "$place/second"
    (umask 077 && mkdir -p "$place/second/home")
    unpack "$other"
    cd "$source"
    umask 027
    logged build-again env -i PATH="/usr/games:$PATH" HOME="$place/second/home" LC_ALL=C LANG=C LANGUAGE=tr TZ=Asia/Kathmandu USER=other \
        DEB_BUILD_OPTIONS="nocheck" faketime -f '+400d' dpkg-buildpackage -us -uc --build=binary --jobs=1
    umask 022
    for ours in "$place"/first/*.deb; do
        theirs=$other/${ours##*/}
        if [ "$(sha256sum <"$ours")" = "$(sha256sum <"$theirs")" ]; then
            case_ok "the same bytes again: ${ours##*/}, $(sha256sum <"$ours" | cut -c1-16)"
        else
            case_failed "other bytes: ${ours##*/}; compare with $theirs"
        fi
    done
}

# The mirrors that this machine uses.
sources() {
    local found
    found=$(apt-get indextargets --format 'deb $(REPO_URI) $(RELEASE) $(COMPONENT)' 'Identifier: Packages' 'Origin: Debian' | sort -u)
    echo "${found:-deb http://deb.debian.org/debian $codename main}"
}

# What mounts are made in here are gone with it, and so are processes.
inside() {
    unshare --mount --propagation private --pid --fork --kill-child "$@"
}
in_clean_root() {
    # shellcheck disable=SC2016
    inside sh -euc 'root=$1; shift; mount -t proc proc "$root/proc"; exec chroot "$root" "$@"' sh "$clean" "$@"
}

make_clean_root() {
    local mirror
    rm -rf --one-file-system "$clean"
    mirror=$(sources | awk -v suite="$codename" '$3 == suite { print $2; exit }')
    logged debootstrap inside debootstrap --variant=minbase "$codename" "$clean" "$mirror"
    sources >"$clean/etc/apt/sources.list"
    apt-config dump | grep -E '^Acquire::(http|https|Check|Retries|Force)' >"$clean/etc/apt/apt.conf.d/90host" || true
    cp /etc/resolv.conf "$clean/etc/"
    mkdir "$clean/packages" "$clean/source"
    find "$place/first" -name '*.deb' ! -name '*-dbgsym_*' -exec cp {} "$clean/packages" \;
    (cd "$place"/first/selsnap-*/ && cp -r --parents debian tests/packages/consumer "$clean/source")
    case_ok "debootstrap makes a clean root of $codename"
}

# All that has the project's name in the clean root, but what was put there to be installed.
traces() {
    (cd "$clean" && find . -xdev \( -path ./packages -o -path ./source -o -path ./proc -o -path ./var/log -o -path ./var/lib/apt \) -prune \
        -o -name '*selsnap*' -print)
}

smoke() {
    local why needed line
    codename=$(. /etc/os-release && echo "${VERSION_CODENAME:-}")
    if [ "$(id -u)" -ne 0 ] || ! inside true 2>/dev/null; then
        why="needs root, and the right to mount" case_skipped "clean root"
        return
    fi
    trap 'rm -rf --one-file-system "$clean"' EXIT
    make_clean_root
    traces >"$place/traces-before"
    needed=$(sed -n 's/^Depends: @, //p' "$here/debian/tests/control" | tr -d ,)
    # shellcheck disable=SC2086,SC2016
    logged install in_clean_root env DEBIAN_FRONTEND=noninteractive sh -euc \
        'apt-get update && apt-get install -y --no-install-recommends /packages/*.deb "$@"' sh $needed
    case_ok "the packages install in it"
    in_clean_root env -C /source setpriv --reuid=65534 --regid=65534 --clear-groups --no-new-privs \
        env -i PATH=/usr/bin:/bin HOME=/nonexistent debian/tests/smoke >"$place/smoke.log" 2>&1 </dev/null || true
    while read -r line; do
        case $line in
        "ok "*) case_ok "as nobody: ${line#* - }" ;;
        "not ok "*) case_failed "as nobody: ${line#* - }" ;;
        "#"*) echo "$line" ;;
        esac
    done <"$place/smoke.log"
    [ "$(grep -Ec '^(not )?ok ' "$place/smoke.log")" = "$(sed -n 's/^1\.\.//p' "$place/smoke.log")" ] || case_failed "the smoke test did not end"
    logged purge in_clean_root sh -euc 'apt-get purge -y $(dpkg-query -W -f "\${Package} \${source:Package}\n" | sed -n "s/ selsnap\$//p")'
    if traces | diff "$place/traces-before" - | sed 's/^/# /' | grep .; then
        case_failed "what is left of purged packages"
    else
        case_ok "purged, nothing is left of them"
    fi
}

for stage in "${@:-build lint again smoke}"; do
    for each in $stage; do
        case $each in
        build) build ;;
        lint | again | smoke)
            [ -d "$place/first" ] || { echo "run.sh: nothing is built yet: tests/packages/run.sh build" >&2 && exit 2; }
            "$each"
            ;;
        *) echo "run.sh: no stage is named $each; see the head of $0" >&2 && exit 2 ;;
        esac
    done
done
echo "1..$number"
exit $((failed > 0))
