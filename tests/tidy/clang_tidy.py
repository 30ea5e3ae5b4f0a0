#!/usr/bin/env python3
"""Runs clang-tidy, with the checks of .clang-tidy, over sources as the preset fuzz compiles them.

`clang_tidy.py [--joined] [--jobs N] [--seconds] [PATH...]` takes all sources of ours below the given
paths, by default all there are: sdk, broker, sim, dashboard. A finding is printed once, though many
sources include its header. With --joined they are read as the preset asan compiles them, several at
once, and the static analyzer, which takes three quarters of the time, stays out. Exit status: 0 nothing
found, 1 something found, 2 a path without sources, 77 clang-tidy is not installed or build/fuzz
(build/asan with --joined) not configured.
"""

import argparse
import concurrent.futures
import json
import os
import re
import shutil
import subprocess
import sys
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
OURS = ("sdk", "broker", "sim", "dashboard")
FINDING = re.compile(r"^(/[^:\n]+:\d+:\d+: (?:warning|error): .*)$", re.M)
JOINED = re.compile(r'^#include "(\.\./[^"]+\.cpp)"$', re.M)
NOT_JOINED = "-clang-analyzer-*,-bugprone-suspicious-include"


def sources_in(unit):
    """The sources that are compiled with this one: itself, or those that are joined in it."""
    if os.path.basename(os.path.dirname(unit)) != "joined":
        return [os.path.relpath(unit, ROOT)]
    with open(unit, encoding="utf-8") as file:
        joined = JOINED.findall(file.read())
    return [os.path.relpath(os.path.join(os.path.dirname(unit), each), ROOT) for each in joined]


def units(build, paths):
    """What is compiled below the paths, in order, but no source twice. Exits with 2 for a path that
    has nothing."""
    with open(os.path.join(build, "compile_commands.json"), encoding="utf-8") as file:
        compiled = {each["file"] for each in json.load(file)}
    sources = {unit: sources_in(unit) for unit in compiled}
    asked = set()
    for path in paths:
        wanted = os.path.relpath(os.path.abspath(path), ROOT)
        below = {each for names in sources.values() for each in names
                 if each == wanted or each.startswith(wanted + os.sep)}
        if not below:
            print(f"{path}: no source of {os.path.relpath(build, ROOT)}; expected a file or folder "
                  f"below {', '.join(OURS)}", file=sys.stderr)
            sys.exit(2)
        asked |= below
    once, covered = [], set()
    for unit in sorted(sources):
        if not covered.issuperset(asked.intersection(sources[unit])):
            once.append(unit)
            covered.update(sources[unit])
    return once


def findings_of(command, unit):
    """What clang-tidy finds, each finding with the lines that explain it, and the seconds it took."""
    begin = time.monotonic()
    run = subprocess.run([*command, unit],
                         stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, check=False)
    parts = FINDING.split(run.stdout)
    found = [re.sub(r"^[^:]+", lambda path: os.path.relpath(path[0], ROOT), head) + rest.rstrip()
             for head, rest in zip(parts[1::2], parts[2::2])]
    if run.returncode != 0 and not found:
        found = [f"{unit}: clang-tidy ended with {run.returncode}\n{run.stderr.strip()}"]
    return found, time.monotonic() - begin


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n", maxsplit=1)[0])
    parser.add_argument("--joined", action="store_true",
                        help="read sources several at once, without the static analyzer")
    parser.add_argument("--jobs", type=int, default=os.cpu_count(), help="so many at a time")
    parser.add_argument("--seconds", action="store_true", help="say how long each took")
    parser.add_argument("path", nargs="*", default=[os.path.join(ROOT, each) for each in OURS])
    options = parser.parse_args()
    preset = "asan" if options.joined else "fuzz"
    build = os.path.join(ROOT, "build", preset)
    tidy = shutil.which("clang-tidy-16") or shutil.which("clang-tidy")
    if tidy is None or not os.path.exists(os.path.join(build, "compile_commands.json")):
        print(f"clang-tidy-16 is not installed, or build/{preset} not configured: "
              f"apt-get install clang-tidy-16, cmake --preset {preset}")
        sys.exit(77)
    command = [tidy, "-p", build, "--quiet"]
    if options.joined:
        command.append(f"--checks={NOT_JOINED}")
    todo = units(build, options.path)
    seen = set()
    with concurrent.futures.ThreadPoolExecutor(max(1, options.jobs)) as pool:
        runs = [(each, pool.submit(findings_of, command, each)) for each in todo]
        for unit, run in runs:
            found, seconds = run.result()
            if options.seconds:
                print(f"{seconds:6.1f} s {os.path.relpath(unit, ROOT)}", flush=True)
            for each in found:
                if each not in seen:
                    seen.add(each)
                    print(each, flush=True)
    print(f"clang-tidy: {len(todo)} compiled, {len(seen)} findings")
    sys.exit(1 if seen else 0)


if __name__ == "__main__":
    main()
