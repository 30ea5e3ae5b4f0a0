#!/usr/bin/env bash
# fuzz.sh TARGET [SECONDS]: runs a fuzz target on all of its seeds, then on from there for SECONDS, or
# FLEETARIUM_FUZZ_SECONDS (60): with libFuzzer as the preset fuzz built it, or, where that did not,
# by chance alone as the preset asan built it. FLEETARIUM_FUZZ_SEED (1) draws the inputs: what fails
# does so again, because of what changed. What breaks something is left in build/findings, to be run
# again alone: build/fuzz/tests/TARGET_fuzz FILE, or build/asan/tests/TARGET_fuzz FILE.
set -euo pipefail
root=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/../.." && pwd -P)
target=$root/build/fuzz/tests/$1_fuzz
if [[ ! -x $target ]]; then target=$root/build/asan/tests/$1_fuzz; fi
if [[ ! -x $target ]]; then
    echo "not built: ./fleetarium test builds it, or cmake --preset fuzz by hand"
    exit 77
fi
# In memory where there is such a place: some targets write and sync a file for each input.
if [[ -d /dev/shm && -w /dev/shm ]]; then memory=/dev/shm; else memory=${TMPDIR:-/tmp}; fi
scratch=$(mktemp -d -p "$memory")
trap 'rm -rf -- "$scratch"' EXIT
mkdir -- "$scratch/seeds" "$scratch/grown"
mkdir -p -- "$root/build/findings"
python3 -B "$root/tests/fuzz/corpus.py" "$1" "$scratch/seeds"
export ASAN_OPTIONS=detect_stack_use_after_return=1:strict_string_checks=1
export UBSAN_OPTIONS=print_stacktrace=1:halt_on_error=1
# One input may take 20 s where the machine is busy, and no more memory than any of them needs.
TMPDIR=$scratch "$target" -max_total_time="${2:-${FLEETARIUM_FUZZ_SECONDS:-60}}" -timeout=20 \
    -seed="${FLEETARIUM_FUZZ_SEED:-1}" -rss_limit_mb=1500 -malloc_limit_mb=512 -max_len=4096 \
    -entropic=0 -print_final_stats=1 -verbosity=0 -artifact_prefix="$root/build/findings/$1-" \
    "$scratch/grown" "$scratch/seeds"
