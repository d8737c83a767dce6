#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Builds with optimisation in build-bench and runs the benchmarks; arguments go to the program (see bench.c). The figures
# are also written to build-bench/bench.json. Installs what is missing, as tests/run.sh does.
set -eu
cd "$(dirname "$0")/../.."
packages="gcc libc6-dev meson ninja-build pkg-config libxxhash-dev libcmocka-dev libjansson-dev"
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
exec build-bench/tests/bench/bench --folder build-bench --json build-bench/bench.json "$@"
