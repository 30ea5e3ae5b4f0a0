#!/usr/bin/env python3
"""Checks what the compiler does not: the direction of includes, words that break determinism,
the shape of files. `tidy.py [ROOT]` prints one line per finding and exits 1 if a rule is broken;
findings that only warn leave the exit status 0.

A line can be let through with a comment on it that says why: `// tidy: allow(RULE) reason`.
"""

import os
import re
import shutil
import subprocess
import sys

# A folder may include itself and what stands to the right of it here; nothing else of ours.
LAYERS = {
    "core": {"core"},
    "codec": {"core", "codec"},
    "session": {"core", "codec", "session"},
    "net": {"core", "codec", "session", "net"},
    "client": {"core", "codec", "session", "net", "client"},
    "config": {"core", "codec", "config"},
    "broker": {"core", "codec", "session", "config", "broker"},
    "storage": {"core", "codec", "session", "config", "broker", "storage"},
    "server": {"core", "codec", "session", "net", "client", "config", "broker", "storage", "server"},
    "sim": {"core", "codec", "session", "config", "broker", "storage", "sim"},
    "live": {"core", "codec", "session", "net", "client", "config", "broker", "server", "sim", "live"},
    "testing": {"core", "codec", "session", "net", "client", "config", "broker", "server", "sim",
                "live", "testing"},
    "feed": {"core", "codec", "session", "net", "client", "config", "broker", "server", "sim", "live",
             "recording", "feed"},
    "dashboard": {"core", "codec", "config", "net", "feed", "dashboard"},
}
ASIO_FOLDERS = {"net", "client", "server", "live", "testing", "cli", "examples"}
SOURCE_ROOTS = ("sdk", "broker", "sim", "dashboard")

LINES_WARN, LINES_FAIL = 600, 900
README_LINES_MAX = 200
# What the folder of the project has in it, beside hidden files.
TOP_LEVEL = {"CHANGELOG.md", "CMakeLists.txt", "CMakePresets.json", "README.md", "broker", "dashboard",
             "fleetarium", "scenarios", "sdk", "sim", "tests"}
COLUMNS_MAX = 100

# Templates over JSON, for sources alone; none of its includers is a header.
HEAVY_BY_NATURE = {"described_json.hpp"}
HEAVY_HEADERS = re.compile(r"^(nlohmann/(?!json_fwd\.hpp$)|CLI/|fmt/|spdlog/|boost/asio|boost/beast)")
ASIO_HEADERS = re.compile(r"^boost/(asio|beast)")
STANDARD_HEADER = re.compile(r"^([a-z0-9_]+(\.h)?|sys/[a-z]+\.h)$")

# rule, what it matches in code (comments and texts in quotes are blanked), why not
BANNED = [
    ("random", re.compile(r"\bstd::rand\b|\bsrand\s*\(|\brandom_device\b|\bmt19937"),
     "draws differ between libraries; use core/random.hpp"),
    ("random", re.compile(r"#\s*include\s*<random>"),
     "its distributions differ between libraries; use core/random.hpp"),
    ("clock", re.compile(r"\b(system|steady|high_resolution)_clock\b|\bclock_gettime\b"
                         r"|\bgettimeofday\b|\bstd::time\s*\("),
     "time is a parameter; only real_clock.* and the command line read a clock"),
    ("sleep", re.compile(r"\bsleep_(for|until)\b|\busleep\s*\(|\bnanosleep\s*\("),
     "only the command line waits in real time"),
    ("locale", re.compile(r"\bsetlocale\s*\(|\bstd::locale\b"),
     "output may not depend on the machine"),
]
USING_NAMESPACE = re.compile(r"^\s*using\s+namespace\b")
# A braced or capturing temporary in a co_await is destroyed twice by g++ 12.
CO_AWAIT = re.compile(r"\bco_await\b[^;]*(\(\s*\{|\[\s*[^\]\s][^\]]*\]\s*[({])")


class Findings:
    def __init__(self):
        self.errors = []
        self.warnings = []

    def error(self, path, line, rule, text):
        self.errors.append(f"{path}:{line}: {rule}: {text}")

    def warn(self, path, line, rule, text):
        self.warnings.append(f"{path}:{line}: warning: {rule}: {text}")


def blank_comments_and_strings(text):
    """The text with comments and the inside of literals as spaces, line for line."""
    pattern = re.compile(
        r'//[^\n]*|/\*.*?\*/|R"([^(\s]{0,16})\(.*?\)\1"|"(?:\\.|[^"\\\n])*"'
        r"|(?<![0-9a-fA-FxX])'(?:\\.|[^'\\\n])+'", re.S)
    return pattern.sub(lambda found: re.sub(r"[^\n]", " ", found.group(0)), text)


