#!/usr/bin/env python3
"""Joins the tags of all tests with the tables of normative statements of MQTT 3.1.1 and 5.0.

A test proves a statement by a tag with its id, `[v5/MQTT-3.3.1-1]` or `[v3/MQTT-3.3.1-1]`. Each
statement is covered (a test carries it), not testable (listed in not_testable.tsv with the
reason), or open. An id that no table has, a tag on a hidden or failing test, a row listed as not
testable although a test covers it: each is an error. So is a number of covered statements below
the one in covered.txt.

    report.py            the totals per version, and by section where something is open
    report.py --open     also each open statement
    report.py --update   writes the totals to covered.txt if they have risen
"""

import argparse
import csv
import os
import re
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
TABLES = {"v3": "mqtt311.tsv", "v5": "mqtt5.tsv"}
NAMES = {"v3": "MQTT 3.1.1", "v5": "MQTT 5.0"}
MACRO = re.compile(r"\b(?:TEMPLATE_(?:PRODUCT_)?(?:LIST_)?)?TEST_CASE(?:_METHOD)?(?:_SIG)?\s*\("
                   r"|\bSCENARIO\s*\(")
STATEMENT_TAG = re.compile(r"\[(v\d+/[^\]\s]*|MQTT-[^\]\s]*)\]")
# What Catch2 does not run by itself, or lets fail.
UNPROVEN_TAG = re.compile(r"\[(?:\.[^\]]*|!hide|!mayfail|!shouldfail|!benchmark)\]")


def without_comments(text):
    pattern = re.compile(r'//[^\n]*|/\*.*?\*/|("(?:\\.|[^"\\\n])*")', re.S)
    return pattern.sub(lambda found: found.group(1) or re.sub(r"[^\n]", " ", found.group(0)), text)


def string_arguments(text, start):
    """The string literals of each argument from `start`, behind the opening parenthesis, to the
    one that closes it; neighbouring literals are one."""
    arguments, depth, at = [""], 0, start
    while at < len(text):
        char = text[at]
        if char == '"':
            literal = re.compile(r'"((?:\\.|[^"\\])*)"').match(text, at)
            arguments[-1] += literal.group(1)
            at = literal.end()
            continue
        if char in "([{":
            depth += 1
        elif char in ")]}":
            if depth == 0:
                return arguments
            depth -= 1
        elif char == "," and depth == 0:
            arguments.append("")
        at += 1
    return arguments


def tests_in(text):
    """(line, tags as one string) of each test case in a source file."""
    text = without_comments(text)
    for found in MACRO.finditer(text):
        # A fixture comes before the name, type lists after the tags: tags are what looks so.
        tags = "".join(argument for argument in string_arguments(text, found.end())
                       if re.fullmatch(r"(\s*\[[^\]]*\]\s*)+", argument))
        yield text.count("\n", 0, found.start()) + 1, tags


def read_table(path):
    with open(path, encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE))


def section_key(statement):
    return [int(number) for number in re.findall(r"\d+", statement)]


