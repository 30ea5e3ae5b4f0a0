"""Processes that a judge starts: their lines as they come, and their end."""

import os
import subprocess
import threading

from judging.verdicts import DEADLINE, Watch, Wrong, shown


class Process(Watch):
    """A process whose lines of standard output (and error, unless `stderr` takes it elsewhere)
    are kept as they come. Standard input: None is empty, bytes are written, OPEN is for tell()."""

    OPEN = object()

    running = []  # all that were started, so that none outlives the judge

    def __init__(self, arguments, stdin=None, stderr=subprocess.STDOUT, **options):
        super().__init__()
        self.arguments = [str(each) for each in arguments]
        self.lines = []
        self.child = subprocess.Popen(
            self.arguments, stdin=subprocess.DEVNULL if stdin is None else subprocess.PIPE,
            stdout=subprocess.PIPE, stderr=stderr, **options)
        Process.running.append(self)
        self.threads = [threading.Thread(target=self._read, args=(self.child.stdout,))]
        if isinstance(stdin, bytes):
            self.threads.append(threading.Thread(target=self._write, args=(stdin,)))
        for thread in self.threads:
            thread.daemon = True
            thread.start()
        self.ended = False

    def _read(self, stream):
        with stream:
            for line in stream:
                with self.changing():
                    self.lines.append(line.decode("utf-8", "backslashreplace").rstrip("\n"))
        with self.changing():
            self.ended = True

    def _write(self, text):
        try:
            with self.child.stdin as stream:
                stream.write(text)
        except BrokenPipeError:
            pass  # its end and its lines say why

    def tell(self, line):
        """Writes a line to its standard input."""
        self.child.stdin.write((line + "\n").encode())
        self.child.stdin.flush()

    def state(self):
        return ("it ended; " if self.ended else "") + "its last lines: " + " / ".join(
            shown(line) for line in self.lines[-12:])

    def command(self):
        return " ".join(self.arguments)

    def line(self, expected, test, seconds=DEADLINE):
        """The first line for which `test(line)` is true."""
        def look():
            for each in self.lines:
                if test(each):
                    return each
            if self.ended:
                raise Wrong(f"sent:     {shown(self.command())}\nexpected: {expected}\n"
                            f"got:      {self.state()}")
            return None
        return self.wait(self.command(), expected, look, seconds=seconds)

    def lines_with(self, test):
        with self.changing():
            return [line for line in self.lines if test(line)]

    def end(self, seconds=DEADLINE):
        """Waits for its end; the exit status."""
        try:
            self.child.wait(seconds)
        except subprocess.TimeoutExpired:
            raise Wrong(f"sent:     {shown(self.command())}\nexpected: its end within {seconds:g} "
                        f"s\ngot:      {self.state()}") from None
        for thread in self.threads:
            thread.join(seconds)
        return self.child.returncode

    def kill(self):
        if self.child.poll() is None:
            self.child.kill()
        self.child.wait()

    @staticmethod
    def end_all():
        for process in Process.running:
            process.kill()


def find_program(name):
    """The path of a program, also of those in the folders for the administrator; None without."""
    for folder in os.environ.get("PATH", "").split(os.pathsep) + ["/usr/local/sbin", "/usr/sbin"]:
        path = os.path.join(folder, name)
        if os.access(path, os.X_OK) and not os.path.isdir(path):
            return path
    return None
