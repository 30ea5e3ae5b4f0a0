#!/usr/bin/env bash
# sanitized.sh PRESET FOLDER: runs the tests of FOLDER as the preset asan or tsan built them, in one
# process. Tests that measure memory mean nothing beside a sanitizer's own; they carry [memory];
# those that a slow build would fail [slow_build]. Hidden ones, [.], run where they are asked for, which
# a pattern that only leaves out would do. Under tsan those that are long without a second
# thread, [swarm], mean nothing either.
# Of tests that try thousands of cases, a few cases show what a sanitizer looks for:
# FLEETARIUM_ONE_CASE_IN=1 asks for all of them.
set -euo pipefail
root=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/../.." && pwd -P)
preset=$1
tests=$root/build/$preset/tests/$2_tests
if [[ ! -x $tests ]]; then
    echo "not built: ./fleetarium test builds it, or cmake --preset $preset by hand"
    exit 77
fi
export FLEETARIUM_ONE_CASE_IN=${FLEETARIUM_ONE_CASE_IN:-10}
export ASAN_OPTIONS=detect_stack_use_after_return=1:strict_string_checks=1:check_initialization_order=1
export UBSAN_OPTIONS=print_stacktrace=1:halt_on_error=1
export TSAN_OPTIONS=second_deadlock_stack=1
which='~[.]~[slow_build]~[memory]'
if [[ $preset == tsan ]]; then which+='~[swarm]'; fi
exec "$tests" "$which"