def folder_of(path):
    """The layer of a file: `sdk/fleetarium/codec/x.cpp` is `codec`, `sim/cli/x.cpp` is `cli`."""
    parts = path.split("/")
    if parts[0] in SOURCE_ROOTS and len(parts) > 3 and parts[1] == "fleetarium":
        return parts[2]
    if parts[:2] == ["sim", "cli"]:
        return "cli"
    if len(parts) > 2 and parts[1] == "examples":
        return "examples"
    return parts[0]


def check_includes(path, lines, findings):
    folder = folder_of(path)
    header = path.endswith(".hpp")
    in_product = path.split("/")[0] in SOURCE_ROOTS
    blocks = []  # one list of (line, name) for each run of includes without an empty line
    previous = -2
    for number, line in enumerate(lines, 1):
        found = re.match(r'\s*#\s*include\s*(?:<([^>]+)>|"([^"]+)")', line)
        if not found:
            continue
        if "tidy: allow(include)" in line:
            previous = number
            continue
        name = found.group(1) or found.group(2)
        if number != previous + 1:
            blocks.append([])
        previous = number
        blocks[-1].append((number, name))
        if found.group(2) and in_product and folder != "cli":
            findings.error(path, number, "include", "write <fleetarium/...>, not quotation marks")
        ours = re.match(r"fleetarium/([a-z_]+)/", name)
        if ours and folder in LAYERS and ours.group(1) not in LAYERS[folder]:
            findings.error(path, number, "include direction",
                           f"{folder} may not include {ours.group(1)}")
        if (in_product and header and folder not in ASIO_FOLDERS
                and os.path.basename(path) not in HEAVY_BY_NATURE and HEAVY_HEADERS.match(name)):
            findings.error(path, number, "heavy header", f"<{name}> belongs in a source file")
        if in_product and folder not in ASIO_FOLDERS and ASIO_HEADERS.match(name):
            findings.error(path, number, "asio", f"{folder} does no I/O of its own")

    if not in_product:
        return
    for block in blocks:
        kinds = {"ours" if name.startswith("fleetarium/") else
                 "standard" if STANDARD_HEADER.match(name) else "other" for _, name in block}
        names = [name for _, name in block]
        if len(kinds) > 1 or names != sorted(names):
            findings.error(path, block[0][0], "include blocks",
                           "own header, ours, third party, standard; each sorted in its block")
    own = re.sub(r"^[a-z]+/(fleetarium/.*)\.cpp$", r"\1.hpp", path)
    if own != path and os.path.exists(os.path.join(findings.root, path[:-4] + ".hpp")):
        if not blocks or [name for _, name in blocks[0]] != [own]:
            findings.error(path, 1, "own header", f"the first include is <{own}>, alone")


def check_text(path, text, findings):
    lines = text.split("\n")
    is_header = path.endswith(".hpp")
    if is_header and not re.search(r"^#pragma once$", text, re.M):
        findings.error(path, 1, "pragma once", "missing")
    if len(lines) - 1 > LINES_FAIL:
        findings.error(path, 1, "length", f"{len(lines) - 1} lines, at most {LINES_FAIL}")
    elif len(lines) - 1 > LINES_WARN:
        findings.warn(path, 1, "length", f"{len(lines) - 1} lines; can it be cut where state separates?")
    if text and not text.endswith("\n"):
        findings.error(path, len(lines), "end of file", "no newline")
    for number, line in enumerate(lines, 1):
        if "\t" in line:
            findings.error(path, number, "tab", "indent with spaces")
        if line != line.rstrip():
            findings.error(path, number, "trailing space", "remove it")
        if len(line) > COLUMNS_MAX:
            findings.error(path, number, "columns", f"{len(line)}, at most {COLUMNS_MAX}")

    reads_clock = (os.path.basename(path).startswith("real_clock.") or folder_of(path) == "cli"
                   or path.startswith("tests/bench/"))
    code = blank_comments_and_strings(text)
    for number, (line, shown) in enumerate(zip(code.split("\n"), lines), 1):
        for rule, pattern, why in BANNED:
            if rule == "clock" and reads_clock:
                continue
            if rule == "sleep" and (folder_of(path) == "cli"
                                    or path.startswith(("tests/net/", "tests/peers/"))):
                continue
            if pattern.search(line) and f"tidy: allow({rule})" not in shown:
                findings.error(path, number, rule, why)
        if is_header and path.split("/")[0] in SOURCE_ROOTS and USING_NAMESPACE.search(line):
            findings.error(path, number, "using namespace", "not in a header for users")
    for found in CO_AWAIT.finditer(code):
        number = code.count("\n", 0, found.start()) + 1
        if "tidy: allow(co_await)" not in lines[number - 1]:
            findings.error(path, number, "co_await",
                           "g++ 12 destroys a braced or capturing temporary twice; name it first")
    check_includes(path, lines, findings)


