#!/usr/bin/env python3
"""Sees to it that each threat of broker/security.md has tests, and each test of a threat a line.
`threats.py [ROOT]` prints what is wrong and exits 1 if anything is."""

import os
import re
import sys

TABLE = "broker/security.md"
COMMAND = "tests/command/security_command_test.py"


def read(*path):
    with open(os.path.join(*path), encoding="utf-8") as file:
        return file.read()


def rows_of(text):
    """(line number, threat, tests) of each row of the table."""
    for number, line in enumerate(text.split("\n"), 1):
        cells = [cell.strip() for cell in line.strip().strip("|").split("|")]
        if line.startswith("|") and not set(line) <= set("|-: ") and cells[0] != "threat":
            yield number, cells


def tags_of(root):
    """Tags of threats on test cases, each with a file that has it."""
    found = {}
    for folder, _, names in os.walk(os.path.join(root, "tests")):
        for name in names:
            if name.endswith("_test.cpp"):
                for case in re.findall(r"TEST_CASE\((.*?)\)\s*\{", read(folder, name), re.S):
                    for tag in re.findall(r"\[threat/(\w+)\]", case):
                        found.setdefault(tag, name)
    return found


def problems(root):
    tags = tags_of(root)
    functions = set(re.findall(r"    def (test_\w+)\(self\)", read(root, COMMAND)))
    named, rows = set(), 0
    for number, cells in rows_of(read(root, TABLE)):
        rows += 1
        where = f"{TABLE}:{number}: "
        if len(cells) != 3:
            yield where + f"found {len(cells)} columns, expected threat, what protects, tests"
            continue
        here = re.findall(r"`\[threat/(\w+)\]`", cells[2])
        there = re.findall(r"security: `(test_\w+)`", cells[2])
        if not here and not there:
            yield where + f"found no test for \"{cells[0]}\""
        for tag in here:
            named.add(tag)
            if tag not in tags:
                yield where + f"no test case has the tag [threat/{tag}]"
        for name in there:
            named.add(name)
            if name not in functions:
                yield where + f"{COMMAND} has no {name}"
    if rows == 0:
        yield TABLE + ": found no table of threats"
    for tag in sorted(set(tags) - named):
        yield f"{tags[tag]}: [threat/{tag}] is in no line of {TABLE}"


def main():
    found = list(problems(sys.argv[1] if len(sys.argv) > 1 else "."))
    for line in found:
        print(line)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
