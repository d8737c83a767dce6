#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Measures which lines and branches of src/ the tests reach: tests/checks/coverage.sh [DIR]
# Leaves coverage.html, coverage.txt, coverage.json and branches.json in DIR, tells by cause what is not reached, and fails below LINES and BRANCHES (percent).
#
# It runs unit, api, fuzz and, of fault and damage, what reaches most in little time, all with fewer repetitions
# (test_share() of tests/support/test.h), which reaches almost the same code. SSN_COVERAGE_SUITES="unit api cli fuzz fault damage" runs
# those suites whole instead.
#
# A branch of an assertion is none: its other side is a mistake that never happens. gcovr must be there before the set-up.
set -eu
LINES=${SSN_COVERAGE_LINES:-95}
BRANCHES=${SSN_COVERAGE_BRANCHES:-85}
root=$(cd "$(dirname "$0")/../.." && pwd)
dir=$(realpath -m "${1:-$root/build-coverage}")
cd "$root"
command -v gcovr >/dev/null || { echo "there is no gcovr" >&2; exit 1; }
if [ ! -f "$dir/build.ninja" ]; then
    rm -rf "$dir"
    meson setup "$dir" -Dwerror=true -Db_coverage=true -Doptimization=1 -Ddebug=false -Dtools=false
fi
find "$dir" -name '*.gcda' -delete
if [ -n "${SSN_COVERAGE_SUITES:-}" ]; then
    ninja -C "$dir"
    # shellcheck disable=SC2086
    meson test -C "$dir" --no-rebuild --timeout-multiplier 4 $(printf ' --suite %s' $SSN_COVERAGE_SUITES)
else
    # Only the programs that run, and those that they start.
    # shellcheck disable=SC2046
    ninja -C "$dir" $(meson introspect --tests "$dir" | python3 -c '
import json, os, sys
suites, names = {"unit", "api", "fuzz"}, set(sys.argv[2:])
tests = json.load(sys.stdin)
wanted = [test for test in tests if test["name"] in names or suites & {suite.split(":")[1] for suite in test["suite"]}]
words = {os.path.relpath(word, sys.argv[1]) for test in wanted for word in test["cmd"] if word.startswith(sys.argv[1])}
print(*sorted(word for word in words if not word.startswith("..")))
' "$dir" test_alloc test_repair test_repair_faults test_repair_large test_set_aside damage)
    export SSN_TEST_SHARE=13
    meson test -C "$dir" --no-rebuild --timeout-multiplier 4 --suite unit --suite api --suite fuzz
    meson test -C "$dir" --no-rebuild --timeout-multiplier 4 test_alloc test_repair test_repair_faults test_repair_large \
        test_set_aside
    "$dir/tests/damage/damage" --part 1/64
fi
gcovr --root "$root" --filter "$root/src/" --object-directory "$dir" "$dir" --exclude-unreachable-branches \
    --exclude-branches-by-pattern '.*\bassert\(.*' \
    --txt "$dir/coverage.txt" --json "$dir/branches.json" --json-summary "$dir/coverage.json" --html-details "$dir/coverage.html" \
    --print-summary --fail-under-line "$LINES" --fail-under-branch "$BRANCHES"
"$root/tests/checks/unreached.py" "$dir/branches.json"
