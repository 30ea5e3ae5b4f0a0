#!/usr/bin/env bash
# sanitized.sh FOLDER: runs the tests of FOLDER as the preset asan built them, in one process.
# Tests that measure memory mean nothing beside a sanitizer's own; they carry [memory].
set -euo pipefail
root=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/../.." && pwd -P)
tests=$root/build/asan/tests/$1_tests
if [[ ! -x $tests ]]; then
    echo "not built: ./fleetarium test builds it, or cmake --preset asan by hand"
    exit 77
fi
export ASAN_OPTIONS=detect_stack_use_after_return=1:strict_string_checks=1:check_initialization_order=1
export UBSAN_OPTIONS=print_stacktrace=1:halt_on_error=1
exec "$tests" '~[memory]~[oracle_nightly]~[nightly]'
