"""Databases with an organization and its events, made by Sendmeter; peers get copies of them."""

import json
import os
import shutil
import sqlite3
import subprocess
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psycopg

from benchmarks import bodies
from benchmarks.load import MeasurementError
from benchmarks.servers import BIN

FIRST = 5_000
_SUMS = """
SELECT organization_id, {period}, channel, SUM(quantity), SUM(COALESCE(cost_nano_usd, 0)), 0, 0
FROM events GROUP BY organization_id, {period}, channel
"""
_COUNTERS = {"cycle_counters": "cycle_starts_at", "day_counters": "occurred_at / 86400000000"}
_NUMBERS = {
    "sqlite": "WITH RECURSIVE numbers (n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM numbers WHERE n + 1 < {count})",
    "postgresql": "WITH numbers AS (SELECT n FROM generate_series(0, {count} - 1) AS numbers (n))",
}
_RANDOM_ID = {"sqlite": "lower(hex(randomblob(12)))", "postgresql": "left(md5(random()::text), 24)"}
_CHANCE = {"sqlite": "(random() & 1048575)", "postgresql": "floor(random() * 1048576)::bigint"}
_EVENTS = """
INSERT INTO events (organization_id, source, event_id, channel, quantity, cost_nano_usd, provider,
    provider_message_id, occurred_at, recorded_at, cycle_starts_at, late, metadata, estimated_cost_nano_usd)
{numbers}
SELECT {organization}, 'api', {id} || '-laid-' || n, {channel}, 1, {cost}, NULL, NULL,
    {start} + ({end} - {start}) / 1048576 * {chance}, {end}, {start}, FALSE, NULL, NULL
FROM numbers
"""


@dataclass(frozen=True)
class Database:
    """A database that Sendmeter made: one organization with one key, and a running cycle that began ten days ago."""

    url: str
    organization_id: str
    number: int
    token: str

    @property
    def is_sqlite(self):
        return self.url.startswith("sqlite:")

    @property
    def path(self):
        return Path(self.url.removeprefix("sqlite:///"))

    @property
    def headers(self):
        """What shows the key."""
        return {"Authorization": f"Bearer {self.token}"}

    def connect(self):
        """Connect to it, past Sendmeter."""
        return sqlite3.connect(self.path) if self.is_sqlite else psycopg.connect(self.url)

    def one(self, statement):
        """Return the first row of what a statement finds."""
        connection = self.connect()
        try:
            return connection.execute(statement).fetchone()
        finally:
            connection.close()

    def counted(self):
        """Return the messages that are counted; raise where counters are not what the events add up to."""
        # In one statement, and so of one instant: requests that nobody waits for any more may still be under way.
        sums = [
            f"(SELECT SUM({column}) FROM {table})"
            for table in ("events", *_COUNTERS)
            for column in ("quantity", "cost_nano_usd")
        ]
        whole = [int(each) for each in self.one(f"SELECT {', '.join(sums)}")]
        if not whole[:2] == whole[2:4] == whole[4:]:
            raise MeasurementError(f"{self.url}: the counters are not what the events add up to: {whole}")
        return whole[0]


def create(url):
    """Let Sendmeter make a database, an organization and its first events, as its users do."""
    anchor = min((datetime.now(UTC) - timedelta(days=10)).day, 28)
    made = _sendmeter("organizations", "create", "--name", "Benchmark", "--anchor-day", str(anchor), "--json", url=url)
    found = json.loads(made)
    lines = "".join(json.dumps(event) + "\n" for event in bodies.events(FIRST, seed="first"))
    _sendmeter("import", "-", "--organization", found["organizationId"], url=url, text=lines)
    database = Database(url, found["organizationId"], 0, found["apiKey"])
    return replace(database, number=database.one("SELECT organization_id FROM organizations")[0])


def lay(database, count):
    """Lay events straight into the tables until there are so many, counters included: recording takes minutes."""
    connection = database.connect()
    kind = "sqlite" if database.is_sqlite else "postgresql"
    if database.is_sqlite:
        # Nothing of this is measured: without a journal, and with an index that is made afterwards, it takes less.
        for pragma in ("journal_mode = OFF", "synchronous = OFF", "cache_size = -2000000", "temp_store = MEMORY"):
            connection.execute(f"PRAGMA {pragma}").fetchall()
    known = connection.execute("SELECT COUNT(*) FROM events").fetchone()[0]
    start = connection.execute("SELECT starts_at FROM cycles").fetchone()[0]
    shapes = [shape["channel"] for shape in bodies.SHAPES]
    numbered = " ".join(f"WHEN {number} THEN '{channel}'" for number, channel in enumerate(shapes))
    costs = " ".join(f"WHEN {shapes.index(channel)} THEN {cost}" for channel, cost in bodies.COSTS.items())
    statement = _EVENTS.format(
        numbers=_NUMBERS[kind].format(count=count - known), organization=database.number, id=_RANDOM_ID[kind],
        channel=f"CASE n % {len(shapes)} {numbered} END", cost=f"CASE n % {len(shapes)} {costs} END",
        start=start, end=int(datetime.now(UTC).timestamp() * 1e6), chance=_CHANCE[kind],
    )  # fmt: skip
    dropped = []
    if database.is_sqlite:
        dropped = connection.execute(
            "SELECT name, sql FROM sqlite_master WHERE type = 'index' AND tbl_name = 'events' AND sql IS NOT NULL"
        ).fetchall()
    for index, _ in dropped:
        connection.execute(f"DROP INDEX {index}")
    if count > known:
        connection.execute(statement)
        for table, period in _COUNTERS.items():
            connection.execute(f"DELETE FROM {table}")
            connection.execute(
                f"INSERT INTO {table} (organization_id, {_columns(table)}) {_SUMS.format(period=period)}"
            )
    for _, index in dropped:
        connection.execute(index)
    connection.commit()
    if database.is_sqlite:
        connection.execute("PRAGMA journal_mode = WAL")
    else:
        connection.autocommit = True
        connection.execute("VACUUM ANALYZE")
        connection.execute("CHECKPOINT")
    connection.close()
    return database


def copy(database, path):
    """Copy a database's file for one who is to have it alone."""
    shutil.copyfile(database.path, path)
    return replace(database, url=f"sqlite:///{path}")


def limit(database, messages):
    """Let Sendmeter set the cap of messages."""
    _sendmeter("limits", "set", "--organization", database.organization_id, "--message-cap", str(messages),
               url=database.url)  # fmt: skip


def verify(database):
    """Let Sendmeter prove that its counters are what the events add up to."""
    _sendmeter("verify", url=database.url)


def _columns(table):
    period = "day" if table == "day_counters" else "cycle_starts_at"
    return f"{period}, channel, quantity, cost_nano_usd, pending, estimated_nano_usd"


def _sendmeter(*arguments, url, text=None):
    done = subprocess.run(
        [BIN / "sendmeter", *arguments], env=os.environ | {"SENDMETER_DATABASE_URL": url}, input=text,
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    if done.returncode:
        raise MeasurementError(f"sendmeter {' '.join(arguments)}: {done.stdout}{done.stderr}")
    return done.stdout
