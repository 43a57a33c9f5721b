"""A wire to PostgreSQL that breaks after a commit has happened and before anybody is told: a commit in doubt."""

import shutil
import socket
import tempfile
import threading
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

SOCKET = ".s.PGSQL.5432"
COMMIT = b"COMMIT\x00"


class Wire:
    """Passes bytes on between a socket of its own and the server's. `armed` says how many commits are to be severed."""

    def __init__(self, folder, server):
        self.server, self.armed, self.severed = server, 0, 0
        self.listening = socket.socket(socket.AF_UNIX)
        self.listening.bind(str(folder / SOCKET))
        self.listening.listen()
        self._accepting = threading.Thread(target=self._accept, daemon=True)
        self._accepting.start()

    def close(self):
        self.listening.shutdown(socket.SHUT_RDWR)
        self.listening.close()
        self._accepting.join(10)

    def _accept(self):
        while True:
            try:
                client, _ = self.listening.accept()
            except OSError:
                return
            threading.Thread(target=self._pass_on, args=(client,), daemon=True).start()

    def _pass_on(self, client):
        server = socket.socket(socket.AF_UNIX)
        server.connect(self.server)
        cut = threading.Event()

        def answers():
            while (answer := _read(server)) and not cut.is_set():
                with suppress(OSError):
                    client.sendall(answer)
            with suppress(OSError):
                client.shutdown(socket.SHUT_RDWR)

        answering = threading.Thread(target=answers, daemon=True)
        with closing(server), closing(client):
            answering.start()
            while said := _read(client):
                if self.armed and said.endswith(COMMIT):
                    self.armed -= 1
                    self.severed += 1
                    cut.set()  # the server's answer, that it has committed, goes nowhere
                with suppress(OSError):
                    server.sendall(said)
            with suppress(OSError):
                server.shutdown(socket.SHUT_WR)
            answering.join(10)


def _read(end):
    try:
        return end.recv(65_536)
    except OSError:
        return b""


@contextmanager
def severed(url):
    """Return the wire, and the URL of the same database behind it."""
    parts = urlsplit(url)
    server = str(Path(parse_qs(parts.query)["host"][0]) / SOCKET)
    folder = Path(tempfile.mkdtemp(prefix="sm", dir="/tmp"))
    wire = Wire(folder, server)
    try:
        yield wire, f"postgresql://{parts.netloc}{parts.path}?host={folder}"
    finally:
        wire.close()
        shutil.rmtree(folder, ignore_errors=True)
