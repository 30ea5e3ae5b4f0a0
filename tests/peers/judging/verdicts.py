"""What a judge found: one line for each case, a table at the end, and for each failure what was
sent, expected and got, beside the end of the broker's log."""

import contextlib
import sys
import threading
import time
import traceback

DEADLINE = 30.0  # seconds; a loaded machine is slow, but no broker that answers is this slow


class Wrong(Exception):
    """The broker did what it should not."""


def expect(sent, expected, got):
    """Raises Wrong unless `expected` and `got` are equal; `sent` says what was done."""
    if expected != got:
        raise Wrong(f"sent:     {shown(sent)}\nexpected: {shown(expected)}\ngot:      {shown(got)}")


def shown(value):
    text = value if isinstance(value, str) else repr(value)
    return text if len(text) <= 700 else f"{text[:450]} ... {text[-200:]} ({len(text)} characters)"


class Watch:
    """A lock and a signal for values that other threads change."""

    def __init__(self):
        self._changed = threading.Condition()

    @contextlib.contextmanager
    def changing(self):
        with self._changed:
            yield
            self._changed.notify_all()

    def wait(self, sent, expected, look, got=None, seconds=DEADLINE):
        """Waits until `look()` gives something true, and returns it; `got()` says, for a failure,
        what there was instead."""
        deadline = time.monotonic() + seconds
        with self._changed:
            while not (found := look()):
                left = deadline - time.monotonic()
                if left <= 0:
                    raise Wrong(f"sent:     {shown(sent)}\nexpected: {shown(expected)} within "
                                f"{seconds:g} s\ngot:      {shown((got or self.state)())}")
                self._changed.wait(min(left, 0.05))  # other watches may matter too
            return found

    def state(self):
        return "nothing of the kind"


class Verdicts:
    """Collects the cases of one judge."""

    def __init__(self, judge, only=""):
        self.judge = judge
        self.only = only  # cases whose place and name have this text
        self.passed = {}  # (transport, version): number of cases
        self.failed = {}
        self.started = time.monotonic()

    def case(self, transport, version, broker, story, *arguments):
        """Runs `story(*arguments)`, whose docstring is its name, as one case; what goes wrong in it
        is noted, and the judge goes on."""
        what = story.__doc__
        if self.only not in f"{transport} {version} {what}":
            return
        started = time.monotonic()
        try:
            story(*arguments)
        except Exception as problem:  # a judge's own fault is a failure too
            text = str(problem) if isinstance(problem, Wrong) else traceback.format_exc()
            self.fail(transport, version, what,
                      f"{text}\nbroker's log, its end:\n{broker.log_tail()}")
        else:
            self.ok(transport, version, what, time.monotonic() - started)

    def ok(self, transport, version, what, seconds=None):
        key = (transport, version)
        self.passed[key] = self.passed.get(key, 0) + 1
        took = "" if seconds is None else f"  {seconds:.2f} s"
        print(f"ok      {transport:<5} {version:<6} {what}{took}", flush=True)

    def fail(self, transport, version, what, text):
        key = (transport, version)
        self.failed[key] = self.failed.get(key, 0) + 1
        print(f"FAILED  {transport:<5} {version:<6} {what}", flush=True)
        for line in text.rstrip("\n").split("\n"):
            print(f"        | {line}", flush=True)

    def finish(self):
        """Prints the table; the exit status."""
        versions = sorted({version for _, version in {**self.passed, **self.failed}})
        transports = list(dict.fromkeys(key[0] for key in {**self.passed, **self.failed}))
        took = time.monotonic() - self.started
        print(f"\n{self.judge}: cases passed of cases tried, {took:.1f} s")
        print("      " + "".join(f"{version:>10}" for version in versions))
        for transport in transports:
            cells = []
            for version in versions:
                good = self.passed.get((transport, version), 0)
                bad = self.failed.get((transport, version), 0)
                cells.append(f"{f'{good}/{good + bad}' if good + bad else '-':>10}")
            print(f"{transport:<6}{''.join(cells)}")
        sys.stdout.flush()
        if not self.passed and not self.failed:
            print("no case ran: nothing was judged")
            return 1
        return 1 if self.failed else 0
