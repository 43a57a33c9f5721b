"""Recording batches of a thousand events, where there are a million already."""

from contextlib import ExitStack

from benchmarks import bodies, raw_engine, servers
from benchmarks.bench import EVENTS
from benchmarks.load import MeasurementError, post_all, settle_disk
from benchmarks.rounds import Row, Target, alternate

CLIENTS = 4
TARGETS = [
    Target("sendmeter", "raw engine", "per_second", least=0.6),
    Target("sendmeter", "fastapi", "per_second", least=3),
    Target("sendmeter", "raw engine", "cpu_us"),
    Target("sendmeter", "fastapi", "cpu_us"),
]


def measure(bench):
    """Measure on both databases, each with ids that come in order and with random ones."""
    return [row for kind in ("sqlite", "postgresql") for row in _measure(bench, kind)]


def _measure(bench, kind):
    laid = 100_000 if bench.short else 1_000_000
    count = 10 if bench.short else 20
    rows = []
    with bench.room(f"record-{kind}") as folder, bench.databases(kind, folder, 3, laid) as databases, ExitStack() as on:
        ours, theirs, bare = databases
        running = [
            on.enter_context(bench.serving(folder, "sendmeter", servers.product, ours)),
            on.enter_context(bench.serving(folder, "fastapi", servers.fastapi, theirs)),
        ]
        raw = on.enter_context(raw_engine.connected(bare, folder))
        for ids in ("ordered", "random"):
            bench.say(f"ids: {ids}")
            sides = _sides(running, ours.headers, raw, count, ids)
            for side in sides.values():
                side(-1)
            found = alternate(bench.rounds, sides, bench.say)
            title = f"POST of 1,000 events a batch, {ids} ids, {kind}, {laid:,} rows there, {CLIENTS} clients"
            rows.append(Row(f"record-{kind}-{ids}", title, "events", found, TARGETS))
            expected = laid + len(rows) * (bench.rounds + 1) * count * bodies.BATCH
            for database in databases:
                if database.counted() != expected:
                    raise MeasurementError(f"{database.url} counts {database.counted()} instead of {expected}")
    return rows


def _sides(running, headers, raw, count, ids):
    def batches(number):
        found = bodies.batches(count, seed=f"{ids}-{number}", ordered=ids == "ordered")
        settle_disk()
        return found

    def post(server, number):
        options = {"connections": CLIENTS, "headers": headers, "units": bodies.BATCH}
        return post_all(server, EVENTS, batches(number), **options)[0]

    sides = {each.name: lambda number, each=each: post(each, number) for each in running}
    return sides | {"raw engine": lambda number: raw.work("record", batches(number), units=bodies.BATCH)}
