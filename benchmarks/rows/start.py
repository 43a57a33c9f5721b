"""How long until the first answer, and what one worker keeps in memory."""

from contextlib import contextmanager

from benchmarks import servers
from benchmarks.bench import USAGE
from benchmarks.load import wrk
from benchmarks.rounds import Row, Target, told

STARTS = 5


def measure(bench):
    """Start each server several times, one after the other, and load each for a moment before its memory is read."""
    with bench.room("start") as folder, bench.databases("sqlite", folder, 2, 5_000) as (ours, theirs):
        starts = {
            "sendmeter": _on_database(bench, folder, servers.product, ours),
            "fastapi": _on_database(bench, folder, servers.fastapi, theirs),
            "sendmeter mock": _mocking(folder, servers.mock),
        }
        if servers.has_prism():
            starts["prism"] = _mocking(folder, servers.prism)
        else:
            bench.skipped.append("start: Prism is not installed (it needs Node.js 20 and npm)")
        found = {name: [] for name in starts}
        for number in range(STARTS):
            for name, (start, headers) in starts.items():
                with start(name) as server:
                    metrics = {"ms": server.start_seconds * 1e3}
                    wrk(server, "get.lua", USAGE, seconds=1, connections=8, headers=headers)
                    memory = server.memory()
                found[name].append({**metrics, "mib": memory["rss_mib"], **memory})
                bench.say(f"start {number + 1} of {STARTS}: {name} {told(found[name][-1])}")
    pairs = [("sendmeter", "fastapi")]
    if "prism" in found:
        pairs += [("sendmeter", "prism"), ("sendmeter mock", "prism")]
    targets = [Target(*pair, metric, least=1) for pair in pairs for metric in ("ms", "mib")]
    return [Row("start", "Start to first answer, and memory of one worker after a second of load", "", found, targets)]


def _on_database(bench, folder, command_of, database):
    @contextmanager
    def start(name):
        with bench.serving(folder, name, command_of, database) as server:
            yield server

    return start, database.headers


def _mocking(folder, command_of):
    @contextmanager
    def start(name):
        with servers.serving(folder, name, command_of, headers=servers.EXAMPLE) as server:
            yield server

    return start, servers.EXAMPLE
