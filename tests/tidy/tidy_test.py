#!/usr/bin/env python3
"""Plants each kind of finding in a small tree and sees that tidy.py tells of it, and of nothing
in a clean file."""

import os
import tempfile
import unittest

import tidy

HEADER = "#pragma once\n\n"


class TidyTest(unittest.TestCase):
    def findings(self, **files):
        """Names of the rules broken; the argument sdk__fleetarium__core__x_hpp names a path."""
        with tempfile.TemporaryDirectory() as root:
            for name, text in files.items():
                stem, _, suffix = name.replace("__", "/").rpartition("_")
                path = os.path.join(root, f"{stem}.{suffix}")
                os.makedirs(os.path.dirname(path), exist_ok=True)
                with open(path, "w", encoding="utf-8") as file:
                    file.write(text)
            found, _ = tidy.check_tree(root)
            return sorted(line.split(": ")[1] for line in found.errors), len(found.warnings)

    def rules(self, **files):
        return self.findings(**files)[0]

    def test_a_clean_tree_has_no_findings(self):
        self.assertEqual(self.findings(
            sdk__fleetarium__codec__x_hpp=HEADER + "#include <fleetarium/core/bytes.hpp>\n\n"
            "#include <nlohmann/json_fwd.hpp>\n\n#include <cstdint>\n#include <span>\n",
            sdk__fleetarium__codec__x_cpp="#include <fleetarium/codec/x.hpp>\n\n"
            "// steady_clock in a comment, \"std::rand\" in a text\n"
            'const char* a = "sleep_for(1)";\nconst int b = 1\'000\'000;\n'), ([], 0))

    def test_includes_point_one_way(self):
        self.assertEqual(self.rules(
            sdk__fleetarium__core__x_hpp=HEADER + "#include <fleetarium/codec/y.hpp>\n",
            broker__fleetarium__broker__x_hpp=HEADER + "#include <fleetarium/sim/y.hpp>\n",
            sdk__fleetarium__session__x_cpp="#include <fleetarium/broker/y.hpp>\n"),
            ["include direction"] * 3)

    def test_asio_stays_at_the_edge(self):
        asio = "#include <boost/asio/post.hpp>\n"
        self.assertEqual(self.rules(sdk__fleetarium__net__x_cpp=asio), [])
        self.assertEqual(self.rules(sim__fleetarium__sim__x_cpp=asio), ["asio"])

    def test_headers_stay_light(self):
        for name in ("nlohmann/json.hpp", "fmt/core.h", "CLI/CLI.hpp", "spdlog/spdlog.h"):
            self.assertEqual(
                self.rules(sim__fleetarium__sim__x_hpp=HEADER + f"#include <{name}>\n"),
                ["heavy header"])

    def test_nothing_strays_into_the_top_level(self):
        found = tidy.Findings()
        tidy.check_top_level({".ci", "README.md", "sdk", ":memory:"}, found)
        self.assertEqual([line.split(": ")[0] for line in found.errors], [":memory::1"])

    def test_words_that_break_determinism(self):
        for code, rule in (("int a = std::rand();", "random"), ("#include <random>", "random"),
                           ("auto t = std::chrono::steady_clock::now();", "clock"),
                           ("std::this_thread::sleep_for(second);", "sleep")):
            self.assertEqual(self.rules(sim__fleetarium__sim__x_cpp=code + "\n"), [rule])
        self.assertEqual(self.rules(sim__cli__x_cpp="system_clock::now();\n"), [])
        self.assertEqual(self.rules(
            sim__fleetarium__sim__x_cpp="steady_clock::now();  // tidy: allow(clock) pacing\n"), [])

    def test_include_blocks_and_own_header(self):
        self.assertEqual(self.rules(
            sim__fleetarium__sim__x_hpp=HEADER + "#include <span>\n#include <array>\n"),
            ["include blocks"])
        self.assertEqual(self.rules(
            sim__fleetarium__sim__x_hpp=HEADER,
            sim__fleetarium__sim__x_cpp="#include <fleetarium/sim/a.hpp>\n"), ["own header"])

    def test_shape_of_files(self):
        self.assertEqual(self.rules(sdk__fleetarium__core__x_hpp="\n"), ["pragma once"])
        self.assertEqual(self.rules(
            sdk__fleetarium__core__x_hpp=HEADER + "using namespace std;\n"), ["using namespace"])
        self.assertEqual(self.rules(sim__x_cpp="\tint a;\n"), ["tab"])
        self.assertEqual(self.rules(sim__x_cpp="int a; \n"), ["trailing space"])
        self.assertEqual(self.rules(sim__x_cpp="//" + "x" * 98 + "\n"), [])
        self.assertEqual(self.rules(sim__x_cpp="//" + "x" * 99 + "\n"), ["columns"])
        self.assertEqual(self.rules(sim__x_cpp="int a;"), ["end of file"])
        self.assertEqual(self.findings(sim__x_cpp="\n" * 900), ([], 1))
        self.assertEqual(self.rules(sim__x_cpp="\n" * 901), ["length"])

    def test_statements_cited_exist(self):
        table = "id\tsection\nMQTT-1.2.3-4\t1\n"
        self.assertEqual(self.rules(
            tests__conformance__mqtt5_tsv=table,
            sim__x_cpp="// v5/MQTT-1.2.3-4, v3/MQTT-1.2.3-4, [v5/MQTT-1.2.3-5]\n"),
            ["citation", "citation"])

    def test_temporaries_in_co_await(self):
        self.assertEqual(self.rules(tests__net__x_cpp="co_await publish({.topic = t});\n"),
                         ["co_await"])
        self.assertEqual(self.rules(tests__net__x_cpp="co_await run([s] { use(s); });\n"),
                         ["co_await"])
        self.assertEqual(self.rules(tests__net__x_cpp="co_await run([] { use(); });\n"), [])

    def test_code_of_readmes_is_compiled_somewhere(self):
        readme = "Text.\n```cpp\n#include <a.hpp>\n\nf(1,\n  2);\n```\n"
        self.assertEqual(self.rules(sdk__README_md=readme), ["readme code"])
        self.assertEqual(self.rules(
            sdk__README_md=readme,
            tests__x_cpp="#include <a.hpp>\nint main() {\n    f(1,\n      2);\n}\n"), [])
        self.assertEqual(self.rules(
            sdk__README_md=readme, tests__x_cpp="#include <a.hpp>\nvoid g() { f(1, 3); }\n"),
            ["readme code"])


if __name__ == "__main__":
    unittest.main()
