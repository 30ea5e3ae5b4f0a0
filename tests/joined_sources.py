#!/usr/bin/env python3
"""joined_sources.py [--tests] OUTPUT NAME SOURCE...: writes OUTPUT/NAME_1.cpp, NAME_2.cpp and so on,
each of which has several of the sources in it, and prints their paths, and those of the sources that have
to stay alone. What sources have in common, most of all their includes, is compiled once for all of
them, in a third of the time. Errors and failures name the source and its line.

Sources that are joined have no names of their own (those in a namespace without a name) in common with
the text of another or the types of headers beside them, and the same using directives. Tests keep theirs
to themselves: each gets a namespace of its own.
"""

import glob
import os
import re
import sys

LINES_OF_ONE = 1600  # so large, it takes about 20 s and 1 GB to compile

INCLUDE = re.compile(r"\s*#\s*include\b")
STAYS_ALONE = re.compile(r"\s*#\s*(?!include\b)\w|namespace (Catch|std)\b|template <>|.*impl/src\.hpp")
OURS = re.compile(r"namespace (fleetarium(?:::\w+)*) \{")
TYPE = re.compile(r"^ *(?:struct|class|enum class|enum) (\w+)", re.M)
OWN_NAMES = [re.compile(pattern) for pattern in (
    r"(?:template <[^>]*> )?(?:struct|class|enum class|enum|union) (\w+)",
    r"using (\w+) =",
    r"using [\w:]+::(\w+);",
    r"namespace (\w+) =",
    r"[^(={]*?\b(\w+)\(",
    r"[^(={]*?\b(\w+)(?:\[[^\]]*\])*(?: =(?: |$)| ?\{|;)",
)]


class Source:
    def __init__(self, path):
        self.path = path
        with open(path, encoding="utf-8") as file:
            self.lines = file.read().split("\n")
        self.includes = [line for line in self.lines if INCLUDE.match(line)]
        self.directives = sorted(line for line in self.lines if line.startswith("using namespace "))
        self.alone = any(STAYS_ALONE.match(line) for line in self.lines)
        self.words = set(re.findall(r"\w+", "\n".join(self.lines)))
        self.own_names = set()
        within = False
        for line in self.lines:
            if line == "namespace {":
                within = True
            elif line.startswith("}  // namespace"):
                within = False
            elif within and line[:1].isalpha():
                for pattern in OWN_NAMES:
                    found = pattern.match(line)
                    if found:
                        self.own_names.add(found[1])
                        break

    def hides_types(self):
        """Whether a name of its own is also that of a type in a header of its folder."""
        for header in glob.glob(os.path.join(os.path.dirname(self.path), "*.hpp")):
            with open(header, encoding="utf-8") as file:
                if self.own_names & set(TYPE.findall(file.read())):
                    return True
        return False

    def agrees_with(self, group):
        return all(self.directives == other.directives and not self.own_names & other.words and
                   not other.own_names & self.words for other in group)

    def includes_from(self, directory):
        """The includes, for a file in another folder."""
        beside = os.path.dirname(self.path)
        for line in self.includes:
            name = re.search('"(.*)"', line)
            if name and os.path.exists(os.path.join(beside, name[1])):
                yield f'#include "{os.path.relpath(os.path.join(beside, name[1]), directory)}"'
            else:
                yield line

    def isolated(self):
        """The text of a test without its includes, in a namespace of its own."""
        text = "\n".join("" if INCLUDE.match(line) else line for line in self.lines)
        own = "in_" + re.sub(r"\W", "_", os.path.splitext(os.path.basename(self.path))[0])
        if OURS.search(text):
            text = re.sub("^" + OURS.pattern, r"namespace \1::" + own + " {", text, flags=re.M)
        else:
            text = f"namespace {own} {{\n#line 1\n{text}\n}}  // namespace {own}"
        return f'#line 1 "{os.path.relpath(self.path)}"\n{text}\n'


def in_groups(sources, agree):
    groups = []
    for source in sources:
        room = LINES_OF_ONE - len(source.lines) / 2
        for group in groups:
            if sum(len(other.lines) for other in group) <= room and agree(source, group):
                group.append(source)
                break
        else:
            groups.append([source])
    return groups


def joined_tests(group, directory):
    includes = list(dict.fromkeys(line for source in group for line in source.includes_from(directory)))
    return "\n".join(includes) + "\n\n" + "\n".join(source.isolated() for source in group)


def write_if_changed(path, text):
    try:
        with open(path, encoding="utf-8") as file:
            if file.read() == text:
                return
    except FileNotFoundError:
        pass
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)


def main():
    arguments = sys.argv[1:]
    tests = arguments[0] == "--tests"
    directory, name, *paths = arguments[tests:]
    os.makedirs(directory, exist_ok=True)
    sources = [Source(path) for path in sorted(paths)]
    for source in sources:
        spaces = any(OURS.match(line) for line in source.lines)
        source.alone |= (spaces and bool(source.directives)) if tests else source.hides_types()
    joinable = [source for source in sources if not source.alone]
    groups = in_groups(joinable, (lambda *_: True) if tests else Source.agrees_with)
    for path in (source.path for source in sources if source.alone):
        print(path)
    for number, group in enumerate(groups, 1):
        if len(group) == 1:
            print(group[0].path)
            continue
        path = os.path.join(directory, f"{name}_{number}.cpp")
        write_if_changed(path, joined_tests(group, directory) if tests else "".join(
            f'#include "{os.path.relpath(source.path, directory)}"\n' for source in group))
        print(path)


main()
