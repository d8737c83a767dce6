#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
#   tests/bench/run.sh [--quick] [--full] [--peers] [OPTION...]
#
# Builds with optimisation in build-bench and runs the benchmarks: the program with its options (see bench.c), then the
# instructions of single operations, then with --peers the same load on other snapshots (peers.py). --quick is what
# `meson test --benchmark` runs; --full adds 10 million entries. Figures go to build-bench/*.json, and from there to
# docs/performance/*.svg by plot.py. Installs what is missing, as tests/run.sh does.
set -eu
cd "$(dirname "$0")/../.."
packages="gcc libc6-dev meson ninja-build pkg-config libxxhash-dev libzstd-dev libcmocka-dev libjansson-dev valgrind python3"
peers=
options=
for option in "$@"; do
    if [ "$option" = --peers ]; then
        peers=1
        packages="$packages qemu-utils qemu-system-common nbdkit fio libnbd-bin xfsprogs btrfs-progs"
    else
        options="$options $option"
    fi
done
for package in $packages; do
    if ! dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q ' installed'; then
        sudo=
        [ "$(id -u)" -eq 0 ] || sudo="sudo -n"
        # shellcheck disable=SC2086
        $sudo apt-get update >/dev/null && $sudo env DEBIAN_FRONTEND=noninteractive apt-get install -y \
            --no-install-recommends $packages >/dev/null
        break
    fi
done
[ -f build-bench/build.ninja ] || meson setup build-bench -Dbuildtype=release >/dev/null
ninja -C build-bench >/dev/null
here=build-bench/tests
# shellcheck disable=SC2086
"$here/bench/bench" --folder build-bench --json build-bench/bench.json $options
/usr/bin/python3 -B tests/budget/budget.py --measure "$here/budget/instructions" | tee build-bench/instructions.json
if [ -n "$peers" ]; then
    /usr/bin/python3 -B tests/bench/peers.py --folder build-bench --bench "$here/bench/bench" \
        --json build-bench/peers.json
fi
