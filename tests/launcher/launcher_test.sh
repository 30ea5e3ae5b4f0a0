#!/usr/bin/env bash
# Tries the launcher on a small project of the same shape, in a folder with a space in its name.
set -euo pipefail
source_root=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/../.." && pwd -P)
scratch=$(mktemp -d)
trap 'rm -rf -- "$scratch"' EXIT
tree="$scratch/a tree"
failures=0

expect() {
    local what=$1
    shift
    if "$@" >/dev/null 2>&1; then
        echo "ok: $what"
    else
        echo "FAILED: $what"
        if [[ -f $scratch/err ]]; then sed 's/^/    /' "$scratch/err"; fi
        failures=$((failures + 1))
    fi
}
says() { grep -q -- "$1" "$scratch/err"; }
# Runs the launcher; leaves its output in $scratch/out and err, its status in $status.
launch() {
    status=0
    "$tree/fleetarium" "$@" >"$scratch/out" 2>"$scratch/err" || status=$?
}

# ---------------------------------------------------------------- a tree of the same shape
mkdir -p "$tree"/{sdk,broker,sim} "$scratch/bin" "$scratch/elsewhere"
cp "$source_root/fleetarium" "$tree/"
cat >"$tree/CMakeLists.txt" <<'END'
cmake_minimum_required(VERSION 3.25)
project(small LANGUAGES CXX)
option(FLEETARIUM_TESTS "" ON)
file(GLOB sources CONFIGURE_DEPENDS sim/*.cpp)
add_executable(fleetarium_cli ${sources})
set_target_properties(fleetarium_cli PROPERTIES OUTPUT_NAME fleetarium)
END
cat >"$tree/CMakePresets.json" <<'END'
{"version": 6, "configurePresets": [{"name": "release", "generator": "Ninja",
 "binaryDir": "${sourceDir}/build/${presetName}", "cacheVariables": {"CMAKE_BUILD_TYPE": "Release"}}]}
END
cat >"$tree/sim/main.cpp" <<'END'
#include <unistd.h>
#include <cstdio>
const char* word();
int main(int count, char** values) {
    char folder[4096];
    std::printf("%s %s", word(), getcwd(folder, sizeof folder));
    for (int i = 1; i < count; ++i) std::printf(" [%s]", values[i]);
    return count > 3 ? 7 : 0;
}
END
echo 'const char* word() { return "one"; }' >"$tree/sim/word.cpp"

# cmake is called through a shim that counts, so that "no call" can be seen.
cat >"$scratch/bin/cmake" <<END
#!/bin/sh
echo call >>"$scratch/calls"
exec "$(command -v cmake)" "\$@"
END
chmod +x "$scratch/bin/cmake"
PATH="$scratch/bin:$PATH"
export FLEETARIUM_OFFLINE=1

# ---------------------------------------------------------------- building and starting
cd "$scratch/elsewhere"
launch run 'a b' --x
expect "the binary is built and gets arguments, folder and status of the call" \
    test "$status:$(<"$scratch/out")" = "7:one $scratch/elsewhere [run] [a b] [--x]"
expect "it says what it does" says 'building the release binary'
expect "the log is kept" grep -q main.cpp "$tree/build/release/build.log"

: >"$scratch/calls"
launch
expect "a second start calls no cmake and says nothing" test ! -s "$scratch/calls" -a ! -s "$scratch/err"

ln -s "$tree/fleetarium" "$scratch/link"
expect "it can be started through a link" test "$("$scratch/link")" = "one $scratch/elsewhere"

echo 'const char* word() { return "two"; }' >"$tree/sim/word.cpp"
launch
expect "a changed source is built" test "$(<"$scratch/out")" = "two $scratch/elsewhere"

mv "$tree/sim/word.cpp" "$tree/sim/renamed.cpp"
launch
expect "a renamed source is built" test "$status" = 0
rm "$tree/sim/renamed.cpp"
launch
expect "a removed source is noticed, and a failed build exits 1" test "$status" = 1
expect "the end of the log is shown" says 'undefined reference'
launch
expect "a failed build is tried again" test "$status" = 1
echo 'const char* word() { return "three"; }' >"$tree/sim/word.cpp"
launch
expect "and mended" test "$(<"$scratch/out")" = "three $scratch/elsewhere"

mv "$tree" "$scratch/moved"
tree=$scratch/moved
launch
expect "a moved tree is configured afresh" test "$status:$(<"$scratch/out")" = "0:three $scratch/elsewhere"

# ---------------------------------------------------------------- several at once
echo 'const char* word() { return "four"; }' >"$tree/sim/word.cpp"
touch -d '+1 second' "$tree/sim/word.cpp"
: >"$scratch/calls"
for i in 1 2 3; do "$tree/fleetarium" >"$scratch/out$i" 2>/dev/null & done
wait
expect "of three at once each runs the new binary" \
    test "$(cat "$scratch"/out[123])" = "$(for i in 1 2 3; do printf 'four %s' "$scratch/elsewhere"; done)"

# ---------------------------------------------------------------- missing things
# A PATH of links to what the launcher itself uses: no compiler, no cmake, no apt-get.
mkdir "$scratch/poor"
for tool in bash env readlink find sed grep cat dirname mkdir mv rm tail flock nproc touch; do
    ln -s "$(command -v "$tool")" "$scratch/poor/$tool"
done
touch -d '+2 seconds' "$tree/sim/word.cpp"
status=0
PATH=$scratch/poor FLEETARIUM_OFFLINE=0 "$tree/fleetarium" 2>"$scratch/err" || status=$?
expect "without apt-get, missing things are listed with reasons and the status is 3" test "$status" = 3
expect "the list names the compiler" says 'g++ .*compiler'
expect "the list names Boost" says 'libboost'
expect "the list does not name what only tests need" bash -c "! grep -q catch2 '$scratch/err'"
status=0
PATH=$scratch/poor "$tree/fleetarium" 2>"$scratch/err" || status=$?
expect "FLEETARIUM_OFFLINE=1 installs nothing" says 'FLEETARIUM_OFFLINE'

# ---------------------------------------------------------------- installing
# An apt-get that notes how it was called and "installs" by linking the real tools.
for tool in c++ ninja pkg-config; do ln -s "$(command -v "$tool")" "$scratch/tool-$tool"; done
cat >"$scratch/poor/apt-get" <<END
#!$BASH
printf '%s\n' "\$*" >>"$scratch/apt-calls"
if [[ " \$* " == *' install '* ]]; then
    for tool in c++ ninja pkg-config; do /bin/ln -sf "\$(/bin/readlink "$scratch/tool-\$tool")" "$scratch/poor/\$tool"; done
    /bin/ln -sf "$scratch/bin/cmake" "$scratch/poor/cmake"
    for tool in as ld sh; do /bin/ln -sf "\$(PATH=/usr/bin:/bin command -v \$tool)" "$scratch/poor/\$tool"; done
fi
END
printf '#!%s\nexit 0\n' "$BASH" >"$scratch/poor/apt-cache"
printf '#!%s\nexit 1\n' "$BASH" >"$scratch/poor/dpkg-query"
# shellcheck disable=SC2016 # the script expands them, not we
printf '#!%s\n[[ $1 == -v ]] || exec "$@"\n' "$BASH" >"$scratch/poor/sudo"
chmod +x "$scratch"/poor/{apt-get,apt-cache,dpkg-query,sudo}
status=0
PATH=$scratch/poor FLEETARIUM_OFFLINE=0 "$tree/fleetarium" >"$scratch/out" 2>"$scratch/err" || status=$?
expect "what is missing is installed, then built and started" \
    test "$status:$(<"$scratch/out")" = "0:four $scratch/elsewhere"
expect "it says what it installs and why" says 'ninja-build  *runs the build'
expect "one apt-get install names all packages" \
    grep -q 'install -y --no-install-recommends g++ cmake ninja-build pkg-config libboost' "$scratch/apt-calls"
expect "what only tests need is not installed" bash -c "! grep -q catch2 '$scratch/apt-calls'"

# ---------------------------------------------------------------- Ctrl-C
cat >"$tree/sim/word.cpp" <<'END'
template <int N> struct slow { static constexpr int value = slow<N - 1>::value + slow<N - 2>::value; };
template <> struct slow<0> { static constexpr int value = 0; };
template <> struct slow<1> { static constexpr int value = 1; };
constexpr long spin() { long sum = 0; for (long i = 0; i < 400'000'000; ++i) sum += i % 3; return sum; }
static_assert(spin() != slow<2>::value);
const char* word() { return "five"; }
END
sed -i 's/^add_executable.*/&\ntarget_compile_options(fleetarium_cli PRIVATE -std=c++17 -fconstexpr-ops-limit=100000000000 -fconstexpr-loop-limit=2000000000)/' "$tree/CMakeLists.txt"
touch -d '+3 seconds' "$tree/sim/word.cpp"
# As a terminal does it: the signal goes to the whole group, once the compiler runs.
status=0
python3 - "$tree/fleetarium" <<'END' 2>"$scratch/err" || status=$?
import glob, os, signal, subprocess, sys, time
child = subprocess.Popen([sys.argv[1]], start_new_session=True,
                         preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler))
deadline = time.monotonic() + 60
def compiling():
    for path in glob.glob("/proc/[0-9]*/stat"):
        try:
            with open(path) as file:
                name, _, rest = file.read().partition("(")[2].rpartition(")")
        except OSError:
            continue
        if rest.split()[2] == str(child.pid) and name in ("cc1plus", "clang", "clang++"):
            return True
    return False
while not compiling() and child.poll() is None and time.monotonic() < deadline:
    time.sleep(0.01)
os.killpg(child.pid, signal.SIGINT)
sys.exit(child.wait(timeout=60))
END
expect "Ctrl-C while building exits 130" test "$status" = 130
expect "and says that the next call goes on" says 'interrupted'
echo 'const char* word() { return "six"; }' >"$tree/sim/word.cpp"
launch
expect "and the next call builds" test "$status:$(<"$scratch/out")" = "0:six $scratch/elsewhere"

if ((failures)); then
    echo "$failures failed"
    exit 1
fi
