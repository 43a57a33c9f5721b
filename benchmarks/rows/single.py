"""Recording one event with each request, from 32 clients at once."""

from contextlib import ExitStack

from benchmarks import bodies, raw_engine, servers
from benchmarks.bench import EVENTS
from benchmarks.load import MeasurementError, settle_disk, wrk
from benchmarks.rounds import Row, Target, alternate

CLIENTS = 32
LAID = 5_000
RAW_PER_SECOND = 20_000
CASES = (("sqlite", 1), ("sqlite", 2), ("postgresql", 1), ("postgresql", 2))


def measure(bench):
    """Measure on both databases, with one worker and with two; the raw engine is one thread and beside the first."""
    return [_measure(bench, kind, workers) for kind, workers in CASES]


def _measure(bench, kind, workers):
    name = f"single-{kind}-{workers}"
    with bench.room(name) as folder, bench.databases(kind, folder, 3, LAID) as databases, ExitStack() as on:
        ours, theirs, bare = databases
        running = [
            on.enter_context(bench.serving(folder, "sendmeter", servers.product, ours, workers)),
            on.enter_context(bench.serving(folder, "fastapi", servers.fastapi, theirs, workers)),
        ]

        def post(server, number):
            settle_disk()
            options = {"connections": CLIENTS, "headers": ours.headers, "arguments": [f"round{number}"]}
            return wrk(server, "single.lua", EVENTS, seconds=bench.seconds, **options)

        sides = {each.name: lambda number, each=each: post(each, number) for each in running}
        if workers == 1:
            raw, seconds = on.enter_context(raw_engine.connected(bare, folder)), bench.seconds
            sides["raw engine"] = lambda number: raw.work(
                "record", bodies.singles(RAW_PER_SECOND * seconds, seed=f"{name}-{number}"), seconds=seconds
            )
            sides["raw engine"](-1)
        warm = {server.name: post(server, "warm").done for server in running}
        found = alternate(bench.rounds, sides, bench.say)
        for server, database in zip(running, databases, strict=False):
            _check(server, database, warm[server.name], found[server.name], bench)
    targets = [Target("sendmeter", "fastapi", "per_second", least=3), Target("sendmeter", "fastapi", "cpu_us")]
    if workers == 1:
        targets.append(Target("sendmeter", "raw engine", "per_second"))
    title = f"POST of one event, {kind}, {workers} worker{'s' * (workers > 1)}, {CLIENTS} clients"
    return Row(name, title, "requests", found, targets)


def _check(server, database, warm, rounds, bench):
    """Raise where what is counted is not what was acknowledged; the last requests of each round had no reader."""
    acknowledged = warm + sum(each["done"] for each in rounds)
    counted = database.counted() - LAID
    if not acknowledged <= counted <= acknowledged + CLIENTS * (bench.rounds + 1):
        raise MeasurementError(f"{server.name} acknowledged {acknowledged} events and counts {counted}")
