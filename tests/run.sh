#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Builds the project and runs all its tests on Debian 12, installing what is missing (as root, or with sudo).
#
#   tests/run.sh           everything, then threads under ThreadSanitizer, unit and api under AddressSanitizer
#   tests/run.sh --quick   without the sanitizers
#
# The last line is "N passed, N failed", counted in test cases. The exit code is 0 if some passed and none failed.
set -u
exec </dev/null

root=$(cd "$(dirname "$0")/.." && pwd) || exit 1
cd "$root" || exit 1
quick=no
for arg in "$@"; do
    case $arg in
    --quick) quick=yes ;;
    *)
        echo "usage: tests/run.sh [--quick]" >&2
        exit 2
        ;;
    esac
done

packages="gcc libc6-dev meson ninja-build pkg-config libxxhash-dev libcmocka-dev libjansson-dev e2fsprogs doxygen python3
    binutils spin"
python=/usr/bin/python3
[ -x "$python" ] || python=python3

finish() { # passed failed
    echo "$1 passed, $2 failed"
    if [ "$2" -eq 0 ] && [ "$1" -gt 0 ]; then
        exit 0
    fi
    exit 1
}

install_missing() {
    command -v dpkg-query >/dev/null || return 0 # not Debian: the build tells what is missing
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
    $install >/dev/null 2>&1 || { $as_root apt-get update && $install; }
}

# build DIR OPTION...: sets up DIR if it is not there, and builds.
build() {
    dir=$1
    shift
    if [ ! -f "$dir/build.ninja" ]; then
        rm -rf "$dir"
        meson setup "$dir" -Dwerror=true "$@" || return 1
    fi
    ninja -C "$dir"
}

# run_suites DIR OPTION...: runs tests in DIR, and adds to $passed and $failed.
passed=0
failed=0
run_suites() {
    dir=$1
    shift
    rm -f "$dir/meson-logs/testlog.json"
    meson test -C "$dir" --no-rebuild --print-errorlogs "$@"
    counts=$("$python" "$root/tests/support/count_cases.py" "$dir/meson-logs/testlog.json") || counts="0 1"
    echo "$dir: ${counts% *} passed, ${counts#* } failed"
    passed=$((passed + ${counts% *}))
    failed=$((failed + ${counts#* }))
}

if ! install_missing; then
    echo "could not install what is missing: $missing" >&2
    finish 0 1
fi

if ! build build-tests -Ddocs=true; then
    finish 0 1
fi
run_suites build-tests
if [ "$quick" = no ]; then
    export ASAN_OPTIONS=detect_leaks=1:allocator_may_return_null=1 UBSAN_OPTIONS=halt_on_error=1:print_stacktrace=1
    export TSAN_OPTIONS=halt_on_error=1:second_deadlock_stack=1
    if build build-asan -Db_sanitize=address,undefined -Db_lundef=false -Dtools=false; then
        run_suites build-asan --suite unit --suite api --timeout-multiplier 4
    else
        failed=$((failed + 1))
    fi
    if build build-tsan -Db_sanitize=thread -Db_lundef=false -Dtools=false; then
        run_suites build-tsan --suite threads --timeout-multiplier 4
    else
        failed=$((failed + 1))
    fi
fi
finish "$passed" "$failed"
