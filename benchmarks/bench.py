"""One run of the benchmarks: its folder, its length, the databases and servers that rows ask it for."""

import json
import shutil
import sys
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks import data, postgres, servers
from benchmarks.load import MeasurementError, ask, settle_disk

USAGE, EVENTS, HOLDS = "/organization/usage", "/organization/usage/events", "/organization/usage/holds"


@dataclass
class Bench:
    """What rows need to be measured, and how long they may take."""

    folder: Path
    rounds: int
    seconds: int
    short: bool
    started: float = field(default_factory=time.monotonic)
    skipped: list[str] = field(default_factory=list)
    _postgres: object = None
    _numbers: int = 0

    def say(self, text):
        """Tell on standard error how far it is."""
        print(f"{self.elapsed:6.1f} s  {text}", file=sys.stderr, flush=True)

    @contextmanager
    def room(self, name):
        """Return a folder for a row's files, which is empty again when the block ends."""
        folder = self.folder / name
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        self.say(name)
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    @contextmanager
    def databases(self, kind, folder, count, events):
        """Return so many databases with the same content, on SQLite or PostgreSQL; that content is Sendmeter's own."""
        self._numbers += 1
        name = f"bench{self._numbers}"
        self.say(f"{kind}: {count} databases with {events:,} events each")
        if kind == "sqlite":
            whole = data.lay(data.create(f"sqlite:///{folder}/{name}.db"), events)
            found = [whole, *(data.copy(whole, folder / f"{name}-{number}.db") for number in range(1, count))]
            settle_disk()
            yield found
            return
        server = self.postgres
        whole = data.lay(data.create(server.create(name)), events)
        names = [f"{name}_{number}" for number in range(1, count)]
        found = [whole, *(data.replace(whole, url=server.create(each, name)) for each in names)]
        settle_disk()
        try:
            yield found
        finally:
            for each in (name, *names):
                server.drop(each)

    @property
    def postgres(self):
        """The PostgreSQL of this run, which the first row that needs it starts."""
        if self._postgres is None:
            running = postgres.running()
            self._postgres = running, running.__enter__()
        return self._postgres[1]

    @property
    def has_postgres(self):
        """Whether a row needed PostgreSQL."""
        return self._postgres is not None

    @property
    def elapsed(self):
        """How long it has taken, in seconds."""
        return time.monotonic() - self.started

    def close(self):
        """Stop what was started."""
        if self._postgres is not None:
            self._postgres[0].__exit__(None, None, None)
            self._postgres = None

    def serving(self, folder, name, command_of, database, workers=1):
        """Start a server on a database; it runs until the block ends."""
        return servers.serving(folder, name, command_of, database, headers=database.headers, workers=workers)


def same_answers(running, path, headers):
    """Raise where servers do not answer a question with the same JSON; numbers are compared as numbers."""
    answers = {}
    for server in running:
        status, body = ask(server.port, "GET", path, headers)
        if status != 200:
            raise MeasurementError(f"{server.name} answered {status}: {body[:500]}")
        answers[server.name] = json.loads(body)
    first, *others = answers.values()
    if any(other != first for other in others):
        raise MeasurementError(f"the answers differ: {answers}")
