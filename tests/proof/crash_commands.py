"""Commands as users start them, killed at random moments after they have opened their database."""

import os
import signal
import subprocess
import time
from contextlib import contextmanager, suppress
from pathlib import Path

import psycopg

from tests.live import SENDMETER
from tests.proof.crash_run import reported

OPENED = """
SELECT 1 FROM pg_stat_activity WHERE application_name = 'sendmeter' AND datname = current_database() AND pid <> ALL(%s)
"""


@contextmanager
def watched(url):
    """Return a function that tells whether a process has opened a database by now."""
    if url.startswith("sqlite:"):
        yield lambda pid: _has_open(pid, url.removeprefix("sqlite:///"))
        return
    with psycopg.connect(url, autocommit=True) as connection:
        # One that was killed may still be there for a moment.
        others = [row[0] for row in connection.execute(OPENED, [[]]).fetchall()]
        yield lambda _: bool(connection.execute(OPENED, [others]).fetchone())


def _has_open(pid, file):
    with suppress(FileNotFoundError, ProcessLookupError):
        return any(os.path.realpath(each) == file for each in Path(f"/proc/{pid}/fd").iterdir())
    return False


class Killing:
    """Kills commands, and counts. `longest` is for how many seconds, at the most, they have the database open."""

    def __init__(self, folder, chance):
        self.folder, self.chance, self.longest = folder, chance, 0.15
        self.killed = self.ended = self.done = 0

    def kill(self, url, *command, has_begun=lambda: True):
        """Kill a command after it opened the database and began."""
        with self._opened(url, command) as popen:
            while popen.poll() is None and not has_begun():
                time.sleep(0.001)
            time.sleep(self.chance.uniform(0, self.longest))
            popen.kill()
            code = popen.wait(60)
        assert code in (0, -signal.SIGKILL), (self.folder / "command.log").read_text()
        self.killed += code != 0
        self.ended += code == 0

    def came_to(self, is_done):
        """Note whether what was killed had done its work; the next one gets less time or more, to meet the end."""
        self.done += is_done
        self.longest *= 0.8 if is_done else 1.25

    @contextmanager
    def _opened(self, url, command):
        """Start a command, and wait until it has opened the database."""
        with (self.folder / "command.log").open("ab") as log, watched(url) as is_opened:
            popen = subprocess.Popen([SENDMETER, *command], stdout=log, stderr=log, cwd=self.folder)
            try:
                while popen.poll() is None and not is_opened(popen.pid):
                    time.sleep(0.001)
                yield popen
            finally:
                popen.kill()
                popen.wait(60)

    def report(self, name, **more):
        counts = {"kills": self.killed, "endedBefore": self.ended, "done": self.done}
        reported(name, counts | more)
