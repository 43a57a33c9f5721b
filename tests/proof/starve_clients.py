"""Clients that starve a server of connections, and one that works meanwhile."""

import os
import resource
import socket
import time
from contextlib import contextmanager, suppress
from pathlib import Path
from urllib.parse import urlsplit

import httpx

from tests.cli.processes import children, wait_until
from tests.live import Client

SECONDS = float(os.environ.get("PROOF_SECONDS", "0.5"))
"""How long the client works while others starve the server."""
IDLE = b""
HEADER = b"POST /organization/usage/events HTTP/1.1\r\nHost: a\r\nX-Note: "
BODY = b"POST /organization/usage/events HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n\r\n" + b" " * 10_000
UNREAD = b"GET /openapi.json HTTP/1.1\r\nHost: a\r\n\r\n" * 50


@contextmanager
def connected(url, count, data=IDLE):
    """Open connections that send this and nothing more, and keep them until the block ends."""
    address = urlsplit(url)
    sockets = []
    try:
        for _ in range(count):
            made = socket.socket()
            sockets.append(made)
            if data == UNREAD:
                made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
            made.settimeout(30)
            # One that is closed to make room for others may not take all of it.
            with suppress(ConnectionError):
                made.connect((address.hostname, address.port))
                made.sendall(data)
        # Whoever has come this very moment is not sent away for another.
        wait_until(lambda: asked(url) == 200)
        yield sockets
    finally:
        for each in sockets:
            each.close()


def work(url, key, prefix, seconds=SECONDS):
    """Record, read and ask for health on connections old and new; give the ids that were acknowledged."""
    acknowledged = set()
    client = Client(url, key)
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        event_id = f"{prefix}-{len(acknowledged)}"
        answer = client.record({"id": event_id, "channel": "EMAIL"})
        assert answer.status_code == 200, answer.text
        acknowledged.add(event_id)
        assert client.usage().status_code == 200
        fresh = Client(url, None)
        for path in ("/health/live", "/health/ready"):
            assert fresh.request("GET", path).status_code == 200
        fresh.close()
    client.close()
    return acknowledged


def asked(url, path="/health/ready", method="GET", **options):
    """Ask once, on a connection of its own; give the status, or nothing where the connection ends before an answer."""
    try:
        return httpx.request(method, url + path, timeout=10, **options).status_code
    except httpx.TransportError:
        return None


def recorded(url, key, event_id):
    """Record once, on a connection of its own; give what `asked` gives."""
    events = {"events": [{"id": event_id, "channel": "EMAIL"}]}
    return asked(url, "/organization/usage/events", "POST", headers={"authorization": f"Bearer {key}"}, json=events)


def processes_of(server):
    return children(server.popen.pid) or [server.popen.pid]


def memory_mib(pids):
    """Return the memory that processes have to themselves."""
    rows = [row.split() for pid in pids for row in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()]
    return sum(int(row[1]) for row in rows if row[0] in ("Private_Clean:", "Private_Dirty:")) / 1024


def open_files(pid):
    return len(list(Path(f"/proc/{pid}/fd").iterdir()))


def limit_files(soft, hard=None):
    return lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard or soft))
