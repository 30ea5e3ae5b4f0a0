#!/usr/bin/env python3
"""Independent MQTT clients judge a broker: `judges.py JUDGE --broker PROGRAM`. Each judge starts
brokers of its own on free ports of loopback. Exit status: 0 all cases passed, 1 some failed,
2 wrong use, 77 the judge is not installed.

`--against mosquitto` judges mosquitto instead, as far as it goes: what fails there as well is a
judge's mistake or a matter of taste.
"""

import argparse
import os
import sys

from judging import capture, mosquitto_clients, paho_python, programs, recorder, replay
from judging.brokers import Kit
from judging.processes import Process
from judging.verdicts import Verdicts

JUDGES = {
    "mosquitto": ("mosquitto clients", mosquitto_clients),
    "paho-python": ("python3-paho-mqtt", paho_python),
    "paho-c": ("Paho C", programs.PAHO_C),
    "paho-cpp": ("Paho C++", programs.PAHO_CPP),
    "mqttjs": ("MQTT.js", programs.MQTT_JS),
    "capture": ("tshark", capture),
    "recorder": ("recordings", recorder),
    "replay": ("mosquitto_sub of replays", replay),
}


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n", maxsplit=1)[0])
    parser.add_argument("judge", choices=JUDGES)
    parser.add_argument("--broker", required=True, help="the program fleetarium")
    parser.add_argument("--build", help="the folder that has the judges in C and C++")
    parser.add_argument("--against", choices=("fleetarium", "mosquitto"), default="fleetarium")
    parser.add_argument("--only", default="", help="cases whose name has this text")
    arguments = parser.parse_args()
    if not os.access(arguments.broker, os.X_OK):
        parser.error(f"--broker {arguments.broker}: no program there; build fleetarium_cli first")
    name, module = JUDGES[arguments.judge]

    root = os.path.abspath(os.path.join(os.path.dirname(__file__), "..", ".."))
    kit = Kit(arguments.broker, arguments.against, arguments.build, root)
    lacking = module.missing(kit)
    if lacking:
        print(f"this test was skipped: {lacking}")
        return 77
    verdicts = Verdicts(name, arguments.only)
    try:
        module.judge(kit, verdicts)
    finally:
        Process.end_all()
    return verdicts.finish()


if __name__ == "__main__":
    sys.exit(main())
