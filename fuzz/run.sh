#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Installs what is needed on Debian 12 (as root, or with sudo), builds one harness, and fuzzes with it.
#
#   fuzz/run.sh NAME [SECONDS] [libfuzzer|afl]
#
# NAME is fuzz_decode, fuzz_image, fuzz_stream, fuzz_calls, fuzz_cli or fuzz_control; 600 seconds of libFuzzer if not given. Work is kept in
# build-fuzz-ENGINE/work/NAME and gone on with at the next run. Exit code 1: something was found; what, is told last.
set -u

usage() {
    echo "usage: fuzz/run.sh fuzz_decode|fuzz_image|fuzz_stream|fuzz_calls|fuzz_cli|fuzz_control [SECONDS] [libfuzzer|afl]" >&2
    exit 2
}

[ $# -ge 1 ] && [ $# -le 3 ] || usage
name=$1
seconds=${2:-600}
engine=${3:-libfuzzer}
root=$(cd "$(dirname "$0")/.." && pwd) || exit 1
cd "$root" || exit 1
[ -f "fuzz/$name.c" ] || usage
case $seconds in *[!0-9]* | '') usage ;; esac
build=build-fuzz-$engine
case $engine in
libfuzzer)
    compiler=clang
    packages="clang"
    options="-Db_sanitize=address,undefined -Dc_args=-fsanitize=fuzzer-no-link"
    ;;
afl)
    compiler=afl-clang-fast
    packages="afl++"
    options=""
    ;;
*) usage ;;
esac

missing=
for package in $packages gcc libc6-dev meson ninja-build pkg-config libxxhash-dev libzstd-dev libcmocka-dev libjansson-dev python3 \
    $([ "$name" != fuzz_control ] || echo nbdkit-plugin-dev); do
    dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q ' installed$' || missing="$missing $package"
done
if [ -n "$missing" ]; then
    echo "installing:$missing"
    as_root=
    [ "$(id -u)" -eq 0 ] || as_root="sudo -n"
    install="$as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends $missing"
    $install >/dev/null 2>&1 || { $as_root apt-get update && $install; } || exit 1
fi

if [ ! -f "$build/build.ninja" ]; then
    # shellcheck disable=SC2086
    CC=$compiler meson setup "$build" -Dfuzz=true -Db_lundef=false $options || exit 1
fi
ninja -C "$build" "fuzz/$name" || exit 1

work=$root/$build/work/$name
mkdir -p "$work/corpus" "$work/crashes"
# Where a harness keeps files while it runs.
TMPDIR=$(mktemp -d) || exit 1
export TMPDIR
trap 'rm -rf "$TMPDIR"' EXIT
trap 'exit 1' INT TERM
dictionary=
[ ! -f "fuzz/$name.dict" ] || dictionary=$root/fuzz/$name.dict

if [ "$engine" = libfuzzer ]; then
    export ASAN_OPTIONS=detect_leaks=1:allocator_may_return_null=1:abort_on_error=1
    export UBSAN_OPTIONS=halt_on_error=1:print_stacktrace=1
    "$build/fuzz/$name" "$work/corpus" "fuzz/corpus/$name" ${dictionary:+"-dict=$dictionary"} -max_len=4200 \
        -entropic=0 -timeout=20 -rss_limit_mb=2048 -max_total_time="$seconds" -print_final_stats=1 \
        -artifact_prefix="$work/crashes/"
    found=$(find "$work/crashes" -type f)
else
    export AFL_NO_UI=1 AFL_SKIP_CPUFREQ=1 AFL_NO_AFFINITY=1 AFL_I_DONT_CARE_ABOUT_MISSING_CRASHES=1 AFL_AUTORESUME=1
    afl-fuzz -i "fuzz/corpus/$name" -o "$work/afl" ${dictionary:+-x "$dictionary"} -V "$seconds" -t 5000+ -m none \
        -- "$build/fuzz/$name" || exit 1
    grep -E '^(run_time|execs_done|corpus_count|saved_crashes|saved_hangs|edges_found|total_edges)' \
        "$work/afl/default/fuzzer_stats"
    found=$(find "$work/afl" -type f \( -path '*/crashes/id*' -o -path '*/hangs/id*' \))
fi
if [ -n "$found" ]; then
    echo "found:"
    echo "$found"
    exit 1
fi
