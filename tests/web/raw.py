"""Requests as bytes over a socket, for what a polite HTTP client would never send."""

import contextlib
import json
import re
import socket
from dataclasses import dataclass
from urllib.parse import urlsplit

from sendmeter.contract import contract

EVENTS = "/organization/usage/events"
EMAIL = b'{"events":[{"id":"a","channel":"EMAIL"}]}'


@dataclass(frozen=True)
class Reply:
    """An answer as it came: headers in order, names in lower case."""

    status: int
    headers: list[tuple[str, str]]
    body: bytes

    def header(self, name):
        found = [value for known, value in self.headers if known == name]
        assert len(found) <= 1, f"{name} is sent more than once"
        return found[0] if found else None

    def json(self):
        return json.loads(self.body)


class Line:
    """One connection."""

    def __init__(self, url):
        address = urlsplit(url)
        self.socket = socket.create_connection((address.hostname, address.port), timeout=20)
        self.stream = self.socket.makefile("rb")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stream.close()
        self.socket.close()

    def send(self, data):
        # A server that has answered and closed does not read the rest; what it answered is read all the same.
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            self.socket.sendall(data)

    def reply(self, *, with_body=True):
        """Read one answer."""
        status_line = self.stream.readline()
        assert status_line.startswith(b"HTTP/1.1 "), status_line
        headers = []
        while (line := self.stream.readline()) not in (b"\r\n", b""):
            name, _, value = line.decode("latin-1").partition(":")
            headers.append((name.lower(), value.strip()))
        made = Reply(int(status_line.split()[1]), headers, b"")
        length = int(made.header("content-length") or 0)
        return Reply(made.status, headers, self.stream.read(length)) if with_body else made

    def ended(self):
        """Return whether the server closes the connection, with nothing more to say."""
        return self.stream.read(1) == b""


@dataclass(frozen=True)
class Caller:
    """A fresh organization's key, and the server that it is for."""

    server: object
    organization: object
    token: str

    @property
    def key(self):
        return f"Authorization: Bearer {self.token}"

    def line(self):
        return Line(self.server.url)

    def head(self, start, *headers):
        """Write a request up to its body: `GET /path`, header lines; the key and Host are added."""
        lines = [f"{start} HTTP/1.1", "Host: meter.test", self.key, *headers]
        return "".join(f"{line}\r\n" for line in lines).encode("latin-1") + b"\r\n"

    def recording(self, body, *headers, content_type="application/json"):
        """Write a request that records."""
        types = [] if content_type is None else [f"Content-Type: {content_type}"]
        return self.head(f"POST {EVENTS}", *types, f"Content-Length: {len(body)}", *headers) + body

    def send(self, data, **options):
        """Send bytes on a connection of their own, and give the first answer."""
        with self.line() as line:
            line.send(data)
            return line.reply(**options)

    def refused(self, data, status, code, pointer=None):
        """Send bytes, and check that they are refused as the house refuses, with nothing stored."""
        reply = self.send(data)
        check_refusal(reply, status, code, pointer)
        assert self.stored() == []
        return reply

    def stored(self):
        """Return the ids of the organization's events."""
        store = self.server.store
        statement = "SELECT event_id FROM events WHERE organization_id = ? ORDER BY event_id"
        rows = store.read(lambda: store.execute(statement, (self.organization.number,)).fetchall())
        return [row[0] for row in rows]


def check_refusal(reply, status, code, pointer=None):
    assert (reply.status, reply.json()["error"]["code"]) == (status, code), reply
    assert reply.header("content-type") == "application/json"
    assert contract().schemas.component("ErrorResponse").faults(reply.json()) == []
    assert re.fullmatch(r"trk_[0-9a-v]{26}", reply.header("x-tracking-id"))
    assert reply.json()["trackingId"] == reply.header("x-tracking-id")
    assert reply.json()["error"]["fix"]
    if pointer is not None:
        assert {each["pointer"] for each in reply.json()["error"]["details"]} == {pointer}


def chunked(*parts):
    return b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in parts) + b"0\r\n\r\n"
