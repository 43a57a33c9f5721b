"""The raw engine: one thread, no HTTP, no validation, the same rows and counters, each batch durable.

`python -m benchmarks.peers.raw URL` reads commands from standard input, one a line: `{"what": "record", "file": …}` or
`"holds"`. It does the work of the bodies in the file, one a line, each in a transaction of its own, until `seconds` are
over where that is given, and prints what it took. It stays connected between them, as a server does.
"""

import json
import math
import sys
import time
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import orjson

from benchmarks.peers.raw_postgres import PostgresEngine
from benchmarks.peers.raw_sqlite import SqliteEngine

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
DAY = 86_400_000_000


def main(url):
    """Do what is asked for, until there is no more."""
    engine = SqliteEngine(url) if url.startswith("sqlite:") else PostgresEngine(url)
    for line in sys.stdin:
        print(json.dumps(_done(engine, **json.loads(line))), flush=True)


def _done(engine, what, file, seconds=None):
    bodies = Path(file).read_bytes().splitlines()
    work = hold if what == "holds" else record
    latest = math.inf if seconds is None else seconds
    taken = []
    cpu_started, started = time.process_time(), time.perf_counter()
    for body in bodies:
        before = time.perf_counter()
        if before - started > latest:
            break
        work(engine, body)
        taken.append(time.perf_counter() - before)
    whole, cpu_seconds = time.perf_counter() - started, time.process_time() - cpu_started
    taken.sort()
    p50, p99 = (taken[int(part * (len(taken) - 1))] * 1e6 for part in (0.5, 0.99))
    return {"done": len(taken), "seconds": whole, "cpu_seconds": cpu_seconds, "p50_us": p50, "p99_us": p99}


def record(engine, body):
    """Store the events of a body with their counters."""
    now = _microseconds(datetime.now(UTC))
    rows = {}
    for event in orjson.loads(body)["events"]:
        cost = event.get("cost")
        key = event.get("source", "api"), event["id"]
        rows[key] = (
            engine.number, *key, event["channel"], event.get("quantity", 1),
            None if cost is None else int(Decimal(cost).scaleb(9)), None, None,
            _microseconds(datetime.fromisoformat(event["occurredAt"])), now, engine.start, False, None, None,
        )  # fmt: skip
    # Sorted by the key of the table, which is what the engine likes best.
    engine.record([rows[key] for key in sorted(rows)], sums)


def sums(rows):
    """Add rows up by cycle and by day, each by channel."""
    cycles, days = {}, {}
    for row in rows:
        for found, period in ((cycles, row[10]), (days, row[8] // DAY)):
            quantity, cost = found.get((period, row[3]), (0, 0))
            found[period, row[3]] = quantity + row[4], cost + (row[5] or 0)
    return cycles, days


def hold(engine, body):
    """Take room for a hold where it stays within the cap, and store it."""
    asked = orjson.loads(body)
    engine.hold(asked["id"], asked["channel"], asked.get("quantity", 1), _microseconds(datetime.now(UTC)))


def _microseconds(instant):
    whole = instant - EPOCH
    return (whole.days * 86_400 + whole.seconds) * 1_000_000 + whole.microseconds


if __name__ == "__main__":
    main(*sys.argv[1:])
