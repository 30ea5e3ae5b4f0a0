#!/usr/bin/env bash
# sanitized.sh PRESET FOLDER: runs the tests of FOLDER as the preset asan or tsan built them, in one
# process. Tests that measure memory mean nothing beside a sanitizer's own; they carry [memory];
# those that a slow build would fail [slow_build].
# Of tests that try thousands of cases, a few cases show what a sanitizer looks for:
# FLEETARIUM_ONE_CASE_IN=1 asks for all of them. Of the folders that take longest without optimisation it
# is one test in eight or four; FLEETARIUM_ONE_TEST_IN=1 asks for all.
set -euo pipefail
root=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/../.." && pwd -P)
preset=$1
tests=$root/build/$preset/tests/$2_tests
if [[ ! -x $tests ]]; then
    echo "not built: ./fleetarium test builds it, or cmake --preset $preset by hand"
    exit 77
fi
one_test_in=1
case "$preset $2" in
'asan sim' | 'asan recording') one_test_in=8 ;;
'asan feed' | 'asan explore' | 'asan mutants') one_test_in=4 ;;
esac
one_test_in=${FLEETARIUM_ONE_TEST_IN:-$one_test_in}
export FLEETARIUM_ONE_CASE_IN=${FLEETARIUM_ONE_CASE_IN:-5}
export ASAN_OPTIONS=detect_stack_use_after_return=1:strict_string_checks=1:check_initialization_order=1
export UBSAN_OPTIONS=print_stacktrace=1:halt_on_error=1
export TSAN_OPTIONS=second_deadlock_stack=1
chosen='~[slow_build]~[memory]~[oracle_nightly]~[nightly]'
if ((one_test_in == 1)); then exec "$tests" "$chosen"; fi
names=$(mktemp)
trap 'rm -f -- "$names"' EXIT
# Its exit status is how many there are. A comma would end a name, also within quotes.
{ "$tests" --list-test-names-only "$chosen" || true; } |
    awk -v n="$one_test_in" 'NR % n == 1' | sed 's/[\\,]/\\&/g' >"$names"
"$tests" --input-file "$names"