class Report:
    def __init__(self, tests_root, tables_root):
        self.errors = []
        self.statements = {version: {row["id"]: row for row in
                                     read_table(os.path.join(tables_root, name))}
                           for version, name in TABLES.items()}
        self.covered = {version: {} for version in TABLES}
        self.tests = 0
        self._read_tests(tests_root)
        self.not_testable = {version: {} for version in TABLES}
        self._read_not_testable(os.path.join(tables_root, "not_testable.tsv"))

    def _read_tests(self, root):
        for folder, folders, files in os.walk(root):
            folders.sort()
            for name in sorted(files):
                if not name.endswith(".cpp"):
                    continue
                path = os.path.join(folder, name)
                with open(path, encoding="utf-8") as file:
                    text = file.read()
                for line, tags in tests_in(text):
                    self.tests += 1
                    self._read_tags(f"{os.path.relpath(path, root)}:{line}", tags)

    def _read_tags(self, place, tags):
        for tag in STATEMENT_TAG.findall(tags):
            version, _, statement = tag.partition("/")
            if version not in self.statements or statement not in self.statements[version]:
                self.errors.append(f"{place}: no statement [{tag}]")
            elif UNPROVEN_TAG.search(tags):
                self.errors.append(f"{place}: [{tag}] on a test that need not run or pass")
            else:
                self.covered[version].setdefault(statement, []).append(place)

    def _read_not_testable(self, path):
        for row in read_table(path):
            version, statement = row["version"], row["id"]
            name = f"not_testable.tsv: {version}/{statement}"
            if version not in self.statements or statement not in self.statements[version]:
                self.errors.append(f"{name}: no such statement")
            elif statement in self.covered[version]:
                self.errors.append(f"{name}: covered by {self.covered[version][statement][0]}")
            elif not row["reason"]:
                self.errors.append(f"{name}: no reason given")
            else:
                self.not_testable[version][statement] = row["reason"]

    def open(self, version):
        return sorted((statement for statement in self.statements[version]
                       if statement not in self.covered[version]
                       and statement not in self.not_testable[version]), key=section_key)

    def totals(self):
        return {version: len(found) for version, found in self.covered.items()}

    def print(self, with_open):
        print(f"{'':10}  {'statements':>10}  {'covered':>14}  {'open':>14}  {'not testable':>14}")
        for version, rows in self.statements.items():
            cells = [len(self.covered[version]), len(self.open(version)),
                     len(self.not_testable[version])]
            share = "  ".join(f"{count:>5} ({100 * count / len(rows):5.1f}%)" for count in cells)
            print(f"{NAMES[version]:10}  {len(rows):>10}  {share}")
        reasons = {}
        for version, found in self.not_testable.items():
            for statement, reason in found.items():
                reasons.setdefault(reason, []).append(f"{version}/{statement}")
        for reason, ids in reasons.items():
            print(f"not testable: {reason}: {', '.join(ids)}")
        if with_open:
            for version, rows in self.statements.items():
                for statement in self.open(version):
                    print(f"open: {version}/{statement} ({rows[statement]['who']}): "
                          f"{rows[statement]['requirement']}")


def read_ratchet(path):
    with open(path, encoding="utf-8") as file:
        return {version: int(count) for version, count in
                (line.split() for line in file if line.strip() and not line.startswith("#"))}


def write_ratchet(path, totals):
    with open(path, "w", encoding="utf-8") as file:
        file.write("# Statements covered; report.py --update raises the numbers, none may fall.\n")
        for version, count in totals.items():
            file.write(f"{version} {count}\n")


def main(arguments=None):
    parser = argparse.ArgumentParser(description="statements of the standards and their tests")
    parser.add_argument("--open", action="store_true", help="list the open statements")
    parser.add_argument("--update", action="store_true", help="raise the numbers in covered.txt")
    parser.add_argument("--tests", default=os.path.dirname(HERE), help="folder of the tests")
    parser.add_argument("--tables", default=HERE, help="folder of the tables")
    options = parser.parse_args(arguments)

    report = Report(options.tests, options.tables)
    report.print(options.open)
    ratchet_path = os.path.join(options.tables, "covered.txt")
    ratchet = read_ratchet(ratchet_path)
    totals = report.totals()
    for version, count in totals.items():
        before = ratchet.get(version, 0)
        if count < before:
            report.errors.append(f"{NAMES[version]}: {count} covered, {before} before")
        elif count > before and not options.update:
            print(f"{NAMES[version]}: {count - before} more than covered.txt says; "
                  "raise it with --update")
    if options.update and not report.errors:
        write_ratchet(ratchet_path, totals)
    for error in report.errors:
        print(f"error: {error}")
    return 1 if report.errors else 0


if __name__ == "__main__":
    sys.exit(main())
