"""A server that goes on while its database starves: senders, who asks how it is, and what must be so afterwards."""

import itertools
import os
import threading
import time
from contextlib import closing, contextmanager
from dataclasses import dataclass, field

import httpx

from sendmeter.errors import Unavailable
from sendmeter.services import organizations
from sendmeter.services.verify import differences
from sendmeter.store import Store
from tests.cli.processes import wait_until
from tests.live import Client, run_cli, run_json, served_process

BUSY_SECONDS = 0.4
IN_TIME = 30 * BUSY_SECONDS
"""Within how many seconds each request is answered: what it may wait for, many times over, as machines are busy."""
READY_IN_TIME = 5
SENDERS = 3
LASTING_SECONDS = float(os.environ.get("PROOF_SECONDS", "0"))
"""How long each starvation lasts at the least. It lasts until all that has to be seen is seen, anyway."""
SETTINGS = {
    "SENDMETER_BUSY_TIMEOUT_SECONDS": str(BUSY_SECONDS),
    "SENDMETER_WORKER_THREADS": "2",
    "SENDMETER_PROVIDER_POLL_SECONDS": "0",
}


def client_of(url, token=None):
    return Client(url, token, httpx.Client(timeout=60, verify=False))  # quicker to make; nothing here is encrypted


@dataclass
class Seen:
    """What senders and onlookers were answered."""

    acknowledged: set = field(default_factory=set)
    pending: list = field(default_factory=list)
    refusals: list = field(default_factory=list)
    statuses: dict = field(default_factory=dict)
    faults: list = field(default_factory=list)
    slowest: float = 0.0


@dataclass
class Starved:
    """A running server, the key of an organization, and where its database is."""

    process: object
    database_url: str
    organization_id: str
    token: str
    seen: Seen = field(default_factory=Seen)
    numbers: itertools.count = field(default_factory=itertools.count)

    @contextmanager
    def sending(self):
        """Send from several threads, and ask how the server is, until the block ends; nobody waits for long."""
        done = threading.Event()
        works = [self._send] * SENDERS + [self._look]
        threads = [threading.Thread(target=self._guarded, args=(work, done)) for work in works]
        for thread in threads:
            thread.start()
        try:
            yield self.seen
        finally:
            done.set()
            for thread in threads:
                thread.join(120)
        assert self.seen.faults == []
        assert self.seen.slowest < IN_TIME

    def _guarded(self, work, done):
        client = client_of(self.process.url, self.token)
        try:
            work(client, done)
        except Exception as error:
            self.seen.faults.append(repr(error))
        finally:
            client.close()

    def _send(self, client, done):
        """Report events that nobody has, each batch again and again until it is acknowledged."""
        while not done.is_set():
            number = next(self.numbers)
            batch = [f"e{number}-{each}" for each in range(1 + number % 3)]
            while not self.acknowledge(client, batch):
                if done.wait(0.02):
                    self.seen.pending.append(batch)
                    return

    def acknowledge(self, client, batch):
        """Report once; tell whether it is acknowledged."""
        body = {"events": [{"id": event_id, "channel": "EMAIL"} for event_id in batch]}
        answer = self._timed(client, "POST", "/organization/usage/events", json=body)
        if answer.status_code == 200:
            told = {each["id"]: each["outcome"] for each in answer.json()["events"]}
            assert set(told) == set(batch)
            self.seen.acknowledged.update(batch)
            return True
        assert answer.status_code == 503, answer.text
        self.seen.refusals.append(answer.json()["error"])
        return False

    def _look(self, client, done):
        """Read, and ask whether the process lives, which it always does, at once."""
        while not done.wait(0.05):
            for path, allowed in (("/organization/usage", {200, 500}), ("/organization/limits", {200, 503})):
                assert self._timed(client, "GET", path).status_code in allowed
                self.check_alive(client)

    def _timed(self, client, method, path, **options):
        started = time.monotonic()
        answer = client.request(method, path, **options)
        self.seen.slowest = max(self.seen.slowest, time.monotonic() - started)
        self.seen.statuses[path, answer.status_code] = self.seen.statuses.get((path, answer.status_code), 0) + 1
        return answer

    def check_alive(self, client):
        started = time.monotonic()
        assert client.request("GET", "/health/live").status_code == 200
        assert time.monotonic() - started < READY_IN_TIME

    def is_ready(self):
        client = client_of(self.process.url)
        try:
            self.check_alive(client)
            started = time.monotonic()
            answer = client.request("GET", "/health/ready")
            assert time.monotonic() - started < READY_IN_TIME
        finally:
            client.close()
        return answer.status_code == 200

    def goes_on(self, seconds=30):
        """Wait until what is sent is acknowledged, more of it than is under way at a moment."""
        before = len(self.seen.acknowledged)
        wait_until(lambda: self.seen.faults or len(self.seen.acknowledged) > before + 6 * SENDERS, seconds)

    def starves(self, *messages, seconds=30):
        """Wait until senders are told one of the messages, with what to do, and the server is not ready."""
        before = len(self.seen.refusals)
        lasts_until = time.monotonic() + LASTING_SECONDS

        def is_seen():
            told = {each["message"] for each in self.seen.refusals[before:]}
            return self.seen.faults or (told & set(messages) and time.monotonic() >= lasts_until)

        wait_until(is_seen, seconds + LASTING_SECONDS)
        wait_until(lambda: not self.is_ready(), seconds)
        for refusal in self.seen.refusals[before:]:
            assert refusal["fix"].startswith(Unavailable.fix)
            assert "/" not in refusal["message"] + refusal["fix"], "it says where the database is"

    def recovers(self, seconds=30):
        wait_until(self.is_ready, seconds)
        self.goes_on(seconds)

    def check(self):
        """Everything that was ever sent is there, once, when what was not acknowledged is sent again."""
        client = client_of(self.process.url, self.token)
        try:
            for batch in [*self.seen.pending, *self.seen.pending]:
                assert self.acknowledge(client, batch)
            self.seen.pending.clear()
            assert stored(client) == sorted(self.seen.acknowledged)
            assert client.usage().json()["messageUsage"] == len(self.seen.acknowledged)
        finally:
            client.close()
        assert self.process.popen.poll() is None
        with closing(Store(self.database_url)) as store:
            assert differences(store, organizations.get(store, self.organization_id)) == []
        self.check_log()

    def check_log(self):
        """What the operator reads says why, on a line or two for each request."""
        log = self.process.log.read_text()
        assert "Traceback" not in log
        lines = log.splitlines()
        requests = sum(" sendmeter.access " in line for line in lines)
        assert len(lines) < 3 * requests + 20
        assert max(map(len, lines)) < 1000


def stored(client):
    """Name all events that are there, as they are found page by page."""
    found, cursor = [], ""
    while True:
        page = client.request("GET", f"/organization/usage/events?limit=100{cursor}").json()
        found += [each["id"] for each in page["items"]]
        if "nextCursor" not in page:
            return sorted(found)
        cursor = f"&cursor={page['nextCursor']}"


@contextmanager
def starving(database_url, folder, *arguments, serve=served_process):
    """Serve a fresh database, with short time limits."""
    with serve(database_url, folder, *arguments, environment=SETTINGS) as process:
        founded = run_json("organizations", "create", "--name", "Starved", database_url=database_url)
        yield Starved(process, database_url, founded["organizationId"], founded["apiKey"])
        run_cli("verify", "--in-place", database_url=database_url)  # the disk may have no room for a copy
