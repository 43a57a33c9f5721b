"""`sendmeter serve` as users start it, killed and started again on the same port."""

import os
import signal
import socket
import subprocess
from contextlib import contextmanager, suppress

import httpx

from tests.cli.processes import children, is_alive, wait_until
from tests.live import SENDMETER

PATIENCE_SECONDS = 60


class Server:
    """A server with one process or several, on a port that is kept for it."""

    def __init__(self, database_url, folder, workers):
        self.workers, self.log, self.popen = workers, folder / "server.log", None
        # Bound and not listened on: nobody else gets the port while the server is away.
        self._kept = socket.socket()
        self._kept.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._kept.bind(("127.0.0.1", 0))
        self._http = httpx.Client(verify=False)  # quicker to make; nothing here is encrypted
        port = self._kept.getsockname()[1]
        self.url = f"http://127.0.0.1:{port}"
        self.command = [SENDMETER, "serve", "--port", str(port), "--workers", str(workers), "--database", database_url]

    def start(self):
        """Start it; it may not be ready yet."""
        with self.log.open("ab") as log:
            self.popen = subprocess.Popen(self.command, stdout=log, stderr=log, cwd=self.log.parent)

    def wait_until_ready(self):
        wait_until(lambda: self._ended() or self._is_ready(), PATIENCE_SECONDS)
        assert not self._ended(), self.log.read_text()[-5_000:]

    def _ended(self):
        return self.popen.poll() is not None

    def _is_ready(self):
        with suppress(httpx.TransportError):
            return self._http.get(f"{self.url}/health/ready", timeout=10).status_code == 200
        return False

    def processes(self):
        """Name the processes that serve: the workers, or the only one."""
        return children(self.popen.pid) if self.workers > 1 else [self.popen.pid]

    def kill_a_worker(self, chance):
        """Kill one that serves; the parent replaces it."""
        wait_until(self.processes, PATIENCE_SECONDS)
        os.kill(chance.choice(self.processes()), signal.SIGKILL)

    def kill_the_parent(self):
        """Kill the parent alone, and wait until its workers have ended by themselves."""
        orphans = children(self.popen.pid)
        self._kill_parent()
        wait_until(lambda: not any(is_alive(pid) for pid in orphans), PATIENCE_SECONDS)

    def kill_all(self):
        """Kill all processes at once."""
        orphans = children(self.popen.pid) if self.workers > 1 else []
        self._kill_parent()
        for pid in orphans:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        wait_until(lambda: not any(is_alive(pid) for pid in orphans), PATIENCE_SECONDS)

    def _kill_parent(self):
        self.popen.kill()
        self.popen.wait(PATIENCE_SECONDS)

    def stop(self):
        """Stop it as an operator does; give the exit code."""
        self.popen.terminate()
        return self.popen.wait(PATIENCE_SECONDS)

    def close(self):
        """Leave nothing behind, whatever happened."""
        self._kept.close()
        self._http.close()
        if self.popen is not None and self.popen.poll() is None:
            self.kill_all()


@contextmanager
def server_of(database_url, folder, workers):
    server = Server(database_url, folder, workers)
    try:
        server.start()
        server.wait_until_ready()
        yield server
    finally:
        server.close()
