"""Real servers for tests: one in a thread, with a clock that the test sets; one as users start it, in a process."""

import asyncio
import itertools
import json
import os
import re
import ssl
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import httpx
import uvicorn

from sendmeter.app import create_app
from sendmeter.contract import contract
from sendmeter.domain.caps import Caps
from sendmeter.domain.cycles import Anchor
from sendmeter.services import keys, organizations
from sendmeter.services.vault import new_key
from sendmeter.serving.protocol import Protocol
from sendmeter.serving.room import Room
from sendmeter.settings import Settings

ROOT = Path(__file__).parent.parent
SENDMETER = Path(sys.executable).parent / "sendmeter"
NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
JSON = {"content-type": "application/json"}
SECRETS_KEY = new_key()
CERTIFICATES = ssl.create_default_context()
"""Read once: loopback needs none, and each client would take longer to read them than a test takes."""


@dataclass
class Clock:
    """A clock that stands still until a test moves it."""

    now: datetime = NOON

    def __call__(self):
        return self.now

    def advance(self, **time):
        self.now += timedelta(**time)


@dataclass
class Client:
    """A caller with a key. Every answer is checked against the contract."""

    url: str
    token: str | None
    http: httpx.Client = field(default_factory=lambda: httpx.Client(timeout=30, verify=CERTIFICATES))

    def request(self, method, path, *, headers=None, **options):
        sent = {"authorization": f"Bearer {self.token}"} if self.token else {}
        answer = self.http.request(method, self.url + path, headers={**sent, **(headers or {})}, **options)
        check_answer(method, path.partition("?")[0], answer)
        return answer

    def usage(self, query=""):
        return self.request("GET", f"/organization/usage{query}")

    def record(self, *events, **options):
        return self.request("POST", "/organization/usage/events", json={"events": list(events)}, **options)

    def close(self):
        self.http.close()


def check_answer(method, path, answer):
    """Compare an answer with the contract: a documented status, a body of its schema, the headers it promises."""
    assert re.fullmatch(r"trk_[0-9a-v]{26}", answer.headers["x-tracking-id"])
    for base_path in sorted(contract().base_paths, key=len, reverse=True):
        path = path.removeprefix(base_path) if base_path and path.startswith(base_path + "/") else path
    found = [op for op in contract().operations.values() if op.method == method and _is_of(op.path, path)]
    if method != "HEAD" and answer.status_code >= 400:
        body = answer.json()
        assert contract().schemas.component("ErrorResponse").faults(body) == []
        assert body["trackingId"] == answer.headers["x-tracking-id"]
    for operation in found:
        assert answer.status_code in operation.answers, (method, path, answer.status_code, answer.text)
        validator = operation.answers[answer.status_code]
        assert answer.content == b"" if validator is None else validator.faults(json.loads(answer.text)) == []
    if answer.status_code == 401:
        assert answer.headers["www-authenticate"].startswith("Bearer")
    if answer.status_code in (429, 503):
        assert int(answer.headers["retry-after"]) >= 1


def _is_of(template, path):
    return re.fullmatch(re.sub(r"\{\w+\}", "[^/]+", template), path) is not None


@dataclass
class LiveServer:
    """A server in a thread, on loopback, over the test's store and clock."""

    url: str
    store: object
    clock: Clock
    settings: Settings
    bridge: object
    room: Room
    clients: list = field(default_factory=list)

    def client(self, token=None):
        made = Client(self.url, token)
        self.clients.append(made)
        return made

    def organization(self, anchor=None, caps=None, **options):
        """Make an organization and give a client with its first key."""
        founded = organizations.create(
            self.store, "Test", anchor or Anchor(1, "UTC"), caps or Caps(), self.clock(), by="test", **options
        )
        return founded.organization, self.client(founded.token)

    def key(self, organization, *scopes, **options):
        return keys.create(self.store, organization.number, "test", scopes, self.clock(), by="test", **options)


