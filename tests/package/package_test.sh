#!/usr/bin/env bash
# package_test.sh BUILD_FOLDER: installs the build into a scratch folder and builds a project that
# finds the package there.
set -euo pipefail
here=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd -P)
scratch=$(mktemp -d)
trap 'rm -rf -- "$scratch"' EXIT
cmake --install "$1" --prefix "$scratch/prefix" >"$scratch/log"
cmake -S "$here" -B "$scratch/build" -G Ninja -DCMAKE_PREFIX_PATH="$scratch/prefix" \
    -DCMAKE_CXX_COMPILER="$(sed -n 's/^CMAKE_CXX_COMPILER:[A-Z]*=//p' "$1/CMakeCache.txt")"
cmake --build "$scratch/build"
"$scratch/build/package_user"
"$scratch/prefix/bin/fleetarium" --help >/dev/null
echo "the installed package works"
