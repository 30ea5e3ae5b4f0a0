#!/usr/bin/env python3
"""Runs clang-tidy, with the checks of .clang-tidy, over sources as the preset fuzz compiles them.

`clang_tidy.py [--jobs N] [--seconds] [PATH...]` takes all sources of ours below the given paths, by
default all there are: sdk, broker, sim, dashboard. A finding is printed once, though many sources
include its header. Exit status: 0 nothing found, 1 something found, 2 a path without sources, 77
clang-tidy is not installed or build/fuzz not configured (cmake --preset fuzz).
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
BUILD = os.path.join(ROOT, "build", "fuzz")
OURS = ("sdk", "broker", "sim", "dashboard")
FINDING = re.compile(r"^(/[^:\n]+:\d+:\d+: (?:warning|error): .*)$", re.M)


def sources(paths):
    """The sources below the paths, by folder and name. Exits with 2 for a path that has none."""
    with open(os.path.join(BUILD, "compile_commands.json"), encoding="utf-8") as file:
        compiled = {os.path.relpath(each["file"], ROOT) for each in json.load(file)}
    out = set()
    for path in paths:
        wanted = os.path.relpath(os.path.abspath(path), ROOT)
        below = {each for each in compiled if each == wanted or each.startswith(wanted + os.sep)}
        if not below:
            print(f"{path}: no source of build/fuzz; expected a file or folder below "
                  f"{', '.join(OURS)}", file=sys.stderr)
            sys.exit(2)
        out |= below
    return sorted(out)


def findings_of(tidy, source):
    """What clang-tidy finds, each finding with the lines that explain it, and the seconds it took."""
    begin = time.monotonic()
    run = subprocess.run([tidy, "-p", BUILD, "--quiet", os.path.join(ROOT, source)],
                         stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, check=False)
    parts = FINDING.split(run.stdout)
    found = [head + rest.rstrip() for head, rest in zip(parts[1::2], parts[2::2])]
    if run.returncode != 0 and not found:
        found = [f"{source}: clang-tidy ended with {run.returncode}\n{run.stderr.strip()}"]
    return found, time.monotonic() - begin


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n", maxsplit=1)[0])
    parser.add_argument("--jobs", type=int, default=os.cpu_count(), help="sources at a time")
    parser.add_argument("--seconds", action="store_true", help="say how long each source took")
    parser.add_argument("path", nargs="*", default=[os.path.join(ROOT, each) for each in OURS])
    options = parser.parse_args()
    tidy = shutil.which("clang-tidy-16") or shutil.which("clang-tidy")
    if tidy is None or not os.path.exists(os.path.join(BUILD, "compile_commands.json")):
        print("clang-tidy-16 is not installed, or build/fuzz not configured: "
              "apt-get install clang-tidy-16, cmake --preset fuzz")
        sys.exit(77)
    all_sources = sources(options.path)
    seen = {}
    with concurrent.futures.ThreadPoolExecutor(max(1, options.jobs)) as pool:
        runs = {each: pool.submit(findings_of, tidy, each) for each in all_sources}
        for source, run in runs.items():
            found, seconds = run.result()
            if options.seconds:
                print(f"{seconds:6.1f} s {source}", flush=True)
            for each in found:
                if each not in seen:
                    seen[each] = source
                    print(each.replace(ROOT + os.sep, ""), flush=True)
    print(f"clang-tidy: {len(all_sources)} sources, {len(seen)} findings")
    sys.exit(1 if seen else 0)


if __name__ == "__main__":
    main()
