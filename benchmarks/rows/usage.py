"""Reading usage: the product beside FastAPI, and beside connexion as it comes."""

from contextlib import ExitStack
from functools import partial

from benchmarks import servers
from benchmarks.bench import USAGE, same_answers
from benchmarks.load import wrk
from benchmarks.rounds import Row, Target, alternate

EVENTS = 5_000
CASES = (("sqlite", 1), ("sqlite", 2), ("postgresql", 1), ("postgresql", 2))


def measure(bench):
    """Measure on both databases, with one worker and with two."""
    return [_measure(bench, kind, workers) for kind, workers in CASES]


def _measure(bench, kind, workers):
    peers = {"sendmeter": servers.product, "fastapi": servers.fastapi}
    if (kind, workers) == ("sqlite", 1):
        peers["connexion"] = servers.connexion
    name = f"usage-{kind}-{workers}"
    connections = 8 * workers
    with bench.room(name) as folder, bench.databases(kind, folder, len(peers), EVENTS) as databases, ExitStack() as on:
        running = [
            on.enter_context(bench.serving(folder, peer, command_of, database, workers))
            for (peer, command_of), database in zip(peers.items(), databases, strict=True)
        ]
        headers = databases[0].headers
        same_answers(running, USAGE, headers)
        load = partial(wrk, script="get.lua", path=USAGE, connections=connections, headers=headers)
        for server in running:
            load(server, seconds=workers)
        sides = {each.name: lambda _, each=each: load(each, seconds=bench.seconds) for each in running}
        found = alternate(bench.rounds, sides, bench.say)
        memory = {each.name: each.memory() for each in running}
        same_answers(running, USAGE, headers)
    targets = [Target("sendmeter", "fastapi", metric, least=1.5) for metric in ("per_second", "cpu_us")]
    if "connexion" in found:
        targets += [Target("sendmeter", "connexion", metric, least=3) for metric in ("per_second", "cpu_us")]
    title = f"GET usage, {kind}, {workers} worker{'s' * (workers > 1)}, {connections} connections"
    return Row(name, title, "requests", found, targets, {"memory": memory})
