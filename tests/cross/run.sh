#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Builds the library for other machines on Debian 12 and runs its tests there, under qemu or wine where that is needed:
#
#   tests/cross/run.sh [TARGET...]    s390x aarch64 i686 musl windows portable; all of them if none is named
#
# portable is this machine, with nothing beyond POSIX and no optional library. Installs what is missing, as root or with
# sudo. The last line is "N passed, N failed". docs/testing.md tells what is run.
if [ $# -gt 0 ]; then
    set -- gcc "$@" # what the targets' stores are compared with
fi
exec "$(dirname "$0")/../run.sh" --cross "$@"
