"""Databases of the first version with data in them, many of them alike, on each of the two kinds."""

import shutil
import sqlite3
from contextlib import closing
from dataclasses import dataclass
from itertools import count
from pathlib import Path

import psycopg

from sendmeter.domain.ids import organization_number
from sendmeter.services import organizations
from sendmeter.services.verify import differences
from sendmeter.store import Store
from sendmeter.store.schema import MIGRATIONS, state_of, upgrade
from tests.cli.full_database import content
from tests.proof.crash_checks import wait_until_quiet
from tests.store.test_upgrade import IDS, _fill

_numbers = count()
FIRST = "0001_first_tables"
MANY = """
INSERT INTO events
(organization_id, source, event_id, channel, quantity, occurred_at, recorded_at, cycle_starts_at, late)
WITH RECURSIVE numbers (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < {many})
SELECT organization_id, 'many', 'm' || n, 'EMAIL', 1, occurred_at, recorded_at, cycle_starts_at, late
FROM numbers, events WHERE event_id = 'a' AND source = 'api'
"""


@dataclass
class Databases:
    """Gives databases, each an own one: `old()` has data of the first version, `empty()` has nothing."""

    folder: Path
    postgres: str | None
    many: int

    def __post_init__(self):
        self._template = self.empty()
        first = self.folder / "first"
        first.mkdir()
        shutil.copy(MIGRATIONS / f"{FIRST}.py", first)
        with closing(Store(self._template)) as store:
            store.write(lambda: _lay(store, first))
            store.write(lambda: _fill(store))
            store.write(lambda: self._add_many(store))
        self.before = content(self._template)

    def _add_many(self, store):
        if self.many:
            store.execute(MANY.format(many=self.many))
            for table in ("cycle_counters", "day_counters"):
                store.execute(f"UPDATE {table} SET quantity = quantity + {self.many} WHERE channel = 'EMAIL'")

    def empty(self):
        return self._made("")

    def old(self):
        if self.postgres is None:
            url = self.empty()
            shutil.copy(self._template.removeprefix("sqlite:///"), url.removeprefix("sqlite:///"))
            return url
        name = self._template.partition("?")[0].rpartition("/")[2]
        return self._made(f"TEMPLATE {name}")

    def _made(self, template):
        name = f"cut_{next(_numbers)}"
        if self.postgres is None:
            return f"sqlite:///{self.folder}/{name}.db"
        with psycopg.connect(self.postgres, autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name} {template}")
        head, _, query = self.postgres.partition("?")
        return f"{head.rpartition('/')[0]}/{name}?{query}"

    def drop(self, url):
        """Take a database away again, so that hundreds fit."""
        if self.postgres is None:
            for file in self.folder.glob(f"{Path(url.removeprefix('sqlite:///')).name}*"):
                file.unlink()
            return
        name = url.partition("?")[0].rpartition("/")[2]
        with psycopg.connect(self.postgres, autocommit=True) as connection:
            connection.execute(f"DROP DATABASE {name} WITH (FORCE)")

    def recover(self, url):
        """Open a database as the next command does: what was half done is undone, and what was asked for has ended."""
        with closing(Store(url)) as store:
            store.read(store.database.get_tables)
            wait_until_quiet(store)

    def check_old_or_new(self, url):
        """It is as it was, or of this version with all that was in it; tell whether it is new."""
        with closing(Store(url)) as store:
            state = state_of(store)
            assert state.applied == (FIRST,) or state.is_current
            if state.is_current:
                self._check_new(url, store)
            else:
                assert content(url) == self.before
            return state.is_current

    def check_upgrade(self, url):
        """A second run does what is left, and all is there."""
        with closing(Store(url)) as store:
            upgrade(store)
            assert state_of(store).is_current
            self._check_new(url, store)

    def _check_new(self, url, store):
        now = content(url)
        for table in ("api_keys", "accounts"):
            assert now[table] == self.before[table]
        for table in ("events", "cycles", "cycle_counters", "day_counters", "pending_costs"):
            # Columns were added at the end.
            assert _cut(now[table], len(self.before[table][0])) == self.before[table]
        found = [organizations.get(store, each) for each in IDS]
        assert [each.number for each in found] == [organization_number(each) for each in IDS]
        assert [each.name for each in found] == ["Zürich ✓", "Zürich ✓"]
        assert {len(each.cursor_key) for each in found} == {32}
        assert [differences(store, each) for each in found] == [[], []]
        assert len(now["provider_messages"]) == 1


def _cut(rows, columns):
    return sorted((row[:columns] for row in rows), key=repr)


def _lay(store, folder):
    """Lay the first version's tables, as it did."""
    from playhouse.migrations import Runner

    Runner(store.database, str(folder), table_name="schema_migration").up()


def is_whole(url):
    """SQLite itself finds nothing wrong with the file."""
    if not url.startswith("sqlite:"):
        return True
    with closing(sqlite3.connect(url.removeprefix("sqlite:///"))) as database:
        return database.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
