"""Commands of `sendmeter` that end at one of their statements, as `kill -9` ends them: at each in turn, if one likes.

Run as a script it reads everything once, and then forks a process for each command that a line of its input names.
"""

import importlib
import json
import mmap
import os
import signal
import subprocess
import sys
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

NEVER = 10**9
CASE = "case"


@dataclass
class Cuts:
    """The process that forks."""

    popen: subprocess.Popen

    def run(self, url, *command, before=NEVER, signal_number=signal.SIGKILL):
        """Run a command that gets a signal before its so-manieth statement.

        Gives its exit code (minus the signal that killed it), and how many statements it came to.
        """
        return tuple(self._ask(url, command, before, signal_number)[1:])

    def stopped(self, url, *command, before):
        """Run a command that stands still before a statement; give its process, which is to be killed, then `ended`."""
        pid, code, _ = self._ask(url, command, before, signal.SIGSTOP)
        assert code is None, "it ended before it was stopped"
        return pid

    def ended(self):
        """Return the exit code of what was stopped."""
        return json.loads(self.popen.stdout.readline())[1]

    def _ask(self, url, command, before, signal_number):
        self.popen.stdin.write(json.dumps([url, command, before, int(signal_number)]) + "\n")
        self.popen.stdin.flush()
        return json.loads(self.popen.stdout.readline())


@contextmanager
def cuts(folder):
    """Start the process that forks; what the commands print goes to a file."""
    command = [sys.executable, str(Path(__file__).resolve()), str(folder / "cuts.log")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=folder) as popen:
        try:
            yield Cuts(popen)
        finally:
            popen.stdin.close()
            popen.wait(60)


class _Cursor:
    """A cursor of either driver that counts what it executes."""

    def __init__(self, cursor, count):
        self._cursor, self._count = cursor, count

    def execute(self, *statement):
        self._count()
        return self._cursor.execute(*statement)

    def __getattr__(self, name):
        return getattr(self._cursor, name)

    def __iter__(self):
        return iter(self._cursor)


def _command(url, command, before, signal_number, statements):
    """Run a command, or a case of `crash_cases.py`, in this process; it does not come back."""
    from peewee import Database

    from sendmeter.cli import main
    from tests.proof.crash_cases import run

    cursor = Database.cursor

    def count():
        number = int.from_bytes(statements[:8], "little") + 1
        statements[:8] = number.to_bytes(8, "little")
        if number == before:
            os.kill(os.getpid(), signal_number)

    Database.cursor = lambda self, *arguments: _Cursor(cursor(self, *arguments), count)
    if command[0] == CASE:
        run(url, *command[1:])
        os._exit(0)
    os.environ["SENDMETER_DATABASE_URL"] = url
    main(command)


def _forked(url, command, before, signal_number, log):
    """Run a command in a process of its own; tell when it stands still, and when it has ended."""
    statements = mmap.mmap(-1, 8)
    pid = os.fork()
    if pid == 0:
        output = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        os.dup2(output, 1)
        os.dup2(output, 2)
        _command(url, command, before, signal_number, statements)
    while True:
        _, status = os.waitpid(pid, os.WUNTRACED)
        is_stopped = os.WIFSTOPPED(status)
        code = None if is_stopped else os.waitstatus_to_exitcode(status)
        sys.stdout.write(json.dumps([pid, code, int.from_bytes(statements[:8], "little")]) + "\n")
        sys.stdout.flush()
        if not is_stopped:
            return


if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
    # Read once, before anything is forked.
    for name in ("sendmeter.cli.db", "sendmeter.cli.organizations", "tests.proof.crash_cases"):
        importlib.import_module(name)

    for line in sys.stdin:
        _forked(*json.loads(line), sys.argv[1])