def source_files(root):
    for top in (*SOURCE_ROOTS, "tests"):
        for folder, folders, files in os.walk(os.path.join(root, top)):
            folders.sort()
            for name in sorted(files):
                if name.endswith((".hpp", ".cpp")):
                    yield os.path.relpath(os.path.join(folder, name), root).replace(os.sep, "/")


def statement_ids(root):
    """The ids that the tables of statements hold, as `v5/MQTT-3.3.1-1`; none without tables."""
    ids = set()
    for version, name in (("v3", "mqtt311.tsv"), ("v5", "mqtt5.tsv")):
        path = os.path.join(root, "tests", "conformance", name)
        if os.path.exists(path):
            with open(path, encoding="utf-8") as file:
                ids.update(f"{version}/{line.split(chr(9))[0]}" for line in file)
    return ids


def check_citations(path, text, ids, findings):
    """Comments cite statements that exist."""
    for number, line in enumerate(text.split("\n"), 1):
        for cited in re.findall(r"\bv\d+/MQTT-\d+(?:\.\d+)*-\d+", line):
            if cited not in ids:
                findings.error(path, number, "citation", f"no statement {cited}")


def code_lines(text):
    return [line.strip() for line in text.split("\n") if line.strip()]


def check_readmes(root, sources, findings):
    """Each C++ block of a README stands, line for line, in a file that is compiled."""
    joined = ["\n".join(["", *code_lines(text), ""]) for text in sources]
    for folder, folders, files in os.walk(root):
        folders[:] = [name for name in sorted(folders) if name != "build" and name[0] != "."]
        for name in files:
            if name != "README.md":
                continue
            path = os.path.relpath(os.path.join(folder, name), root)
            with open(os.path.join(folder, name), encoding="utf-8") as file:
                text = file.read()
            if text.count("\n") > README_LINES_MAX:
                findings.error(path, 1, "length", f"at most {README_LINES_MAX} lines")
            for block in re.finditer(r"^```cpp\n(.*?)^```$", text, re.M | re.S):
                lines = code_lines(block.group(1))
                head = [x for x in lines if x.startswith(("#include ", "using namespace "))]
                heads = [f"\n{x}\n" for x in head]
                body = "\n".join(["", *(x for x in lines if x not in head), ""])
                if not any(body in source and all(x in source for x in heads)
                           for source in joined):
                    findings.error(path, text.count("\n", 0, block.start()) + 1, "readme code",
                                   "no compiled file has it so; keep it in tests/readme")


def check_top_level(names, findings):
    for name in sorted(names - TOP_LEVEL):
        if not name.startswith("."):
            findings.error(name, 1, "top level", f"expected only {', '.join(sorted(TOP_LEVEL))}")


def tracked_at_top(root):
    """The names that version control has at the top; none where the tree is not under it."""
    if shutil.which("git") is None:
        return set()
    listed = subprocess.run(["git", "-C", root, "ls-files", "-z"], stdout=subprocess.PIPE,
                            stderr=subprocess.DEVNULL, text=True, check=False).stdout
    return {path.split("/")[0] for path in listed.split("\0") if path}


def check_tree(root):
    findings = Findings()
    findings.root = root
    check_top_level(tracked_at_top(root), findings)
    sources = []
    ids = statement_ids(root)
    for path in source_files(root):
        with open(os.path.join(root, path), encoding="utf-8") as file:
            sources.append(file.read())
        check_text(path, sources[-1], findings)
        if ids:
            check_citations(path, sources[-1], ids, findings)
    check_readmes(root, sources, findings)
    return findings, len(sources)


def main():
    root = sys.argv[1] if len(sys.argv) > 1 else os.path.join(os.path.dirname(__file__), "..", "..")
    findings, count = check_tree(os.path.abspath(root))
    for line in findings.warnings + findings.errors:
        print(line)
    print(f"tidy: {count} files, {len(findings.errors)} errors, {len(findings.warnings)} warnings")
    return 1 if findings.errors or count == 0 else 0


if __name__ == "__main__":
    sys.exit(main())
