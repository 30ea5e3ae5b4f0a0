#!/usr/bin/env python3
"""ws and the fetch of Node.js judge the HTTP server: `ws_test.py HTTP_PEER`, where HTTP_PEER is the
program of http_peer.cpp. Exit status 77: the judge is not installed."""

import os
import shutil
import subprocess
import sys

FOLDER = os.path.dirname(os.path.abspath(__file__))
TOKEN = "open sesame / =+"
TIMEOUT_SECONDS = 240


def main():
    root = os.path.dirname(os.path.dirname(FOLDER))
    packages = os.environ.get("FLEETARIUM_NPM", os.path.join(root, "build", "npm"))
    node = shutil.which("node")
    if node is None or not os.path.isdir(os.path.join(packages, "node_modules", "ws")):
        print(f"this test was skipped: it needs node, and ws in {packages}, where ./fleetarium test "
              "installs it with MQTT.js")
        return 77
    servers = [subprocess.Popen([sys.argv[1], token], stdin=subprocess.PIPE,
                                stdout=subprocess.PIPE, text=True) for token in ("", TOKEN)]
    try:
        listening = [server.stdout.readline().strip() for server in servers]
        judged = subprocess.run(
            [node, os.path.join(FOLDER, "ws", "judge.mjs"), f"packages={packages}",
             f"open={listening[0]}", f"guarded={listening[1]}", f"token={TOKEN}"],
            timeout=TIMEOUT_SECONDS, check=False)
    finally:
        for server in servers:
            server.stdin.close()
    ends = [server.wait(timeout=30) for server in servers]
    if any(ends):
        print(f"the servers ended with {ends}, expected 0")
        return 1
    return judged.returncode


if __name__ == "__main__":
    sys.exit(main())
