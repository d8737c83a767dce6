#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Builds the project, tests it and checks it on Debian 12, installing what is missing (as root, or with sudo).
#
#   tests/run.sh           gcc, clang, AddressSanitizer, ThreadSanitizer, MemorySanitizer, Valgrind, coverage, static checkers,
#                          the bindings
#   tests/run.sh --quick   a gcc build with its shorter suites, and cppcheck
#   tests/run.sh --cross   the builds for other machines alone: see tests/cross/run.sh
#   tests/run.sh --long    the same, more of it, planted mistakes, the long modes of the random tests: hours
#
# tests/checks/steps.py holds the steps; names of steps after the options run only these. The last line is
# "N passed, N failed", counted in test cases; a check is one. The exit code is 0 if some passed and none failed.
set -u
exec </dev/null

root=$(cd "$(dirname "$0")/.." && pwd) || exit 1
cd "$root" || exit 1
mode=ci
steps=
for arg in "$@"; do
    case $arg in
    --quick) mode=quick ;;
    --long) mode=long ;;
    --cross) mode=cross ;;
    -*)
        echo "usage: tests/run.sh [--quick | --cross | --long] [STEP...]" >&2
        exit 2
        ;;
    *) steps="$steps $arg" ;;
    esac
done

packages="gcc libc6-dev meson ninja-build pkg-config libxxhash-dev libzstd-dev liburing-dev libcmocka-dev libjansson-dev e2fsprogs doxygen
    libblkid-dev libext2fs-dev fdisk mount python3 binutils cppcheck"
if [ "$mode" != quick ]; then
    packages="$packages gcc-s390x-linux-gnu libc6-dev-s390x-cross qemu-user xz-utils"
fi
if [ "$mode" = cross ] || [ "$mode" = long ]; then
    packages="$packages gcc-aarch64-linux-gnu libc6-dev-arm64-cross gcc-i686-linux-gnu libc6-dev-i386-cross libc6-i386 musl-tools
        gcc-mingw-w64-x86-64-posix wine wine64"
fi
if [ "$mode" = ci ] || [ "$mode" = long ]; then
    packages="$packages g++ abigail-tools cmake spin tcc clang clang-tidy libclang-rt-14-dev valgrind gcovr golang-go
        python3-dev python3-cffi python3-build python3-venv python3-setuptools python3-wheel python3-pytest python3-hypothesis mypy
        scdoc mandoc zsh nbdkit nbdkit-plugin-dev nbdkit-plugin-python libnbd-bin python3-libnbd qemu-utils fio fuse3 xfsprogs"
fi
case "$mode $steps " in
long* | *" packages "*)
    packages="$packages git dpkg-dev debhelper dh-python doxygen scdoc nbdkit-plugin-dev python3-dev python3-cffi python3-setuptools
        lintian debootstrap faketime"
    ;;
esac
python=/usr/bin/python3
[ -x "$python" ] || python=python3

install_missing() {
    command -v dpkg-query >/dev/null || return 0 # not Debian: a step tells what is missing
    missing=
    for package in $packages; do
        case $(dpkg-query -W -f '${Status}' "$package" 2>/dev/null) in
        *" installed") ;;
        *) missing="$missing $package" ;;
        esac
    done
    [ -n "$missing" ] || return 0
    echo "installing:$missing"
    as_root=
    if [ "$(id -u)" -ne 0 ]; then
        command -v sudo >/dev/null || return 1
        as_root="sudo -n"
    fi
    install="$as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends $missing"
    $install >/dev/null 2>&1 || { $as_root apt-get update >/dev/null && $install >/dev/null; }
}

if ! install_missing; then
    echo "could not install what is missing: $missing" >&2
    echo "0 passed, 1 failed"
    exit 1
fi
# shellcheck disable=SC2086
exec "$python" -B "$root/tests/checks/steps.py" "$mode" $steps
