#!/usr/bin/env bash
# package_test.sh BUILD_FOLDER: installs the build into a scratch folder, builds a project that
# finds the package there, with every example, and runs them.
set -euo pipefail
here=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd -P)
root=$here/../..
build=$(cd -- "$1" && pwd -P)
scratch=$(mktemp -d)
broker=
finish() {
    if [[ -n $broker ]]; then kill "$broker" 2>/dev/null || true; fi
    rm -rf -- "$scratch"
}
trap finish EXIT

cmake --install "$build" --prefix "$scratch/prefix" >"$scratch/log"
cmake -S "$here" -B "$scratch/build" -G Ninja -DCMAKE_PREFIX_PATH="$scratch/prefix" \
    -DFLEETARIUM_SOURCE_DIR="$root" \
    -DCMAKE_CXX_COMPILER="$(sed -n 's/^CMAKE_CXX_COMPILER:[A-Z]*=//p' "$build/CMakeCache.txt")"
cmake --build "$scratch/build"
"$scratch/build/package_user"
"$scratch/prefix/bin/fleetarium" --help >/dev/null

examples=$scratch/build/examples
for name in embedded_broker mutual_tls fleet_in_a_test own_device same_coroutine; do
    echo "-- $name"
    timeout 60 "$examples/$name"
done

# The examples of the SDK are clients of a broker on a port.
exec {said}< <(exec "$scratch/prefix/bin/fleetarium" broker --listen mqtt://127.0.0.1:0 \
    2>"$scratch/broker.log")
broker=$!
read -r -t 30 line <&"$said"
url=${line#listening on }
for name in $(cd -- "$root/sdk/examples" && ls -- *.cpp); do
    echo "-- ${name%.cpp} $url"
    timeout 60 "$examples/${name%.cpp}" "$url"
done

# Who uses no CMake: pkg-config says what to compile and link with.
if command -v pkg-config >/dev/null; then
    export PKG_CONFIG_PATH=$scratch/prefix/lib/pkgconfig
    read -ra flags <<<"$(pkg-config --cflags --libs fleetarium-broker)"
    c++ -O0 "$root/broker/examples/embedded_broker.cpp" "${flags[@]}" -o "$scratch/by_pkg_config"
    timeout 60 "$scratch/by_pkg_config" >/dev/null
fi
echo "the installed package works"