@contextmanager
def live_server(store, clock, **settings):
    """Serve a store from a thread until the block ends. The store stays open."""
    configured = Settings(database_url=store.url, log_level="warning", **{"secrets_key": SECRETS_KEY, **settings})
    app = create_app(configured, store=store, clock=clock)
    bridge = app._middleware_app.asgi_app
    try:
        room = Room(configured.max_connections, configured.request_timeout_seconds)
        with served(app, room) as url:
            live = LiveServer(url, store, clock, configured, bridge, room)
            try:
                yield live
            finally:
                for client in live.clients:
                    client.close()
    finally:
        bridge.readers.shutdown()
        bridge.writers.shutdown()


class _Server(uvicorn.Server):
    """uvicorn's, which looks more often whether it is to stop: a fifth of a second for each test would be minutes."""

    async def main_loop(self):
        for tick in itertools.count():
            if self.should_exit or (tick % 50 == 0 and await self.on_tick(0)):
                return
            await asyncio.sleep(0.01)

    async def shutdown(self, sockets=None):  # noqa: ARG002 - uvicorn gives them
        for server in self.servers:
            server.close()
        state = self.server_state
        for connection in list(state.connections):
            connection.shutdown()
        while state.connections or state.tasks:
            await asyncio.sleep(0.005)


@contextmanager
def served(app, room=None):
    """Serve an application from a thread until the block ends; give its URL."""
    config = uvicorn.Config(
        app,
        host="127.0.0.1",
        port=0,
        http=partial(Protocol, room=room or Room()),
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
    )
    server = _Server(config)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    deadline = time.monotonic() + 60
    while not server.started:
        assert time.monotonic() < deadline, "the server did not start"
        assert thread.is_alive(), "the server ended"
        time.sleep(0.005)
    try:
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join(20)
        assert not thread.is_alive(), "the server did not stop"


@dataclass
class Process:
    """`sendmeter serve` as users start it."""

    url: str
    popen: subprocess.Popen
    log: Path


@contextmanager
def served_process(database_url, folder, *arguments, command="serve", environment=None, before=None):
    """Start the server, or the mock, as a process on a free port; stop it, gracefully, when the block ends.

    `before` is called in the process before it becomes the server.
    """
    log = Path(folder) / f"server-{time.monotonic_ns()}.log"
    with log.open("wb") as stderr:
        popen = subprocess.Popen(
            [SENDMETER, command, "--port", "0", *(["--database", database_url] if database_url else []), *arguments],
            stdout=stderr,
            stderr=stderr,
            cwd=folder,
            env={**os.environ, **(environment or {})},
            preexec_fn=before,  # noqa: PLW1509 - it sets a limit, and no more
        )
    try:
        yield Process(_wait_for_url(popen, log), popen, log)
    finally:
        popen.terminate()
        try:
            popen.wait(30)
        except subprocess.TimeoutExpired:
            popen.kill()
            popen.wait()
            raise


def _wait_for_url(popen, log):
    deadline = time.monotonic() + 90
    while time.monotonic() < deadline:
        found = re.search(r"listens on (http://\S+)", log.read_text())
        if found:
            return found[1]
        assert popen.poll() is None, log.read_text()
        time.sleep(0.02)
    raise AssertionError(f"the server did not start: {log.read_text()}")


def run_cli(*arguments, database_url=None, cwd=None, stdin=None, environment=None, expected=0):
    """Run `sendmeter …` as a process, and expect its exit code."""
    variables = {**os.environ, **(environment or {})}
    if database_url:
        variables["SENDMETER_DATABASE_URL"] = database_url
    done = subprocess.run(
        [SENDMETER, *arguments],
        capture_output=True,
        text=True,
        cwd=cwd,
        input=stdin,
        env=variables,
        timeout=300,
        check=False,
    )
    assert done.returncode == expected, (arguments, done.returncode, done.stdout, done.stderr)
    return done


def run_json(*arguments, **options):
    return json.loads(run_cli(*arguments, "--json", **options).stdout)
